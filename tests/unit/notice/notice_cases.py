"""An original to compose a notice of, ways to read it, and what SES and a reader ask of it."""

import email
import email.policy
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from html.parser import HTMLParser
from importlib.resources import files

from woomera_milter import config
from woomera_milter.message.decoding import HeaderSummary
from woomera_milter.message.mime.attachments import Attachment
from woomera_milter.message.mime.body import BodyText
from woomera_milter.message.mime.notes import Note
from woomera_milter.message.mime.tree import Part
from woomera_milter.notice.notice import Composer, Notice
from woomera_milter.notice.original import Linked, Links, Original


def listed_names(template: str) -> list[str]:
    """The names that people's own templates may use, as the head of one of ours lists them."""
    head = (files("woomera_milter.notice") / "templates" / template).read_text().partition("#}")[0]
    lines = re.findall(r"^  ((?:[a-z_.]+, )*[a-z_.]+)[ (]", head, re.MULTILINE)
    return [name for line in lines for name in line.split(", ")]


KB = 1024
MB = 1024 * 1024
SIGNATURE = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=" + "0123456789abcdef" * 4
MESSAGE_LINK = f"https://example-large-mail.s3.us-east-1.amazonaws.com/messages/id/message.eml?{SIGNATURE}"
PAGE_LINK = f"https://example-large-mail.s3.us-east-1.amazonaws.com/messages/id/index.html?{SIGNATURE}"
SESSION_TOKEN_LINK = f"{MESSAGE_LINK}&X-Amz-Security-Token={'t' * 1200}"
BOTH_LINKS = Links(message=MESSAGE_LINK, page=PAGE_LINK)
NO_PAGE = Links(message=MESSAGE_LINK, page=None)
EXPIRES_AT = datetime(2026, 12, 1, 5, 24, 59, tzinfo=UTC)


def linked(
    name: str,
    content_type: str,
    size_bytes: int,
    link: str | None = None,
    *,
    disposition: str = "attachment",
    content_id: str = "",
    note: str = "",
) -> Linked:
    """An attachment whose part says the same of it."""
    part = Part(content_type, None, "base64", disposition, name, content_id, 0, size_bytes)
    return Linked(Attachment(part, name, content_type, size_bytes, Note(note) if note else None), link=link)


COMPOSER = Composer(config.Notice(organization="Example Ltd", contact="postmaster@example.com"))
PLAN = linked("Plan, second draft.pdf", "application/pdf", 18 * MB)
PHOTO = linked("Baustelle Süd.jpg", "image/jpeg", 700 * KB, f"https://example.com/1/p.jpg?{SIGNATURE}")
HEADERS = HeaderSummary(
    header_from="Jörg Müller <joerg@example.com>",
    to="Anna Vogel <anna@example.org>",
    cc="",
    reply_to="",
    subject="Plans for the building",
    date="Tue, 24 Nov 2026 05:24:00 +0000",
    message_id="<plans@example.com>",
)
ORIGINAL = Original(
    id="4AO5OuKt012345-Zk3v9qXw",
    envelope_sender="bounces@example.com",
    headers=HEADERS,
    size_bytes=24 * MB + 300 * KB,
    limit_bytes=10 * MB,
    attachments=[PLAN, PHOTO],
    text=BodyText("Dear Anna,\nhere are the plans.\n\nJörg", truncated=False),
    protection=None,
)


def parsed(notice: Notice) -> EmailMessage:
    head = f"MIME-Version: 1.0\r\nContent-Type: {notice.content_type}\r\n\r\n"
    message = email.message_from_bytes(head.encode("ascii") + notice.body, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def parts(notice: Notice) -> tuple[str, str]:
    """The decoded text and HTML."""
    plain, html = parsed(notice).iter_parts()
    assert isinstance(plain, EmailMessage)
    assert isinstance(html, EmailMessage)
    return plain.get_content(), html.get_content()


class Page(HTMLParser):
    """What a browser would make of the HTML: its tags, attributes, link targets and visible text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.targets: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.targets.extend(str(value) for name, value in attrs if name in {"href", "src", "background"})

    def handle_data(self, data: str) -> None:
        self.text += data.replace("\u00a0", " ")


def assert_safe_for_ses(notice: Notice, header_bytes: int) -> None:
    assert header_bytes + len(notice.body) < 100 * KB
    assert notice.body.isascii()
    assert notice.content_type.isascii()
    assert notice.body.count(b"\n") == notice.body.count(b"\r") == notice.body.count(b"\r\n")
    assert max(len(line) for line in notice.body.split(b"\r\n")) <= 76
    message = parsed(notice)
    assert not message.defects
    assert message.get_content_type() == "multipart/alternative"
    plain, html = message.iter_parts()
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    for part in (plain, html):
        assert not part.defects
        assert part.get_content_charset() == "utf-8"
        assert part["Content-Transfer-Encoding"] in {"quoted-printable", "base64"}


def assert_links_stand_alone(text: str, links: Links) -> None:
    """Each of ours is a whole line, and no other line begins as a link would."""
    lines = text.splitlines()
    ours = [line for line in lines if line.lstrip().lower().startswith(("http", "www.", "mailto:"))]
    assert ours[0] == (links.page or links.message)
    assert links.message in ours
    assert set(ours) <= {links.message, links.page, PHOTO.link}
