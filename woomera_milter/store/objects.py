"""S3: putting objects so that the server itself verifies them, and reading them back.

An object is sent with `Content-MD5` and `x-amz-checksum-sha256`, so damage on the way is
refused by the server and never found out by a recipient (S3 API reference, PutObject;
S3 User Guide, "Checking object integrity").
"""

import contextlib
import hashlib
import io
import json
import re
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from botocore.config import Config as ClientConfig
from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from woomera_milter import aws, config
from woomera_milter.clock import Deadline
from woomera_milter.errors import PermanentError, WoomeraError
from woomera_milter.message.spool import SpooledMessage, SpoolReader
from woomera_milter.message.wire import WireMessage
from woomera_milter.store import documents
from woomera_milter.store.downloads import attachment_disposition, harmless_type
from woomera_milter.store.failures import CREDENTIAL_ERRORS, code_of, explained
from woomera_milter.store.keys import url

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import (
        ListObjectsV2RequestTypeDef,
        PutObjectOutputTypeDef,
        PutObjectRequestTypeDef,
    )

Answer = TypeVar("Answer")

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 20
_CHUNK_BYTES = 256 * 1024
_CONFLICT_TRIES = 6
_MISSING = frozenset({"NoSuchKey", "404"})
# Amid a body botocore wraps some of its HTTP library's errors, and not those of TLS.
_READ_ERRORS = (ClientError, BotoCoreError, HTTPError)


@dataclass(frozen=True, slots=True)
class Stored:
    """An object that the server has verified; S3 may delete it at `ends_at`, not before."""

    key: str
    ends_at: datetime


class Listed(NamedTuple):
    """An object as a listing shows it; the key is below storage.prefix."""

    key: str
    size_bytes: int
    modified_at: datetime
    storage_class: str


class Page(NamedTuple):
    """What one request of a listing gives: `folders` only with a delimiter; `more`: whether more follow."""

    objects: list[Listed]
    folders: list[str]
    more: bool


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON document as it was read; its age is told by the server's clock alone, in whole seconds."""

    value: Any
    etag: str
    age: timedelta


class Store:
    """The bucket. Safe to use from many threads at once.

    Methods raise TemporaryError (S3 down, slow, throttling), PermanentError (no such bucket, wrong
    keys, missing rights) or DeadlineError, each with the remedy.
    """

    def __init__(
        self,
        storage: config.Storage,
        max_connections: int,
        on_new_credentials: Callable[[], object] = lambda: None,
    ) -> None:
        """`on_new_credentials` is called where the old ones were refused and others have been read."""
        self._storage = storage
        self._max_connections = max_connections
        self._on_new_credentials = on_new_credentials
        self._lock = threading.Lock()
        self._client: S3Client | None = None

    def put_message(
        self, key: str, message: SpooledMessage, file_name: str, deadline: Deadline, now: datetime
    ) -> Stored:
        """Store the spooled message as `message/rfc822`, to be saved as `file_name` by browsers."""
        request = self._spooled_request(key, message, "message/rfc822", file_name)
        request["ContentMD5"] = b64encode(message.md5()).decode()
        return self._put_spooled(key, request, message, deadline, now)

    def put_attachment(
        self,
        key: str,
        attachment: SpooledMessage,
        content_type: str,
        file_name: str,
        deadline: Deadline,
        now: datetime,
    ) -> Stored:
        """Store a spooled attachment, to be saved as `file_name`; only harmless types are kept.

        Its SHA-256 alone vouches for it: MD5, which older servers look at, would take twice as long again,
        and the whole of it is in the message.
        """
        request = self._spooled_request(key, attachment, harmless_type(content_type), file_name)
        return self._put_spooled(key, request, attachment, deadline, now)

    def put_page(self, key: str, html: bytes, deadline: Deadline, now: datetime) -> Stored:
        """Store a page of UTF-8 HTML, which browsers show."""
        answer = self._put(self._octets_request(key, html, "text/html; charset=utf-8"), deadline)
        return self._stored(key, answer, now)

    def _spooled_request(
        self, key: str, spooled: SpooledMessage, content_type: str, file_name: str
    ) -> "PutObjectRequestTypeDef":
        return {
            "Bucket": self._storage.bucket,
            "Key": self._storage.prefix + key,
            "ContentLength": spooled.size_bytes,
            "ContentType": content_type,
            "ContentDisposition": attachment_disposition(file_name),
            "ChecksumSHA256": b64encode(spooled.sha256).decode(),
        }

    def _put_spooled(
        self,
        key: str,
        request: "PutObjectRequestTypeDef",
        spooled: SpooledMessage,
        deadline: Deadline,
        now: datetime,
    ) -> Stored:
        def open_body() -> io.BufferedReader:
            return io.BufferedReader(SpoolReader(spooled, deadline), _CHUNK_BYTES)

        return self._stored(key, self._put(request, deadline, open_body), now)

    def _stored(self, key: str, answer: "PutObjectOutputTypeDef", now: datetime) -> Stored:
        return Stored(key, self._ends_at(answer.get("Expiration", ""), now + self._storage.retention))

    def put_archived(self, key: str, message: WireMessage, deadline: Deadline) -> None:
        """Store a message of the archive."""
        request: PutObjectRequestTypeDef = {
            "Bucket": self._storage.bucket,
            "Key": self._storage.prefix + key,
            "ContentLength": message.size_bytes,
            "ContentType": "message/rfc822",
            "ContentMD5": b64encode(message.md5()).decode(),
            "ChecksumSHA256": b64encode(message.sha256).decode(),
        }
        self._put(request, deadline, lambda: message.open(deadline))

    def put_json(self, key: str, value: object, deadline: Deadline | None = None) -> None:
        """Store a JSON document. Without a deadline, as in conditional writes, S3's timeouts end it."""
        self._put(self._json_request(key, value), deadline)

    def _json_request(self, key: str, value: object) -> "PutObjectRequestTypeDef":
        octets = json.dumps(value, ensure_ascii=False, indent=1).encode()
        return self._octets_request(key, octets, "application/json")

    def _octets_request(self, key: str, octets: bytes, content_type: str) -> "PutObjectRequestTypeDef":
        return {
            "Bucket": self._storage.bucket,
            "Key": self._storage.prefix + key,
            "Body": octets,
            "ContentType": content_type,
            "ContentMD5": b64encode(hashlib.md5(octets, usedforsecurity=False).digest()).decode(),
            "ChecksumSHA256": b64encode(hashlib.sha256(octets).digest()).decode(),
        }

    def create_json(self, key: str, value: object) -> str | None:
        """Store a JSON document where there is none yet; return its ETag, None where there is one already.

        A write of ours whose first answer was lost, and that was sent again, is known by what it says.
        """
        return self._put_on_condition(key, value, None)

    def replace_json(self, key: str, value: object, etag: str) -> str | None:
        """Store a JSON document in place of the one with `etag`; return its ETag, None if that has gone."""
        return self._put_on_condition(key, value, etag)

    def _put_on_condition(self, key: str, value: object, etag: str | None) -> str | None:
        request = self._json_request(key, value)
        if etag is None:
            request["IfNoneMatch"] = "*"
        else:
            request["IfMatch"] = etag
        for attempt in range(_CONFLICT_TRIES):
            try:
                return self._put(request)["ETag"]
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
        """Return the JSON document under `key`, None where there is none (PermanentError: it is not JSON)."""
        attempted = f"reading {self.name_of(key)}"
        try:
            answer = self._with_fresh_credentials(
                lambda client: client.get_object(Bucket=self._storage.bucket, Key=self._storage.prefix + key)
            )
            octets = answer["Body"].read()
        except _READ_ERRORS as error:
            if code_of(error) in _MISSING:
                return None
            raise explained(error, attempted) from error
        value = json_of(octets, attempted)
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        return Document(value, answer["ETag"], now - answer["LastModified"])

    def read(self, key: str, deadline: Deadline) -> Iterator[bytes]:
        """Yield the object's octets in chunks."""
        attempted = f"reading {self.name_of(key)}"
        try:
            answer = self._with_fresh_credentials(
                lambda client: client.get_object(Bucket=self._storage.bucket, Key=self._storage.prefix + key)
            )
            with closing(answer["Body"]) as body:
                for chunk in body.iter_chunks(_CHUNK_BYTES):
                    deadline.check(attempted)
                    yield chunk
        except _READ_ERRORS as error:
            raise explained(error, attempted) from error

    def ends_at(self, key: str) -> datetime:
        """Return when the lifecycle may delete a stored object; raise PermanentError where it has gone."""
        try:
            answer = self._with_fresh_credentials(
                lambda client: client.head_object(Bucket=self._storage.bucket, Key=self._storage.prefix + key)
            )
        except (ClientError, BotoCoreError) as error:
            raise explained(error, f"looking at {self.name_of(key)}") from error
        ends_at = answer["LastModified"] + self._storage.retention
        return self._ends_at(answer.get("Expiration", ""), ends_at)

    def pages(self, prefix: str, delimiter: str = "") -> Iterator[Page]:
        """Yield what lies below `prefix` (itself below storage.prefix), in the order of the keys."""
        request: ListObjectsV2RequestTypeDef = {
            "Bucket": self._storage.bucket,
            "Prefix": self._storage.prefix + prefix,
            "Delimiter": delimiter,
        }
        skip = len(self._storage.prefix)
        while True:
            try:
                answer = self._with_fresh_credentials(lambda client: client.list_objects_v2(**request))
            except (ClientError, BotoCoreError) as error:
                raise explained(error, f"listing {self.name_of(prefix)}") from error
            objects = [
                Listed(it["Key"][skip:], it["Size"], it["LastModified"], it.get("StorageClass", "STANDARD"))
                for it in answer.get("Contents", [])
            ]
            folders = [it["Prefix"][skip:] for it in answer.get("CommonPrefixes", [])]
            yield Page(objects, folders, answer["IsTruncated"])
            if not answer["IsTruncated"]:
                return
            request["ContinuationToken"] = answer["NextContinuationToken"]

    def name_of(self, key: str) -> str:
        """Return the URL by which people and tools name the object, an attachment's without its file name."""
        return url(self._storage.bucket, self._storage.prefix + key)

    def _put(
        self,
        request: "PutObjectRequestTypeDef",
        deadline: Deadline | None = None,
        open_body: Callable[[], io.BufferedReader] | None = None,
    ) -> "PutObjectOutputTypeDef":
        attempted = f"storing {url(request['Bucket'], request['Key'])}"
        if deadline:
            deadline.check(attempted)
        if self._storage.encryption != "none":
            request["ServerSideEncryption"] = self._storage.encryption
        if self._storage.kms_key_id:
            request["SSEKMSKeyId"] = self._storage.kms_key_id

        def put(client: "S3Client") -> "PutObjectOutputTypeDef":
            if open_body:  # anew for each operation: the one before has left its stream at the end
                request["Body"] = open_body()
            return client.put_object(**request)

        try:
            return self._with_fresh_credentials(put)
        except (ClientError, BotoCoreError) as error:
            if deadline:
                deadline.check(attempted)
            raise explained(error, attempted) from error

    def _with_fresh_credentials(self, operation: Callable[["S3Client"], Answer]) -> Answer:
        """Run the operation; where credentials are refused, once more with a session built anew."""
        client = self._connected(instead_of=None)
        try:
            return operation(client)
        except (ClientError, BotoCoreError) as error:
            if code_of(error) not in CREDENTIAL_ERRORS:
                raise
        return operation(self._connected(instead_of=client))

    def _connected(self, instead_of: "S3Client | None") -> "S3Client":
        with self._lock:
            if self._client is None or self._client is instead_of:
                self._client = connect(self._storage, self._max_connections)
                if instead_of:
                    self._on_new_credentials()
            return self._client

    def _ends_at(self, expiration: str, ends_at: datetime) -> datetime:
        """Return when a lifecycle rule may delete the object, as `x-amz-expiration` and `retention` say."""
        if found := re.search(r'expiry-date="([^"]+)"', expiration):
            with contextlib.suppress(ValueError):  # not RFC 7231's date: as if there were no rule
                ends_at = min(ends_at, parsedate_to_datetime(found[1]).astimezone(UTC))
        return ends_at


def json_of(octets: bytes, attempted: str) -> Any:
    """Return what a document says, None where it is empty; raise PermanentError where it is not JSON."""
    try:
        return documents.parsed(octets)
    except ValueError as error:
        remedy = "see who wrote it, and mend or delete it"
        raise PermanentError(f"{attempted}: it is not JSON", remedy=remedy, reason="damaged") from error


def connect(storage: config.Storage, max_connections: int) -> "S3Client":
    """Return a new client, with credentials read anew; raise BotoCoreError where it cannot be had."""
    session = aws.session(storage.profile, storage.access_key_id, storage.secret_access_key)
    return session.client(
        "s3",
        region_name=storage.region,
        endpoint_url=storage.endpoint_url,
        config=ClientConfig(
            signature_version="s3v4",
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            retries={"total_max_attempts": 3, "mode": "standard"},
            max_pool_connections=max_connections,
            tcp_keepalive=True,
            request_checksum_calculation="when_required",
            s3={
                "addressing_style": storage.addressing,
                # Content-MD5 is among the signed headers, so it vouches for the body; hashing
                # that once more for the signature, as botocore does over plain HTTP, adds nothing.
                "payload_signing_enabled": False,
            },
        ),
    )
