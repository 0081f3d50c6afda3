"""The notice as a new message, for mail that is long gone: what sweep and resend send.

Its header section is ours, with those fields of the original's by which people know it (the public
contract, "The notice"). Pure: the time comes in as a value.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from woomera_milter.errors import PermanentError, Reason
from woomera_milter.message.addresses import address_of
from woomera_milter.message.encoding import prefixed_subject, safe_field, wire
from woomera_milter.message.fields import HeaderField, first
from woomera_milter.notice.header_edits import HeaderEdits
from woomera_milter.notice.header_room import relayed_bytes
from woomera_milter.notice.notice import Notice

# Which names the sendmail has that relays it is unknown here; RFC 1035 section 2.3.4 allows no longer one.
_OWN_NAMES = ("x" * 255,)
_STEERS_SES = "x-ses-"  # its configuration set, tenant, tags
_KEPT = ("From", "To", "Cc", "Reply-To", "Subject")


@dataclass(frozen=True, slots=True)
class Heading:
    """The header fields of a new notice that do not depend on its body; `sender`: the address in its From."""

    fields: Sequence[HeaderField]
    sender: str
    envelope_sender: str
    """Never the null sender of a bounce or an automatic reply: SES refuses that (501)."""

    @property
    def relayed_bytes(self) -> int:
        """The octets that they take at most as they reach the relay."""
        return relayed_bytes(self.fields, _OWN_NAMES)


def kept_of(headers: Sequence[HeaderField]) -> list[HeaderField]:
    """Return what a new notice keeps of the original's fields: SES-safe, each once."""
    kept = [HeaderField(name, value) for name in _KEPT if (value := first(headers, name)) is not None]
    kept += [field for field in headers if field.name.lower().startswith(_STEERS_SES)]
    if message_id := first(headers, "Message-ID"):
        kept.append(HeaderField("References", message_id))
    return HeaderEdits(kept, "", _OWN_NAMES).kept


def heading(
    kept: Sequence[HeaderField],
    *,
    woomera_id: str,
    envelope_sender: str,
    sender: str | None,
    subject_prefix: str,
    now: datetime,
    serial: int = 0,
) -> Heading:
    """Return the header section of a notice, from `sender` where there is one (sweep.sender).

    `serial` tells the notices about one message apart (0: the sweep's, which has the same Message-ID each
    time it is tried): mail programs show only one of those with the same Message-ID.
    Raise PermanentError where nobody can be named as its author.
    """
    fields = {field.name: field.value for field in kept}
    author = sender or address_of(fields.get("From", b"")) or envelope_sender
    if not author:
        raise PermanentError(
            "the message names no sender, and a notice needs one",
            remedy="set sweep.sender",
            reason=Reason.SENDER,
        )
    if sender and "From" in fields:
        fields.setdefault("Reply-To", fields["From"])
    if sender or not address_of(fields.get("From", b"")):
        fields["From"] = f" <{author}>".encode()
    if subject_prefix:
        fields["Subject"] = prefixed_subject(fields.get("Subject", b""), subject_prefix)
    domain = author.rpartition("@")[2]
    domain = domain if domain.isascii() else "woomera.invalid"
    suffix = f".{serial}" if serial else ""
    ours = {
        "Date": format_datetime(now),
        "Message-ID": f"<{woomera_id}{suffix}.woomera@{domain}>",
        "Auto-Submitted": "auto-generated",  # RFC 3834 section 5
        "X-Woomera-Id": woomera_id,
        "MIME-Version": "1.0",
        "Content-Transfer-Encoding": "7bit",
    }
    section = [HeaderField(name, fields[name]) for name in (*_KEPT, "References") if name in fields]
    section += [field for field in kept if field.name.lower().startswith(_STEERS_SES)]
    section += [HeaderField(name, f" {value}".encode()) for name, value in ours.items()]
    safe = [field for each in section if (field := safe_field(each))]
    return Heading(safe, author, sender or envelope_sender or author)


def message(heading: Heading, notice: Notice) -> bytes:
    """Return the whole message in wire form."""
    content_type = HeaderField("Content-Type", f" {notice.content_type}".encode())
    return b"".join(map(wire, [*heading.fields, content_type])) + b"\r\n" + notice.body
