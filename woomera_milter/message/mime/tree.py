"""The MIME tree of a message on disk (RFC 2045, RFC 2046), by offsets: no body is copied.

The file is read once, in windows, and searched for the lines that delimit parts. Mail is hostile:
nothing here raises on any content, memory is bounded and time is linear in the size of the file.
"""

import os
import re
from collections.abc import Callable
from dataclasses import replace

from woomera_milter.message.decoding import text_of
from woomera_milter.message.fields import first, header_section_end
from woomera_milter.message.mime.delimiters import (
    Delimiters,
    FileWindow,
    announced_boundaries,
    next_delimiter,
    seen_boundary,
)
from woomera_milter.message.mime.part import WINDOW_BYTES, Part, fields_of
from woomera_milter.message.mime.uuencode import with_files
from woomera_milter.message.parameters import parameters
from woomera_milter.message.tokens import first_token, transfer_encoding_name

__all__ = ["WINDOW_BYTES", "Part", "fields_of", "outline"]

# Bounds for hostile mail; no real message comes near them. Beyond a bound the tree stays true, and
# tells less: the last part that fits keeps the rest of the message, a multipart that lies too deep is
# a leaf, and a header section longer than a window ends there, what follows counts as body.
MAX_PARTS = 10_000
MAX_DEPTH = 100
_MAX_FIELD_BYTES = 16_384
_PEEK_BYTES = 4096


class _Open:
    """A part whose end is not known yet; `delimiters` are those that may end it or one of its children."""

    def __init__(self, part: Part, delimiters: Delimiters | None) -> None:
        self.part = part
        self.delimiters = self._while_open = delimiters
        self.children: list[Part] = []
        self.delimited = False

    def begin_child(self) -> None:
        """Note that a delimiter begins a part, even if the multipart was closed before."""
        self.delimited = True
        self.delimiters = self._while_open

    def end_children(self) -> None:
        """Note the closing delimiter."""
        self.delimited = True
        self.delimiters = self.delimiters and self.delimiters.after_close()

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
    window = FileWindow(fd, size_bytes, window_bytes, check)
    stack = [_open_part(window, 0, [])]
    position = stack[0].part.start
    parts = 1
    while parts < MAX_PARTS and (delimiters := stack[-1].delimiters):
        line = next_delimiter(window, position, delimiters)
        if line is None:
            break
        end = line.start - (window.octet_before(line.start) == b"\r")
        _close_down_to(line.index, stack, end)
        multipart = stack[line.index]
        if not multipart.delimited and (line.closes or delimiters.repeats_an_outer_one):
            multipart.children += _text_before_the_parts(fd, multipart.part, end)
        position = line.end
        if line.closes:
            multipart.end_children()
        else:
            multipart.begin_child()
            stack.append(_open_part(window, position, stack))
            position = stack[-1].part.start
            parts += 1
    _close_down_to(0, stack, window.size_bytes)
    root = stack[0].close(window.size_bytes)
    charset = charset_of_text(root)
    root = _with_names(fd, root, charset) if charset else root
    window.window_bytes = WINDOW_BYTES
    return with_files(window, root, [MAX_PARTS - parts])


def charset_of_text(part: Part) -> str:
    """The charset of the first text that names one, in which raw 8-bit in header fields is; "" for none."""
    if part.content_type.startswith("text/") and part.charset:
        return part.charset
    return next((charset for child in part.children if (charset := charset_of_text(child))), "")


def _with_names(fd: int, part: Part, charset: str) -> Part:
    """The part with names that were sent as raw 8-bit read in that charset, if they are no UTF-8."""
    if part.children:
        part = replace(part, children=tuple(_with_names(fd, child, charset) for child in part.children))
    if part.name.isascii():
        return part
    fields = fields_of(fd, part)
    described = (parameters(first(fields, name) or b"") for name in ("Content-Type", "Content-Disposition"))
    return replace(part, name=text_of(_name(*described), charset))


def _close_down_to(index: int, stack: list[_Open], end: int) -> None:
    while len(stack) > index + 1:
        closed = stack.pop().close(end)
        stack[-1].children.append(closed)


_PREAMBLE = re.compile(rb"multi-?part|\bMIME\b", re.IGNORECASE)


def _text_before_the_parts(fd: int, multipart: Part, end: int) -> list[Part]:
    """A multipart's preamble as a part, where it is more than the customary sentence.

    A multipart that has no parts, or whose delimiters may be meant for an outer one, may be no multipart:
    what was meant to be read is all before its first delimiter.
    """
    octets = os.pread(fd, max(0, min(end - multipart.start, _PEEK_BYTES)), multipart.start)
    if not octets.strip() or (len(octets) < _PEEK_BYTES and _PREAMBLE.search(octets)):
        return []
    text = replace(multipart, content_type="text/plain", end=end, header_start=multipart.start)
    return [replace(text, content_id="", content_location="")]


_CONTENT_FIELD = re.compile(
    rb"^content-(type|transfer-encoding|disposition|id|location)[ \t]*+:(.*?)\n(?![ \t])",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_BLANK_LINE = re.compile(rb"\r?\n")
_MEDIA_TYPE = re.compile(rb"[\s\"]*([\w!#$&^.+-]+)\s*/\s*([\w!#$&^.+-]+)")


def _open_part(window: FileWindow, position: int, stack: list[_Open]) -> _Open:
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
        value = found[2][:_MAX_FIELD_BYTES]
        if value.lstrip().startswith(b"=?"):  # some mailers make encoded words of whatever they write
            value = text_of(value).encode()
        fields.setdefault(found[1].lower(), value)
    # RFC 2046 section 5.1.5: in a digest the default is another.
    is_digest = parent is not None and parent.part.content_type == "multipart/digest"
    default_type = "message/rfc822" if is_digest else "text/plain"
    part, boundary = _part(fields, position, window.start + body, default_type)
    if not part.is_multipart:
        return _Open(part, delimiters)
    boundaries = _boundaries(window, part, announced_boundaries(fields[b"type"], boundary), delimiters)
    if not boundaries:
        # RFC 2045 section 5.2: a Content-Type that breaks the rules means text/plain.
        return _Open(replace(part, content_type="text/plain"), delimiters)
    if len(stack) >= MAX_DEPTH:
        return _Open(replace(part, content_type="application/octet-stream"), delimiters)
    return _Open(part, Delimiters(delimiters, len(stack), boundaries))


def _boundaries(
    window: FileWindow, part: Part, announced: set[bytes], outer: Delimiters | None
) -> set[bytes]:
    """The boundaries of a multipart: those that are announced, and the one that its body begins with."""
    index = window.show(part.start - 1, _PEEK_BYTES)
    octets = window.octets[index : index + _PEEK_BYTES]
    if outer and (line := outer.search(octets, 0, is_last=False)):
        octets = octets[: line.start + 1]
    seen = seen_boundary(octets, is_announced=bool(announced))
    return announced | {seen} if seen else announced


def _part(fields: dict[bytes, bytes], header_start: int, start: int, default_type: str) -> tuple[Part, bytes]:
    """The part that `fields` describe, and the boundary that it is said to have."""
    type_field, disposition_field = fields.get(b"type", b""), fields.get(b"disposition", b"")
    media_type = _MEDIA_TYPE.match(type_field)
    content_type = b"/".join(media_type.groups()).decode("ascii").lower() if media_type else "text/plain"
    if not media_type and type_field.lstrip()[:9].lower() == b"multipart":
        content_type = "multipart/mixed"
    if b"type" not in fields:
        content_type = default_type
    type_parameters = parameters(type_field)
    disposition = first_token(disposition_field)
    if disposition not in ("", "inline"):
        disposition = "attachment"  # RFC 2183 section 2.8: so are the unknown ones
    disposition_parameters = parameters(disposition_field)
    name = _name(type_parameters, disposition_parameters)
    part = Part(
        content_type=content_type,
        charset=first_token(type_parameters.get("charset", b"")) or None,
        transfer_encoding=transfer_encoding_name(fields.get(b"transfer-encoding", b"")),
        disposition=disposition,
        name=text_of(name) if name else "",
        content_id=text_of(fields[b"id"]).strip("<>") if b"id" in fields else "",
        # RFC 2557 section 4.4: folds within a URI are no part of it.
        content_location="".join(text_of(fields[b"location"]).split()) if b"location" in fields else "",
        header_start=header_start,
        start=start,
        end=start,
    )
    return part, type_parameters.get("boundary", b"")


def _name(of_type: dict[str, bytes], of_disposition: dict[str, bytes]) -> bytes:
    name = of_disposition.get("filename") or of_type.get("name")
    return name or of_disposition.get("name") or of_type.get("filename", b"")
