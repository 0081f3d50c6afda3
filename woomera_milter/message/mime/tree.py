"""The MIME tree of a message on disk (RFC 2045, RFC 2046), by offsets: no body is copied.

The file is read once, in windows, and searched for the lines that delimit parts. Mail is hostile:
nothing here raises on any content, memory is bounded and time is linear in the size of the file.
"""

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from woomera_milter.message.decoding import parameters, text_of
from woomera_milter.message.fields import HeaderField, header_section_end, parse_header_block

WINDOW_BYTES = 1 << 20

# Bounds for hostile mail; no real message comes near them. Beyond a bound the tree stays true, and
# tells less: the last part that fits keeps the rest of the message, a multipart that lies too deep is
# a leaf, and a header section longer than a window ends there, what follows counts as body.
MAX_PARTS = 10_000
MAX_DEPTH = 30
_MAX_FIELD_BYTES = 16_384
_MAX_BOUNDARY_OCTETS = 200  # RFC 2046 section 5.1.1 allows 70
_MAX_PADDING_OCTETS = 100


@dataclass(frozen=True, slots=True)
class Part:
    """A node of the MIME tree; `start` and `end` are the octet offsets of its body in the file.

    It is a multipart if `content_type` says so, else a leaf, message/rfc822 included. `disposition` is
    "attachment", "inline" or "" (not said); `charset`, `name`, `content_id` and `content_location` are
    decoded, and hostile. `header_start` is where its header section begins, for `fields_of`.
    """

    content_type: str
    charset: str | None
    transfer_encoding: str
    disposition: str
    name: str
    content_id: str
    start: int
    end: int
    children: tuple["Part", ...] = ()
    content_location: str = ""
    header_start: int = 0

    @property
    def is_multipart(self) -> bool:
        """Whether the body is made of `children`, if any, and nothing else is shown."""
        return self.content_type.startswith("multipart/")


class _FileWindow:
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
        return self.start + len(self.octets)

    @property
    def is_last(self) -> bool:
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
        return os.pread(self._fd, 1, position - 1) if position else b""


@dataclass(frozen=True, slots=True)
class _Line:
    """A delimiter line, from the line feed before it to its end, of the multipart at `index` in the stack."""

    start: int
    end: int
    index: int
    closes: bool


class _Delimiters:
    """The delimiter lines that may come next: those of all open multiparts (RFC 2046 section 5.1.2)."""

    def __init__(self, outer: "_Delimiters | None", index: int, boundary: bytes) -> None:
        meaning = {boundary: (index, False), boundary + b"--": (index, True)}
        # Where a multipart repeats an outer one's boundary, the outer one has it.
        self._meaning: dict[bytes, tuple[int, bool]] = meaning | outer._meaning if outer else meaning
        self._beginning = b"\n--" + _common_prefix(self._meaning)
        self.max_octets = len(b"\n--\r\n") + max(map(len, self._meaning)) + _MAX_PADDING_OCTETS

    def search(self, octets: bytes, start: int, *, is_last: bool) -> _Line | None:
        """The first delimiter line from `start` on; only at the end of the file may it lack a line end."""
        while (start := octets.find(self._beginning, start)) >= 0:
            end = octets.find(b"\n", start + 1, start + self.max_octets)
            if end < 0:
                if not is_last or len(octets) - start > self.max_octets:
                    start += 1
                    continue
                end = len(octets)
            # White space after the boundary is padding (RFC 2046 section 5.1.1).
            if meaning := self._meaning.get(octets[start + 3 : end].rstrip(b" \t\r")):
                return _Line(start, min(end + 1, len(octets)), *meaning)
            start = end
        return None


def _common_prefix(words: Iterable[bytes]) -> bytes:
    low, high = min(words), max(words)
    length = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    return low[:length]


@dataclass(slots=True)
class _Open:
    """A part whose end is not known yet; `delimiters` are those that may end it or one of its children."""

    part: Part
    delimiters: _Delimiters | None
    children: list[Part] = field(default_factory=list)
    delimited: bool = False

    def close(self, end: int) -> Part:
        start = self.part.start
        content_type = self.part.content_type
        if self.part.is_multipart and not self.delimited and start < end:
            # Without a single delimiter it is no multipart; readers show it as text (RFC 2045 section 5.2).
            content_type = "text/plain"
        # A line end before an outer delimiter belongs to that, and may be all that an empty last part has.
        ends = [start, end, *(child.end for child in self.children[-1:])]
        return replace(self.part, content_type=content_type, end=max(ends), children=tuple(self.children))


def outline(
    fd: int,
    size_bytes: int,
    *,
    window_bytes: int = WINDOW_BYTES,
    check: Callable[[], object] = lambda: None,
) -> Part:
    """The MIME tree of the message in the first `size_bytes` of `fd` (CRLF or LF lines).

    Preambles and epilogues belong to no child; a part that is never ended reaches to its parent's end.
    `check` is called again and again on the way, and may raise.
    """
    window = _FileWindow(fd, size_bytes, window_bytes, check)
    stack = [_open_part(window, 0, [])]
    position = stack[0].part.start
    parts = 1
    while parts < MAX_PARTS and (delimiters := stack[-1].delimiters):
        line = _next_delimiter(window, position, delimiters)
        if line is None:
            break
        _close_down_to(line.index, stack, line.start - (window.octet_before(line.start) == b"\r"))
        multipart = stack[line.index]
        multipart.delimited = True
        position = line.end
        if line.closes:
            multipart.delimiters = stack[line.index - 1].delimiters if line.index else None
        else:
            stack.append(_open_part(window, position, stack))
            position = stack[-1].part.start
            parts += 1
    _close_down_to(0, stack, window.size_bytes)
    return stack[0].close(window.size_bytes)


def fields_of(fd: int, part: Part) -> list[HeaderField]:
    """The header fields of a part, for what few readers ask for and `Part` does not tell."""
    length = min(part.start - part.header_start, WINDOW_BYTES)
    return parse_header_block(os.pread(fd, length, part.header_start))


def _close_down_to(index: int, stack: list[_Open], end: int) -> None:
    while len(stack) > index + 1:
        closed = stack.pop().close(end)
        stack[-1].children.append(closed)


def _next_delimiter(window: _FileWindow, position: int, delimiters: _Delimiters) -> _Line | None:
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


_CONTENT_FIELD = re.compile(
    rb"^content-(type|transfer-encoding|disposition|id|location)[ \t]*+:(.*?)\n(?![ \t])",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_BLANK_LINE = re.compile(rb"\r?\n")
_MEDIA_TYPE = re.compile(rb"\s*([\w!#$&^.+-]+)\s*/\s*([\w!#$&^.+-]+)")
_TOKEN = re.compile(rb"\s*([^\s;()\"]+)")


def _open_part(window: _FileWindow, position: int, stack: list[_Open]) -> _Open:
    """The part whose header section begins at `position`, right after its delimiter line."""
    parent = stack[-1] if stack else None
    before = position - 1 if parent else 0
    delimiters = parent.delimiters if parent else None
    beyond = delimiters.max_octets if delimiters else len(b"\n\r\n")
    index = window.show(before, window.window_bytes + beyond) + position - before
    octets = window.octets
    # A delimiter ends a header section too, and can look like a field of it ("--a:b"): so it is looked for
    # first, or each of many such lines would be taken for the beginning of a long section.
    line = delimiters.search(octets, index - 1, is_last=window.is_last) if delimiters else None
    limit = index + window.window_bytes
    limit = min(limit, line.start + 1) if line else limit
    end = body = header_section_end(octets, index, limit)
    if blank_line := _BLANK_LINE.match(octets, end):
        body = blank_line.end()
    fields: dict[bytes, bytes] = {}
    for found in _CONTENT_FIELD.finditer(octets, index, end):
        fields.setdefault(found[1].lower(), found[2][:_MAX_FIELD_BYTES])
    # RFC 2046 section 5.1.5: in a digest the default is another.
    is_digest = parent is not None and parent.part.content_type == "multipart/digest"
    part, boundary = _part(fields, window.start + body, "message/rfc822" if is_digest else "text/plain")
    part = replace(part, header_start=position)
    if boundary and len(stack) < MAX_DEPTH:
        delimiters = _Delimiters(delimiters, len(stack), boundary)
    elif boundary:
        part = replace(part, content_type="application/octet-stream")
    return _Open(part, delimiters)


def _part(fields: dict[bytes, bytes], start: int, default_type: str) -> tuple[Part, bytes]:
    """The part that `fields` describe, and its boundary if it is a multipart."""
    type_field, disposition_field = fields.get(b"type", b""), fields.get(b"disposition", b"")
    media_type = _MEDIA_TYPE.match(type_field)
    content_type = b"/".join(media_type.groups()).decode("ascii").lower() if media_type else "text/plain"
    if b"type" not in fields:
        content_type = default_type
    type_parameters = parameters(type_field)
    boundary = b""
    if content_type.startswith("multipart/"):
        boundary = type_parameters.get("boundary", b"").rstrip()
        if not 0 < len(boundary) <= _MAX_BOUNDARY_OCTETS:
            # RFC 2045 section 5.2: a Content-Type that breaks the rules means text/plain.
            content_type, boundary = "text/plain", b""
    disposition = _token(disposition_field)
    if disposition not in ("", "inline"):
        disposition = "attachment"  # RFC 2183 section 2.8: so are the unknown ones
    name = parameters(disposition_field).get("filename") or type_parameters.get("name", b"")
    part = Part(
        content_type=content_type,
        charset=_token(type_parameters.get("charset", b"")) or None,
        transfer_encoding=_token(fields.get(b"transfer-encoding", b"")),
        disposition=disposition,
        name=text_of(name),
        content_id=text_of(fields.get(b"id", b"")).strip("<>"),
        # RFC 2557 section 4.4: folds within a URI are no part of it.
        content_location="".join(text_of(fields.get(b"location", b"")).split()),
        start=start,
        end=start,
    )
    return part, boundary


def _token(value: bytes) -> str:
    token = _TOKEN.match(value)
    return token[1].decode("ascii", "replace").lower() if token else ""
