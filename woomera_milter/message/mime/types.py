"""What an attachment is told and served as: by its Content-Type, its name, and its first octets.

Mail programs call what they do not know application/octet-stream, and gateways drop or halve types: there
the name tells more. A type that is in our table stays, unless what is in the file shows that it cannot be.
"""

from itertools import islice

from woomera_milter.message.fields import first
from woomera_milter.message.mime.transfer import decoded_chunks
from woomera_milter.message.mime.tree import Part, fields_of
from woomera_milter.text.kinds import type_of, usual_type

_GENERIC = frozenset({"application/octet-stream", "text/plain"})
# Archives that other files are, too, and what Windows calls all that those programs open.
_CONTAINERS = frozenset(
    {"application/zip", "application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"}
)
_PEEK_BYTES = 512
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
)
_BRANDS = {b"avif": "image/avif", b"avis": "image/avif", b"heic": "image/heic", b"heix": "image/heic"}


def told_type(fd: int, part: Part) -> str:
    """The type of a leaf, where it can be told; "application/octet-stream" where it cannot."""
    stated, named = usual_type(part.content_type), type_of(part.name)
    is_generic = not stated or stated in _GENERIC
    family = part.content_type.partition("/")[0]
    if family == "image" or named.startswith("image/") or (is_generic and not named):
        seen = _seen_type(fd, part)
        if seen and (seen.startswith("image/") or stated != "text/plain" or part.disposition == "attachment"):
            return seen
    if not named:
        return _unnamed(fd, part)
    if is_generic or stated in _CONTAINERS or (family == "text" and not named.startswith("text/")):
        return named
    return stated


def _unnamed(fd: int, part: Part) -> str:
    """The type of a leaf whose name tells none."""
    if part.content_type == "text/plain" and part.name:
        media_type = (first(fields_of(fd, part), "Content-Type") or b"").partition(b";")[0]
        if b"/" not in media_type:  # it is text by default alone
            return "application/octet-stream"
    return usual_type(part.content_type) or part.content_type


def _seen_type(fd: int, part: Part) -> str:
    """The type that the first octets show, "" if none."""
    chunks = decoded_chunks(fd, part, window_bytes=_PEEK_BYTES)
    octets = b"".join(islice(chunks, 4))
    for magic, content_type in _MAGIC:
        if octets.startswith(magic):
            return content_type
    if octets[:4] == b"RIFF" and octets[8:12] == b"WEBP":
        return "image/webp"
    if octets[:2] == b"BM" and octets[6:10] == bytes(4) and len(octets) > 26:
        return "image/bmp"
    return _BRANDS.get(octets[8:12], "") if octets[4:8] == b"ftyp" else ""
