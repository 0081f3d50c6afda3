"""What sendmail may add to a message after the milter: it writes address fields anew when it relays them.

Names are qualified, and the addresses stand in lines of at most 78 columns, whatever the sender wrote
(sendmail's conf.c lists the fields, its headers.c writes them). A message that was measured without this
could grow over the relay's limit behind us: 130 local names in To add 2.7 KB.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from woomera_milter.message.fields import HeaderField

_NAMES = ("from", "sender", "reply-to", "to", "cc", "bcc")
ADDRESS_FIELDS = frozenset(
    [*_NAMES, *(f"resent-{it}" for it in _NAMES), "errors-to", "apparently-to", "disposition-notification-to"]
)

HOST_NAME_MAX = 64  # limits.h of Linux
DOMAIN_NAME_MAX = 255  # RFC 1035 section 2.3.4
_MAX_HEADERS_BYTES = 32_768  # sendmail's option MaxHeadersLength, by default
_COLUMNS = 78
_FOLD = len(",\r\n" + 8 * " ")
# What may hide a comma: quoted strings and comments (RFC 5322 section 3.2); unclosed, it runs to the end.
_OPAQUE = re.compile(rb'"(?:[^"\\]|\\.)*\\?(?:"|\Z)|\((?:[^()\\]|\\.)*\\?(?:\)|\Z)', re.DOTALL)
_TORN = re.compile(rb'["()\\]')
_NEW_STYLE = re.compile(rb"[,;<(]")
_COMMA, _COMMA_OR_BLANK = re.compile(rb","), re.compile(rb"[,\s]+")
_ADDRESS = rb'[^\s<>()"@,;:\\]+(?:@[^\s<>()"@,;:\\]+)?'
_ORDINARY = re.compile(
    rb'(?:(?P<words>[^<>()@,;:\\"]*)|"(?:[^"\\]|\\.)*"\s*)<%b>|%b\s*(?P<comment>\([^()\\]*\))?'
    % (_ADDRESS, _ADDRESS),
    re.DOTALL,
)
# Besides this, sendmail may write pieces of an odd address twice.
_ODD_BYTES = len('""<>""')
_PLAIN_WORDS = re.compile(rb"[\w\s\x80-\xff]*")


MOST_ADDED_PER_OCTET = 300
"""No octet of a message has sendmail add more: an address of one letter gets a name of 255 octets at most."""


def most_added_bytes(headers: Iterable[HeaderField], own_names: Sequence[str] = ()) -> int:
    """Return the octets that sendmail adds at most to the address fields of these headers.

    `own_names` are those that it puts behind addresses of this host: its own ($j), then the domain as which
    it masquerades ($M), if it does. Where none is known, one is as long as Linux lets a host's name be.
    """
    names = [name.lower().encode() for name in own_names] or [b"x" * HOST_NAME_MAX]
    return sum(
        _field_added_bytes(name, value, names) for name, value in headers if name.lower() in ADDRESS_FIELDS
    )


def most_added_to(size_bytes: int, longest_name_bytes: int) -> int:
    """Return the same of a message of which no more is known than its size, and how long a name may be.

    Two octets, as in `(,`, become a line of their own, with the name. Where sendmail lets longer header
    sections in than by default (confMAX_HEADERS_LENGTH), this holds for the first 32,768 octets alone.
    """
    most_added_to_two_bytes = longest_name_bytes + len("@") + len(b"(,") + _ODD_BYTES + _FOLD - len(",")
    return min(size_bytes, _MAX_HEADERS_BYTES) * most_added_to_two_bytes // 2


def _field_added_bytes(name: str, value: bytes, own_names: Sequence[bytes]) -> int:
    plain = _OPAQUE.sub(_masked, value)
    is_torn = bool(_TORN.search(plain))
    lengths = [
        len(entry) + _entry_added_bytes(entry, None if is_torn else _ORDINARY.fullmatch(entry), own_names)
        for entry in _entries(value, value if is_torn else plain)
    ]
    indent = max(1, len(value) - len(value.lstrip()))
    written = _written_bytes(len(name) + len(":") + indent, lengths)
    return max(0, written - len(name) - len(":") - len(value))


def _masked(opaque: re.Match[bytes]) -> bytes:
    is_closed = len(opaque[0]) > 1 and opaque[0][-1:] in (b'"', b")")
    return b"x" * len(opaque[0]) if is_closed else opaque[0]


def _entries(value: bytes, plain: bytes) -> Iterator[bytes]:
    """Yield what sendmail takes for addresses of `value`; `plain` is the same without what hides commas."""
    start = 0
    # Without a comma and the like, blanks are what separates (sendmail's option OldStyleHeaders).
    separators = _COMMA if _NEW_STYLE.search(plain) else _COMMA_OR_BLANK
    for begins, ends in (*(it.span() for it in separators.finditer(plain)), (len(value), 0)):
        if entry := value[start:begins].strip():
            yield entry
        start = ends


def _entry_added_bytes(entry: bytes, ordinary: re.Match[bytes] | None, own_names: Sequence[bytes]) -> int:
    """Return what is added to one address: quotes around words, a blank before a comment, and a name."""
    longest_bytes = len("@") + max(map(len, own_names))
    if not ordinary:  # sendmail mends what is odd, and writes pieces of it twice
        return 2 * len(entry) + _ODD_BYTES + longest_bytes
    is_quoted = ordinary["words"] and not _PLAIN_WORDS.fullmatch(ordinary["words"])
    added_bytes = len('""') * bool(is_quoted) + bool(ordinary["comment"])
    domain = entry.rpartition(b"@")[2].partition(b">")[0].strip(b". ").lower() if b"@" in entry else b""
    if b"." not in domain or domain.startswith(b"localhost."):
        return added_bytes + longest_bytes
    # The host's own name becomes the one as which it masquerades.
    return added_bytes + (max(0, len(own_names[-1]) - len(domain)) if domain in own_names else 0)


def _written_bytes(begun: int, lengths: Sequence[int]) -> int:
    """Return the length of a field as sendmail writes it: a line takes addresses up to 78 columns."""
    written = column = begun
    for number, length in enumerate(lengths):
        if number and column + 2 + length > _COLUMNS:
            written += _FOLD
            column = 8
        elif number:
            written += 2
            column += 2
        written += length
        column += length
    return written
