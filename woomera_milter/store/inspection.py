"""The bucket as `woomera check` looks at it: its settings, and what its server does with a probe.

Apart from objects.py because a look at settings, and a request that has to be refused, are no part of storing
mail: none of the rights that these calls need is needed for anything else.
"""

import hashlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from woomera_milter import config
from woomera_milter.errors import WoomeraError
from woomera_milter.store import failures
from woomera_milter.store.answers import http_date
from woomera_milter.store.connection import S3Connection
from woomera_milter.store.objects import json_of

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import PutObjectOutputTypeDef


_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


@dataclass(frozen=True, slots=True)
class BucketGreeting:
    """What S3 tells to whoever asks, allowed to or not; None where a server does not tell."""

    region: str | None
    server_time: datetime | None
    refusal: WoomeraError | None


class Bucket:
    """Methods raise TemporaryError or PermanentError, of which `code_of` gives S3's own code."""

    def __init__(self, storage: config.Storage) -> None:
        self._bucket = storage.bucket
        self._prefix = storage.prefix
        self._connection = S3Connection(storage, 1)
        self._ask = self._connection.ask
        self.region = self._ask("connecting to S3", lambda client: client.meta.region_name)

    def greet(self) -> BucketGreeting:
        """Ask whether the bucket is there (HeadBucket); raise where no server answers."""
        refusal: WoomeraError | None = None
        try:
            answer: Any = self._ask(
                f"looking at s3://{self._bucket}", lambda client: client.head_bucket(Bucket=self._bucket)
            )
        except WoomeraError as error:
            if not isinstance(error.__cause__, ClientError):
                raise
            refusal, answer = error, error.__cause__.response
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        return BucketGreeting(headers.get("x-amz-bucket-region"), http_date(headers.get("date")), refusal)

    def put(self, key: str, octets: bytes) -> str | None:
        """Store octets, encrypted as storage says; return how the server says that it encrypted them."""
        return self._put(key, octets, octets).get("ServerSideEncryption")

    def put_damaged(self, key: str, octets: bytes) -> None:
        """Store octets under the digest of others: what a server has to refuse."""
        self._put(key, octets, octets + b"damage")

    def put_if_absent(self, key: str, octets: bytes) -> None:
        """Store octets unless there is an object already."""
        self._put(key, octets, octets, IfNoneMatch="*")

    def delete(self, key: str) -> None:
        """Delete an object."""
        self._ask(
            f"deleting {self.name_of(key)}",
            lambda client: client.delete_object(Bucket=self._bucket, Key=self._prefix + key),
        )

    def public_access_block(self) -> Mapping[str, bool]:
        """Return the four settings of Block Public Access; what is not told is off."""
        answer: Any = self._ask(
            "looking at Block Public Access",
            lambda client: client.get_public_access_block(Bucket=self._bucket),
        )
        told = answer.get("PublicAccessBlockConfiguration", {})
        return {name: bool(told.get(name)) for name in _BLOCKS}

    def default_encryption(self) -> tuple[str, str]:
        """Return how the bucket encrypts what comes without a header, and with which key ("": AWS's)."""
        answer: Any = self._ask(
            "looking at the bucket's encryption",
            lambda client: client.get_bucket_encryption(Bucket=self._bucket),
        )
        rules = answer.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
        default = rules[0].get("ApplyServerSideEncryptionByDefault", {}) if rules else {}
        return default.get("SSEAlgorithm", ""), default.get("KMSMasterKeyID", "")

    def keeps_versions(self) -> bool:
        """Tell whether what is deleted stays, as a version."""
        answer = self._ask(
            "looking at the bucket's versioning",
            lambda client: client.get_bucket_versioning(Bucket=self._bucket),
        )
        return answer.get("Status") == "Enabled"

    def lifecycle_rules(self) -> Sequence[Mapping[str, Any]]:
        """Return the rules of the lifecycle, as S3's API gives them."""
        answer: Any = self._ask(
            "looking at the lifecycle",
            lambda client: client.get_bucket_lifecycle_configuration(Bucket=self._bucket),
        )
        return list(answer.get("Rules", []))

    def policy_statements(self) -> Sequence[Mapping[str, Any]]:
        """Return the statements of the bucket's policy."""
        attempted = "looking at the bucket's policy"
        answer = self._ask(attempted, lambda client: client.get_bucket_policy(Bucket=self._bucket))
        policy = json_of(answer.get("Policy", "").encode(), attempted)
        found = policy.get("Statement", []) if isinstance(policy, dict) else []
        return [it for it in (found if isinstance(found, list) else [found]) if isinstance(it, dict)]

    def name_of(self, key: str) -> str:
        """Return the URL by which people and tools name the object."""
        return self._connection.name_of(key)

    def close(self) -> None:
        """Close idle connections."""
        self._connection.close()

    def _put(self, key: str, octets: bytes, hashed: bytes, **condition: str) -> "PutObjectOutputTypeDef":
        digest = b64encode(hashlib.md5(hashed, usedforsecurity=False).digest()).decode()
        request: Any = self._connection.put_request(key, "text/plain")
        request |= {"Body": octets, "ContentMD5": digest, **condition}
        return self._ask(f"storing {self.name_of(key)}", lambda client: client.put_object(**request))


def code_of(error: WoomeraError) -> str:
    """Return S3's code of what went wrong."""
    return failures.code_of(error.__cause__)
