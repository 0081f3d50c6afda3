"""Phrases: texts in which any white space counts as one blank, and none between CJK letters.

`re:…` is a regular expression; of a list any will do.
"""

import re
from collections.abc import Iterator, Sequence

Phrase = str | Sequence[str]

# CJK and kana with their punctuation, Hangul, half- and full-width forms.
_CJK = "\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff"
_BETWEEN = re.compile(f"(?<=[{_CJK}]) (?=[{_CJK}])")
_QUOTATION = re.compile(r"\A(?:> ?)+")


def words(text: str) -> str:
    """Return a text with its white space made equal."""
    return _BETWEEN.sub("", " ".join(text.split()))


def line_of(text: str) -> str:
    """Return a line likewise, without marks of quotation."""
    return words(_QUOTATION.sub("", text.lstrip()))


def any_of(phrase: Phrase, text: str) -> bool:
    """Whether the phrase is in a text."""
    return _end(phrase, words(text), 0) is not None


def is_whole(phrase: Phrase, text: str) -> bool:
    """Whether the phrase is all of a text."""
    return any(re.fullmatch(it, words(text)) for it in _patterns(phrase))


def in_order(phrases: Sequence[Phrase], text: str, where: str) -> Iterator[str]:
    """Yield what is missing in a text (of `words`), in which the phrases are to stand in this order."""
    at = 0
    for phrase in phrases:
        end = _end(phrase, text, at)
        if end is None:
            before = _end(phrase, text, 0) is not None
            yield f"{where} shows {phrase!r} too early" if before else f"{where} does not show {phrase!r}"
        else:
            at = end


def _end(phrase: Phrase, text: str, start: int) -> int | None:
    found = [it.end() for pattern in _patterns(phrase) if (it := re.compile(pattern).search(text, start))]
    return min(found, default=None)


def _patterns(phrase: Phrase) -> list[str]:
    phrases = [phrase] if isinstance(phrase, str) else phrase
    return [it[3:] if it.startswith("re:") else re.escape(words(it)) for it in phrases]
