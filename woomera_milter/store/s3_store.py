"""S3: putting objects so that the server itself verifies them, and reading them back.

An object is sent with `Content-MD5` and `x-amz-checksum-sha256`, so damage on the way is
refused by the server and never found out by a recipient (S3 API reference, PutObject;
S3 User Guide, "Checking object integrity").
"""

import hashlib
import json
import math
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any

from woomera_milter import config
from woomera_milter.clock import Deadline
from woomera_milter.errors import WoomeraError
from woomera_milter.store.answers import (
    Continuation,
    ListingPage,
    age_of,
    http_date,
    listing_page,
    required,
)
from woomera_milter.store.connection import ERRORS, S3Connection
from woomera_milter.store.downloads import attachment_disposition, harmless_type
from woomera_milter.store.failures import code_of, explained
from woomera_milter.store.objects import PAGE_SIZE, Content, Document, StoredObject, json_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import (
        GetObjectOutputTypeDef,
        ListObjectsV2RequestTypeDef,
        PutObjectOutputTypeDef,
    )

_CHUNK_BYTES = 256 * 1024
_CONFLICT_TRIES = 6
_MISSING = frozenset({"NoSuchKey", "404"})


class S3Store:
    """The Store in an S3 bucket."""

    def __init__(
        self,
        storage: config.Storage,
        max_connections: int,
        on_new_credentials: Callable[[], object] = lambda: None,
    ) -> None:
        """`on_new_credentials` is called where the old ones were refused and others have been read."""
        self._connection = S3Connection(storage, max_connections, on_new_credentials)
        self._bucket = storage.bucket
        self._prefix = storage.prefix
        self._retention = storage.retention
        self._checksum = storage.checksum

    def put(
        self,
        key: str,
        content: Content | bytes,
        content_type: str,
        deadline: Deadline,
        now: datetime,
        *,
        file_name: str | None = None,
        with_md5: bool = True,
    ) -> StoredObject:
        """As Store says."""
        more: dict[str, str] = {}
        if file_name is not None:
            content_type = harmless_type(content_type)
            more["ContentDisposition"] = attachment_disposition(file_name)
        answer = self._put(key, content, content_type, more, deadline, with_md5=with_md5)
        return StoredObject(key, _ends_at(answer.get("Expiration", ""), now + self._retention))

    def put_json(self, key: str, value: object, deadline: Deadline | None = None) -> None:
        """As Store says."""
        self._store_json(key, value, {}, deadline)

    def create_json(self, key: str, value: object) -> str | None:
        """As Store says."""
        return self._put_on_condition(key, value, {"IfNoneMatch": "*"})

    def replace_json(self, key: str, value: object, etag: str) -> str | None:
        """As Store says."""
        return self._put_on_condition(key, value, {"IfMatch": etag})

    def _put_on_condition(self, key: str, value: object, condition: dict[str, str]) -> str | None:
        for attempt in range(_CONFLICT_TRIES):
            try:
                answer = self._store_json(key, value, condition)
                return str(required(answer, "ETag", f"storing {self.name_of(key)}"))
            except WoomeraError as error:
                code = code_of(error.__cause__)
                if code in {"PreconditionFailed", "NoSuchKey"}:
                    break
                if code != "ConditionalRequestConflict":
                    raise
                # 409: another write of this key is in flight (S3 User Guide, "Conditional writes").
                time.sleep(0.05 * 2**attempt)
        found = self.get_json(key)
        return found.etag if found and found.value == value else None

    def get_json(self, key: str) -> Document | None:
        """As Store says."""
        attempted = f"reading {self.name_of(key)}"

        def get(client: "S3Client") -> "tuple[GetObjectOutputTypeDef, bytes]":
            answer = client.get_object(Bucket=self._bucket, Key=self._prefix + key)
            return answer, answer["Body"].read()

        try:
            answer, octets = self._connection.ask(attempted, get)
        except WoomeraError as error:
            if code_of(error.__cause__) in _MISSING:
                return None
            raise
        value = json_of(octets, attempted)
        return Document(value, answer.get("ETag", ""), age_of(answer), answer.get("LastModified"))

    def read(self, key: str, deadline: Deadline) -> Iterator[bytes]:
        """As Store says."""
        attempted = f"reading {self.name_of(key)}"
        answer = self._connection.ask(
            attempted, lambda client: client.get_object(Bucket=self._bucket, Key=self._prefix + key)
        )
        try:
            with closing(answer["Body"]) as body:
                for chunk in body.iter_chunks(_CHUNK_BYTES):
                    deadline.check(attempted)
                    yield chunk
        except ERRORS as error:
            raise explained(error, attempted) from error

    def ends_at(self, key: str) -> datetime:
        """As Store says."""
        attempted = f"looking at {self.name_of(key)}"
        answer = self._connection.ask(
            attempted,
            lambda client: client.head_object(Bucket=self._bucket, Key=self._prefix + key),
        )
        modified_at = required(answer, "LastModified", attempted)
        return _ends_at(answer.get("Expiration", ""), modified_at + self._retention)

    def pages(self, prefix: str, delimiter: str = "", page_size: int = PAGE_SIZE) -> Iterator[ListingPage]:
        """As Store says."""
        request: ListObjectsV2RequestTypeDef = {
            "Bucket": self._bucket,
            "Prefix": self._prefix + prefix,
            "Delimiter": delimiter,
            "MaxKeys": page_size,
        }
        attempted = f"listing {self.name_of(prefix)}"
        continuation = Continuation(attempted)
        while True:
            answer = self._connection.ask(attempted, lambda client: client.list_objects_v2(**request))
            page = listing_page(answer, self._prefix, page_size, attempted)
            yield page
            if not page.more:
                return
            request["ContinuationToken"] = continuation.after(answer)

    def name_of(self, key: str) -> str:
        """As Store says."""
        return self._connection.name_of(key)

    def _store_json(
        self, key: str, value: object, condition: dict[str, str], deadline: Deadline | None = None
    ) -> "PutObjectOutputTypeDef":
        octets = json.dumps(value, ensure_ascii=False, indent=1).encode()
        return self._put(key, octets, "application/json", condition, deadline or Deadline(math.inf))

    def _put(
        self,
        key: str,
        content: Content | bytes,
        content_type: str,
        more: dict[str, str],
        deadline: Deadline,
        *,
        with_md5: bool = True,
    ) -> "PutObjectOutputTypeDef":
        attempted = f"storing {self.name_of(key)}"
        deadline.check(attempted)
        request: Any = self._connection.put_request(key, content_type) | more
        if self._checksum == "sha256":
            request["ChecksumSHA256"] = b64encode(_sha256(content)).decode()
        if with_md5 or self._checksum == "md5":
            request["ContentMD5"] = b64encode(_md5(content)).decode()

        def put(client: "S3Client") -> "PutObjectOutputTypeDef":
            if isinstance(content, bytes):
                return client.put_object(**request, Body=content)
            # Opened anew for each operation: the one before has left its stream at the end.
            return client.put_object(**request, Body=content.open(deadline), ContentLength=content.size_bytes)

        try:
            return self._connection.ask(attempted, put)
        except WoomeraError:
            deadline.check(attempted)
            raise


def _sha256(content: Content | bytes) -> bytes:
    return hashlib.sha256(content).digest() if isinstance(content, bytes) else content.sha256


def _md5(content: Content | bytes) -> bytes:
    # A check against damage alone: allowed on FIPS hosts too.
    return (
        hashlib.md5(content, usedforsecurity=False).digest() if isinstance(content, bytes) else content.md5()
    )


def _ends_at(expiration: str, ends_at: datetime) -> datetime:
    """Return when a lifecycle rule may delete the object, as `x-amz-expiration` and `ends_at` say."""
    found = re.search(r'expiry-date="([^"]+)"', expiration)
    expires_at = http_date(found[1]) if found else None  # not a date: as if there were no rule
    return min(ends_at, expires_at) if expires_at else ends_at
