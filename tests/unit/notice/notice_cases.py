"""Facts to compose a notice of, ways to read it, and what SES and a reader ask of it."""

import email
import email.policy
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from html.parser import HTMLParser

from woomera_milter import config
from woomera_milter.notice.notice import AttachmentFact, Composer, Facts, Links, Notice

KB = 1024
MB = 1024 * 1024
SIGNATURE = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=" + "0123456789abcdef" * 4
MESSAGE_LINK = f"https://example-large-mail.s3.us-east-1.amazonaws.com/messages/id/message.eml?{SIGNATURE}"
PAGE_LINK = f"https://example-large-mail.s3.us-east-1.amazonaws.com/messages/id/index.html?{SIGNATURE}"
SESSION_TOKEN_LINK = f"{MESSAGE_LINK}&X-Amz-Security-Token={'t' * 1200}"
BOTH_LINKS = Links(message=MESSAGE_LINK, page=PAGE_LINK)
NO_PAGE = Links(message=MESSAGE_LINK, page=None)
EXPIRES_AT = datetime(2026, 12, 1, 5, 24, 59, tzinfo=UTC)

COMPOSER = Composer(config.Notice(organization="Example Ltd", contact="postmaster@example.com"))
PLAN = AttachmentFact("Plan, second draft.pdf", "application/pdf", 18 * MB, None)
PHOTO = AttachmentFact(
    "Baustelle Süd.jpg", "image/jpeg", 700 * KB, f"https://example.com/1/p.jpg?{SIGNATURE}"
)
FACTS = Facts(
    id="4AO5OuKt012345-Zk3v9qXw",
    header_from="Jörg Müller <joerg@example.com>",
    subject="Plans for the building",
    date="Tue, 24 Nov 2026 05:24:00 +0000",
    size_bytes=24 * MB + 300 * KB,
    limit_bytes=10 * MB,
    attachments=[PLAN, PHOTO],
    text="Dear Anna,\nhere are the plans.\n\nJörg",
    text_truncated=False,
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
