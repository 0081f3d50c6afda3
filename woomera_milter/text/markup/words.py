"""HTML as text: what a person reads between its tags."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from woomera_milter.text.markup.elements import Elements
from woomera_milter.text.markup.lists import integer, list_attributes, ordinal
from woomera_milter.text.markup.pictures import alternative
from woomera_milter.text.markup.styles import Inherited

_MAX_TAGS = 200_000
_LINE, _PARAGRAPH, _JOINED = "\x1e", "\x1d", "\x1f"
_BLANK = "\x1c"  # one that counts
_MARK_OF = {
    "td": " ",
    "th": " ",
    **dict.fromkeys(["address", "dd", "div", "dt", "li", "tr", "caption"], _LINE),
    **dict.fromkeys(["blockquote", "h3", "ol", "p", "pre", "table", "ul"], _PARAGRAPH),
}
_SIGN_OF = {"sup": ("^", ""), "s": ("~", "~"), "del": ("~", "~")}
_WHITE_SPACE = re.compile("[ \t\n]+")
_GAP = re.compile(f"(?P<joined>{_JOINED})?[ \n{_LINE}{_PARAGRAPH}]+|{_JOINED}")
_MAX_INDENT = 6


def from_html(markup: str) -> str:
    """What a person would read of an HTML document: no tags, no links' targets, no scripts or styles."""
    return beginning_from_html(markup)[0]


def beginning_from_html(markup: str) -> tuple[str, bool]:
    """The text of an HTML document, and whether it had more tags than are read."""
    words = _Words()
    elements = Elements(words, _MAX_TAGS)
    elements.read(markup)
    if elements.hid_something and not words.finished():
        words = _Words()
        elements = Elements(words, _MAX_TAGS, shows_hidden=True)
        elements.read(markup)
    return words.finished(), elements.is_truncated


@dataclass(slots=True)
class _List:
    """A list that is open: how its items are numbered, and where their numbers are to stand."""

    kind: str  # "" of a list without numbers
    number: int | None = 1
    step: int = 1
    items: list[tuple[int, str]] = field(default_factory=list)


class _Words:
    """The sink that makes text."""

    def __init__(self) -> None:
        self._output: list[str] = []
        self._lists: list[_List] = []
        self._signs: list[int] = []
        self._has_words = False

    def finished(self) -> str:
        """All of it; "" where nothing stands beside the marks of items."""
        if not self._has_words:
            return ""
        text = _GAP.sub(_gap, "".join(self._output))
        return text.replace("\xa0", " ").strip(" \n").replace(_BLANK, " ").rstrip()

    def text(self, text: str, style: Inherited) -> None:
        if not style.keeps_breaks:
            text = _WHITE_SPACE.sub(" ", text)
        elif style.keeps_blanks:
            text = text.expandtabs(8).replace(" ", _BLANK)
        self._has_words = self._has_words or not text.isspace()
        self._output.append(text)

    def start(self, name: str, attributes: Mapping[str, str], style: Mapping[str, str]) -> bool:
        is_within_list = name in ("ol", "ul") and self._lists
        self._output.append(_LINE if is_within_list else _MARK_OF.get(name, ""))
        if name in ("ol", "ul"):
            self._lists.append(_opened(name, attributes, style))
        elif name == "li":
            self._item(integer(attributes.get("value", "")))
        elif name in _SIGN_OF:
            self._signs.append(len(self._output))
            self._output.append(_SIGN_OF[name][0])
        return True

    def end(self, name: str) -> None:
        if name in _SIGN_OF:
            begin = self._signs.pop()
            is_empty = not any(it.strip() for it in self._output[begin + 1 :])
            self._output[begin if is_empty else len(self._output) :] = [] if is_empty else [_SIGN_OF[name][1]]
            return
        if name in ("ol", "ul"):
            self._number(self._lists.pop())
        is_within_list = name in ("ol", "ul") and self._lists
        self._output.append(_LINE if is_within_list else _MARK_OF.get(name, ""))

    def void(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "img":
            words = _WHITE_SPACE.sub(" ", alternative(attributes))
            self._has_words = self._has_words or bool(words)
            self._output.append(words)
        else:
            self._output.append({"br": "\n", "hr": _LINE}.get(name, ""))

    def _item(self, value: str) -> None:
        of = self._lists[-1] if self._lists else _List("")
        self._output.append(2 * _BLANK * min(len(self._lists) - 1, _MAX_INDENT))
        of.items.append((len(self._output), value))
        self._output += ["-", _BLANK + _JOINED]

    def _number(self, of: _List) -> None:
        """Number the items of a list that is over: one that counts down knows only now where from."""
        if not of.kind:
            return
        number = of.number if of.number is not None else len(of.items)
        for position, value in of.items:
            number = int(value) if value else number
            self._output[position] = f"{ordinal(number, of.kind)}."
            number += of.step


def _opened(name: str, attributes: Mapping[str, str], style: Mapping[str, str]) -> _List:
    if name == "ul":
        return _List("")
    kept = list_attributes(attributes, style)
    counts_down = "reversed" in kept
    begin = int(kept["start"]) if "start" in kept else None if counts_down else 1
    return _List(kept.get("type", "1"), begin, -1 if counts_down else 1)


def _gap(gap: re.Match[str]) -> str:
    marks = gap[0].replace(" ", "")
    if gap["joined"] or marks == _JOINED:
        return ""
    if not marks:
        return " "
    if _PARAGRAPH in marks:
        return "\n\n"
    breaks = marks.count("\n")
    # A <br> that ends a line of text is that line's end; the end of the block adds none.
    lines = breaks if marks.startswith("\n") else breaks + 1
    return "\n" * min(lines, 2)
