"""The numbers of ordered lists (HTML, 4.4.5): where a list begins, and how its numbers look."""

import re
from collections.abc import Mapping

_NUMBER = re.compile(r"[+-]?[0-9]{1,6}")
_KINDS = frozenset("1aAiI")
_KIND_BY_STYLE = {
    "decimal": "1",
    "lower-alpha": "a",
    "lower-latin": "a",
    "upper-alpha": "A",
    "upper-latin": "A",
    "lower-roman": "i",
    "upper-roman": "I",
}
_ROMAN = [(1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl")]
_ROMAN += [(10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")]


def list_attributes(attributes: Mapping[str, str], style: Mapping[str, str]) -> dict[str, str]:
    """What counts of an <ol>: `start`, `type` and `reversed`, each valid or absent."""
    words = f"{style.get('list-style', '')} {style.get('list-style-type', '')}".split()
    kind = next((_KIND_BY_STYLE[word] for word in reversed(words) if word in _KIND_BY_STYLE), "")
    kept = {"start": integer(attributes.get("start", "")), "type": kind or attributes.get("type", "")}
    if kept["type"] not in _KINDS:
        kept["type"] = ""
    return {key: value for key, value in kept.items() if value} | (
        {"reversed": ""} if "reversed" in attributes else {}
    )


def integer(value: str) -> str:
    """`value` if it is a number such as lists have, else ""."""
    number = _NUMBER.match(value)
    return str(int(number[0])) if number else ""


def ordinal(number: int, kind: str) -> str:
    """The number of an item in a list of this type: "4", "d", "D", "iv" or "IV"."""
    if kind in ("a", "A") and number > 0:
        letters = ""
        while number:
            number, place = divmod(number - 1, 26)
            letters = chr(ord(kind) + place) + letters
        return letters
    if kind in ("i", "I") and 0 < number < 4000:
        roman = ""
        for value, letters in _ROMAN:
            roman += letters * (number // value)
            number %= value
        return roman.upper() if kind == "I" else roman
    return str(number)
