"""The elements of a letter in HTML: each closed in its order, of bounded depth and number.

What is read here is shown by two: as HTML that is safe (safe.py) and as text (words.py). So both agree
on what is seen. All of it takes time linear in the markup.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from re import Match
from typing import Protocol

from woomera_milter.text.markup import styles
from woomera_milter.text.markup.tokens import MARKUP, SEEN_RAW, attributes_of, unescaped

MAX_DEPTH = 100  # no real letter comes near it

_SYNONYMS = {"strike": "s", "tt": "code", "dir": "ul", "menu": "ul", "image": "img", "listing": "pre"}
_SYNONYMS |= dict.fromkeys(("h1", "h2", "h4", "h5", "h6"), "h3")  # below the page's own headings, in order
_SYNONYMS |= dict.fromkeys(
    ("article", "aside", "center", "fieldset", "figcaption", "figure", "footer"), "div"
)
_SYNONYMS |= dict.fromkeys(("form", "header", "main", "nav", "section", "summary"), "div")
_FORMATTING = frozenset({"a", "b", "code", "em", "i", "s", "small", "strong", "u"})
_INLINE = _FORMATTING | {"cite", "del", "ins", "kbd", "mark", "q", "samp", "sub", "sup"}
_CELLS = frozenset({"td", "th"})
_ROW_GROUPS = frozenset({"thead", "tbody", "tfoot"})
_TABLE = _CELLS | _ROW_GROUPS | {"table", "tr", "caption"}
_VOID = frozenset({"br", "hr", "img", "wbr"})
_BLOCKS = frozenset({"address", "blockquote", "div", "dl", "dt", "dd", "h3", "hr"})
_BLOCKS |= {"li", "ol", "p", "pre", "table", "ul"}
TAGS = _INLINE | _TABLE | _VOID | _BLOCKS
# Elements that are nothing by themselves but for their style, and those that no browser shows.
_BARE = frozenset({"body", "span", "font"})
_UNSEEN = frozenset({"template", "datalist", "xml", "annotation", "annotation-xml"})
_READ = TAGS | _BARE | _UNSEEN
# Those that hold others alone: what their style means is said within those.
_FRAMES = _TABLE - _CELLS - {"caption"} | {"dl", "ol", "ul"}

# Which open elements a start tag ends where their end tags are missing, and what the search stops at.
_NOT_INLINE = TAGS - _INLINE
_ENDED_BY: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    **dict.fromkeys(_BLOCKS, (frozenset({"p"}), _NOT_INLINE - {"p"})),
    "a": (frozenset({"a"}), _TABLE),
    "li": (frozenset({"li"}), _TABLE | {"ul", "ol"}),
    **dict.fromkeys(("dt", "dd"), (frozenset({"dt", "dd"}), _TABLE | {"dl"})),
    **dict.fromkeys(_CELLS, (_CELLS, _TABLE - _CELLS)),
    "tr": (frozenset({"tr"}), frozenset({"table"})),
    **dict.fromkeys(_ROW_GROUPS, (_ROW_GROUPS, frozenset({"table"}))),
}


class Sink(Protocol):
    """Who shows a letter. What it is told is balanced."""

    def text(self, text: str, style: styles.Inherited) -> None:
        """Take text between two tags."""

    def start(self, name: str, attributes: Mapping[str, str], style: Mapping[str, str]) -> bool:
        """Take a start tag; False if it is not to be."""

    def end(self, name: str) -> None:
        """Take the end tag of an element that was to be."""

    def void(self, name: str, attributes: Mapping[str, str]) -> None:
        """Take a line break, a rule or a picture."""


@dataclass(slots=True)
class _Element:
    """An open element: what it is to its sink, from the outermost, and what it hands down."""

    name: str
    inner: styles.Inherited
    pending: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)


class Elements:
    """Tells a sink of the elements in markup. `is_truncated` if there are more than `max_tags`."""

    def __init__(self, sink: Sink, max_tags: int, *, shows_hidden: bool = False) -> None:
        self._sink = sink
        self._max_tags = max_tags
        self._shows_hidden = shows_hidden
        self._open: list[_Element] = []
        self._names_shown: Counter[str] = Counter()
        self._tags = 0
        self.hid_something = False
        self.is_truncated = False

    def read(self, markup: str) -> None:
        """Tell all of it, and close what is open."""
        position = 0
        for tag in MARKUP.finditer(markup):
            self._text(markup[position : tag.start()])
            position = tag.end()
            self._tag(tag)
            if self._tags >= self._max_tags:
                self.is_truncated = True
                break
        else:
            self._text(markup[position:])
        while self._open:
            self._close()

    def _tag(self, tag: Match[str]) -> None:
        if name := (tag["name"] or "").lower():
            name = _SYNONYMS.get(name, name)
            if "@" in name or name in ("http:", "https:"):
                self._text(tag[0].replace("<", "&lt;"))  # an address that somebody forgot to escape
            elif name not in _READ:
                return
            elif tag["close"]:
                self._end(name)
            else:
                self._start(name, tag.string[tag.end("name") : tag.end()])
        elif (raw := (tag["raw"] or "").lower()) in SEEN_RAW or tag["rest"]:
            content = tag["content"] if raw else tag["rest"]
            self._start("pre", "")
            self._text(content if raw == "textarea" else content.replace("&", "&amp;"))
            self._end("pre")

    @property
    def _inner(self) -> styles.Inherited:
        return self._open[-1].inner if self._open else styles.SEEN

    def _text(self, markup: str) -> None:
        if not markup:
            return
        inner = self._inner
        if self._is_seen(inner):
            self._sink.text(unescaped(markup), inner)
        elif not markup.isspace():
            self.hid_something = True

    def _is_seen(self, style: styles.Inherited) -> bool:
        return self._shows_hidden or not style.is_hidden

    def _start(self, name: str, attributes_text: str) -> None:
        ended, barriers = _ENDED_BY.get(name, (frozenset(), TAGS))
        self._close_innermost(ended, barriers)
        if name in _VOID:
            self._void(name, attributes_text)
            return
        if len(self._open) >= MAX_DEPTH or (name in _FORMATTING and self._names_shown[name]):
            return
        attributes = attributes_of(attributes_text)
        style = styles.declarations(attributes["style"]) if "style" in attributes else {}
        inner = self._inner
        is_hidden = name in _UNSEEN or "hidden" in attributes
        if style or is_hidden or name == "pre":
            outer = styles.preformatted(inner) if name == "pre" else inner
            inner = styles.inherited(style, outer, is_hidden=is_hidden)
        pending = self._open[-1].pending if self._open else []
        meant = pending + styles.elements_meant(style) if style else pending
        element = _Element(name, inner, meant if name in _FRAMES else [])
        if self._is_seen(inner):
            if name in TAGS and not styles.undoes(style, name):
                self._show(element, name, attributes, style)
            for within in [] if name in _FRAMES else meant:
                if not self._names_shown[within]:
                    self._show(element, within, {}, {})
        self._open.append(element)

    def _show(
        self, element: _Element, name: str, attributes: Mapping[str, str], style: Mapping[str, str]
    ) -> None:
        self._tags += 1
        if self._sink.start(name, attributes, style):
            element.shown.append(name)
            self._names_shown[name] += 1

    def _void(self, name: str, attributes_text: str) -> None:
        attributes = attributes_of(attributes_text, whole=name == "img")
        style = styles.declarations(attributes.get("style", ""))
        self._tags += 1
        if self._is_seen(styles.inherited(style, self._inner, is_hidden="hidden" in attributes)):
            self._sink.void(name, attributes)
        else:
            self.hid_something = True

    def _end(self, name: str) -> None:
        # An end tag astray in a cell is no reason to end the table, and none of a <span> to end a block.
        barriers = _TABLE - {name} if name not in _TABLE else frozenset({"table"}) - {name}
        self._close_innermost(frozenset({name}), _NOT_INLINE if name in _BARE else barriers)

    def _close_innermost(self, names: frozenset[str], barriers: frozenset[str]) -> None:
        for index in range(len(self._open) - 1, -1, -1):
            if self._open[index].name in names:
                while len(self._open) > index:
                    self._close()
                return
            if self._open[index].name in barriers:
                return

    def _close(self) -> None:
        for name in reversed(self._open.pop().shown):
            self._names_shown[name] -= 1
            self._sink.end(name)
