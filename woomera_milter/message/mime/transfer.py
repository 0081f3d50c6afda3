"""The bodies of parts, decoded (RFC 2045 section 6): base64 and quoted-printable, in windows."""

import binascii
import os
import re
from collections.abc import Iterable, Iterator

from woomera_milter.message.decoding import base64_octets
from woomera_milter.message.mime.tree import WINDOW_BYTES, Part


def decoded_chunks(fd: int, part: Part, *, window_bytes: int = WINDOW_BYTES) -> Iterator[bytes]:
    """The decoded body of a leaf in chunks of at most `window_bytes`.

    Base64 is read leniently: characters that are no base64 are passed over, the padding that
    completes a quantum ends the data (binascii reads on, in newer Pythons), and missing padding
    is no matter.
    """
    match part.transfer_encoding:
        case "base64":
            return _from_base64(fd, part, window_bytes)
        case "quoted-printable":
            return _from_quoted_printable(_raw_chunks(fd, part.start, part.end, window_bytes))
        case _:
            return _raw_chunks(fd, part.start, part.end, window_bytes)


def decoded_size_bytes(fd: int, part: Part, *, window_bytes: int = WINDOW_BYTES) -> int:
    """The octets of a leaf's decoded body."""
    match part.transfer_encoding:
        case "base64":
            raw = _raw_chunks(fd, part.start, part.end, window_bytes)
            return sum(map(len, _base64_characters(raw))) * 3 // 4
        case "quoted-printable":
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
_BASE64_RUN = re.compile(rb"=++|[^=]++")


def _base64_characters(raw: Iterable[bytes]) -> Iterator[bytes]:
    """The characters of the alphabet, up to the padding that ends the data."""
    characters = padding = 0
    for chunk in raw:
        significant = chunk.translate(None, _NOT_BASE64)
        for run in _BASE64_RUN.findall(significant) if b"=" in significant else (significant,):
            if run.startswith(b"="):
                padding += len(run)
                if characters % 4 >= 2 and characters % 4 + padding >= 4:
                    return
            elif run:
                padding = 0
                characters += len(run)
                yield run


def _from_base64(fd: int, part: Part, window_bytes: int) -> Iterator[bytes]:
    position = part.start
    # As long as lines hold whole quanta, as those of all mail programs do, binascii reads them as they are.
    while octets := os.pread(fd, min(window_bytes, part.end - position), position):
        lines = octets[: octets.rfind(b"\n") + 1]
        if not lines or b"=" in lines:
            break
        try:
            yield binascii.a2b_base64(lines)
        except binascii.Error:
            break
        position += len(lines)
    rest = b""
    for run in _base64_characters(_raw_chunks(fd, position, part.end, window_bytes)):
        characters = rest + run
        whole = len(characters) - len(characters) % 4
        rest = characters[whole:]
        yield base64_octets(characters[:whole])
    yield base64_octets(rest)


# Two equals signs stand for one, so only the last of an odd number of them may begin something.
_TORN_ESCAPE = re.compile(rb"(?<!=)(?:==)*(=[^=]?)\Z")
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
        yield binascii.a2b_qp(octets[:end])
    yield binascii.a2b_qp(rest)
