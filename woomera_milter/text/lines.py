"""Strangers' text made fit for people to see: on one line or on many, cut where there is too much.

Everything here takes time linear in its input and raises nothing, whatever a sender wrote.
"""

import re

# Marks that reorder what surrounds them: "gpj.exe" can be made to show as "exe.jpg" (UAX #9).
_BIDI_CONTROLS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_UNSEEN = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_BIDI_CONTROLS}\ufeff\ufffe\uffff]")
_LINE_BREAK = re.compile("\r\n|[\r\f\u2028\u2029]")
_WHITE_SPACE = re.compile("[\t\n\r\x0b\f\x85\u2028\u2029]")


def lines_for_people(text: str) -> str:
    """`text` with LF line ends, without control, bidirectional and other unseen characters but tabs."""
    return _UNSEEN.sub("", _LINE_BREAK.sub("\n", text))


def line_for_people(text: str) -> str:
    """`text` on one line, without control, bidirectional and other unseen characters."""
    return _UNSEEN.sub("", _WHITE_SPACE.sub(" ", text)).strip()


def cut(text: str, max_bytes: int) -> tuple[str, bool]:
    """The beginning of `text` in at most `max_bytes` of UTF-8, and whether anything was left out.

    It ends with a line, else with a word, as long as that keeps half of what there is room for.
    """
    octets = text.encode()
    if len(octets) <= max_bytes:
        return text, False
    beginning = octets[:max_bytes].decode("utf-8", "ignore")
    for separator in "\n", " ":
        end = beginning.rfind(separator)
        if end >= len(beginning) / 2:
            return beginning[:end].rstrip(), True
    return beginning, True
