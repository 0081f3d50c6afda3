"""A sender's HTML, made safe and cheap to show on a page.

nh3 has the last word on what is safe. But its parser builds the tree that HTML5 asks for, and of 30 kB of
misnested markup that is a gigabyte. So nh3 only sees what was balanced before: known tags, each closed in
its order, without styles, of bounded depth and number. All of it takes time linear in the markup.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

import nh3

from woomera_milter.text.html import MARKUP, unescaped

# No real letter comes near these; what is beyond them is left out, and said to be.
MAX_TAGS = 20_000
MAX_DEPTH = 100
_MAX_ATTRIBUTES_CHARS = 8_192
_RUN_CHARS = 4_096

_SYNONYMS = {"center": "div", "strike": "s", "tt": "code", "dir": "ul", "menu": "ul"}
_SYNONYMS |= dict.fromkeys(("h1", "h2", "h4", "h5", "h6"), "h3")  # below the page's own headings, in order
_FORMATTING = frozenset({"a", "b", "code", "em", "i", "s", "small", "strong", "u"})
_INLINE = _FORMATTING | {"cite", "del", "ins", "kbd", "mark", "q", "samp", "sub", "sup"}
_CELLS = frozenset({"td", "th"})
_ROW_GROUPS = frozenset({"thead", "tbody", "tfoot"})
_TABLE = _CELLS | _ROW_GROUPS | {"table", "tr", "caption"}
_VOID = frozenset({"br", "hr", "img", "wbr"})
_BLOCKS = frozenset({"address", "blockquote", "div", "dl", "dt", "dd", "h3", "hr"})
_BLOCKS |= {"li", "ol", "p", "pre", "table", "ul"}
_TAGS = _INLINE | _TABLE | _VOID | _BLOCKS
_EMPTY_IS_NOTHING = frozenset({"a", "h3"})  # to assistive technology they would be riddles

# Which open elements a start tag ends where their end tags are missing, and what the search stops at.
_NOT_INLINE = _TAGS - _INLINE
_ENDED_BY: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    **dict.fromkeys(_BLOCKS, (frozenset({"p"}), _NOT_INLINE - {"p"})),
    "a": (frozenset({"a"}), _TABLE),
    "li": (frozenset({"li"}), _TABLE | {"ul", "ol"}),
    **dict.fromkeys(("dt", "dd"), (frozenset({"dt", "dd"}), _TABLE | {"dl"})),
    **dict.fromkeys(_CELLS, (_CELLS, _TABLE - _CELLS)),
    "tr": (frozenset({"tr"}), frozenset({"table"})),
    **dict.fromkeys(_ROW_GROUPS, (_ROW_GROUPS, frozenset({"table"}))),
}

_ATTRIBUTE = re.compile(
    r"""(?<![\w-])([a-z]+)\s*+=\s*+(?:"([^"]*)"?|'([^']*)'?|([^\s>"']++))""", re.IGNORECASE
)
_SCHEMES = {"http", "https", "mailto", "tel"}
_TARGET = re.compile(r"(?:https?://|mailto:|tel:)[^\s]", re.IGNORECASE)
_REMOTE = re.compile(r"(?:https?:)?//", re.IGNORECASE)
_SPAN = re.compile(r"[1-9][0-9]?")
_ATTRIBUTES = {
    "*": {"dir"},
    "a": {"href"},
    "img": {"src", "alt"},
    **{name: {"colspan", "rowspan"} for name in _CELLS},
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the message that may be shown in its text; without a link, by its name."""

    link: str | None
    name: str


@dataclass(frozen=True, slots=True)
class SafeHtml:
    """HTML that runs nothing and loads nothing but the pictures whose links are in `shown`."""

    html: str
    shown: frozenset[str]
    remote_pictures: bool
    truncated: bool


def safe_html(markup: str, pictures: Mapping[str, Picture]) -> SafeHtml:
    """What of a sender's `markup` may be shown.

    `pictures` are found by what the markup may call them: Content-ID, Content-Location (RFC 2557) or name.
    """
    body = _Body(pictures)
    body.feed(markup)
    links = {picture.link for picture in pictures.values()}

    def checked(_tag: str, attribute: str, value: str) -> str | None:
        return None if attribute == "src" and value not in links else value

    safe = nh3.clean(
        body.markup(),
        tags=set(_TAGS),
        attributes=_ATTRIBUTES,
        attribute_filter=checked,
        url_schemes=_SCHEMES,
        url_relative="deny",
        link_rel="noopener noreferrer nofollow",
    )
    has_content = body.visible > 0
    return SafeHtml(
        safe if has_content else "", frozenset(body.shown), body.has_remote_pictures, body.is_truncated
    )


@dataclass(slots=True)
class _Element:
    """An open element: where its start tag stands in the output, and how much was visible before it."""

    name: str
    start: int
    visible: int


class _Body:
    """Balanced markup, built up tag by tag."""

    def __init__(self, pictures: Mapping[str, Picture]) -> None:
        self._pictures = pictures
        self._output: list[str] = []
        self._open: list[_Element] = []
        self._tags = 0
        self.visible = 0
        self.shown: set[str] = set()
        self.has_remote_pictures = False
        self.is_truncated = False

    def feed(self, markup: str) -> None:
        position = 0
        for tag in MARKUP.finditer(markup):
            self._text(markup[position : tag.start()])
            position = tag.end()
            if name := (tag["name"] or "").lower():
                name = _SYNONYMS.get(name, name)
                if tag["close"]:
                    self._end(name)
                elif name in _TAGS:
                    self._start(name, markup[tag.end("name") : tag.end()][:_MAX_ATTRIBUTES_CHARS])
            if self._tags >= MAX_TAGS:
                self.is_truncated = True
                return
        self._text(markup[position:])

    def markup(self) -> str:
        while self._open:
            self._close()
        return "".join(self._output)

    def _text(self, markup: str) -> None:
        if markup:
            self._show(unescaped(markup))

    def _show(self, text: str) -> None:
        # The parser takes time quadratic in the ampersands of a run of text; a comment, which goes, ends it.
        for start in range(0, len(text), _RUN_CHARS):
            self._output.append("<!---->" if start else "")
            self._output.append(html.escape(text[start : start + _RUN_CHARS], quote=False))
        self.visible += len(text.strip())

    def _start(self, name: str, attributes_text: str) -> None:
        self._end_what_is_ended_by(name)
        if name in _FORMATTING and any(element.name == name for element in self._open):
            return
        if len(self._open) >= MAX_DEPTH:
            return
        attributes: dict[str, str] = {}
        for found in _ATTRIBUTE.finditer(attributes_text):
            value = next(value for value in (*found.groups()[1:], "") if value is not None)
            attributes.setdefault(found[1].lower(), unescaped(value).strip())
        self._tags += 1
        match name:
            case "img":
                self._picture(attributes)
            case "br" | "hr" | "wbr":
                self._output.append(f"<{name}>")
            case "a" if not _TARGET.match(attributes.get("href", "")):
                pass
            case _:
                self._open.append(_Element(name, len(self._output), self.visible))
                self._output.append(f"<{name}{_kept(name, attributes)}>")

    def _end_what_is_ended_by(self, name: str) -> None:
        ended, barriers = _ENDED_BY.get(name, (frozenset(), _TAGS))
        self._close_innermost(ended, barriers)

    def _end(self, name: str) -> None:
        # An end tag astray in a cell is no reason to end the table.
        barriers = _TABLE - {name} if name not in _TABLE else frozenset({"table"}) - {name}
        self._close_innermost(frozenset({name}), barriers)

    def _close_innermost(self, names: frozenset[str], barriers: frozenset[str]) -> None:
        for index in range(len(self._open) - 1, -1, -1):
            if self._open[index].name in names:
                while len(self._open) > index:
                    self._close()
                return
            if self._open[index].name in barriers:
                return

    def _close(self) -> None:
        element = self._open.pop()
        if element.name in _EMPTY_IS_NOTHING and element.visible == self.visible:
            del self._output[element.start :]
        else:
            self._output.append(f"</{element.name}>")

    def _picture(self, attributes: dict[str, str]) -> None:
        source = attributes.get("src", "")
        picture = _picture_of(source, self._pictures)
        alternative = attributes.get("alt", "")
        if picture and picture.link:
            alternative = html.escape(alternative or picture.name)
            self._output.append(f'<img src="{html.escape(picture.link)}" alt="{alternative}">')
            self.shown.add(picture.link)
            self.visible += 1
            return
        if picture:
            self._show(f"[{picture.name}]")
            return
        is_remote = _REMOTE.match(source) is not None
        self.has_remote_pictures = self.has_remote_pictures or is_remote
        in_link = any(element.name == "a" for element in self._open)
        if alternative or in_link:
            self._show(f"[{alternative or 'picture'}]")


def _picture_of(source: str, pictures: Mapping[str, Picture]) -> Picture | None:
    """The picture that `source` means, by its Content-ID (RFC 2392), Content-Location or name.

    Mailers that lose Content-IDs leave names, which begin most of them: `cid:image001.png@01DB7B6A`.
    """
    scheme, _, rest = source.partition(":")
    references = [source, unquote(source)]
    if scheme.lower() == "cid":
        content_id = unquote(rest).strip("<> ")
        references += [content_id, content_id.partition("@")[0]]
    elif not _REMOTE.match(source):
        references.append(re.split(r"[/\\]", unquote(source))[-1])
    return next((pictures[it] for it in references if it and it in pictures), None)


def _kept(name: str, attributes: dict[str, str]) -> str:
    """The attributes of a start tag that stay, with the space before each."""
    kept = {}
    if (direction := attributes.get("dir", "").lower()) in ("ltr", "rtl", "auto"):
        kept["dir"] = direction
    if name == "a":
        kept["href"] = attributes["href"]
    if name in _CELLS:
        spans = {key: attributes.get(key, "") for key in ("colspan", "rowspan")}
        kept |= {key: value for key, value in spans.items() if _SPAN.fullmatch(value)}
    return "".join(f' {key}="{html.escape(value)}"' for key, value in kept.items())
