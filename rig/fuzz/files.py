"""Files and streams: measured, converted and taken apart alike wherever they are cut."""

import hashlib
import mailbox
import os
import re
import tempfile
from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random

from rig.fuzz.fragments import FROM_LINE
from rig.fuzz.headers import fields_of, in_wire_form, raw_fields, without_from_line
from rig.fuzz.mail import chance_of, on_disk
from rig.fuzz.notices import configuration
from rig.mail.messages import CRLF, measured_size
from rig.promises.notices import require
from tests.fakes.bucket import MemoryStore
from woomera_milter.archive import mbox
from woomera_milter.archive.importer import maildir_messages
from woomera_milter.archive.shipper import Shipper
from woomera_milter.clock import Deadline
from woomera_milter.errors import WoomeraError
from woomera_milter.message.encoding import wire as to_wire
from woomera_milter.message.envelope import HIDDEN_IN_COPIES
from woomera_milter.message.fields import HeaderField, parse_header_block
from woomera_milter.message.rewriting import most_added_bytes
from woomera_milter.message.size import (
    Measure,
    is_small_in_any_case,
    is_surely_large,
    is_surely_small,
    is_surely_small_by_us,
    proves_small,
)
from woomera_milter.message.spool import SpooledMessage
from woomera_milter.message.stream import WINDOW_BYTES
from woomera_milter.message.wire import Form, WireMessage, wire_form
from woomera_milter.milter.counters import Counters
from woomera_milter.milter.session import OverLimit, Replacement, Session
from woomera_milter.store.answers import Listed
from woomera_milter.sweep.copies import fetch

_ALLOWANCE_BYTES = 2048
_DEADLINE = Deadline(1e9)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="woomera-fuzz-")


def _cut(data: bytes, chance: Random) -> Iterator[bytes]:
    """Yield the octets in pieces, some of them empty."""
    sizes = chance.choice(
        ((0, 1, 2), (1, 7, 990), (65_535,)) if len(data) < 20_000 else ((500, 2000), (65_535,))
    )
    at = 0
    while at < len(data):
        size = chance.choice(sizes)
        yield data[at : at + size]
        at += size


def check_measure(data: bytes) -> set[Hashable]:
    """Hold the measured size, and what proves a message small without it, to the contract's definition."""
    chance = chance_of(data)
    wire = b"".join(wire_form(_cut(data, chance)))
    require(wire == in_wire_form(data), "the wire form depends on where the octets are cut")
    measure = Measure()
    with closing(SpooledMessage(Path(_folder().name))) as message:
        for piece in _cut(wire, chance):
            measure.feed(piece)
            message.write(piece)
        require(message.open(_DEADLINE).read() == wire, "the spool holds something else")
        require(message.sha256 == hashlib.sha256(wire).digest(), "the spool's digest is of something else")
    ends = wire.endswith(CRLF) or not wire
    expected = measured_size(wire) - len(CRLF) * (not wire.endswith(CRLF))
    require(measure.measured_bytes == expected, f"measured {measure.measured_bytes} instead of {expected}")
    sent = wire if ends else wire + CRLF
    msg_size = len(sent.replace(CRLF, b"\n"))
    is_small = proves_small(msg_size, measured_size(sent) - 1 + _ALLOWANCE_BYTES, _ALLOWANCE_BYTES)
    require(not is_small or not sent, "{msg_size} proves small what is over the limit")
    breaks = measure.measured_bytes - len(wire)
    return {
        ("breaks", breaks.bit_length()),
        ("size", len(wire).bit_length(), ends),
        b"\r" in wire.replace(CRLF, b""),
    }


class _Capture:
    """Takes over-limit messages for stored, and keeps the last one."""

    def __init__(self) -> None:
        self.octets = b""

    def intercept(self, over: OverLimit, deadline: Deadline) -> Replacement:
        self.octets = os.pread(over.message.fileno(), over.message.size_bytes, 0)
        return Replacement("", (), b"", "", over.measured_bytes, 0.0, datetime.now(UTC), lambda: None)


@cache
def _workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1)


def check_session(data: bytes) -> set[Hashable]:
    """Hold the milter to storing what the client sent, without Bcc, however the MTA cuts the body."""
    headers = parse_header_block(data)
    body = data[-(len(data) // 2) :] if data else b""
    capture = _Capture()
    milter = configuration().milter.model_copy(update={"spool": Path(_folder().name)})
    settings = configuration().model_copy(update={"limit": 0, "milter": milter})
    with closing(Session(settings, capture.intercept, _workers(), Counters(), "s@example.com")) as session:
        for name, value in headers:
            session.add_header(name, value.replace(CRLF, b"\n"))
        session.end_headers("4AO9", None)
        for piece in _cut(body, chance_of(data)):
            session.add_body(piece)
        outcome = session.decide(lambda: None)
    require(isinstance(outcome, Replacement), f"the message was not intercepted: {outcome}")
    shown = [field for field in headers if field.name.lower() not in ("bcc", "resent-bcc")]
    expected = b"".join(map(to_wire, shown)) + CRLF + body
    require(capture.octets == expected, f"stored is {capture.octets[:200]!r}, not {expected[:200]!r}")
    return {("fields", len(headers).bit_length(), len(shown) == len(headers)), len(body).bit_length()}


def stored_form(data: bytes) -> tuple[Sequence[HeaderField], bytes]:
    """Return the header fields of an archived copy, and what is stored of it: said anew, and plainly."""
    wire = without_from_line(in_wire_form(data))
    raw = raw_fields(wire)
    body = wire[sum(len(octets) for _, octets in raw) :]
    shown = b"".join(octets for name, octets in raw if name.lower() not in HIDDEN_IN_COPIES)
    return fields_of(raw), shown + (body if body.startswith(CRLF) else CRLF + body)


def check_archived(data: bytes) -> set[Hashable]:
    """Hold the sweep's reading of a copy to what is there, and its guesses by size to being safe."""
    store = MemoryStore(lambda octets: _cut(octets, chance_of(octets)))
    store.put_octets("a", data)
    copy = fetch(store, Listed("a", len(data), store.now, ""), Path(_folder().name), _DEADLINE, by_us=True)
    with closing(copy.message):
        octets = os.pread(copy.message.fileno(), 2 * len(data) + 10, 0)
    headers, expected = stored_form(data)
    require(octets == expected, f"{data[:200]!r} is stored as {octets[:200]!r}, not as {expected[:200]!r}")
    require(list(copy.headers) == list(headers), "the header fields are others")
    added_bytes = most_added_bytes(copy.headers)
    over_bytes = copy.measured_bytes + _ALLOWANCE_BYTES + added_bytes
    small = is_surely_small(len(data), over_bytes - 1, _ALLOWANCE_BYTES, added_bytes)
    small = small or is_small_in_any_case(len(data), over_bytes - 1, _ALLOWANCE_BYTES)
    require(not small, f"{len(data)} octets are surely small, and measured as {copy.measured_bytes}")
    if data.startswith(b"".join(map(to_wire, headers)) + CRLF) and in_wire_form(data) == data:
        small = is_surely_small_by_us(len(data), over_bytes - 1, _ALLOWANCE_BYTES, added_bytes)
        require(not small, f"{len(data)} octets of ours are surely small: {copy.measured_bytes}")
    large = is_surely_large(len(data), copy.measured_bytes) and data.find(b"\n") < 1024
    require(not large, f"{len(data)} octets are surely large, and measured as {copy.measured_bytes}")
    return {
        ("fields", len(headers).bit_length(), len(octets) - len(data) > 0),
        ("hidden", len(octets) < len(data)),
    }


def check_mbox(data: bytes) -> set[Hashable]:
    """Hold the pieces of an mbox to being its octets, in order, with nothing but From_ lines between them."""
    chance = chance_of(data)
    with on_disk(data) as fd:
        found = list(mbox.messages(fd, len(data)))
        for window_bytes in (chance.randint(8, 200), chance.randint(200, 3000)):
            require(list(mbox.messages(fd, len(data), window_bytes)) == found, "windows change the messages")
        at = 0
        for it in found:
            between = data[at : it.start]
            is_from_line = re.fullmatch(rb"(?:[ \t\r\f\v]*\n)*From [^\n]*\n?", between)
            require(is_from_line is not None, f"between two messages stands {between!r}")
            require(at <= it.start <= it.end <= len(data), "a message lies outside of the file")
            it.envelope_sender.encode()
            at = it.end
        require(not found or data[at:] in (b"", b"\n", b"\r\n"), f"behind the last one stands {data[at:]!r}")
        if _is_plain(data):
            with closing(mailbox.mbox(f"/proc/self/fd/{fd}", create=False)) as box:
                theirs = [box.get_bytes(key) for key in box.keys()]  # noqa: SIM118 - a mailbox is no dict
            require([data[it.start : it.end] for it in found] == theirs, "Python splits it otherwise")
    return {
        ("messages", len(found).bit_length(), _is_plain(data)),
        *((it.delivered_at is None,) for it in found),
    }


def _is_plain(data: bytes) -> bool:
    """Whether Python's splitter, which knows no dates and no Content-Length, has to agree."""
    lines = data.splitlines(keepends=True)
    return (
        data.startswith(FROM_LINE)
        and all(it == FROM_LINE for it in lines if it.startswith(b"From "))
        and b"content-length" not in data.lower()
        and b"\r" not in data
    )


def check_wire(data: bytes) -> set[Hashable]:
    """Hold the wire form of a message in a file to being the same wherever its windows end."""
    chance = chance_of(data)
    padding = b"x" * chance.choice((0, WINDOW_BYTES - chance.randint(0, 60)))
    content = padding + data
    with on_disk(b"before" + content + b"\nafter") as fd:
        for form in Form:
            message = WireMessage(fd, len(b"before"), len(b"before") + len(content), form)
            expected = _converted(content, form)
            octets = b"".join(message.chunks())
            require(octets == expected, f"{form.name} of {data[:200]!r} became {octets[-len(data) - 20 :]!r}")
            require(message.size_bytes == len(expected), "the size is not that of the wire form")
            require(message.sha256 == hashlib.sha256(expected).digest(), "the digest is of something else")
            with message.open(_DEADLINE) as body:
                require(body.read() == expected, "the stream gives something else")
    return {(len(data).bit_length(), bool(padding), data.count(b">From ") > 0, data.endswith(b"\n"))}


def _converted(content: bytes, form: Form) -> bytes:
    if form is Form.WIRE:
        return content
    if form is Form.MBOX:
        content = re.sub(rb"^>From ", b"From ", content, flags=re.MULTILINE)
    return in_wire_form(content) + CRLF * (bool(content) and not content.endswith(b"\n"))


def check_maildir(data: bytes) -> set[Hashable]:
    """Hold a message in a Maildir to being imported, whatever its file is called."""
    name = re.sub(rb"[/\0]", b"_", data)[:200].lstrip(b".") or b"_"
    with tempfile.TemporaryDirectory(dir=_folder().name) as folder:
        for sub in ("new", "cur", "tmp"):
            (Path(folder) / sub).mkdir()
        path = Path(folder) / "cur" / os.fsdecode(name)
        path.write_bytes(data)
        os.utime(path, (0, chance_of(data).choice((0, 1e9, -1e9, 4e9, 1e11))))
        try:
            found = maildir_messages(Path(folder))
        except WoomeraError as error:
            return {error.reason}
        require([it.path for it in found] == [path], "another file was found")
        result = Shipper(None, "archive/").run(found, lambda _: None)
        require(not result.failed, f"{name!r} was not imported: {result.failed}")
        form = r"archive/\d{4}/\d\d/\d\d/[\w.-]+/\d{6}\.\d{6}-[0-9a-f]{32}\.eml"
        require(re.fullmatch(form, result.keys[0], re.ASCII) is not None, f"its key is {result.keys[0]!r}")
    delivered_at: datetime = found[0].delivered_at
    return {delivered_at.astimezone(UTC).year // 100}
