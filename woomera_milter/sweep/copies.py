"""An archived copy as the sweep reads it: measured, in wire form, without what no recipient may see.

Copies come from our own archive (wire form, an envelope beside them) and from anybody's recipe: LF line
ends, an mbox's "From " line, headers of the delivery that made the copy.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, TypeAdapter

from woomera_milter.clock import Deadline
from woomera_milter.errors import PermanentError, Reason
from woomera_milter.message.envelope import HIDDEN_IN_COPIES, Envelope
from woomera_milter.message.fields import MBOX_LINE, HeaderField, header_section_end, parse_header_block
from woomera_milter.message.size import Measure
from woomera_milter.message.spool import SpooledMessage
from woomera_milter.message.wire import wire_form
from woomera_milter.store.documents import shaped
from woomera_milter.store.keys import record_key
from woomera_milter.store.objects import Listed, Store

_MAX_HEADER_BYTES = 1024 * 1024
_WINDOW_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Record:
    """What the archive recorded beside its copy. `by_us`: made by archive-milter, so in wire form."""

    envelope: Envelope
    archived_at: str
    by_us: bool


@dataclass(frozen=True, slots=True)
class Archived:
    """A copy in the spool, fit to be linked; whoever holds it closes `message`."""

    message: SpooledMessage
    headers: Sequence[HeaderField]
    measured_bytes: int


class _Shape(BaseModel):
    envelope_sender: str = ""
    recipients: list[str] = []
    archived_at: str = ""
    source: str = ""


_SHAPE = TypeAdapter(_Shape)


def record_of(archive: Store, key: str) -> Record | None:
    """Return the envelope beside `NAME.eml`, None where the archive recorded none."""
    if not key.endswith(".eml"):
        return None
    found = archive.get_json(record_key(key))
    if found is None or not isinstance(found.value, dict):
        return None
    known = shaped(_SHAPE, found.value, archive.name_of(record_key(key)))
    return Record(
        Envelope(known.envelope_sender, tuple(known.recipients)),
        known.archived_at,
        by_us=known.source == "archive-milter",
    )


def fetch(archive: Store, listed: Listed, spool: Path, deadline: Deadline) -> Archived:
    """Bring a copy into the spool. Raise the errors of Store and SpooledMessage."""
    message = SpooledMessage(spool)
    measure = Measure()
    try:
        chunks = wire_form(archive.read(listed.key, deadline))
        section, body = _split(chunks)
        section = MBOX_LINE.sub(b"", section, count=1) if MBOX_LINE.match(section) else section
        measure.feed(section)
        message.write(_without_hidden(section))
        for octets in body:
            measure.feed(octets)
            message.write(octets)
    except BaseException:
        message.close()
        raise
    return Archived(message, parse_header_block(section), measure.measured_bytes)


def _split(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Give the header section (its mbox line included) and the chunks that follow it, blank line first."""
    start = b""
    for chunk in chunks:
        start += chunk
        if b"\r\n\r\n" in start or len(start) > _WINDOW_BYTES:
            break
    end = header_section_end(start, 0, len(start))
    if end > _MAX_HEADER_BYTES:  # else a Bcc beyond the window would go unseen
        raise PermanentError(
            f"the header section has more than {_MAX_HEADER_BYTES} bytes",
            remedy="see what it is; it cannot have come through sendmail",
            reason=Reason.ARCHIVED,
        )
    return start[:end], _chained(start[end:], chunks)


def _chained(rest: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    # A section that no blank line ends gets one: what follows is the body (RFC 5322 section 2.1).
    yield rest if rest.startswith(b"\r\n") else b"\r\n" + rest
    yield from chunks


def _without_hidden(section: bytes) -> bytes:
    lines: list[bytes] = []
    hidden = False
    for line in section.split(b"\r\n"):
        if not line.startswith((b" ", b"\t")):
            name = line.partition(b":")[0].rstrip(b" \t").decode("ascii", "replace").lower()
            hidden = name in HIDDEN_IN_COPIES
        if not hidden:
            lines.append(line)
    return b"\r\n".join(lines)
