"""Header fields (RFC 5322 section 2.2), taken from octets.

The values are a sender's and hostile: nothing here raises on any of them, and all of it is linear
in their length.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple


class HeaderField(NamedTuple):
    """One header field; the value is what follows the colon, folds as CRLF + white space, no final CRLF."""

    name: str
    value: bytes


# No group here is repeated possessively: before 3.11.5 Python's re leaves such a match at the wrong place.
# White space before the colon is obsolete, yet to be accepted (RFC 5322 section 4.5).
MBOX_LINE = re.compile(rb">?From [^\n]*\n")
_NO_FIELD = re.compile(rb"^(?![ \t]|[!-9;-~]++[ \t]*+:)", re.MULTILINE)
_FIELD = re.compile(rb"^([!-9;-~]++)[ \t]*+:(.*?)\r?\n(?![ \t])", re.MULTILINE | re.DOTALL)


def header_section_end(octets: bytes, start: int, end: int) -> int:
    """Where the header section that begins at `start` ends: at its blank line, or any that is no field.

    Only whole lines before `end` are looked at. An mbox's "From " line counts as part of the section.
    """
    mbox_line = MBOX_LINE.match(octets, start, end)
    start = mbox_line.end() if mbox_line else start
    if octets[start : start + 1] in (b" ", b"\t"):
        return start
    no_field = _NO_FIELD.search(octets, start, end)
    return no_field.start() if no_field else octets.rfind(b"\n", start, end) + 1 or start


def parse_header_block(block: bytes) -> list[HeaderField]:
    """The fields at the beginning of `block` (CRLF or LF lines), up to the first line that is no field."""
    if not block.endswith(b"\n"):
        block += b"\n"
    end = header_section_end(block, 0, len(block))
    return [
        HeaderField(field[1].decode("ascii"), re.sub(rb"\r?\n", b"\r\n", field[2]))
        for field in _FIELD.finditer(block, 0, end)
    ]


def first(headers: Sequence[HeaderField], name: str) -> bytes | None:
    """The value of the first field called `name` (case-insensitive), None where there is none."""
    name = name.lower()
    return next((field.value for field in headers if field.name.lower() == name), None)


def field_names(text: str) -> frozenset[str]:
    """Lower-case field names, to be compared with those of a message."""
    return frozenset(text.split())
