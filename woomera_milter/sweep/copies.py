"""An archived copy as the sweep reads it: measured, in wire form, without what no recipient may see.

Copies come from our own archive (wire form, an envelope beside them) and from anybody's recipe: LF line
ends, an mbox's "From " line, headers of the delivery that made the copy.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from woomera_milter.clock import Deadline
from woomera_milter.errors import PermanentError
from woomera_milter.message import fields
from woomera_milter.message.envelope import HIDDEN_IN_COPIES
from woomera_milter.message.fields import (
    MBOX_LINE,
    HeaderField,
    field_names,
    header_section_end,
    parse_header_block,
)
from woomera_milter.message.size import Measure
from woomera_milter.message.spool import SpooledMessage
from woomera_milter.message.wire import wire_form
from woomera_milter.store.answers import Listed
from woomera_milter.store.documents import CopyRecord, validated
from woomera_milter.store.keys import digest_digits, digest_in, record_key
from woomera_milter.store.objects import Store
from woomera_milter.sweep.unpacking import UnfitCopyError, opened

_FIELD_START = re.compile(rb"(?<=\r\n)(?![ \t])")
_MAX_HEADER_BYTES = 1024 * 1024
_WINDOW_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Archived:
    """A copy in the spool, fit to be linked; whoever holds it closes `message`."""

    message: SpooledMessage
    headers: Sequence[HeaderField]
    measured_bytes: int


class Beginning(NamedTuple):
    """The header fields of a copy, and whether it is compressed, so that its size tells nothing."""

    headers: Sequence[HeaderField]
    is_packed: bool


def record_of(archive: Store, key: str) -> CopyRecord | None:
    """Return the envelope beside `NAME.eml`, None where the archive recorded none."""
    if not key.endswith(".eml"):
        return None
    found = archive.get_json(record_key(key))
    if found is None or not isinstance(found.value, dict):
        return None
    return validated(CopyRecord, found.value, archive.name_of(record_key(key)))


def work_of(archive: Store, key: str, deadline: Deadline) -> str:
    """Return by what the notice of a copy is claimed: what the message is, or else where the copy lies.

    A client whose connection ends before its 250 sends the same octets again, and both have been kept.
    Without a Message-ID (RFC 5322 section 3.6.4) they may be two. Raise the errors of Store that may pass.
    """
    try:
        record = record_of(archive, key)
        if record is None or not record.by_us:
            return key
        if fields.first(beginning_of(archive, key, deadline).headers, "Message-ID") is None:
            return key
        digits = digest_in(key) or digest_digits(_sha256_of(archive, key, deadline))
    except PermanentError:
        return key  # told where the copy is read for its notice, under a claim that settles it
    return "\0".join([digits, record.envelope_sender, *sorted(record.recipients)])


def _sha256_of(archive: Store, key: str, deadline: Deadline) -> bytes:
    digest = hashlib.sha256()
    for chunk in archive.read(key, deadline):
        digest.update(chunk)
    return digest.digest()


def fetch(
    archive: Store, listed: Listed, spool: Path, deadline: Deadline, *, by_us: bool = False
) -> Archived:
    """Bring a copy into the spool. Raise the errors of Store and SpooledMessage.

    `by_us`: archive-milter made it, before any delivery; others' copies tell for whom they were made.
    """
    message = SpooledMessage(spool)
    measure = Measure()
    try:
        chunks = wire_form(opened(archive.read(listed.key, deadline))[1])
        section, body = _split(chunks)
        measure.feed(section)
        message.write(_without_hidden(section, by_us=by_us))
        for octets in body:
            measure.feed(octets)
            message.write(octets)
    except BaseException:
        message.close()
        raise
    return Archived(message, parse_header_block(section), measure.measured_bytes)


def beginning_of(archive: Store, key: str, deadline: Deadline) -> Beginning:
    """Return what a copy begins with, of which no more is read than that takes; raise as `fetch` does."""
    is_packed, chunks = opened(archive.read(key, deadline))
    section, _ = _split(wire_form(chunks))
    return Beginning(parse_header_block(section), is_packed)


def _split(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Give the header section, without an mbox's line, and the chunks that follow it, blank line first."""
    start = b""
    for chunk in chunks:
        start += chunk
        if b"\r\n\r\n" in start or len(start) > _WINDOW_BYTES:
            break
    end = header_section_end(start, 0, len(start))
    if end > _MAX_HEADER_BYTES:  # else a Bcc beyond the window would go unseen
        raise UnfitCopyError(
            f"the header section has more than {_MAX_HEADER_BYTES} bytes",
            remedy="see what it is; it cannot have come through sendmail",
        )
    mbox_line = MBOX_LINE.match(start[:end])
    return start[mbox_line.end() if mbox_line else 0 : end], _chained(start[end:], chunks)


def _chained(rest: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    # A section that no blank line ends gets one: what follows is the body (RFC 5322 section 2.1).
    yield rest if rest.startswith(b"\r\n") else b"\r\n" + rest
    yield from chunks


_TELLING = field_names(
    "from sender reply-to to cc resent-from resent-sender resent-reply-to resent-to resent-cc"
)
_TRACE = re.compile(
    r"received|.+-received|received-.*|arc-.*|authentication-results"
    r"|(?:.*-)?(?:delivered|delivery|envelope|original|forwarded|resolved|real|rcpt|apparently|user)-.*"
    r"|(?:.*-)?(?:rcpt|recipients?|mailbox)"
)
_BETWEEN_WORDS = re.compile(rb'[\s<>()\[\],;:"]+')
_FOR = re.compile(rb"\bfor\s+<?([^\s<>;]+)", re.IGNORECASE)


def _without_hidden(section: bytes, *, by_us: bool) -> bytes:
    """Leave out what names a hidden recipient: of others' copies all trace of whom the header does not."""
    told = set() if by_us else _told_addresses(section)
    kept: list[bytes] = []
    for field in _FIELD_START.split(section):
        name, _, value = field.partition(b":")
        name_text = name.rstrip(b" \t").decode("ascii", "replace").lower()
        is_trace = not by_us and name_text not in _TELLING and _TRACE.fullmatch(name_text)
        if name_text not in HIDDEN_IN_COPIES and not (is_trace and _names_another(value, told)):
            kept.append(field)
    return b"".join(kept)


def _told_addresses(section: bytes) -> set[bytes]:
    return {
        word.lower()
        for name, value in parse_header_block(section)
        if name.lower() in _TELLING
        for word in _BETWEEN_WORDS.split(value)
        if b"@" in word
    }


def _names_another(value: bytes, told: set[bytes]) -> bool:
    """Tell whether a trace names an address that is not told, or in its FOR clause whatever is not."""
    words = [word.lower() for word in _BETWEEN_WORDS.split(value) if b"@" in word]
    words += [found.lower() for found in _FOR.findall(value)]
    return any(word not in told and word.rpartition(b"=")[2] not in told for word in words)
