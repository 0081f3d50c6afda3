"""The bodies of parts, decoded (RFC 2045 section 6): base64, quoted-printable and uuencode, in windows."""

import binascii
import os
import re
from collections.abc import Iterable, Iterator

from woomera_milter.message.decoding import base64_octets
from woomera_milter.message.mime.tree import WINDOW_BYTES, Part
from woomera_milter.message.mime.uuencode import decoded_uuencode


def decoded_chunks(fd: int, part: Part, *, window_bytes: int = WINDOW_BYTES) -> Iterator[bytes]:
    """The decoded body of a leaf in chunks of about `window_bytes`.

    Base64 is read leniently: missing padding is no matter, and characters that are no base64 are passed
    over until padding completes a quantum. What was padded in pieces goes on after that, up to a line
    that is no base64: a mailing list's footer (binascii stops, or makes rubbish of it, by its version).
    A text that was never encoded is read as it is.
    """
    match part.transfer_encoding:
        case "base64" if end := _base64_end(fd, part):
            return _from_base64(fd, part.start, end, window_bytes)
        case "quoted-printable":
            return _from_quoted_printable(_raw_chunks(fd, part.start, part.end, window_bytes))
        case "x-uuencode":
            decoded = decoded_uuencode(fd, part.start, part.end, window_bytes)
            return decoded or _raw_chunks(fd, part.start, part.end, window_bytes)
        case _:
            return _raw_chunks(fd, part.start, part.end, window_bytes)


def decoded_size_bytes(fd: int, part: Part, *, window_bytes: int = WINDOW_BYTES) -> int:
    """The octets of a leaf's decoded body."""
    match part.transfer_encoding:
        case "base64" if end := _base64_end(fd, part):
            return _base64_size_bytes(_base64_runs(fd, part.start, end, window_bytes))
        case "quoted-printable" | "x-uuencode":
            return sum(map(len, decoded_chunks(fd, part, window_bytes=window_bytes)))
        case _:
            return part.end - part.start


def beginning(fd: int, part: Part, max_bytes: int) -> tuple[bytes, bool]:
    """The first `max_bytes` of a decoded body, and whether that is all of it."""
    octets = bytearray()
    for chunk in decoded_chunks(fd, part):
        octets += chunk
        if len(octets) > max_bytes:
            return bytes(octets[:max_bytes]), False
    return bytes(octets), True


def _raw_chunks(fd: int, start: int, end: int, window_bytes: int) -> Iterator[bytes]:
    position = start
    while octets := os.pread(fd, min(window_bytes, end - position), position):
        yield octets
        position += len(octets)


_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(set(range(256)) - set(_BASE64 + b"="))
_PADDING_OR_NOT = re.compile(rb"=++|[^=]++")
_NOT_IN_BASE64_LINES = re.compile(rb"[^A-Za-z0-9+/=\s]")


_SENTENCE = re.compile(rb"\s*(?:<|[^\s=]++[ \t]++[^\s=]++[ \t]++[^\s=])")
_HEAD_BYTES, _TAIL_BYTES = 1024, 4096


def _base64_end(fd: int, part: Part) -> int:
    """Where base64 ends that a footer follows; 0 where it is none, but a text that was never encoded.

    Only two times of three does padding tell where it ends.
    """
    head = os.pread(fd, min(_HEAD_BYTES, part.end - part.start), part.start)
    if _SENTENCE.match(head) and _NOT_IN_BASE64_LINES.search(head):
        return 0
    start = max(part.start, part.end - _TAIL_BYTES)
    tail = os.pread(fd, part.end - start, start)
    if (foreign := _NOT_IN_BASE64_LINES.search(tail)) is None:
        return part.end
    line_start = tail.rfind(b"\n", 0, foreign.start()) + 1
    lines_before = tail.count(b"\n", 0, line_start)
    is_footer = not tail[line_start : foreign.start()].strip() and foreign[0] * 2 in tail
    return start + line_start if is_footer and lines_before > (start > part.start) else part.end


def _base64_runs(fd: int, start: int, end: int, window_bytes: int) -> Iterator[bytes]:
    """The characters of the alphabet, and b"" wherever padding completes a quantum."""
    characters = padding = 0
    was_padded = False
    while octets := os.pread(fd, min(window_bytes, end - start), start):
        start += len(octets)
        if b"=" not in octets:
            if significant := octets.translate(None, _NOT_BASE64):
                characters, padding = characters + len(significant), 0
                yield significant
            continue
        for run in _PADDING_OR_NOT.finditer(octets):
            if not run[0].startswith(b"="):
                if significant := run[0].translate(None, _NOT_BASE64):
                    characters, padding = characters + len(significant), 0
                    yield significant
                continue
            padding += run.end() - run.start()
            if characters % 4 < 2 or characters % 4 + padding < 4:
                continue
            characters = 0
            yield b""
            if not was_padded:
                was_padded = True
                start -= len(octets) - run.end()
                end = _end_of_base64_lines(fd, start, end, window_bytes)
                break


def _end_of_base64_lines(fd: int, start: int, end: int, window_bytes: int) -> int:
    """Where the first line begins that is no base64, or `start` if that is amid it."""
    position = line_start = start
    while octets := os.pread(fd, min(window_bytes, end - position), position):
        foreign = _NOT_IN_BASE64_LINES.search(octets)
        line_feed = octets.rfind(b"\n", 0, foreign.start() if foreign else len(octets))
        line_start = position + line_feed + 1 if line_feed >= 0 else line_start
        if foreign:
            return line_start
        position += len(octets)
    return end


def _base64_size_bytes(runs: Iterable[bytes]) -> int:
    size_bytes = characters = 0
    for run in runs:
        characters += len(run)
        if not run:
            size_bytes += characters * 3 // 4
            characters = 0
    return size_bytes + characters * 3 // 4


def _from_base64(fd: int, position: int, end: int, window_bytes: int) -> Iterator[bytes]:
    # As long as lines hold whole quanta, as those of all mail programs do, binascii reads them as they are.
    while octets := os.pread(fd, min(window_bytes, end - position), position):
        lines = octets[: octets.rfind(b"\n") + 1]
        if not lines or b"=" in lines:
            break
        try:
            yield binascii.a2b_base64(lines)
        except binascii.Error:
            break
        position += len(lines)
    decoded = bytearray()
    rest = b""
    for run in _base64_runs(fd, position, end, window_bytes):
        characters = rest + run
        whole = len(characters) - len(characters) % 4 if run else len(characters)
        rest = characters[whole:]
        decoded += base64_octets(characters[:whole])
        if len(decoded) >= window_bytes // 2:
            yield bytes(decoded)
            decoded.clear()
    yield bytes(decoded) + base64_octets(rest)


# Two equals signs stand for one, so only the last of an odd number of them may begin something.
_TORN_ESCAPE = re.compile(rb"(?<!=)(?:==)*(=(?:[ \t]{0,100}\r?|[^=])?)\Z")
# RFC 2045 section 6.7, rule 3: relays add white space at line ends, which binascii takes literally.
_PADDED_BREAK = re.compile(rb"=[ \t]{1,100}(?=\r?\n)")
_BARE_CR_BREAK = re.compile(rb"(?<!=)(?:==)*(=\r)")


def _from_quoted_printable(raw: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in raw:
        octets = rest + chunk
        # A chunk ends with a line, lest "=0A" or a soft line break be torn apart.
        end = octets.rfind(b"\n") + 1
        rest = octets[end:]
        if not end and (line_break := _BARE_CR_BREAK.search(octets)):
            # binascii passes over all that follows, up to a line end.
            end, rest = line_break.start(1), line_break[1]
        elif not end:
            torn = _TORN_ESCAPE.search(octets)
            end = torn.start(1) if torn else len(octets)
            rest = octets[end:]
        yield _quoted_printable_octets(octets[:end])
    yield _quoted_printable_octets(rest)


def _quoted_printable_octets(octets: bytes) -> bytes:
    if b"= " in octets or b"=\t" in octets:
        octets = _PADDED_BREAK.sub(b"=", octets)
    return binascii.a2b_qp(octets)
