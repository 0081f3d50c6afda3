"""The client of the bucket: whose credentials, how long it waits, and its errors in our words."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlencode

from botocore.config import Config as ClientConfig
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from woomera_milter import aws, config
from woomera_milter.store.answers import odd
from woomera_milter.store.failures import CREDENTIAL_ERRORS, code_of, explained
from woomera_milter.store.keys import url

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import PutObjectRequestTypeDef

Answer = TypeVar("Answer")

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 20
# Amid a body botocore wraps some of its HTTP library's errors, and not those of TLS.
ERRORS = (ClientError, BotoCoreError, HTTPError, ResponseParserError)


class S3Connection:
    """Safe to use from many threads at once."""

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

    def ask(self, attempted: str, operation: Callable[["S3Client"], Answer]) -> Answer:
        """Run the operation; where credentials are refused, once more with a session built anew.

        Raise TemporaryError or PermanentError, of which `failures.code_of` gives S3's own code.
        """
        try:
            client = self._connected(instead_of=None)
            try:
                return operation(client)
            except ERRORS as error:
                if code_of(error) not in CREDENTIAL_ERRORS:
                    raise
            return operation(self._connected(instead_of=client))
        except ERRORS as error:
            raise explained(error, attempted) from error
        except KeyError as error:  # from botocore's own look at an answer
            raise odd(attempted, "the server's answer lacks something") from error
        except ValueError as error:  # likewise: a number that is none
            raise odd(attempted, "the server's answer has something that cannot be read") from error

    def put_request(self, key: str, content_type: str) -> "PutObjectRequestTypeDef":
        """Return what each request that stores something has; `key` is below storage.prefix."""
        request: PutObjectRequestTypeDef = {
            "Bucket": self._storage.bucket,
            "Key": self._storage.prefix + key,
            "ContentType": content_type,
        }
        storage = self._storage
        if storage.encryption in ("AES256", "aws:kms"):
            request["ServerSideEncryption"] = storage.encryption
        if storage.kms_key_id:
            request["SSEKMSKeyId"] = storage.kms_key_id
        if storage.tags:
            request["Tagging"] = urlencode(storage.tags)
        if storage.acl:
            request["ACL"] = storage.acl
        return request

    def name_of(self, key: str) -> str:
        """Return the URL by which people and tools name the object, an attachment's without its file name."""
        return url(self._storage.bucket, self._storage.prefix + key)

    def close(self) -> None:
        """Close idle connections."""
        if self._client:
            self._client.close()

    def _connected(self, instead_of: "S3Client | None") -> "S3Client":
        with self._lock:
            if self._client is None or self._client is instead_of:
                self._client = _client_of(self._storage, self._max_connections)
                if instead_of:
                    self._on_new_credentials()
            return self._client


def _client_of(storage: config.Storage, max_connections: int) -> "S3Client":
    session = aws.session(storage.profile, storage.access_key_id, storage.secret_access_key)
    return session.client(
        "s3",
        region_name=storage.region,
        endpoint_url=storage.endpoint_url,
        verify=str(storage.ca_bundle) if storage.ca_bundle else None,
        config=ClientConfig(
            signature_version="s3v4",
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            retries={"total_max_attempts": 3, "mode": "standard"},
            max_pool_connections=max_connections,
            tcp_keepalive=True,
            request_checksum_calculation="when_required",
            # x-amz-checksum-mode is refused by those servers that refuse the checksums, too.
            response_checksum_validation="when_required" if storage.checksum == "md5" else "when_supported",
            s3={
                "addressing_style": storage.addressing,
                # Content-MD5 is among the signed headers, so it vouches for the body; hashing
                # that once more for the signature, as botocore does over plain HTTP, adds nothing.
                "payload_signing_enabled": False,
            },
        ),
    )
