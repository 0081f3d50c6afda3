"""What a message's parts hold: attachments with their names and sizes, the text, the protection.

tree.py finds the parts, transfer.py decodes them, text makes hostile octets fit for people. Nothing raises
on any content; bodies pass through in chunks.
"""

import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from woomera_milter.message.decoding import text_of
from woomera_milter.message.fields import first, parse_header_block
from woomera_milter.message.transfer import decoded_chunks
from woomera_milter.message.tree import Part
from woomera_milter.text.charsets import decode
from woomera_milter.text.file_names import DistinctNames, safe_file_name
from woomera_milter.text.html import from_html
from woomera_milter.text.lines import cut, lines_for_people


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


def named_attachments(fd: int, root: Part) -> list[tuple[Part, str]]:
    """Every leaf that is not the message's text, inline ones too, and its name, in the message's order."""
    body_starts = {leaf.start for leaf in _body_leaves(root)}
    names = DistinctNames()
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
