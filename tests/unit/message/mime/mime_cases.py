"""Messages and their parts as mailers make them, and ways to have a message read."""

import email.message
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from email.mime.application import MIMEApplication
from email.mime.image import MIMEImage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

from rig.mail.attachments import attachments
from woomera_milter.message.mime.attachments import Attachment
from woomera_milter.message.mime.body import BodyText, body_text
from woomera_milter.message.mime.tree import Part, outline


@contextmanager
def on_disk(message: bytes) -> Iterator[int]:
    with tempfile.TemporaryFile() as file:
        file.write(message)
        file.flush()
        yield file.fileno()


def outline_of(message: bytes) -> Part:
    with on_disk(message) as fd:
        return outline(fd, len(message))


def attachments_of(message: bytes) -> list[Attachment]:
    with on_disk(message) as fd:
        return attachments(fd, outline(fd, len(message)))


def text_in(message: bytes, max_bytes: int = 1000) -> BodyText:
    with on_disk(message) as fd:
        return body_text(fd, outline(fd, len(message)), max_bytes)


def leaves(part: Part) -> list[Part]:
    below = [leaf for child in part.children for leaf in leaves(child)]
    return below if part.is_multipart else [part]


def types_of(part: Part) -> str:
    """The tree in one line: mixed(text/plain image/png)."""
    if not part.is_multipart:
        return part.content_type
    subtype = part.content_type.removeprefix("multipart/")
    return f"{subtype}({' '.join(types_of(child) for child in part.children)})"


def crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


PNG = bytes(range(256)) * 5
TEXT = MIMEText("Grüße\n", "plain", "utf-8")
HTML = MIMEText("<p>Grüße</p>\n", "html", "iso-8859-1")
PDF = MIMEApplication(b"%PDF-1.7\r\n" * 50, "pdf", name="offer.pdf")
PDF.add_header("Content-Disposition", "attachment", filename="offer.pdf")
PICTURE = MIMEImage(PNG, "png")
PICTURE.add_header("Content-ID", "<logo@example.com>")
FORWARDED = MIMEText("The original.\n")
FORWARDED["Subject"] = "=?utf-8?q?Plan_f=C3=BCr_2026?="


def multipart(subtype: str, *children: email.message.Message, boundary: str | None = None) -> MIMEMultipart:
    return MIMEMultipart(subtype, boundary, children)


ALTERNATIVE = multipart("alternative", TEXT, HTML)
