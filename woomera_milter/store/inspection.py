"""The bucket as `woomera check` looks at it: its settings, and what its server does with a probe.

Apart from objects.py because a look at settings, and a request that has to be refused, are no part of storing
mail: none of the rights that these calls need is needed for anything else.
"""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from woomera_milter import config
from woomera_milter.errors import WoomeraError
from woomera_milter.store import failures
from woomera_milter.store.objects import connect

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import PutObjectRequestTypeDef

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class BucketGreeting:
    """What S3 tells to whoever asks, allowed to or not; None where a server does not tell."""

    region: str | None
    server_time: datetime | None
    refusal: WoomeraError | None


class Bucket:
    """Methods raise TemporaryError or PermanentError, of which `code_of` gives S3's own code."""

    def __init__(self, storage: config.Storage) -> None:
        self._storage = storage
        self._client: S3Client = self._ask("connecting to S3", lambda: connect(storage, 1))
        self.region = self._client.meta.region_name

    def greet(self) -> BucketGreeting:
        """Ask whether the bucket is there (HeadBucket); raise where no server answers."""
        refusal: WoomeraError | None = None
        try:
            answer: Any = self._ask(
                f"looking at s3://{self._storage.bucket}",
                lambda: self._client.head_bucket(Bucket=self._storage.bucket),
            )
        except WoomeraError as error:
            if not isinstance(error.__cause__, ClientError):
                raise
            refusal, answer = error, error.__cause__.response
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        date = headers.get("date")
        server_time = parsedate_to_datetime(date) if date else None
        return BucketGreeting(headers.get("x-amz-bucket-region"), server_time, refusal)

    def put(self, key: str, octets: bytes) -> str | None:
        """Store octets, encrypted as storage says; return how the server says that it encrypted them."""
        request = self._request(key, octets)
        answer = self._ask(f"storing {self.name_of(key)}", lambda: self._client.put_object(**request))
        return answer.get("ServerSideEncryption")

    def put_damaged(self, key: str, octets: bytes) -> None:
        """Store octets under the digest of others: what a server has to refuse."""
        request = self._request(key, octets)
        request["ContentMD5"] = _md5(octets + b"damage")
        self._ask(f"storing {self.name_of(key)}", lambda: self._client.put_object(**request))

    def put_if_absent(self, key: str, octets: bytes) -> None:
        """Store octets unless there is an object already."""
        request = self._request(key, octets)
        request["IfNoneMatch"] = "*"
        self._ask(f"storing {self.name_of(key)}", lambda: self._client.put_object(**request))

    def get(self, key: str) -> bytes:
        """Return an object's octets."""
        where: Any = self._where(key)
        return self._ask(f"reading {self.name_of(key)}", lambda: _body(self._client.get_object(**where)))

    def list_one(self, prefix: str) -> None:
        """List what lies below `prefix`, as far as to see that it is allowed."""
        full = self._storage.prefix + prefix
        self._ask(
            f"listing {self.name_of(prefix)}",
            lambda: self._client.list_objects_v2(Bucket=self._storage.bucket, Prefix=full, MaxKeys=1),
        )

    def delete(self, key: str) -> None:
        """Delete an object."""
        where: Any = self._where(key)
        self._ask(f"deleting {self.name_of(key)}", lambda: self._client.delete_object(**where))

    def public_access_block(self) -> Mapping[str, bool]:
        """Return the four settings of Block Public Access."""
        answer: Any = self._ask(
            "looking at Block Public Access",
            lambda: self._client.get_public_access_block(Bucket=self._storage.bucket),
        )
        return dict(answer["PublicAccessBlockConfiguration"])

    def lifecycle_rules(self) -> Sequence[Mapping[str, Any]]:
        """Return the rules of the lifecycle, as S3's API gives them."""
        answer: Any = self._ask(
            "looking at the lifecycle",
            lambda: self._client.get_bucket_lifecycle_configuration(Bucket=self._storage.bucket),
        )
        return list(answer["Rules"])

    def name_of(self, key: str) -> str:
        """Return the URL by which people and tools name the object."""
        return f"s3://{self._storage.bucket}/{self._storage.prefix}{key}"

    def close(self) -> None:
        """Close idle connections."""
        self._client.close()

    def _where(self, key: str) -> dict[str, str]:
        return {"Bucket": self._storage.bucket, "Key": self._storage.prefix + key}

    def _request(self, key: str, octets: bytes) -> "PutObjectRequestTypeDef":
        request: PutObjectRequestTypeDef = {
            "Bucket": self._storage.bucket,
            "Key": self._storage.prefix + key,
            "Body": octets,
            "ContentType": "text/plain",
            "ContentMD5": _md5(octets),
        }
        if self._storage.encryption != "none":
            request["ServerSideEncryption"] = self._storage.encryption
        if self._storage.kms_key_id:
            request["SSEKMSKeyId"] = self._storage.kms_key_id
        return request

    def _ask(self, attempted: str, operation: Callable[[], Answer]) -> Answer:
        try:
            return operation()
        except (ClientError, BotoCoreError) as error:
            raise failures.explained(error, attempted) from error


def _body(answer: Any) -> bytes:
    octets: bytes = answer["Body"].read()
    return octets


def code_of(error: WoomeraError) -> str:
    """Return S3's code of what went wrong."""
    return failures.code_of(error.__cause__)


def _md5(octets: bytes) -> str:
    return b64encode(hashlib.md5(octets, usedforsecurity=False).digest()).decode()
