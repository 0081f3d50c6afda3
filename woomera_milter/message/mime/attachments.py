"""The attachments of a message: every leaf that is not its text, with its name, type and size.

Nothing raises on any content; bodies pass through in chunks.
"""

import mimetypes
from dataclasses import dataclass

from woomera_milter.message.decoding import text_of
from woomera_milter.message.fields import first, parse_header_block
from woomera_milter.message.mime.body import leaves, text_leaves
from woomera_milter.message.mime.transfer import beginning
from woomera_milter.message.mime.tree import Part
from woomera_milter.text.file_names import DistinctNames, safe_file_name


@dataclass(frozen=True, slots=True)
class Attachment:
    """A leaf that is not the message's text; `name` is safe and distinct, `size_bytes` exact.

    `content_type` is what it is told and served as, `note` what else people need to know of it, often "".
    """

    part: Part
    name: str
    content_type: str
    size_bytes: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class NamedPart:
    """An attachment before its octets are gone through, which alone tells its size."""

    part: Part
    name: str
    content_type: str
    note: str = ""

    def attachment(self, size_bytes: int) -> Attachment:
        """Give the attachment, of which `size_bytes` is the decoded size."""
        return Attachment(self.part, self.name, self.content_type, size_bytes, self.note)


def named_attachments(fd: int, root: Part) -> list[NamedPart]:
    """Every leaf that is not the message's text, inline ones too, in the message's order."""
    body_starts = {leaf.start for leaf in text_leaves(fd, root)}
    names = DistinctNames()
    return [
        NamedPart(part, names.distinct(_file_name(fd, part)), part.content_type)
        for part in leaves(root)
        if part.start not in body_starts
    ]


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
        header_block, _ = beginning(fd, part, 65_536)
        subject = text_of(first(parse_header_block(header_block), "Subject") or b"")
        name = (subject or "message") + ".eml"
    return safe_file_name(name, stem + extension)
