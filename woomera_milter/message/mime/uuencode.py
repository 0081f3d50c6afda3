"""uuencoded files (POSIX uuencode): found in a text by offsets, and decoded line by line.

Cron jobs and old mailers write them into the text of a message. What only mentions "begin 644 name" stays
text: a file has `end` after nothing but its alphabet, the first line of which is as long as it says; or,
cut off, two such lines, or one that ends the text. Nothing here raises on any content.
"""

import binascii
import operator
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from woomera_milter.message.decoding import text_of
from woomera_milter.message.mime.delimiters import FileWindow
from woomera_milter.message.mime.part import Part
from woomera_milter.message.tokens import ENCODINGS

# A file begins within the first megabyte of a text, or of what follows the file before: most texts of
# many megabytes are logs, and are not to be read for this.
_SEARCHED_BYTES = 1 << 20
_STEP_BYTES = 1 << 16
_MAX_BLANK_BYTES = 4096
_MAX_LINE_OCTETS = 200
# A line that lost its blanks can be one octet, and mean 63: what lines do not hold, is not all filled up.
_MAX_GROWTH = 4
_SPARE_BYTES = 1 << 16
_SURELY_FULL_OCTETS = 30
_BEGIN = re.compile(rb"begin(-base64)?[ \t]+[0-7]{3,4}[ \t]+(\S[^\r\n]{0,999})\r?\n")
_END = re.compile(rb"end[ \t]*\r?(?:\n|\Z)")
_BASE64_END = re.compile(rb"\n====[ \t]*\r?(?:\n|\Z)")
_FOREIGN = re.compile(rb"[^ -`\r\n\t]")
_FOREIGN_TO_BASE64 = re.compile(rb"\n====|[^A-Za-z0-9+/=\r\n]")


class FileInText(NamedTuple):
    """A file that lies in a text: the lines from `lines_start` to `lines_end` are no text.

    `start` and `end` are those of the body that its transfer encoding tells how to decode.
    """

    name: bytes
    transfer_encoding: str
    lines_start: int
    start: int
    end: int
    lines_end: int


def _files_in_text(window: FileWindow, start: int, end: int) -> Iterator[FileInText]:
    """The files in the text from `start` to `end`."""
    position, searched_end = start, min(end, start + _SEARCHED_BYTES)
    while position < searched_end:
        index = window.show(position, searched_end - position)
        stop = index + searched_end - position
        found_at = window.octets.find(b"begin", index, stop)
        if found_at < 0:
            return
        begin = _BEGIN.match(window.octets, found_at, stop)
        is_line = found_at == index or window.octets[found_at - 1 : found_at] == b"\n"
        position += found_at - index
        file = _file(window, begin, position, end) if begin and is_line else None
        if file is None:
            # Not all of "begin": at a text's beginning every position would count as a line's.
            position += len(b"begin")
            continue
        yield file
        position, searched_end = file.lines_end, min(end, file.lines_end + _SEARCHED_BYTES)


def _file(window: FileWindow, begin: re.Match[bytes], start: int, end: int) -> FileInText | None:
    """The file whose first line is `begin`, at `start`."""
    name = begin[2].strip(b' \t"')
    body = start + len(begin[0])
    if begin[1]:
        body_end = _run_end(window, body - 1, end, _FOREIGN_TO_BASE64)
        last = _BASE64_END.match(_octets(window, body_end, end))
        return FileInText(name, "base64", start, body, body_end, body_end + last.end()) if last else None
    body_end = _run_end(window, body, end, _FOREIGN)
    last_line = _octets(window, body_end - 1, end)
    last = _END.match(last_line, 1) if last_line.startswith(b"\n") else None
    first_line = _octets(window, body, body_end).partition(b"\n")[0]
    if last and (_is_full_line(first_line) or not first_line.strip(b" `\r\t")):
        lines_end = body_end - 1 + last.end()
    elif (lines_end := _full_lines_end(window, body, body_end, end)) == body:
        return None
    return FileInText(name, "x-uuencode", start, start, lines_end, lines_end)


def _octets(window: FileWindow, position: int, end: int) -> bytes:
    index = window.show(position, min(_MAX_LINE_OCTETS, end - position))
    return window.octets[index : index + min(_MAX_LINE_OCTETS, end - position)]


def _run_end(window: FileWindow, position: int, end: int, foreign: re.Pattern[bytes]) -> int:
    while position < end:
        length = min(_STEP_BYTES, end - position)
        index = window.show(position, length)
        if found := foreign.search(window.octets, index, index + length):
            return position + found.start() - index
        # "====" may lie across the edge.
        position += length if position + length == end else length - len(b"\n===")
    return end


def _is_full_line(line: bytes) -> bool:
    """Whether a line is as long as its first character says; a checksum may follow, and blanks be lost."""
    line = line.rstrip(b"\r")
    if not line or not 0 < (count := line[0] - 32) < 64 or _FOREIGN.search(line):
        return False
    return (count * 4 + 2) // 3 <= len(line) - 1 <= (count + 2) // 3 * 4 + 2


def _full_lines_end(window: FileWindow, start: int, run_end: int, end: int) -> int:
    """Where the full lines from `start` on end; `start` if they are too few to be a file."""
    position, lines = start, 0
    while position < run_end:
        index = window.show(position, min(_MAX_LINE_OCTETS, end - position))
        line, line_feed, _ = window.octets[index : index + min(_MAX_LINE_OCTETS, end - position)].partition(
            b"\n"
        )
        if not _is_full_line(line) or not (line_feed or position + len(line) == end):
            break
        position += len(line) + len(line_feed)
        lines += 1
    return position if lines >= 2 or (lines and position == end) else start


def with_files(window: FileWindow, part: Part, room: list[int]) -> Part:
    """The tree with files that lie in its texts as parts; `room` is for how many more parts there is."""
    if part.is_multipart:
        children = tuple(with_files(window, child, room) for child in part.children)
        is_same = all(map(operator.is_, children, part.children))
        return part if is_same else replace(part, children=children)
    if part.transfer_encoding == "x-uuencode" and not part.name and not part.content_type.startswith("text/"):
        file = next(_files_in_text(window, part.start, part.end), None)
        return replace(part, name=text_of(file.name)) if file else part
    is_text = part.content_type == "text/plain" and part.transfer_encoding not in ENCODINGS
    if not is_text or part.disposition == "attachment" or part.name or room[0] < 3:
        return part
    pieces: list[Part] = []
    position = part.start
    for file in islice(_files_in_text(window, part.start, part.end), room[0] // 2 - 1):
        if piece := _text(window, part, position, file.lines_start):
            pieces.append(piece)
        pieces.append(_file_part(part, file))
        position = file.lines_end
    if not pieces:
        return part
    if piece := _text(window, part, position, part.end):
        pieces.append(piece)
    room[0] -= len(pieces)
    return replace(part, content_type="multipart/mixed", children=tuple(pieces))


def _text(window: FileWindow, part: Part, start: int, end: int) -> Part | None:
    index = window.show(start, min(end - start, _MAX_BLANK_BYTES))
    is_blank = end - start < _MAX_BLANK_BYTES and not window.octets[index : index + end - start].strip()
    return None if is_blank else replace(part, start=start, end=end)


def _file_part(text: Part, file: FileInText) -> Part:
    return Part(
        content_type="application/octet-stream",
        charset=None,
        transfer_encoding=file.transfer_encoding,
        disposition="attachment",
        name=text_of(file.name, text.charset or ""),
        content_id="",
        start=file.start,
        end=file.end,
        header_start=file.start,
    )


def decoded_uuencode(fd: int, start: int, end: int, window_bytes: int) -> Iterator[bytes] | None:
    """The first file in the body from `start` to `end`, in chunks; None where no line begins one."""
    body = _first_line_end(fd, start, end)
    return _decoded(fd, body, end, window_bytes) if body is not None else None


def _first_line_end(fd: int, start: int, end: int) -> int | None:
    position, rest = start, b"\n"
    while octets := os.pread(fd, min(_SEARCHED_BYTES, end - position), position):
        position += len(octets)
        octets = rest + octets
        for found in re.finditer(rb"\nbegin", octets):
            if begin := _BEGIN.match(octets, found.start() + 1):
                return position - len(octets) + begin.end()
        rest = octets[-1100:]
    return None


def _decoded(fd: int, position: int, end: int, window_bytes: int) -> Iterator[bytes]:
    rest = b""
    decoded = bytearray()
    room_bytes = _SPARE_BYTES
    while octets := os.pread(fd, min(window_bytes, end - position), position):
        position += len(octets)
        *lines, rest = (rest + octets).split(b"\n")
        rest = rest[:_MAX_LINE_OCTETS]
        if position >= end:
            lines.append(rest)
        for line in lines:
            if _END.fullmatch(line):
                yield bytes(decoded)
                return
            content = _line_octets(line[:_MAX_LINE_OCTETS], fills=room_bytes > 0)
            room_bytes += _MAX_GROWTH * len(line[:_MAX_LINE_OCTETS]) - len(content)
            decoded += content
            if len(decoded) >= window_bytes:
                yield bytes(decoded)
                decoded.clear()
    yield bytes(decoded)


def _line_octets(line: bytes, *, fills: bool) -> bytes:
    """The octets of a line; `fills` up the blanks that it has lost at its end."""
    try:
        if len(line) > _SURELY_FULL_OCTETS:
            return binascii.a2b_uu(line)
    except binascii.Error:
        pass
    line = line.rstrip(b"\r\n")
    count = (line[0] - 32) & 63 if line else 0
    count = count if fills else min(count, (len(line) - 1) * 3 // 4)
    characters = re.sub(rb"[^ -`]", b"`", line[1 : 1 + (count * 4 + 2) // 3])
    return binascii.a2b_uu(bytes([32 + count]) + characters) if count > 0 else b""
