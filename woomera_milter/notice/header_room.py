"""A notice's header section, brought down to 64 KB as it reaches the relay.

sendmail writes address fields anew behind us (`message.rewriting`), so what counts is what it may make of
them: 3,000 names of 20 KB became 240 KB. Pure.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from woomera_milter.message.encoding import shortened, wire
from woomera_milter.message.fields import HeaderField, field_names
from woomera_milter.message.rewriting import most_added_bytes

MAX_SECTION_BYTES = 64 * 1024
GIANT_BYTES = 4096  # a field larger than this is shortened before any other that people need is dropped

_BISECTIONS = 6
_AUTHORS = field_names("from sender reply-to")
_TRACE = field_names(
    "received authentication-results received-spf domainkey-signature return-path delivered-to"
)
# From the first to go to the last, once trace and X- fields are gone.
_DROP_ORDER = [
    "list-",
    "auto-submitted",
    "references",
    "in-reply-to",
    "sender",
    "reply-to",
    "message-id",
    "date",
    "subject",
    "cc",
    "to",
    "from",
]

_Size = Callable[[HeaderField | None], int]
# Given a field and the octets that the section has too many: what of the field stays.
_Cut = Callable[[HeaderField, int], HeaderField | None]


def relayed_bytes(fields: Iterable[HeaderField], own_names: Sequence[str]) -> int:
    """Return the octets that these fields take at most behind an MTA of these names."""
    return sum(len(wire(field)) + most_added_bytes([field], own_names) for field in fields)


def fitted(fields: Sequence[HeaderField | None], own_names: Sequence[str]) -> list[HeaderField | None]:
    """Bring safe fields down to 64 KB: trace and X- fields go, then giants are cut, then the rest goes."""
    fitting = list(fields)

    def size(field: HeaderField | None) -> int:
        return relayed_bytes([field], own_names) if field else 0

    excess_bytes = sum(map(size, fields)) - MAX_SECTION_BYTES
    if excess_bytes <= 0:
        return fitting
    for position, cut in _cuts(fields, size):
        if excess_bytes <= 0:
            break
        before = fitting[position]
        if before:
            fitting[position] = after = cut(before, excess_bytes)
            excess_bytes -= size(before) - size(after)
    return fitting


def _cuts(fields: Sequence[HeaderField | None], size: _Size) -> Iterator[tuple[int, _Cut]]:
    present = [(position, field) for position, field in enumerate(fields) if field]
    largest_first = sorted(present, key=lambda item: -size(item[1]))
    dispensable = [item for item in largest_first if _is_dispensable(item[1])]
    # MTAs count Received fields to stop loops (RFC 5321 section 6.3): they stay longest of these.
    for position, _ in sorted(dispensable, key=lambda item: item[1].name.lower() == "received"):
        yield position, _drop
    for position, _ in sorted(largest_first, key=lambda item: item[1].name.lower() in _AUTHORS):
        yield position, partial(_shorten_giant, size)
    for position, _ in sorted(present, key=lambda item: (_drop_rank(item[1]), -item[0])):
        yield position, _drop


def _drop(field: HeaderField, excess_bytes: int) -> None:
    """A cut that leaves nothing."""


def _shorten_giant(size: _Size, field: HeaderField, excess_bytes: int) -> HeaderField | None:
    size_bytes = size(field)
    if size_bytes <= GIANT_BYTES:
        return field
    room_bytes = max(GIANT_BYTES, size_bytes - excess_bytes)
    longest = shortened(field, room_bytes)
    if size(longest) <= room_bytes:
        return longest
    longest, fits_bytes, step_bytes = shortened(field, 0), 0, room_bytes
    for _ in range(_BISECTIONS):
        step_bytes //= 2
        candidate = shortened(field, fits_bytes + step_bytes)
        if size(candidate) <= room_bytes:
            longest, fits_bytes = candidate, fits_bytes + step_bytes
    return longest


def _is_dispensable(field: HeaderField) -> bool:
    name = field.name.lower()
    # X-SES- fields tell SES what to do with the message (configuration set, tags, source ARN).
    return (
        name in _TRACE or name.startswith("arc-") or (name.startswith("x-") and not name.startswith("x-ses-"))
    )


def _drop_rank(field: HeaderField) -> int:
    name = "list-" if field.name.lower().startswith("list-") else field.name.lower()
    return _DROP_ORDER.index(name) if name in _DROP_ORDER else -1
