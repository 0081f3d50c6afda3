"""The original as notice and page tell of it; its texts are decoded, and as hostile as their sender."""

from collections.abc import Sequence
from dataclasses import dataclass

from woomera_milter.message.decoding import HeaderSummary
from woomera_milter.message.mime.attachments import Attachment
from woomera_milter.message.mime.body import BodyText
from woomera_milter.message.mime.protection import Protection
from woomera_milter.text import wording
from woomera_milter.text.kinds import kind_of
from woomera_milter.text.language import Language

# Those that all browsers show.
_PICTURE_TYPES = frozenset({"image/avif", "image/bmp", "image/gif", "image/jpeg", "image/png", "image/webp"})


@dataclass(frozen=True, slots=True)
class Linked:
    """An attachment, and its key and link where it has any; `is_shown` if the page shows it."""

    attachment: Attachment
    key: str | None = None
    link: str | None = None
    is_shown: bool = False

    @property
    def name(self) -> str:
        """Its name, on one line."""
        return wording.one_line(self.attachment.name)

    def about(self, language: Language) -> str:
        """What people call a file of its type, and what else they need to know of it."""
        content_type, note = self.attachment.content_type, self.attachment.note
        told = language.text(kind_of(content_type) or "file")
        return f"{told}: {language.text(note.english, **note.values)}" if note else told

    @property
    def is_picture(self) -> bool:
        """Whether any browser shows it."""
        return self.attachment.content_type in _PICTURE_TYPES


@dataclass(frozen=True, slots=True)
class Letter:
    """The text of a message as HTML that runs nothing, and loads but the pictures whose links are `shown`."""

    html: str
    shown: frozenset[str]
    remote_pictures: bool
    truncated: bool
    is_plain: bool
    """It was plain text, all of it."""


@dataclass(frozen=True, slots=True)
class Original:
    """A message that lies in S3; `text` is the beginning of its text, `letter` the same in HTML."""

    id: str
    envelope_sender: str
    headers: HeaderSummary
    size_bytes: int
    limit_bytes: int
    attachments: Sequence[Linked]
    text: BodyText
    protection: Protection | None
    letter: Letter | None = None


@dataclass(frozen=True, slots=True)
class Links:
    """The link to the .eml, and to the page where there is one."""

    message: str
    page: str | None
