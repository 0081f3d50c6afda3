"""The names of what is stored of a message, and how people are told of them."""

import re
from datetime import UTC, datetime

_SIDECAR = re.compile(r"messages/[0-9]{4}/[0-9]{2}/[0-9]{2}/[^/]+/envelope\.json")
# An attachment's key ends with its name, which is nobody's business who reads a log.
_ATTACHMENT_NAME = re.compile(r"(?<=/)(messages/[0-9]{4}/[0-9]{2}/[0-9]{2}/[^/]+/[0-9]+/)[^/]+\Z")


def message_key(message_id: str, received_at: datetime) -> str:
    """Return the key of a stored message, below storage.prefix."""
    return f"{_folder(message_id, received_at)}message.eml"


def sidecar_key(message_id: str, received_at: datetime) -> str:
    """Return the key of the sidecar beside that message."""
    return f"{_folder(message_id, received_at)}envelope.json"


def is_sidecar_key(key: str) -> bool:
    """Tell a sidecar, by its key below storage.prefix, from an attachment whose sender named it so."""
    return bool(_SIDECAR.fullmatch(key))


def page_key(message_id: str, received_at: datetime) -> str:
    """Return the key of the page on which that message can be read."""
    return f"{_folder(message_id, received_at)}index.html"


def attachment_key(message_id: str, received_at: datetime, number: int, name: str) -> str:
    """Return the key of that message's attachment `number`, from 1; `name` is a safe file name."""
    return f"{_folder(message_id, received_at)}{number}/{name}"


def _folder(message_id: str, received_at: datetime) -> str:
    return f"messages/{received_at.astimezone(UTC):%Y/%m/%d}/{message_id}/"


def url(bucket: str, key: str) -> str:
    """Return the URL by which people and tools name the object, an attachment's without its file name."""
    return _ATTACHMENT_NAME.sub(r"\1...", f"s3://{bucket}/{key}")
