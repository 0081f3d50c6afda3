"""mbox files (RFC 4155; mbox(5)), taken apart by offsets in one pass: no message is ever in memory.

A message begins with a line "From SENDER DATE" and ends before the next one, and before the empty line
that stands there. So says Python's `mailbox.mbox`, with whose splits ours agree but for these things:

- A line that begins with "From ", but tells no date, is text of which a careless writer left out the ">".
  Where it comes first in the file it begins a message all the same.
- A `Content-Length` that ends exactly where a next message begins, or the file ends, is believed (System V
  and Solaris write it and quote nothing); any other is not.
- An empty line may end in CRLF.
- A file that begins with anything else has no messages: it is no mbox.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

WINDOW_BYTES = 1024 * 1024
MAX_FROM_LINE_BYTES = 1000
_HEADERS_LOOKED_AT_BYTES = (4 * 1024, 64 * 1024)

_MAYBE_FROM_LINE = b"\nFrom"  # CPython looks for five octets a third faster than for six
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
# asctime(3) as writers have it: with or without seconds, a time zone before the year or behind it.
_FROM_LINE = re.compile(
    rb"From +(?P<sender>\S+)? .*?\b(?P<month>"
    + b"|".join(_MONTHS)
    + rb") +(?P<day>\d{1,2}) +(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d))?"
    rb" +(?:[A-Za-z0-9+-]+ +){0,2}?(?P<year>\d{4})\b"
)
_CONTENT_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,15})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_END_OF_HEADERS = re.compile(rb"^(?:(\r?\n)|From )", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class MboxMessage:
    """A message by its offsets: the first octet behind its From_ line, and the one behind its last.

    `delivered_at` is None where the From_ line tells no date. Its time zone, usually untold, is taken for
    UTC, so that the same line is the same moment on any host.
    """

    start: int
    end: int
    envelope_sender: str
    delivered_at: datetime | None


def messages(fd: int, size_bytes: int, window_bytes: int = WINDOW_BYTES) -> Iterator[MboxMessage]:
    """Yield the messages of the mbox of that size, in order; none where its first line is no From_ line.

    Empty lines before the first From_ line are passed over. `window_bytes` is what is in memory at once.
    """
    window = _Window(fd, size_bytes, window_bytes)
    at: int | None = _skip_empty_lines(window)
    while at is not None:
        line = window.line_at(at)
        if not line.startswith(b"From "):
            return
        start = at + len(line)
        end, at = _end_by_content_length(window, start) or _end_by_from_line(window, start)
        yield MboxMessage(start, end, *_read_from_line(line))


class _Window:
    """The file, of which the part that was read last is in memory."""

    def __init__(self, fd: int, size_bytes: int, window_bytes: int) -> None:
        self._fd = fd
        self.size_bytes = size_bytes
        self._window_bytes = window_bytes
        self._start = 0
        self._octets = b""

    def peek(self, at: int, count: int) -> bytes:
        """Return `count` octets, fewer at the end of the file."""
        if self._start <= at <= at + count <= self._start + len(self._octets):
            return self._octets[at - self._start : at - self._start + count]
        # Elsewhere only this little is read: a Content-Length may send us anywhere.
        return os.pread(self._fd, max(0, min(count, self.size_bytes - at)), at)

    def line_at(self, at: int) -> bytes:
        """Return the line that begins at `at`, with its end; "" where it is too long for a From_ line."""
        line = self.peek(at, MAX_FROM_LINE_BYTES)
        end = line.find(b"\n") + 1
        if end or at + len(line) == self.size_bytes:
            return line[: end or None]
        return b""

    def find(self, octets: bytes, at: int) -> int | None:
        """Return where `octets` come next, at `at` or behind it; None where they do not."""
        while at < self.size_bytes:
            if not self._start <= at < self._start + len(self._octets) - len(octets):
                self._start = at
                self._octets = os.pread(self._fd, min(self._window_bytes, self.size_bytes - at), at)
            found = self._octets.find(octets, at - self._start)
            if found >= 0:
                return self._start + found
            end = self._start + len(self._octets)
            if end >= self.size_bytes or not self._octets:
                return None
            at = end - len(octets) + 1
        return None


def _skip_empty_lines(window: _Window) -> int:
    at = 0
    while line := window.line_at(at):
        if line.strip():
            break
        at += len(line)
    return at


def _end_by_from_line(window: _Window, start: int) -> tuple[int, int | None]:
    """Return where the message ends, and where the next From_ line begins (None: there is none)."""
    # The From_ line of a message without a single octet is directly followed by the next one.
    found = window.find(_MAYBE_FROM_LINE, start - 1)
    while found is not None and not _begins_message(window, found + 1):
        found = window.find(_MAYBE_FROM_LINE, found + 1)
    end = window.size_bytes if found is None else found + 1
    before = window.peek(max(start - 1, end - 3), end - max(start - 1, end - 3))
    empty_line = next((it for it in (b"\n\r\n", b"\n\n") if before.endswith(it)), b"\n")
    return end - len(empty_line) + 1, None if found is None else end


def _end_by_content_length(window: _Window, start: int) -> tuple[int, int | None] | None:
    """Return the same if a Content-Length tells it, None where none does, or it leads nowhere."""
    for count in _HEADERS_LOOKED_AT_BYTES:
        head = window.peek(start, count)
        if end_of_headers := _END_OF_HEADERS.search(head):
            break
    else:
        return None
    if end_of_headers[1] is None:  # the next message begins already
        return None
    length = _CONTENT_LENGTH.search(head, 0, end_of_headers.start())
    if length is None:
        return None
    end = start + end_of_headers.end() + int(length[1])
    empty_line = re.match(rb"\r?\n", window.peek(end, 2))
    at = end + (empty_line.end() if empty_line else 0)
    if at == window.size_bytes:
        return end, None
    return (end, at) if window.peek(at - 1, 1) == b"\n" and _begins_message(window, at) else None


def _begins_message(window: _Window, at: int) -> bool:
    return _read_from_line(window.line_at(at))[1] is not None


def _read_from_line(line: bytes) -> tuple[str, datetime | None]:
    found = _FROM_LINE.match(line)
    if found is None:
        return "", None
    try:
        date = datetime(
            int(found["year"]),
            _MONTHS.index(found["month"]) + 1,
            int(found["day"]),
            int(found["hour"]),
            int(found["minute"]),
            int(found["second"] or 0),
            tzinfo=UTC,
        )
    except ValueError:
        return "", None
    sender = (found["sender"] or b"").decode("utf-8", "replace").strip("<>")
    return "" if sender.upper() in ("MAILER-DAEMON", "-") else sender, date
