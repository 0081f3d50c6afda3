"""Where the templates of notice and page come from, the names that both may use, and how faults are told."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import jinja2

from woomera_milter import config
from woomera_milter.errors import ConfigError
from woomera_milter.message.decoding import HeaderSummary
from woomera_milter.message.mime.attachments import Attachment
from woomera_milter.message.mime.body import BodyText
from woomera_milter.message.mime.tree import Part
from woomera_milter.notice.original import Letter, Linked, Original
from woomera_milter.text import wording
from woomera_milter.text.language import Language, language


def template_environment(own_templates: Path | None, language: Language) -> jinja2.Environment:
    """Where templates come from: the user's folder, where it has one of that name, else ours.

    What they mark for translation speaks `language`.
    """
    loaders: list[jinja2.BaseLoader] = [jinja2.PackageLoader("woomera_milter.notice", "templates")]
    if own_templates:
        loaders.insert(0, jinja2.FileSystemLoader(own_templates))
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_translations(language.translations, newstyle=True)  # type: ignore[attr-defined]
    environment.filters["isolated"] = language.isolated
    return environment


@contextmanager
def faults_told(settings: config.Notice, about: str = "") -> Iterator[None]:
    """Raise ConfigError where templates cannot be read, or cannot serve; `about` begins what it says."""
    try:
        yield
    except (jinja2.TemplateError, OSError, UnicodeDecodeError) as error:
        line = f"line {error.lineno}: " if isinstance(error, jinja2.TemplateSyntaxError) else ""
        problem = f"notice.templates: {settings.templates}: {about}{line}{error}".splitlines()[0]
        raise ConfigError([f"{problem}; correct the template, or remove it to use ours"]) from error


def languages_of(settings: config.Notice) -> list[Language]:
    """The languages of notice and page, the first of which is theirs."""
    return [language(tag) for tag in settings.languages]


@dataclass(frozen=True, slots=True)
class Told:
    """An attachment in words."""

    name: str
    kind: str
    about: str
    size: str
    summary: str
    link: str | None
    is_shown: bool


def told(attachment: Linked, language: Language) -> Told:
    """Give an attachment in a language, as templates name it."""
    about = attachment.about(language)
    kind, size = wording.one_line(about), language.size(attachment.attachment.size_bytes)
    summary = language.text("%(first)s, %(second)s", first=language.isolated(kind), second=size)
    return Told(attachment.name, kind, about, size, summary, attachment.link, attachment.is_shown)


@dataclass(frozen=True, slots=True)
class _Short:
    """What a further language tells: who sent what, what to press, and until when."""

    tag: str
    direction: str
    what: str
    read: str
    download: str
    until: str


_WHAT = (
    "%(sender)s sent you a message of %(size)s. It could not travel by email, so you can fetch it here. "
    "Nothing is lost."
)


def _short(original: Original, sender: str, expires_at: datetime, language: Language) -> _Short:
    return _Short(
        language.tag,
        language.direction,
        language.text(
            _WHAT,
            sender=language.isolated(sender),
            size=language.size(original.size_bytes),
        ),
        language.text("Read the message"),
        language.text("Download the message"),
        language.text("The links work until %(expires)s.", expires=language.moment(expires_at)),
    )


def names_of(
    original: Original,
    header_from: str,
    expires_at: datetime,
    settings: config.Notice,
    languages: Sequence[Language],
) -> dict[str, object]:
    """Return the names that templates may use for notice and page alike, as these list them at their heads.

    People's own templates rely on them, so they are words that are fit to be shown, not values.
    """
    language, *others = languages
    sender = wording.one_line(header_from) or language.text("an unnamed sender")
    return {
        "language": language,
        "others": [_short(original, sender, expires_at, it) for it in others],
        "sender": sender,
        "subject": wording.one_line(original.headers.subject),
        "sent": language.sent(original.headers.date),
        "size": language.size(original.size_bytes),
        "expires": language.moment(expires_at),
        "attachment_count": len(original.attachments),
        "linked_count": sum(it.link is not None for it in original.attachments),
        "organization": settings.organization,
        "contact": settings.contact,
    }


def _sample_attachment(name: str, content_type: str, size_bytes: int, link: str | None) -> Linked:
    part = Part(content_type, None, "base64", "inline", name, "", 0, 0)
    return Linked(Attachment(part, name, content_type, size_bytes), link=link)


# What templates are tried with, so that a mistake in one shows at start, not at the first large message.
SAMPLE = Original(
    id="sample",
    envelope_sender="jane@example.com",
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
    limit_bytes=10_485_760,
    attachments=[
        _sample_attachment("site.jpg", "image/jpeg", 900_000, "https://example.com/1"),
        _sample_attachment("plan.pdf", "application/pdf", 24_000_000, None),
    ],
    text=BodyText("Here are the plans.", truncated=True),
    protection=None,
    letter=Letter("<p>Here are the plans.</p>", frozenset(), False, True, False),
)
SAMPLE_END = datetime(2026, 12, 1, 5, 24, tzinfo=UTC)
