"""What the bucket must hold of an intercepted message: the .eml, and a sidecar that is complete and true."""

import binascii
import email
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import Message
from typing import Any

from rig.mail.messages import CRLF
from rig.promises.bucket import Bucket
from rig.promises.notices import header_fields, require

_SIDECAR_KEYS = {
    *(
        "id",
        "source",
        "host",
        "queue_id",
        "received_at",
        "envelope_sender",
        "recipients",
        "recipients_refused",
        "header_from",
    ),
    *("subject", "date", "message_id", "size_bytes", "sha256", "attachments", "links_expire_at", "resent"),
    *("protection", "notice_headers"),  # what resend needs besides
}
_HEADER_OF_KEY = {
    "header_from": "from",
    "subject": "subject",
    "date": "date",
    "message_id": "message-id",
}
_HIDDEN_FIELD = re.compile(rb"^(?:resent-)?bcc[ \t]*:.*\r\n(?:[ \t].*\r\n)*", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message's folder in the bucket, with its slash, its sidecar, and the keys of all that lies there."""

    folder: str
    sidecar: dict[str, Any]
    keys: tuple[str, ...]

    @property
    def links_expire_at(self) -> datetime:
        """When the sidecar says that the links end."""
        return _moment(self.sidecar["links_expire_at"])


def as_stored(message: bytes) -> bytes:
    """Return what the .eml of a message must be: without Bcc and Resent-Bcc, with a last line end."""
    if not message.endswith(CRLF):
        message += CRLF
    headers, blank_line, body = message.partition(b"\r\n\r\n")
    return _HIDDEN_FIELD.sub(b"", headers + CRLF)[: -len(CRLF)] + blank_line + body


def check_stored(
    bucket: Bucket,
    woomera_id: str,
    octets: bytes,
    *,
    queue_id: str,
    envelope_sender: str,
    recipients: list[str],
) -> StoredMessage:
    """Hold the bucket to holding these `octets` as message `woomera_id`, and a sidecar that says so."""
    stored = _found(bucket, woomera_id)
    sidecar = stored.sidecar
    require(
        bucket.read(stored.folder + "message.eml") == octets, "the stored .eml is not what the client sent"
    )
    require(set(sidecar) == _SIDECAR_KEYS, f"the sidecar's keys are {sorted(sidecar)}")
    facts = {
        "id": woomera_id,
        "source": "milter",
        "queue_id": queue_id or sidecar["queue_id"],
        "envelope_sender": envelope_sender,
        "recipients": recipients,
        "size_bytes": len(octets),
        "sha256": hashlib.sha256(octets).hexdigest(),
        "resent": [],
        **_header_facts(octets),
    }
    for key, fact in facts.items():
        require(sidecar[key] == fact, f"the sidecar says {key} is {sidecar[key]!r}; it is {fact!r}")
    require(woomera_id.startswith(sidecar["queue_id"]), f"the id {woomera_id} does not name the queue id")
    _check_attachments(sidecar["attachments"], octets)
    return stored


def check_nothing_else_stored(bucket: Bucket, messages: Sequence[StoredMessage]) -> None:
    """Hold the bucket to nothing but these messages; not for runs in which attempts failed."""
    expected = sorted(key for it in messages for key in it.keys)
    keys = bucket.list_keys("messages/")
    require(keys == expected, f"the bucket holds {keys}, expected {expected}")


def _found(bucket: Bucket, woomera_id: str) -> StoredMessage:
    keys = [key for key in bucket.list_keys() if f"/{woomera_id}/" in key]
    sidecar_keys = [key for key in keys if key.endswith(f"/{woomera_id}/envelope.json")]
    require(len(sidecar_keys) == 1, f"of message {woomera_id} the bucket holds {keys}")
    sidecar: dict[str, Any] = json.loads(bucket.read(sidecar_keys[0]))
    folder = sidecar_keys[0].removesuffix("envelope.json")
    attachment_keys = {it["key"] for it in sidecar["attachments"] if it["key"]}
    expected_keys = {folder + "envelope.json", folder + "message.eml"} | attachment_keys
    surplus = set(keys) - expected_keys - {folder + "index.html"}
    require(expected_keys <= set(keys), f"of message {woomera_id} the bucket holds only {keys}")
    require(not surplus, f"of message {woomera_id} the sidecar tells nothing of {surplus}")
    day = _moment(sidecar["received_at"])
    expected = f"messages/{day:%Y/%m/%d}/{woomera_id}/"
    require(folder.endswith(expected), f"message {woomera_id} lies in {folder}, not in {expected}")
    return StoredMessage(folder, sidecar, tuple(keys))


def _header_facts(octets: bytes) -> dict[str, str]:
    """Return what the sidecar must say of header fields; not of those whose decoding is a matter of taste."""
    first_values = dict(reversed(header_fields(octets)))
    texts = {key: _plain_text(first_values.get(name, b"")) for key, name in _HEADER_OF_KEY.items()}
    return {key: text for key, text in texts.items() if text is not None}


def _plain_text(value: bytes) -> str | None:
    if not value.isascii():
        return None
    try:
        text = str(make_header(decode_header(" ".join(value.decode().split()))))
    except (LookupError, ValueError):
        return None
    return text if text.isprintable() else None


_GENERIC = ("application/octet-stream", "text/plain")


def _check_attachments(listed: list[dict[str, Any]], octets: bytes) -> None:
    """Each leaf but the text must be listed, in order, with the size that Python's own parser decodes.

    Where that parser finds the encoding broken, any size is as good a guess as its own.
    """
    left = list(listed)
    for leaf in _leaves(email.message_from_bytes(octets)):
        content_type, size_bytes = leaf.get_content_type(), _decoded_size_bytes(leaf)
        # Where the type says nothing, the name or the octets tell it.
        is_next = bool(left) and (left[0]["content_type"] == content_type or content_type in _GENERIC)
        if is_next and (left[0]["size_bytes"] == size_bytes or leaf.defects):
            del left[0]
            continue
        is_text = leaf.get_content_maintype() == "text" and not leaf.get_filename()
        for name, file_octets in _uuencoded(leaf) if is_text else ():
            is_next = bool(left) and (left[0]["name"], left[0]["size_bytes"]) == (name, len(file_octets))
            require(is_next, f"the uuencoded {name} is not listed as the next of {left}")
            del left[0]
        require(
            is_text or leaf.get_content_maintype() == "multipart",  # one without a boundary has no parts
            f"an attachment {content_type} of {size_bytes} octets is not listed as the next of {left}",
        )
    require(not left, f"the sidecar lists attachments that are not there: {left}")


def _uuencoded(leaf: Message) -> Iterator[tuple[str, bytes]]:
    """Yield the files within a text that are uuencoded by the book (POSIX, uuencode)."""
    if leaf.get("Content-Transfer-Encoding", "7bit").lower() not in ("7bit", "8bit"):
        return
    text = str(leaf.get_payload()).replace("\r\n", "\n")
    for found in re.finditer(r"^begin [0-7]{3} (.+)\n((?:.+\n)*?)`?\n?end$", text, re.MULTILINE):
        yield found[1], b"".join(binascii.a2b_uu(line) for line in found[2].splitlines())


def _leaves(message: Message) -> list[Message]:
    if message.get_content_maintype() != "multipart" or not message.is_multipart():
        return [message]
    return [leaf for part in message.get_payload() if isinstance(part, Message) for leaf in _leaves(part)]


def _decoded_size_bytes(leaf: Message) -> int:
    if leaf.is_multipart():  # message/rfc822
        inner = leaf.get_payload(0)
        assert isinstance(inner, Message)
        return len(inner.as_bytes(policy=inner.policy.clone(linesep="\r\n")))
    payload = leaf.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return len(payload)


def _moment(rfc3339: str) -> datetime:
    return datetime.strptime(rfc3339, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
