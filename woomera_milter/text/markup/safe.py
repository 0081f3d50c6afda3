"""A sender's HTML, made safe and cheap to show on a page.

nh3 has the last word on what is safe. But its parser builds the tree that HTML5 asks for, and of 30 kB of
misnested markup that is a gigabyte. So nh3 only sees what was balanced before: known tags, each closed in
its order, without styles, of bounded depth and number. All of it takes time linear in the markup.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass

import nh3

from woomera_milter.text.markup.elements import TAGS, Elements
from woomera_milter.text.markup.lists import integer, list_attributes
from woomera_milter.text.markup.pictures import (
    Picture,
    alternative,
    data_picture,
    is_data,
    is_remote,
    picture_of,
)
from woomera_milter.text.markup.styles import Inherited

__all__ = ["DATA_CHARS", "Picture", "SafeHtml", "safe_html"]

# No real letter comes near it; what is beyond it is left out, and said to be.
MAX_TAGS = 20_000
_RUN_CHARS = 4_096
DATA_CHARS = 512 * 1024

_EMPTY_IS_NOTHING = frozenset({"a", "h3", "s", "sup"})  # to assistive technology they would be riddles
_SCHEMES = {"http", "https", "mailto", "tel", "data"}  # data for pictures alone
_TARGET = re.compile(r"(?:https?://|mailto:|tel:)[^\s]", re.IGNORECASE)
_SPAN = re.compile(r"[1-9][0-9]?")
_BLANK_THAT_COUNTS = re.compile(r" (?= )|(?<=\n) ")
_CELLS = frozenset({"td", "th"})
_ATTRIBUTES = {
    "*": {"dir"},
    "a": {"href"},
    "img": {"src", "alt"},
    "ol": {"start", "type", "reversed"},
    "li": {"value"},
    **{name: {"colspan", "rowspan"} for name in _CELLS},
}


@dataclass(frozen=True, slots=True)
class SafeHtml:
    """HTML that runs nothing and loads nothing but the pictures whose links are in `shown`."""

    html: str
    shown: frozenset[str]
    remote_pictures: bool
    truncated: bool


def safe_html(markup: str, pictures: Mapping[str, Picture], *, data_chars: int = DATA_CHARS) -> SafeHtml:
    """What of a sender's `markup` may be shown.

    `pictures` are found by what the markup may call them: Content-ID, Content-Location (RFC 2557) or name.
    Those within the markup are shown as far as `data_chars` reach, and then told.
    """
    letter = _Letter(pictures, data_chars)
    elements = Elements(letter, MAX_TAGS)
    elements.read(markup)
    if not letter.visible and elements.hid_something:
        letter = _Letter(pictures, data_chars)
        elements = Elements(letter, MAX_TAGS, shows_hidden=True)
        elements.read(markup)

    def checked(tag: str, attribute: str, value: str) -> str | None:
        if attribute == "src":
            return value if value in letter.shown or value in letter.data_pictures else None
        return None if attribute == "href" and not _TARGET.match(value) else value

    safe = nh3.clean(
        "".join(letter.output),
        tags=set(TAGS),
        attributes=_ATTRIBUTES,
        attribute_filter=checked,
        url_schemes=_SCHEMES,
        url_relative="deny",
        link_rel="noopener noreferrer nofollow",
    )
    return SafeHtml(
        safe if letter.visible else "",
        frozenset(letter.shown),
        letter.has_remote_pictures,
        elements.is_truncated,
    )


class _Letter:
    """The sink that makes balanced markup; `visible` grows with what there is to see."""

    def __init__(self, pictures: Mapping[str, Picture], data_chars: int) -> None:
        self._pictures = pictures
        self._data_chars = data_chars
        self._open: list[tuple[int, int]] = []  # where a start tag stands, and what was visible before it
        self._pre_depth = 0
        self.output: list[str] = []
        self.visible = 0
        self.shown: set[str] = set()
        self.data_pictures: set[str] = set()
        self.has_remote_pictures = False

    def text(self, text: str, style: Inherited) -> None:
        # The parser takes time quadratic in the ampersands of a run of text; a comment, which goes, ends it.
        for start in range(0, len(text), _RUN_CHARS):
            self.output.append("<!---->" if start else "")
            run = html.escape(text[start : start + _RUN_CHARS], quote=False)
            is_kept = style.keeps_breaks and not self._pre_depth
            self.output.append(_kept_white_space(run, style) if is_kept else run)
        self.visible += len(text.strip())

    def start(self, name: str, attributes: Mapping[str, str], style: Mapping[str, str]) -> bool:
        if name == "a" and not _TARGET.match(attributes.get("href", "")):
            return False
        self._pre_depth += name == "pre"
        self._open.append((len(self.output), self.visible))
        self.output.append(f"<{name}{_kept(name, attributes, style)}>")
        return True

    def end(self, name: str) -> None:
        self._pre_depth -= name == "pre"
        position, visible = self._open.pop()
        if name in _EMPTY_IS_NOTHING and visible == self.visible:
            del self.output[position:]
        else:
            self.output.append(f"</{name}>")

    def void(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "img":
            self._picture(attributes)
        else:
            self.output.append(f"<{name}>")

    def _picture(self, attributes: Mapping[str, str]) -> None:
        source = attributes.get("src", "")
        if picture := picture_of(source, self._pictures):
            if picture.link:
                self._show(picture.link, attributes.get("alt", "") or picture.name)
                self.shown.add(picture.link)
            else:
                self._tell(f"[{picture.name}]")
        elif is_data(source) and len(source) <= self._data_chars and (link := data_picture(source)):
            self._data_chars -= len(source)
            self._show(link, attributes.get("alt", ""))
            self.data_pictures.add(link)
        else:
            self.has_remote_pictures = self.has_remote_pictures or is_remote(source)
            in_link = any(self.output[position].startswith("<a ") for position, _ in self._open)
            self._tell(alternative(attributes) or ("[picture]" if in_link else ""))

    def _show(self, link: str, words: str) -> None:
        self.output.append(f'<img src="{html.escape(link)}" alt="{html.escape(words)}">')
        self.visible += 1

    def _tell(self, words: str) -> None:
        self.output.append(html.escape(words[:_RUN_CHARS], quote=False))
        self.visible += len(words)


def _kept_white_space(run: str, style: Inherited) -> str:
    """Escaped text in which line breaks, and blanks where they count, stay outside of <pre>, too."""
    if style.keeps_blanks:
        run = _BLANK_THAT_COUNTS.sub("\xa0", run.replace("\t", "    "))
    return run.replace("\n", "<br>")


def _kept(name: str, attributes: Mapping[str, str], style: Mapping[str, str]) -> str:
    """The attributes of a start tag that stay, with the space before each."""
    kept = {}
    if (direction := attributes.get("dir", "").lower()) in ("ltr", "rtl", "auto"):
        kept["dir"] = direction
    if name == "a":
        kept["href"] = attributes["href"]
    elif name in _CELLS:
        spans = {key: attributes.get(key, "") for key in ("colspan", "rowspan")}
        kept |= {key: value for key, value in spans.items() if _SPAN.fullmatch(value)}
    elif name == "ol":
        kept |= list_attributes(attributes, style)
    elif name == "li" and (number := integer(attributes.get("value", ""))):
        kept["value"] = number
    return "".join(f' {key}="{html.escape(value)}"' for key, value in kept.items())
