"""A notice as mail clients see it: its elements, their styles inherited, in light and in dark."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser

from tests.unit.notice.notice_cases import (
    BOTH_LINKS,
    EXPIRES_AT,
    KB,
    MESSAGE_LINK,
    NO_PAGE,
    ORIGINAL,
    PAGE_LINK,
    PHOTO,
    linked,
    parts,
)
from woomera_milter import config
from woomera_milter.message.mime.body import BodyText
from woomera_milter.message.mime.protection import Protection
from woomera_milter.notice.notice import Composer
from woomera_milter.notice.original import Letter, Links, Original

__all__ = ["MESSAGE_LINK", "PAGE_LINK", "STATES", "Element", "notice_of", "rules_of", "styles_of"]

_VOID = frozenset({"area", "br", "col", "hr", "img", "input", "link", "meta", "wbr"})
_LETTER = Letter(
    '<p>Dear Anna, see <a href="https://example.com/plans">the plans</a>.</p><h3>Next</h3>',
    frozenset(),
    remote_pictures=False,
    truncated=True,
    is_plain=False,
)
_MANY = [linked(f"{number}.pdf", "application/pdf", 9 * KB) for number in range(600)]


def _original(**changes: object) -> Original:
    return Original(**{name: changes.get(name, getattr(ORIGINAL, name)) for name in Original.__slots__})  # type: ignore[arg-type]


STATES: Mapping[str, tuple[Original, Links]] = {
    "plain text": (ORIGINAL, BOTH_LINKS),
    "without a page": (ORIGINAL, NO_PAGE),
    "letter": (_original(letter=_LETTER), BOTH_LINKS),
    "no text": (_original(text=BodyText("", truncated=False), attachments=[]), BOTH_LINKS),
    "text left out": (_original(text=BodyText("", truncated=True), attachments=[PHOTO]), NO_PAGE),
    "just over": (_original(size_bytes=ORIGINAL.limit_bytes + 1, attachments=_MANY), BOTH_LINKS),
    **{it.value: (_original(protection=it), BOTH_LINKS) for it in Protection},
}


@dataclass(eq=False)
class Element:
    """One element; its children in their order, text among them."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    parent: "Element | None" = None
    children: "list[Element | str]" = field(default_factory=list)

    def all(self, *names: str) -> "Iterator[Element]":
        """Itself and what is within, in the order of the document; only those of a name, if any are given."""
        if not names or self.name in names:
            yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.all(*names)

    def lineage(self) -> "Iterator[Element]":
        """Itself, its parent, and so on."""
        element: Element | None = self
        while element:
            yield element
            element = element.parent

    @property
    def text(self) -> str:
        return "".join(it if isinstance(it, str) else it.text for it in self.children)

    @property
    def own_text(self) -> str:
        return "".join(it for it in self.children if isinstance(it, str)).strip()

    @property
    def classes(self) -> list[str]:
        return self.attributes.get("class", "").split()

    @property
    def style(self) -> dict[str, str]:
        return declarations(self.attributes.get("style", ""))


class _Tree(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = self._open = Element("")

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, self._open)
        self._open.children.append(element)
        if tag not in _VOID:
            self._open = element

    def handle_endtag(self, tag: str) -> None:
        assert self._open.name == tag, f"</{tag}> closes <{self._open.name}>"
        assert self._open.parent
        self._open = self._open.parent

    def handle_data(self, data: str) -> None:
        self._open.children.append(data)


@cache
def notice_of(state: str, languages: tuple[str, ...] = ("en",)) -> Element:
    """The HTML of the notice in one of STATES."""
    settings = config.Notice(organization="Example Ltd", contact="help@example.com", languages=languages)
    original, links = STATES[state]
    tree = _Tree()
    tree.feed(parts(Composer(settings).compose(original, links, EXPIRES_AT))[1].replace("\r", ""))
    tree.close()
    assert tree.root.name == "", "an element is not closed"
    return tree.root


def declarations(style: str) -> dict[str, str]:
    """Properties and values."""
    pairs = (it.partition(":") for it in style.split(";") if it.strip())
    return {name.strip(): value.replace("!important", "").strip() for name, _, value in pairs}


def rules_of(notice: Element, medium: str = "") -> list[tuple[str, dict[str, str]]]:
    """Selectors and declarations of the style element: those within an at-rule, or else outside of any."""
    [sheet] = notice.all("style")
    blocks = dict(re.findall(r"^(@[^{]*?) \{\n(.*?)^\}", sheet.text, re.DOTALL | re.MULTILINE))
    outside = re.sub(r"^@.*?^\}", "", sheet.text, flags=re.DOTALL | re.MULTILINE)
    found = re.findall(r"([^{}]+)\{([^{}]*)\}", blocks[medium] if medium else outside)
    return [
        (one.strip(), declarations(body)) for selectors, body in found for one in selectors.strip().split(",")
    ]


def styles_of(element: Element, *, dark: bool) -> dict[str, str]:
    """Colour, background, size and line height as they are inherited, down to what is set on the element."""
    root = [*element.lineage()][-1]
    rules = rules_of(root, "@media (prefers-color-scheme: dark)") if dark else []
    styles = {"color": "#000000", "background": "#ffffff", "font-size": "16px", "line-height": "1.2"}
    for it in reversed([*element.lineage()]):
        if it.name == "a":
            styles["color"] = "#0000ee"
        styles |= it.style
        for selector, changes in rules:
            if _matches(it, selector.split()):
                styles |= changes
    return styles


def _matches(element: Element, selector: Sequence[str]) -> bool:
    *ancestors, last = selector
    if not (last.removeprefix(".") in element.classes if last.startswith(".") else last == element.name):
        return False
    return not ancestors or any(_matches(it, ancestors) for it in [*element.lineage()][1:])
