"""What a message's parts hold: attachments with their names and sizes, the text, the protection.

This is the door to everything that reads mail: mime_outline finds the parts, headers decodes fields,
text makes hostile octets fit for people. Nothing raises on any content; bodies pass through in chunks.
"""

import binascii
import mimetypes
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from woomera_milter.message.fields import (
    HeaderFacts,
    HeaderField,
    base64_octets,
    first,
    header_facts,
    parse_header_block,
    text_of,
)
from woomera_milter.message.tree import WINDOW_BYTES, Part, outline
from woomera_milter.text.lines import (
    cut,
    decode,
    from_html,
    lines_for_people,
    safe_file_name,
    split_extension,
)

__all__ = [
    "Attachment",
    "BodyText",
    "HeaderFacts",
    "HeaderField",
    "Part",
    "Protection",
    "attachments",
    "body_html",
    "body_text",
    "decoded_chunks",
    "decoded_size_bytes",
    "first",
    "header_facts",
    "named_attachments",
    "outline",
    "parse_header_block",
    "protection",
    "safe_file_name",
    "text_of",
]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A leaf that is not the message's text; `name` is safe and distinct, `size_bytes` exact."""

    part: Part
    name: str
    content_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class BodyText:
    """The beginning of a message's text, and whether there is more of it."""

    text: str
    truncated: bool


class Protection(StrEnum):
    """What keeps a message from being read, or changed, without the proper keys."""

    SIGNED = "signed"
    ENCRYPTED = "encrypted"
    SMIME = "smime"


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


# Kinds of text that are renditions of the message itself when no file name says otherwise.
_BODY_TYPES = {
    "text/plain",
    "text/html",
    "text/enriched",
    "text/richtext",
    "text/x-amp-html",
    "text/watch-html",
}


def _body_leaves(part: Part) -> list[Part]:
    """The leaves that are the text of the message: the first inline one, or all alternatives of it."""
    if not part.is_multipart:
        is_text = part.content_type in _BODY_TYPES and part.disposition != "attachment" and not part.name
        return [part] if is_text else []
    bodies = (_body_leaves(child) for child in part.children)
    if part.content_type == "multipart/alternative":
        return [leaf for body in bodies for leaf in body]
    return next((body for body in bodies if body), [])


# HTML has far more markup than text, and much of it comes before the first word.
_HTML_BYTES_PER_TEXT_BYTE = 32


def body_text(fd: int, root: Part, max_bytes: int) -> BodyText:
    """The beginning of the message's text/plain, else of its text/html, in at most `max_bytes` of UTF-8."""
    leaves = _body_leaves(root)
    truncated = False
    for content_type, bytes_per_text_byte in ("text/plain", 4), ("text/html", _HTML_BYTES_PER_TEXT_BYTE):
        for leaf in leaves:
            if leaf.content_type != content_type:
                continue
            octets, complete = _beginning(fd, leaf, bytes_per_text_byte * max_bytes)
            text = decode(octets, leaf.charset or "", complete=complete)
            text = from_html(text) if content_type == "text/html" else lines_for_people(text).strip("\n")
            beginning, is_cut = cut(text, max_bytes)
            truncated = truncated or is_cut or not complete
            if text.strip():
                return BodyText(beginning, is_cut or not complete)
    return BodyText("", truncated)


def body_html(fd: int, root: Part, max_bytes: int) -> BodyText | None:
    """The beginning of the message's text/html, markup and all, at most `max_bytes`; None without one."""
    leaf = next((leaf for leaf in _body_leaves(root) if leaf.content_type == "text/html"), None)
    if leaf is None:
        return None
    octets, complete = _beginning(fd, leaf, max_bytes)
    return BodyText(decode(octets, leaf.charset or "", complete=complete), truncated=not complete)


def _beginning(fd: int, part: Part, max_bytes: int) -> tuple[bytes, bool]:
    """The first `max_bytes` of a decoded body, and whether that is all of it."""
    octets = bytearray()
    for chunk in decoded_chunks(fd, part):
        octets += chunk
        if len(octets) > max_bytes:
            return bytes(octets[:max_bytes]), False
    return bytes(octets), True


def attachments(fd: int, root: Part, *, window_bytes: int = WINDOW_BYTES) -> list[Attachment]:
    """Every leaf that is not the message's text, inline ones too, in the order of the message."""
    return [
        Attachment(part, name, part.content_type, decoded_size_bytes(fd, part, window_bytes=window_bytes))
        for part, name in named_attachments(fd, root)
    ]


def named_attachments(fd: int, root: Part) -> list[tuple[Part, str]]:
    """The same, and their names, for a caller that decodes them anyhow and so learns their sizes."""
    body_starts = {leaf.start for leaf in _body_leaves(root)}
    names = _DistinctNames()
    return [
        (part, names.distinct(_file_name(fd, part)))
        for part in _leaves(root)
        if part.start not in body_starts
    ]


def _leaves(part: Part) -> Iterator[Part]:
    if not part.is_multipart:
        yield part
    for child in part.children:
        yield from _leaves(child)


# The constructor's table alone: what a host's mime.types says must not change a name.
_TYPES = mimetypes.MimeTypes()
_EXTENSIONS = {
    "text/calendar": ".ics",
    "text/vcard": ".vcf",
    "text/rfc822-headers": ".txt",
    "message/delivery-status": ".txt",
    "message/disposition-notification": ".txt",
    "application/pgp-signature": ".asc",
    "application/pgp-encrypted": ".asc",
    "application/pkcs7-signature": ".p7s",
    "application/x-pkcs7-signature": ".p7s",
    "application/x-pkcs7-mime": ".p7m",
}


def _file_name(fd: int, part: Part) -> str:
    main_type = part.content_type.partition("/")[0]
    stem = main_type if main_type in ("image", "audio", "video") else "attachment"
    extension = _EXTENSIONS.get(part.content_type) or _TYPES.guess_extension(part.content_type) or ".bin"
    name = part.name
    if not name and part.content_type == "message/rfc822":
        header_block, _ = _beginning(fd, part, 65_536)
        subject = text_of(first(parse_header_block(header_block), "Subject") or b"")
        name = (subject or "message") + ".eml"
    return safe_file_name(name, stem + extension)


class _DistinctNames:
    """Names made distinct for file systems that do not tell cases apart: "a.pdf", "A (2).pdf"."""

    def __init__(self) -> None:
        self._last_number: dict[str, int] = {}

    def distinct(self, name: str) -> str:
        candidate, number = name, self._last_number.get(name.casefold(), 1)
        while candidate.casefold() in self._last_number:
            number += 1
            stem, extension = split_extension(name)
            candidate = f"{stem} ({number}){extension}"
        self._last_number[name.casefold()] = number
        self._last_number.setdefault(candidate.casefold(), 1)
        return candidate


_PGP_ARMOUR = "-----BEGIN PGP MESSAGE-----"  # RFC 9580 section 6.2.1


def protection(root: Part, text: str = "") -> Protection | None:
    """How the message as a whole is protected; `text` is its body's beginning, where PGP may stand bare."""
    part = root
    while part.is_multipart:
        if part.content_type == "multipart/encrypted":
            return Protection.ENCRYPTED
        if part.content_type == "multipart/signed":
            return Protection.SIGNED
        if not part.children:
            return None
        part = part.children[0]
    # RFC 8551 section 3.2.1: a gateway may leave nothing but the name.
    if part.content_type in ("application/pkcs7-mime", "application/x-pkcs7-mime") or (
        part.content_type == "application/octet-stream" and part.name.lower().endswith(".p7m")
    ):
        return Protection.SMIME
    return Protection.ENCRYPTED if _PGP_ARMOUR in text else None
