"""A message to store, stores of a server, and what is found there."""

from datetime import UTC, datetime
from typing import Any

from rig.servers.s3 import S3Server
from woomera_milter import config
from woomera_milter.clock import Deadline
from woomera_milter.errors import WoomeraError
from woomera_milter.message.spool import SpooledMessage
from woomera_milter.store.s3_store import S3Store

BUCKET = "large-mail"
KEY = "messages/2026/11/24/4AO9Xk1S012345-0123456789abcdef/message.eml"
WIRE = b"Subject: figures\r\n\r\n" + b"0123456789abcdef\r\n" * 20_000
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def store_at(endpoint_url: str, keys: dict[str, str], **storage: Any) -> S3Store:
    return S3Store(storage_at(endpoint_url, keys, **storage), max_connections=4)


def storage_at(endpoint_url: str, keys: dict[str, str], **storage: Any) -> config.Storage:
    section = {
        "bucket": BUCKET,
        "region": "us-east-1",
        "endpoint_url": endpoint_url,
        "addressing": "path",
    }
    return config.validate({"storage": section | keys | storage}, "config.yaml").storage


def keys_of(server: S3Server) -> dict[str, str]:
    return {"access_key_id": server.access_key, "secret_access_key": server.secret_key}


def put(
    store: S3Store, message: SpooledMessage, *, file_name: str = "figures.eml", timeout_s: float = 30
) -> datetime:
    """S3Store the message and return until when it surely lives."""
    return store.put(KEY, message, "message/rfc822", Deadline(timeout_s), NOW, file_name=file_name).ends_at


def stored(server: S3Server, key: str = KEY) -> dict[str, Any]:
    client = server.client()
    found = client.get_object(Bucket=BUCKET, Key=key)
    answer = {**found, "Body": found["Body"].read()}
    client.close()
    return answer


def assert_safe_to_log(error: WoomeraError) -> None:
    """An error's text goes to the log: it names the object and the remedy, and opens nothing."""
    text = str(error)
    assert f"s3://{BUCKET}/{KEY}" in text
    assert error.remedy
    for forbidden in ("http", "?", "X-Amz", "secret-key", "wrong-secret"):
        assert forbidden not in text
    assert error.reason == "store"
