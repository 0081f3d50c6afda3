"""What a reader sees of HTML, as lines of text: of the page, and of the notice's HTML part.

`[picture NAME]` stands for a picture, an item of a numbered list begins with its number, raised text is `^6`
and struck text `~so~`. What is hidden is not there. No style sheet is read: what its classes mean on the page
(`text` keeps line breaks, `unseen` is for screen readers alone) is known here.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
)
_UNSHOWN = frozenset({"head", "style", "script", "template", "title"})
_BLOCKS = frozenset(
    re.findall(
        r"\w+",
        """
        address article aside blockquote body caption dd div dl dt figcaption figure footer form
        h1 h2 h3 h4 h5 h6 header html li main ol p pre section table tbody tfoot thead tr ul
        """,
    )
)
_CELLS = frozenset({"td", "th"})
_STRUCK = frozenset({"s", "del", "strike"})
_KEEPS_LINES = re.compile(r"white-space:\s*(?:pre|break-spaces)")
_HIDES = re.compile(r"display:\s*none|visibility:\s*hidden|(?:font-size|max-height|opacity):\s*0(?![.\d])")
_LINE_THROUGH = re.compile(r"text-decoration[^;]*line-through")


@dataclass(slots=True)
class _Element:
    tag: str
    attributes: dict[str, str]
    children: "list[_Element | str]" = field(default_factory=list)

    @property
    def style(self) -> str:
        return self.attributes.get("style", "").lower()

    @property
    def classes(self) -> list[str]:
        return self.attributes.get("class", "").split()

    def has(self, tags: frozenset[str]) -> "Iterator[_Element]":
        return (it for it in self.children if isinstance(it, _Element) and it.tag in tags)


@dataclass(frozen=True, slots=True)
class Item:
    """The words of a list's item, or of a cell, with the links in it, but without those of inner ones."""

    text: str
    links: frozenset[str]


@dataclass(frozen=True, slots=True)
class Shown:
    """Lines of text, none of them blank; where links lead; what is loaded as a picture; items and cells."""

    lines: tuple[str, ...]
    links: tuple[str, ...]
    pictures: tuple[str, ...]
    items: tuple[Item, ...]


def shown(markup: str, picture_name: Callable[[str], str]) -> Shown:
    """Return what this markup shows; `picture_name` says which picture is at an address."""
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    writer = _Writer(picture_name)
    writer.element(reader.root, keeps_lines=False)
    return writer.shown()


class _Reader(HTMLParser):
    """Makes a tree of HTML that is in order, as ours has to be."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = _Element("html", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = _Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if any(it.tag == tag for it in self._open[1:]):
            while self._open.pop().tag != tag:
                pass

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


class _Writer:
    def __init__(self, picture_name: Callable[[str], str]) -> None:
        self._picture_name = picture_name
        self._pieces: list[str] = []
        self._links: list[str] = []
        self._pictures: list[str] = []
        self._items: list[Item] = []

    def shown(self) -> Shown:
        lines = (" ".join(it.split()) for it in "".join(self._pieces).split("\n"))
        return Shown(
            tuple(it for it in lines if it), tuple(self._links), tuple(self._pictures), tuple(self._items)
        )

    def element(self, element: _Element, *, keeps_lines: bool) -> None:
        if _is_hidden(element):
            return
        tag = element.tag
        if tag == "br":
            self._pieces.append("\n")
        elif tag == "img":
            self._picture(element)
        elif tag in _CELLS or tag == "li":
            self._item(element, keeps_lines=keeps_lines)
        else:
            if tag == "a" and "href" in element.attributes:
                self._links.append(element.attributes["href"])
            before, after = _marks(element)
            self._pieces.append(before)
            self._children(element, keeps_lines=keeps_lines)
            self._pieces.append(after)

    def _children(self, element: _Element, *, keeps_lines: bool) -> None:
        keeps_lines = (keeps_lines and "normal" not in element.style) or _keeps_lines(element)
        numbers = _numbers(element) if element.tag == "ol" else iter(())
        for child in element.children:
            if isinstance(child, str):
                self._pieces.append(child if keeps_lines else child.replace("\n", " "))
                continue
            if child.tag == "li":
                self._pieces.append("\n" + next(numbers, ""))
            self.element(child, keeps_lines=keeps_lines)

    def _item(self, element: _Element, *, keeps_lines: bool) -> None:
        piece, link, item = len(self._pieces), len(self._links), len(self._items)
        self._children(element, keeps_lines=keeps_lines)
        if len(self._items) == item:  # the innermost alone tells of one thing
            text = " ".join("".join(self._pieces[piece:]).split())
            self._items.append(Item(text, frozenset(self._links[link:])))
        self._pieces.append("\n" if element.tag == "li" else " ")

    def _picture(self, element: _Element) -> None:
        address = element.attributes.get("src", "")
        is_inside = address.startswith("data:")
        self._pictures.append(address)
        self._pieces.append(f"[picture {'data:' if is_inside else self._picture_name(address)}]")


def _is_hidden(element: _Element) -> bool:
    if element.tag in _UNSHOWN or "hidden" in element.attributes or "unseen" in element.classes:
        return True
    return _HIDES.search(element.style) is not None


def _keeps_lines(element: _Element) -> bool:
    return element.tag == "pre" or "text" in element.classes or bool(_KEEPS_LINES.search(element.style))


def _marks(element: _Element) -> tuple[str, str]:
    """What stands before and after its words."""
    if element.tag == "hr" or element.tag in _BLOCKS:
        return "\n", "\n"
    if element.tag == "sup":
        return "^", ""
    if element.tag in _STRUCK or _LINE_THROUGH.search(element.style):
        return "~", "~"
    return "", ""


def _numbers(numbered: _Element) -> Iterator[str]:
    """The marks of a list's items, by start, type, reversed and value (HTML 4.4.5 and 4.4.8)."""
    items = list(numbered.has(frozenset({"li"})))
    step = -1 if "reversed" in numbered.attributes else 1
    number = _integer(numbered.attributes.get("start", ""), len(items) if step < 0 else 1)
    for item in items:
        number = _integer(item.attributes.get("value", ""), number)
        kind = item.attributes.get("type") or numbered.attributes.get("type", "1")
        yield f"{_numeral(number, kind)}. "
        number += step


def _integer(text: str, otherwise: int) -> int:
    found = re.match(r"\s*[+-]?\d+", text)
    return int(found[0]) if found else otherwise


def _numeral(number: int, kind: str) -> str:
    if kind in ("a", "A") and number > 0:
        letters = ""
        while number:
            number, rest = divmod(number - 1, 26)
            letters = chr(ord(kind) + rest) + letters
        return letters
    if kind in ("i", "I") and 0 < number < 4000:
        roman = _roman(number)
        return roman.upper() if kind == "I" else roman
    return str(number)


def _roman(number: int) -> str:
    written = ""
    for value, letters in zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
        ("m", "cm", "d", "cd", "c", "xc", "l", "xl", "x", "ix", "v", "iv", "i"),
        strict=True,
    ):
        count, number = divmod(number, value)
        written += letters * count
    return written
