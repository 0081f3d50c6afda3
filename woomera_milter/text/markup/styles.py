"""What a style attribute says that the words themselves do not: what is hidden, struck out or raised, and
whether line breaks count.

`mso-hide` hides from Outlook alone, and stands on buttons that everybody else is to see.
"""

import re
from dataclasses import dataclass, replace

_DECLARATION = re.compile(r"(?<![a-z-])([a-z-]++)\s*+:\s*+([^;]*)", re.IGNORECASE)
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_ZERO = re.compile(r"[+-]?(?=[0.])0*+\.?0*+(?:[a-z]++|%)?")
_RELATIVE_SIZE = re.compile(r"[0-9.]+(?:em|ex|%)|larger|smaller")
_BOLD = frozenset({"bold", "bolder", "600", "700", "800", "900"})
_NOT_BOLD = frozenset({"normal", "lighter", "100", "200", "300", "400", "500"})
_HANDED_DOWN = frozenset({"display", "opacity", "overflow", "overflow-y", "visibility", "white-space"})
_MAYBE_ZERO = ("+", "-", "0", ".")
_MAX_CHARS = 4_096


@dataclass(frozen=True, slots=True)
class Inherited:
    """What an element hands down to those within it."""

    is_gone: bool = False
    is_invisible: bool = False
    is_sizeless: bool = False
    keeps_breaks: bool = False
    keeps_blanks: bool = False

    @property
    def is_hidden(self) -> bool:
        """Whether nobody sees it."""
        return self.is_gone or self.is_invisible or self.is_sizeless


SEEN = Inherited()


def declarations(style: str) -> dict[str, str]:
    """The properties of a style attribute, in lower case; of two, the later or important one counts."""
    found: dict[str, str] = {}
    important: set[str] = set()
    for declaration in _DECLARATION.finditer(_COMMENT.sub("", style[:_MAX_CHARS])):
        name, (value, mark, _) = declaration[1].lower(), declaration[2].lower().partition("!")
        if mark:
            important.add(name)
        elif name in important:
            continue
        found[name] = value.strip()
    return found


def preformatted(outer: Inherited) -> Inherited:
    """What applies within a <pre>."""
    return replace(outer, keeps_breaks=True, keeps_blanks=True)


def inherited(style: dict[str, str], outer: Inherited, *, is_hidden: bool) -> Inherited:
    """What applies within an element of this style; `is_hidden` if it says so without one."""
    size = style.get("font-size", "")
    is_sizeless = outer.is_sizeless
    if (
        not is_hidden
        and not is_sizeless
        and not size.startswith(_MAYBE_ZERO)
        and style.keys().isdisjoint(_HANDED_DOWN)
    ):
        return outer
    if size and not (is_sizeless and _RELATIVE_SIZE.fullmatch(size)):
        is_sizeless = _ZERO.fullmatch(size) is not None
    visibility = style.get("visibility", "")
    white_space = style.get("white-space", "")
    inner = replace(
        outer,
        is_gone=outer.is_gone or is_hidden or _takes_no_room(style),
        is_sizeless=is_sizeless,
        is_invisible=visibility in ("hidden", "collapse") if visibility else outer.is_invisible,
    )
    if white_space in ("pre", "pre-wrap", "break-spaces"):
        return replace(inner, keeps_breaks=True, keeps_blanks=True)
    if white_space in ("pre-line", "normal", "nowrap"):
        return replace(inner, keeps_breaks=white_space == "pre-line", keeps_blanks=False)
    return inner


def _takes_no_room(style: dict[str, str]) -> bool:
    if style.get("display") == "none" or _ZERO.fullmatch(style.get("opacity", "")):
        return True
    overflow = style.get("overflow", "") or style.get("overflow-y", "")
    sizes = (style.get(name, "") for name in ("max-height", "height", "max-width", "width"))
    return overflow in ("hidden", "clip") and any(_ZERO.fullmatch(size) for size in sizes)


def elements_meant(style: dict[str, str]) -> list[str]:
    """The elements that say the same as a style."""
    meant = []
    if "line-through" in style.get("text-decoration", "") + style.get("text-decoration-line", ""):
        meant.append("s")
    if style.get("vertical-align") in ("super", "sub"):
        meant.append("sup" if style["vertical-align"] == "super" else "sub")
    if style.get("font-weight") in _BOLD:
        meant.append("b")
    if style.get("font-style") in ("italic", "oblique"):
        meant.append("i")
    return meant


def undoes(style: dict[str, str], name: str) -> bool:
    """Whether a style takes back what the element stands for, as around all that Google Docs copies."""
    return (name in ("b", "strong") and style.get("font-weight") in _NOT_BOLD) or (
        name in ("i", "em") and style.get("font-style") == "normal"
    )
