"""Every key below storage.prefix: that, with documents.py, is the schema of the only database.

What makes a key says the key's form first, in backquotes, then what lies there: docs/SCHEMA.md is written
from these lines, and a test holds the forms against the keys.
"""

import hashlib
import re
from datetime import UTC, date, datetime

from woomera_milter.config.names import OWN_FOLDERS

MESSAGES, PROCESSED, SWEEP, STATS, REPORTS = OWN_FOLDERS

_SIDECAR = "envelope.json"
_IN_MESSAGE = rf"{MESSAGES}[0-9]{{4}}/[0-9]{{2}}/[0-9]{{2}}/[^/]+/"
_DIGEST_DIGITS = 32
_COPY_NAME = re.compile(rf"/[0-9]{{6}}\.[0-9]{{6}}-([0-9a-f]{{{_DIGEST_DIGITS}}})\.eml\Z")
# An attachment's key ends with its name, which is nobody's business who reads a log.
_ATTACHMENT_NAME = re.compile(rf"(?<=/)({_IN_MESSAGE}[0-9]+/)[^/]+\Z")


def message_key(message_id: str, received_at: datetime) -> str:
    """`messages/YYYY/MM/DD/ID/message.eml`: the message as sent, without Bcc, CRLF line ends."""
    return f"{_folder(message_id, received_at)}message.eml"


def sidecar_key(message_id: str, received_at: datetime) -> str:
    """`messages/YYYY/MM/DD/ID/envelope.json`: what is known of that message, a `Sidecar`."""
    return f"{_folder(message_id, received_at)}{_SIDECAR}"


def page_key(message_id: str, received_at: datetime) -> str:
    """`messages/YYYY/MM/DD/ID/index.html`: the page on which that message can be read."""
    return f"{_folder(message_id, received_at)}index.html"


def attachment_key(message_id: str, received_at: datetime, number: int, name: str) -> str:
    """`messages/YYYY/MM/DD/ID/N/NAME`: its attachment N, from 1, under a safe file name."""
    return f"{_folder(message_id, received_at)}{number}/{name}"


def probe_key(host: str) -> str:
    """`messages/check/HOST.txt`: what `woomera check` writes to see whether the milter may."""
    return f"{MESSAGES}check/{host}.txt"


def probe_record_key(host: str) -> str:
    """`messages/check/HOST.json`: beside it, so that a listing of both has two pages."""
    return f"{MESSAGES}check/{host}.json"


def copy_key(prefix: str, host: str, archived_at: datetime, sha256: bytes) -> str:
    """`archive/YYYY/MM/DD/HOST/NAME.eml`: an archived copy, in wire form, below archive.prefix.

    The name is made of time and digest, so that a copy which is sent once more lands on itself.
    """
    at = archived_at.astimezone(UTC)
    return f"{prefix}{at:%Y/%m/%d}/{_safe(host)}/{at:%H%M%S.%f}-{digest_digits(sha256)}.eml"


def record_key(copy: str) -> str:
    """`archive/YYYY/MM/DD/HOST/NAME.json`: the envelope of that copy, a `CopyRecord`, written first."""
    return f"{copy.removesuffix('.eml')}.json"


def digest_in(copy: str) -> str | None:
    """Return the digits of the digest in the name of a copy that `woomera archive` moved, else None."""
    found = _COPY_NAME.search(copy)
    return found[1] if found else None


def digest_digits(sha256: bytes) -> str:
    """Return as many digits of a digest as a copy's name has."""
    return sha256.hex()[:_DIGEST_DIGITS]


def claim_key(work: str) -> str:
    """`processed/HASH.json`: a sweep's `Claim` on an archived message, and what came of it.

    HASH is the SHA-256 of the copy's key, counted from the bucket's root; for copies that archive-milter made
    of a message with a Message-ID, that of its octets' digest and its envelope, since it may lie there twice.
    It has to outlive the copy.
    """
    return f"{PROCESSED}{hashlib.sha256(work.encode('utf-8', 'surrogatepass')).hexdigest()}.json"


def report_key(name: str) -> str:
    """`reports/NAME.json`: the `Claim` on the report of a period, such as `day-2026-11-24`."""
    return f"{REPORTS}{name}.json"


def conditional_writes_key(claim: str) -> str:
    """`FOLDER/conditional-writes.json`: beside claims; tells whether the server honours conditions."""
    return f"{claim.rpartition('/')[0]}/conditional-writes.json"


def watermark_key() -> str:
    """`sweep/watermark.json`: how far sweeps have come, a `Watermark`."""
    return f"{SWEEP}watermark.json"


def milter_day_key(day: date, host: str, started_at: datetime) -> str:
    """`stats/YYYY-MM-DD/HOST-START.json`: what one milter process counted on that UTC day, a `MilterDay`."""
    return f"{STATS}{day.isoformat()}/{_safe(host)}-{started_at:%Y%m%dT%H%M%S.%fZ}.json"


def archive_day_key(day: date, host: str) -> str:
    """`stats/YYYY-MM-DD/HOST-archive.json`: what `woomera archive` did that day, an `ArchiveDay`."""
    return f"{STATS}{day.isoformat()}/{_safe(host)}-archive.json"


def messages_of(day: date) -> str:
    """Return the folder of the messages that came on a UTC day."""
    return f"{MESSAGES}{day:%Y/%m/%d}/"


def sidecar_below(day_folder: str, message_id: str) -> str:
    """Return the key of a message's sidecar in the folder of its day."""
    return f"{day_folder}{message_id}/{_SIDECAR}"


def message_beside(sidecar: str) -> str:
    """Return the key of the message to which a sidecar belongs."""
    return f"{sidecar.removesuffix(_SIDECAR)}message.eml"


def is_sidecar_key(key: str) -> bool:
    """Tell a sidecar from an attachment whose sender named it so."""
    return bool(re.fullmatch(_IN_MESSAGE + re.escape(_SIDECAR), key))


def day_of_message(key: str) -> date | None:
    """Return the day in `messages/YYYY/MM/DD/...`, None where there is none."""
    return _day(rf"{MESSAGES}(\d{{4}})/(\d\d)/(\d\d)/", key)


def day_of_snapshot(key: str) -> date | None:
    """Return the day that an object below stats/ counts for, None where it is none of ours."""
    return _day(rf"{STATS}(\d{{4}})-(\d\d)-(\d\d)/[^/]+\.json\Z", key)


def url(bucket: str, key: str) -> str:
    """Return the URL by which people and tools name the object, an attachment's without its file name."""
    return _ATTACHMENT_NAME.sub(r"\1...", f"s3://{bucket}/{key}")


def _folder(message_id: str, received_at: datetime) -> str:
    return f"{messages_of(received_at.astimezone(UTC))}{message_id}/"


def _safe(host: str) -> str:
    return re.sub(r"[^\w.-]", "_", host, flags=re.ASCII) or "_"


def _day(pattern: str, key: str) -> date | None:
    found = re.match(pattern, key, re.ASCII)
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None
