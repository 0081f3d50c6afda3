"""The lines that delimit the parts of a message (RFC 2046 section 5.1), found in a window on its file."""

import os
import re
from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass, replace

_MAX_BOUNDARY_OCTETS = 200  # RFC 2046 section 5.1.1 allows 70
_MAX_PADDING_OCTETS = 100


class FileWindow:
    """A file, seen through one window that moves along it."""

    def __init__(self, fd: int, size_bytes: int, window_bytes: int, check: Callable[[], object]) -> None:
        self._fd = fd
        self._check = check
        self.window_bytes = window_bytes
        self.size_bytes = min(size_bytes, os.fstat(fd).st_size)
        self.start = 0
        self.octets = b""

    @property
    def end(self) -> int:
        """The offset after the octets that are shown."""
        return self.start + len(self.octets)

    @property
    def is_last(self) -> bool:
        """Whether nothing follows what is shown."""
        return self.end >= self.size_bytes

    def show(self, position: int, length: int) -> int:
        """Have the window hold `length` octets from `position` on, if the file does; return its index."""
        self._check()
        if position < self.start or self.end < min(position + length, self.size_bytes):
            # Twice what is asked for, so that many small steps do not read the same octets many times.
            wanted = max(2 * length, self.window_bytes)
            self.octets = os.pread(self._fd, min(wanted, self.size_bytes - position), position)
            self.start = position
        return position - self.start

    def octet_before(self, position: int) -> bytes:
        """The octet before `position`; b"" at the beginning of the file."""
        return os.pread(self._fd, 1, position - 1) if position else b""


@dataclass(frozen=True, slots=True)
class DelimiterLine:
    """A delimiter line, from the line feed before it to its end, of the multipart at `index` in the stack."""

    start: int
    end: int
    index: int
    closes: bool


class Delimiters:
    """The delimiter lines that may come next: those of all open multiparts (RFC 2046 section 5.1.2)."""

    def __init__(self, outer: "Delimiters | None", index: int, boundaries: Iterable[bytes]) -> None:
        self._outer = outer
        opening = {_without_padding(boundary): (index, False) for boundary in boundaries}
        closing = {_without_padding(boundary + b"--"): (index, True) for boundary in boundaries}
        self._opening = opening
        outer_meaning = outer._meaning if outer else {}
        self.repeats_an_outer_one = not opening.keys().isdisjoint(outer_meaning)
        # What an outer multipart has as well is the innermost one's.
        self._use(outer_meaning | closing | opening)

    def after_close(self) -> "Delimiters":
        """Those that may come after the closing delimiter of the multipart.

        An outer one gets its boundary back. If none has it, the multipart goes on where it comes again:
        mailers write such mail, and its parts would be lost.
        """
        after = copy(self)
        after._use(self._opening | (self._outer._meaning if self._outer else {}))
        return after

    def _use(self, meaning: dict[bytes, tuple[int, bool]]) -> None:
        self._meaning = meaning
        # White space may stand before the closing hyphens.
        self._beginning = b"\n--" + _common_prefix(text.removesuffix(b"--") for text in meaning)
        self.max_octets = len(b"\n--\r\n") + max(map(len, meaning)) + _MAX_PADDING_OCTETS

    def is_one(self, text: bytes) -> bool:
        """Whether a line of two hyphens and `text` is one of them."""
        return _without_padding(text) in self._meaning

    def search(self, octets: bytes, start: int, *, is_last: bool) -> DelimiterLine | None:
        """The first delimiter line from `start` on; only at the end of the file may it lack a line end."""
        while (start := octets.find(self._beginning, start)) >= 0:
            end = octets.find(b"\n", start + 1, start + self.max_octets)
            if end < 0:
                if not is_last or len(octets) - start > self.max_octets:
                    start += 1
                    continue
                end = len(octets)
            if meaning := self._meaning.get(_without_padding(octets[start + 3 : end])):
                return DelimiterLine(start, min(end + 1, len(octets)), *meaning)
            start = end
        return None


def _without_padding(text: bytes) -> bytes:
    """White space after a boundary is padding (RFC 2046 section 5.1.1), as before its closing hyphens."""
    text = text.rstrip(b" \t\r")
    return text[:-2].rstrip(b" \t") + b"--" if text.endswith(b"--") else text


def _common_prefix(texts: Iterable[bytes]) -> bytes:
    words = set(texts)
    low, high = min(words), max(words)
    length = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    return low[:length]


def next_delimiter(window: FileWindow, position: int, delimiters: Delimiters) -> DelimiterLine | None:
    """The next delimiter line in the body that begins at `position`, or right there."""
    # The line feed before the body belongs to the delimiter as well, even if it ended a header.
    position = max(0, position - 1)
    while True:
        index = window.show(position, 2 * delimiters.max_octets)
        if line := delimiters.search(window.octets, index, is_last=window.is_last):
            return replace(line, start=window.start + line.start, end=window.start + line.end)
        if window.is_last:
            return None
        # What the window's edge may have cut is looked at again, whole.
        position = window.end - delimiters.max_octets


_BOUNDARY = re.compile(rb"\bboundary\s*+=\s*+(?:\"([^\"]*)|([^\s;\"]+))", re.IGNORECASE)


def announced_boundaries(type_field: bytes, parameter: bytes) -> set[bytes]:
    """What the boundary may be after a Content-Type field, and the `parameter` that was found in it.

    Mailers forget the semicolon before it, add blanks and quotes to it, and comments after it.
    """
    loose = _BOUNDARY.search(type_field)
    values = [parameter, loose[1] or loose[2] or b""] if loose else [parameter]
    boundaries = {text for value in values for text in (value.rstrip(), value.strip(b" \t'\""))}
    return {boundary for boundary in boundaries if 0 < len(boundary) <= _MAX_BOUNDARY_OCTETS}


# Of a line that is taken for a delimiter without having been announced, more than hyphens must be there
# (they are ruled lines), and a header section after it, or nothing before it.
_DELIMITER = rb"--(?=-*+[^\s-])([^\r\n]{1,%d}?)[ \t]*+\r?\n" % _MAX_BOUNDARY_OCTETS
_FIRST_LINE = re.compile(rb"(?:[ \t]*+\r?\n)*" + _DELIMITER + rb"(?i:(content-[a-z-]+:)|[ \t]*+\r?\n)")
_BEFORE_A_HEADER = re.compile(rb"\n" + _DELIMITER + rb"(?i:content-[a-z-]+:)")


def seen_boundary(octets: bytes, *, is_announced: bool) -> bytes:
    """The boundary that a multipart's body, which begins after the first of `octets`, uses; b"" if unclear.

    Mailers forget to announce it, and announce another than they use. A body that begins with a line like
    a delimiter, and a header section after it, is delimited by it, whatever is announced.
    """
    first = _FIRST_LINE.match(octets, 1)
    if first and (first[2] or not is_announced):
        return first[1]
    later = None if is_announced else _BEFORE_A_HEADER.search(octets)
    return later[1] if later else b""
