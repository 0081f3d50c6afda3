"""The page on which recipients read a message in a browser, without a mail program that opens an .eml.

Pure: facts, links and times come in as values, the HTML goes out as octets. It lies beside the message in
the bucket, so nothing on it may run: no script is ours, a sender's HTML comes sanitised, and a
Content-Security-Policy stops whatever got past that.
"""

import hashlib
import html
import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

import jinja2
from markupsafe import Markup

from woomera_milter import config
from woomera_milter.errors import ConfigError
from woomera_milter.message.contents import BodyText
from woomera_milter.message.decoding import HeaderSummary
from woomera_milter.notice.notice import template_environment
from woomera_milter.text import wording
from woomera_milter.text.safe_html import Picture, SafeHtml

TEMPLATE = "index.html"
_MAX_ADDRESSES_CHARS = 2_000
_MAX_ATTACHMENTS = 1_000

_URL = re.compile(r"""https?://[^\s<>"']*[^\s<>"'.,;:!?)\]}]""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PageAttachment:
    """An attachment; `link` None where it has none of its own, `is_shown` if the text shows it."""

    name: str
    content_type: str
    size_bytes: int
    link: str | None
    is_shown: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """What the page shows; its texts are decoded, and as hostile as their sender.

    `pictures` are those that have no place in the text, and are shown below it.
    """

    headers: HeaderSummary
    size_bytes: int
    body: SafeHtml | BodyText
    pictures: Sequence[Picture]
    attachments: Sequence[PageAttachment]
    message_link: str


class Pages:
    """Renders pages. Raises ConfigError if the template cannot serve, so that it shows at start."""

    def __init__(self, settings: config.Notice) -> None:
        self._settings = settings
        try:
            self._template = template_environment(settings.templates).get_template(TEMPLATE)
            for body in (_SAMPLE_HTML, _SAMPLE_TEXT):
                self.render(_sample(body), datetime(2026, 12, 1, tzinfo=UTC))
        except (jinja2.TemplateError, OSError, UnicodeDecodeError) as error:
            line = f"line {error.lineno}: " if isinstance(error, jinja2.TemplateSyntaxError) else ""
            problem = f"notice.templates: {settings.templates}: {TEMPLATE}: {line}{error}".splitlines()[0]
            raise ConfigError([f"{problem}; correct the template, or remove it to use ours"]) from error

    def render(self, facts: Facts, expires_at: datetime) -> bytes:
        """Give the page in UTF-8; its links end at `expires_at` (aware), and so does its own."""
        headers, body = facts.headers, facts.body
        is_text = isinstance(body, BodyText)
        shown = {
            "subject": wording.one_line(headers.subject),
            "sender": wording.one_line(headers.header_from) or "an unnamed sender",
            "to": wording.one_line(headers.to, _MAX_ADDRESSES_CHARS),
            "cc": wording.one_line(headers.cc, _MAX_ADDRESSES_CHARS),
            "sent": wording.sent(headers.date),
            "size": wording.size(facts.size_bytes),
            "message_link": facts.message_link,
            "expires": wording.moment(expires_at),
            "letter": _with_links(body.text) if isinstance(body, BodyText) else Markup(body.html),  # noqa: S704
            "is_text": is_text,
            "is_cut": body.truncated,
            "has_remote_pictures": isinstance(body, SafeHtml) and body.remote_pictures,
            "pictures": facts.pictures,
            "attachments": [
                {
                    "name": wording.one_line(attachment.name),
                    "kind": wording.kind(attachment.content_type),
                    "size": wording.size(attachment.size_bytes),
                    "link": attachment.link,
                    "is_shown": attachment.is_shown,
                }
                for attachment in facts.attachments[:_MAX_ATTACHMENTS]
            ],
            "attachment_count": len(facts.attachments),
            "linked_count": sum(attachment.link is not None for attachment in facts.attachments),
            "organization": self._settings.organization,
            "contact": self._settings.contact,
            "policy": lambda style: _policy(style, _origin(facts.message_link)),
        }
        return self._template.render(shown).encode()


def _policy(style: str, origin: str) -> str:
    """The Content-Security-Policy: this one style element, pictures from the message's host, nothing else."""
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    sources = {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "img-src": f"{origin} data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{directive} {source}" for directive, source in sources.items())


def _origin(link: str) -> str:
    url = urlsplit(link)
    return f"{url.scheme}://{url.netloc}"


def _with_links(text: str) -> Markup:
    """Plain text as HTML, in which web addresses can be followed."""
    pieces: list[str] = []
    position = 0
    for url in _URL.finditer(text):
        address = html.escape(url[0])
        pieces.append(html.escape(text[position : url.start()]))
        pieces.append(f'<a href="{address}" rel="noopener noreferrer nofollow">{address}</a>')
        position = url.end()
    return Markup("".join([*pieces, html.escape(text[position:])]))  # noqa: S704 - all of it is escaped


_SAMPLE_HTML = SafeHtml("<p>Here are the plans.</p>", frozenset(), remote_pictures=True, truncated=True)
_SAMPLE_TEXT = BodyText("Here are the plans.", truncated=False)


def _sample(body: SafeHtml | BodyText) -> Facts:
    return Facts(
        headers=HeaderSummary(
            header_from="Jane Doe <jane@example.com>",
            to="John Doe <john@example.com>",
            cc="",
            reply_to="",
            subject="Plans",
            date="Tue, 24 Nov 2026 05:24:00 +0000",
            message_id="<plans@example.com>",
        ),
        size_bytes=25_000_000,
        body=body,
        pictures=[Picture("https://example.com/2", "site.jpg")],
        attachments=[
            PageAttachment(
                "plan.pdf", "application/pdf", 24_000_000, "https://example.com/1", is_shown=False
            ),
            PageAttachment("site.jpg", "image/jpeg", 900_000, None, is_shown=True),
        ],
        message_link="https://example.com/message",
    )
