"""Sizes, moments and kinds of files, in the words in which notices and pages name them to people."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

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


def moment(moment: datetime) -> str:
    """To the minute, with the day of the week, in UTC: readers live in many time zones."""
    utc = moment.astimezone(UTC)
    return f"{utc:%A} {utc.day} {utc:%B %Y, %H:%M} UTC"


def sent(date: str) -> str:
    """The moment in a Date field, in the sender's time zone; what the field says where that is none."""
    try:
        moment = parsedate_to_datetime(date)
    except (IndexError, OverflowError, TypeError, ValueError):
        return one_line(date)
    zone = f"{NO_BREAK_SPACE}{moment:%z}" if moment.tzinfo else ""
    return f"{moment:%A} {moment.day} {moment:%B %Y, %H:%M}{zone}"


def counted(count: int, what: str, plural: str = "") -> str:
    """Return `1 message`, `2 messages`."""
    return f"{count:,} {what if count == 1 else plural or f'{what}s'}"
