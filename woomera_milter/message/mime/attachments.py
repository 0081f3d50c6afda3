"""The attachments of a message: every leaf that is not its text, with its name, type and size.

Nothing raises on any content; bodies pass through in chunks.
"""

import re
from dataclasses import dataclass

from woomera_milter.message.decoding import text_of
from woomera_milter.message.fields import first, parse_header_block
from woomera_milter.message.mime.body import leaves, text_leaves
from woomera_milter.message.mime.notes import Note, note_on
from woomera_milter.message.mime.transfer import beginning
from woomera_milter.message.mime.tree import Part
from woomera_milter.message.mime.types import told_type
from woomera_milter.text.file_names import DistinctNames, safe_file_name
from woomera_milter.text.kinds import extension_of, type_of


@dataclass(frozen=True, slots=True)
class Attachment:
    """A leaf that is not the message's text; `name` is safe and distinct, `size_bytes` exact.

    `content_type` is what it is told and served as, `note` what else people need to know of it, often None.
    """

    part: Part
    name: str
    content_type: str
    size_bytes: int
    note: Note | None = None


@dataclass(frozen=True, slots=True)
class NamedPart:
    """An attachment before its octets are gone through, which alone tells its size."""

    part: Part
    name: str
    content_type: str
    note: Note | None = None

    def attachment(self, size_bytes: int) -> Attachment:
        """Give the attachment, of which `size_bytes` is the decoded size."""
        return Attachment(self.part, self.name, self.content_type, size_bytes, self.note)


def named_attachments(fd: int, root: Part) -> list[NamedPart]:
    """Every leaf that is not the message's text, inline ones too, in the message's order."""
    body_starts = {leaf.start for leaf in text_leaves(fd, root)}
    names = DistinctNames()
    return [_named(fd, part, names) for part in leaves(root) if part.start not in body_starts]


def _named(fd: int, part: Part, names: DistinctNames) -> NamedPart:
    content_type = told_type(fd, part)
    name = names.distinct(_file_name(fd, part, content_type))
    return NamedPart(part, name, content_type, note_on(fd, part))


# "v2.0 final" and "Offer No. 7" have none, though they have a dot.
_EXTENSION = re.compile(r".+\.[A-Za-z][A-Za-z0-9_~-]{0,9}", re.DOTALL)
# Files that nobody gives another extension, so that what follows a dot is none if we do not know it.
_HAVE_ONE_EXTENSION = ("application/pdf", "image/png", "image/jpeg", "image/gif", "message/rfc822")
_STEMS = {
    "application/ms-tnef": "winmail",
    "message/delivery-status": "delivery report",
    "message/disposition-notification": "read receipt",
    "message/partial": "piece",
    "text/rfc822-headers": "email headers",
}


def _file_name(fd: int, part: Part, content_type: str) -> str:
    """The sender's name; one without an extension gets its type's, so that a double click opens the file."""
    name = part.name.rstrip(". ")
    if not name and content_type == "message/rfc822":
        header_block, _ = beginning(fd, part, 65_536)
        subject = text_of(first(parse_header_block(header_block), "Subject") or b"")
        name = (subject or "message") + ".eml"
    if content_type == "application/applefile" and name and not name.startswith("._"):
        name = f"._{name}"  # as Macs name it, beside the file that has this name
    extension = extension_of(content_type)
    if name and content_type not in ("application/octet-stream", "application/applefile"):
        has_one = type_of(name) or (
            _EXTENSION.fullmatch(name) and not content_type.startswith(_HAVE_ONE_EXTENSION)
        )
        name += "" if has_one else extension
    main_type = content_type.partition("/")[0]
    stem = main_type if main_type in ("image", "audio", "video") else _STEMS.get(content_type, "attachment")
    return safe_file_name(name, stem + (extension or ".bin"))
