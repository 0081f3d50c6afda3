"""The notice that recipients get instead of a message too large for the relay.

Pure: original, links and times come in as values, the body goes out as octets. Whatever a sender wrote is
shown, never obeyed: in the plain text it cannot pass for one of our links, in HTML it cannot run.
"""

import base64
import binascii
import hashlib
import re
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit

import jinja2
from markupsafe import Markup

from woomera_milter import config
from woomera_milter.errors import PermanentError, Reason
from woomera_milter.message.mime.protection import Protection
from woomera_milter.notice.original import Letter, Links, Original
from woomera_milter.notice.templates import (
    SAMPLE,
    SAMPLE_END,
    faults_told,
    languages_of,
    names_of,
    template_environment,
    told,
)
from woomera_milter.text import wording
from woomera_milter.text.lines import cut, lines_for_people
from woomera_milter.text.markup.beginning import beginning_of_html

MAX_MESSAGE_BYTES = 100 * 1024 - 1  # of the whole notice: SES-safe is under 100 KB
MAX_HEADER_BYTES = 64 * 1024  # of the original's header fields that stay
RESERVED_BYTES = 2 * 1024  # our own header fields, and Received, Date and Message-ID, which sendmail may add

TEXT_TEMPLATE, HTML_TEMPLATE = "notice.txt", "notice.html"
_LEAST_LETTER_BYTES = 500  # less of it tells nothing
_TAG = re.compile("<[^>]*>")
_NO_LETTER = Letter("", frozenset(), remote_pictures=False, truncated=False, is_plain=False)
_MAX_ATTACHMENTS = 500  # more never fit; a hostile message may have a hundred thousand


@dataclass(frozen=True, slots=True)
class Notice:
    """The value of the Content-Type field, and the body that follows the header section, with CRLF."""

    content_type: str
    body: bytes


class Composer:
    """Composes notices. Raises ConfigError if the templates cannot serve, so that it shows at start."""

    def __init__(self, settings: config.Notice) -> None:
        self._settings = settings
        self._languages = languages_of(settings)
        environment = template_environment(settings.templates, self._languages[0])
        with faults_told(settings):
            self._text = environment.get_template(TEXT_TEMPLATE)
            self._html = environment.get_template(HTML_TEMPLATE)
            self._rehearse()

    def compose(
        self, original: Original, links: Links, expires_at: datetime, header_bytes: int = MAX_HEADER_BYTES
    ) -> Notice:
        """Give the notice whose links end at `expires_at` (aware).

        With the `header_bytes` octets of header fields that stay it is under 100 KB: where room is short, the
        end of the original's text goes first, then attachments from the end of the list. The letter, which
        in HTML stands for that text, takes what room is left. Raises PermanentError if even then it is too
        large, which only a user's own templates can bring about.
        """
        budget_bytes = MAX_MESSAGE_BYTES - RESERVED_BYTES - header_bytes
        boundary = f"=_woomera_{hashlib.sha256(original.id.encode()).hexdigest()[:16]}"

        names = self._names(original, links, expires_at)
        attachments = [told(it, self._languages[0]) for it in original.attachments[:_MAX_ATTACHMENTS]]

        def body(text_bytes: int, attachment_count: int, letter_bytes: int = 0) -> bytes:
            shown = names | _beginnings(original, text_bytes, letter_bytes)
            shown["attachments"] = attachments[:attachment_count]
            text = self._text.render(shown).replace(wording.NO_BREAK_SPACE, " ")
            return _multipart(boundary, text, self._html.render(shown))

        def fits(text_bytes: int, attachment_count: int) -> bool:
            return len(body(text_bytes, attachment_count)) <= budget_bytes

        attachment_count = len(attachments)
        text_bytes = _most(MAX_MESSAGE_BYTES, lambda size_bytes: fits(size_bytes, attachment_count))
        attachment_count = _most(attachment_count, lambda count: fits(text_bytes, count))
        octets = body(text_bytes, attachment_count)
        if len(octets) > budget_bytes:
            raise PermanentError(
                f"the notice for {original.id} has {len(octets)} bytes where {budget_bytes} fit",
                remedy=f"make the templates in notice.templates ({self._settings.templates}) shorter",
                reason=Reason.NOTICE,
            )
        letter_bytes = self._letter_bytes(original.letter or _NO_LETTER)
        with_letter = _fitting(
            letter_bytes, budget_bytes, lambda size_bytes: body(text_bytes, attachment_count, size_bytes)
        )
        octets = with_letter or octets
        return Notice(content_type=f'multipart/alternative; boundary="{boundary}"', body=octets)

    def _letter_bytes(self, letter: Letter) -> int:
        """How much of the letter may be shown: what holds no more text than notice.include_text allows."""
        size_bytes = len(letter.html.encode())
        text_bytes = len(_TAG.sub("", letter.html).encode())
        return size_bytes * min(text_bytes, self._settings.include_text) // max(text_bytes, 1)

    def _names(self, original: Original, links: Links, expires_at: datetime) -> dict[str, object]:
        """Most of the names that templates may use; notice.txt lists them for people who write their own."""
        header_from = original.headers.header_from or original.envelope_sender
        names = names_of(original, header_from, expires_at, self._settings, self._languages)
        return names | {
            "id": original.id,
            "limit": self._languages[0].size(original.limit_bytes),
            "links": links,
            "links_host": urlsplit(links.message).netloc,
            "protection": original.protection.value if original.protection else None,
        }

    def _rehearse(self) -> None:
        """Render a sample, so that a mistake in a template shows at start, not at the first large message."""
        for protection, page in ((None, None), *((each, "https://example.com/page") for each in Protection)):
            links = Links("https://example.com/message", page)
            sample = replace(SAMPLE, protection=protection)
            shown = self._names(sample, links, SAMPLE_END)
            shown |= _beginnings(sample, MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES)
            shown["attachments"] = [told(it, self._languages[0]) for it in sample.attachments[:1]]
            self._html.render(shown)
            lines = self._text.render(shown).splitlines()
            link_lines = [line for line in lines if line in (links.message, links.page)]
            if link_lines[:1] != [page or links.message] or links.message not in link_lines:
                raise jinja2.TemplateRuntimeError(
                    f"{TEXT_TEMPLATE} has to show links.page, then links.message, each on a line of its own"
                )


def _beginnings(original: Original, text_bytes: int, letter_bytes: int) -> dict[str, object]:
    """The names for as much of the original's text as there is room for."""
    text, text_is_cut = cut(original.text.text, text_bytes)
    letter = original.letter or _NO_LETTER
    letter_html, letter_is_cut = beginning_of_html(letter.html, letter_bytes)
    return {
        "text_lines": lines_for_people(text).splitlines(),
        "text_is_cut": original.text.truncated or text_is_cut,
        "letter": Markup(letter_html),  # noqa: S704 - it is safe
        "letter_is_cut": letter_is_cut or letter.truncated,
        "letter_is_plain": letter.is_plain,
    }


def _fitting(letter_bytes: int, budget_bytes: int, body: Callable[[int], bytes]) -> bytes:
    """The body with as much of the letter as fits; b"" where that is next to nothing."""
    least_bytes = min(letter_bytes, _LEAST_LETTER_BYTES)
    while letter_bytes and letter_bytes >= least_bytes:
        octets = body(letter_bytes)
        if len(octets) <= budget_bytes:
            return octets
        # Base64 makes four octets of three, so what is too much comes off in few steps.
        excess_bytes = len(octets) - budget_bytes
        letter_bytes = min(letter_bytes * 7 // 8, letter_bytes - excess_bytes * 3 // 4)
    return b""


def _most(top: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to `top` that fits, given that whatever is smaller fits too; 0 if none does."""
    return top if fits(top) else bisect_left(range(1, top + 1), True, key=lambda number: not fits(number))


def _multipart(boundary: str, text: str, html: str) -> bytes:
    # "=_" stands in neither encoding (RFC 2045 section 6.7), so the boundary cannot occur in a part.
    delimiter = b"--" + boundary.encode()
    parts = [b"%s\r\n%s\r\n" % (delimiter, _part(*part)) for part in (("plain", text), ("html", html))]
    return b"".join([*parts, delimiter, b"--\r\n"])


def _part(subtype: str, text: str) -> bytes:
    # Blanks at a line's end show nothing, and b2a_qp makes a line of 77 octets of some of them.
    octets = "\r\n".join(line.rstrip(" \t") for line in text.split("\n")).encode()
    encoding, encoded = min(
        ("quoted-printable", binascii.b2a_qp(octets)),
        ("base64", base64.encodebytes(octets).rstrip().replace(b"\n", b"\r\n")),
        key=lambda candidate: len(candidate[1]),
    )
    fields = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n"
    return fields.encode() + b"\r\n" + encoded
