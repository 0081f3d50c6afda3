"""Sizes and counts in English words, and what a sender wrote on one line; language.py has other languages."""

import re

from woomera_milter.text.lines import line_for_people

NO_BREAK_SPACE = "\u00a0"
_MAX_LINE_CHARS = 300  # of what a sender wrote and we show on one line: an address, a subject, a file name

_BEGINS_LINK = re.compile(r"://|(?<![\w@.-])www\.(?=\w)", re.IGNORECASE)


def one_line(text: str, max_chars: int = _MAX_LINE_CHARS) -> str:
    """What a sender wrote, on one line, not too long, and without what mail clients make links of."""
    line = _BEGINS_LINK.sub(r"\g<0> ", " ".join(line_for_people(text).split()))
    return line if len(line) <= max_chars else f"{line[:max_chars]}…"


def size(size_bytes: int) -> str:
    """In KB, MB or GB of 1024, as SES counts; no line breaks between number and unit."""
    if size_bytes < 1024:
        return f"{size_bytes}{NO_BREAK_SPACE}{'byte' if size_bytes == 1 else 'bytes'}"
    units = {"KB": 1024, "MB": 1024**2, "GB": 1024**3}
    unit = next((it for it in units if round(size_bytes / units[it], 1) < 1024), "GB")
    return f"{size_bytes / units[unit]:.1f}".removesuffix(".0") + NO_BREAK_SPACE + unit


def plain_size(size_bytes: int) -> str:
    """The same with an ordinary space, for tables and figures that programs may read."""
    return size(size_bytes).replace(NO_BREAK_SPACE, " ")


def counted(count: int, what: str, plural: str = "") -> str:
    """Return `1 message`, `2 messages`."""
    return f"{count:,} {what if count == 1 else plural or f'{what}s'}"
