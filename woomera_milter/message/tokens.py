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


_FIRST_TOKEN = re.compile(rb"\s*([^\s;()\"]+)")
_COMMENT = re.compile(rb"\([^()]*+\)")
_NOT_IN_ENCODINGS = re.compile(rb"[\s\"'_-]+")
_ENCODINGS_BY_LETTERS = {
    b"base64": "base64",
    b"quotedprintable": "quoted-printable",
    b"xuu": "x-uuencode",
    b"uu": "x-uuencode",
}
ENCODINGS = frozenset(_ENCODINGS_BY_LETTERS.values())


def first_token(value: bytes) -> str:
    """The token that a field's value begins with, in lower case; "" if it does not."""
    token = _FIRST_TOKEN.match(value)
    return token[1].decode("ascii", "replace").lower() if token else ""


def transfer_encoding_name(value: bytes) -> str:
    """One of ENCODINGS, however it is written ("base-64", "(x) quoted printable;"); else the first token."""
    value = _COMMENT.sub(b"", value)
    letters = _NOT_IN_ENCODINGS.sub(b"", value).lower()
    names = (name for start, name in _ENCODINGS_BY_LETTERS.items() if letters.startswith(start))
    return next(names, first_token(value))
