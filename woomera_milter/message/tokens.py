"""Structured fields, cut into tokens and comments (RFC 5322 section 3.2), in time linear in their length."""

import re
from collections.abc import Iterator
from typing import NamedTuple

# A quote, literal or comment that never closes takes all that follows it: searched for its end once, it
# costs linear time, and no part of it is taken for an address.
_STRICT = re.compile(
    r"""(?P<text>(?:[^"\[(<,;:\\]++|\\.|"(?:[^"\\]++|\\.)*"|\[(?:[^\[\]\\]++|\\.)*\])+)
    | (?P<angle><(?:[^<>"\\]++|\\.|"(?:[^"\\]++|\\.)*")*>)
    | (?P<separator>[,;:])
    | (?P<broken>["\[].*|.)""",
    re.DOTALL | re.VERBOSE,
)
# The last alternative takes a "<" that never closes, and every "(".
_LENIENT = re.compile(
    r"(?P<angle><[^<>]*>)"
    r"|(?P<separator>[,;:])"
    r'|(?P<text>(?:"(?:[^"\\]|\\.)*+"|\[[^\[\]]*\]|\\.|[^<(,;:])+|.)'
)
_PARENTHESIS = re.compile(r"\\.|[()]", re.DOTALL)


class Token(NamedTuple):
    """A piece of a field's value, as it stands there."""

    kind: str  # text | angle | separator | comment | broken
    text: str


def strict_tokens(text: str) -> Iterator[Token]:
    """Cut `text`; what is not closed (a quote, a comment, a bracket) is broken, with all that follows."""
    return _tokens(_STRICT, text)


def lenient_tokens(text: str) -> Iterator[Token]:
    """Cut `text`, which has no line ends; what is not closed is taken for text."""
    return _tokens(_LENIENT, text)


def _tokens(pattern: re.Pattern[str], text: str) -> Iterator[Token]:
    position, comments_close = 0, True
    while match := pattern.match(text, position):
        kind, end = str(match.lastgroup), match.end()
        if match[0] == "(" and comments_close:
            comment_end = _comment_end(text, position)
            comments_close = comment_end > 0
            if comments_close:
                kind, end = "comment", comment_end
            elif kind == "broken":
                end = len(text)
        yield Token(kind, text[position:end])
        position = end


def _comment_end(text: str, start: int) -> int:
    """Where the comment that opens at `start` has closed; 0 if it never does. Comments nest."""
    depth = 0
    for match in _PARENTHESIS.finditer(text, start):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return 0
