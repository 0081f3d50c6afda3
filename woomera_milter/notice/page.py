"""The page on which recipients read a message in a browser, without a mail program that opens an .eml.

Pure: letter and times come in as values, the HTML goes out as octets. It lies beside the message in
the bucket, so nothing on it may run: no script is ours, a sender's HTML comes sanitised, and a
Content-Security-Policy stops whatever got past that.
"""

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

from markupsafe import Markup

from woomera_milter import config
from woomera_milter.message.mime.protection import Protection
from woomera_milter.notice.original import Letter, Linked, Original
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
from woomera_milter.text.markup.safe import Picture

TEMPLATE = "index.html"
_MAX_ADDRESSES_CHARS = 2_000
_MAX_ATTACHMENTS = 1_000
_MAX_SMALL_PICTURES = 24
_MAX_PICTURE_BYTES = 2 * 1024 * 1024


class Pages:
    """Renders pages. Raises ConfigError if the template cannot serve, so that it shows at start."""

    def __init__(self, settings: config.Notice) -> None:
        self._settings = settings
        self._languages = languages_of(settings)
        with faults_told(settings, f"{TEMPLATE}: "):
            environment = template_environment(settings.templates, self._languages[0])
            self._template = environment.get_template(TEMPLATE)
            for letter in _SAMPLES:
                self.render(SAMPLE, letter, "https://example.com/message", SAMPLE_END)

    def render(self, original: Original, letter: Letter, message_link: str, expires_at: datetime) -> bytes:
        """Give the page in UTF-8; its links end at `expires_at` (aware), and so does its own."""
        headers, attachments, seen = original.headers, original.attachments, letter.shown
        shown = names_of(original, headers.header_from, expires_at, self._settings, self._languages)
        shown |= {
            "to": wording.one_line(headers.to, _MAX_ADDRESSES_CHARS),
            "cc": wording.one_line(headers.cc, _MAX_ADDRESSES_CHARS),
            "message_link": message_link,
            "letter": Markup(letter.html),  # noqa: S704 - it is safe
            "is_text": letter.is_plain,
            "is_cut": letter.truncated,
            "has_remote_pictures": letter.remote_pictures,
            "is_signed": original.protection == Protection.SIGNED,
            "pictures": [
                Picture(linked.link, linked.attachment.name)
                for linked in attachments
                if linked.link and _is_placeless_picture(linked, seen)
            ],
            "attachments": [
                told(replace(linked, is_shown=_is_shown(linked, seen)), self._languages[0])
                for linked in attachments[:_MAX_ATTACHMENTS]
            ],
            "small_pictures": _small_pictures(attachments[:_MAX_ATTACHMENTS], seen),
            "policy": lambda style: _policy(style, _origin(message_link)),
        }
        return self._template.render(shown).encode()


def _small_pictures(attachments: Sequence[Linked], seen: frozenset[str]) -> frozenset[str]:
    """The links of those that are shown in the list; none where there are many, or much to load."""
    small = [it for it in attachments if it.is_picture and it.link and not _is_shown(it, seen)]
    if len(small) > _MAX_SMALL_PICTURES:
        return frozenset()
    return frozenset(it.link for it in small if it.link and it.attachment.size_bytes <= _MAX_PICTURE_BYTES)


def _is_shown(linked: Linked, seen: frozenset[str]) -> bool:
    return linked.link is not None and (linked.link in seen or _is_placeless_picture(linked, seen))


def _is_placeless_picture(linked: Linked, seen: frozenset[str]) -> bool:
    """Whether the sender meant it to be seen, and the text does not say where; it is shown below that."""
    is_inline = linked.attachment.part.disposition == "inline"
    return is_inline and linked.is_picture and linked.link not in seen


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


_SAMPLES = [
    Letter(
        "<p>Here are the plans.</p>",
        frozenset(),
        remote_pictures=is_rich,
        truncated=True,
        is_plain=not is_rich,
    )
    for is_rich in (True, False)
]
