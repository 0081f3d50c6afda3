"""The header section of the notice: the original's, made fit for SES, as edits that a milter can apply.

What stays and what goes is the paragraph "The notice" of the public contract: MIME fields and DKIM-Signature
are replaced or removed, fields that SES allows once are there once
(docs.aws.amazon.com/ses/latest/dg/header-fields.html), every line is short ASCII, and the section fits 64 KB.
Pure: nothing here does I/O, and no value of a sender, however hostile, raises.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from woomera_milter.message.encoding import prefixed_subject, safe_field, shortened, wire
from woomera_milter.message.fields import HeaderField, field_names, first
from woomera_milter.notice.notice import Notice

MAX_SECTION_BYTES = 64 * 1024
GIANT_BYTES = 4096  # a field larger than this is shortened before any other that people need is dropped

_ONCE = field_names(
    "accept-language acceptlanguage archived-at auto-submitted bounces-to comments date delivered-to"
    " disposition-notification-options disposition-notification-to domainkey-signature errors-to from"
    " importance in-reply-to keywords list-archive list-help list-id list-owner list-post list-subscribe"
    " list-unsubscribe list-unsubscribe-post message-context message-id organization original-from"
    " original-message-id original-recipient original-subject precedence priority references reply-to"
    " return-path return-receipt-to sender solicitation sensitivity subject thread-index thread-topic"
    " user-agent vbr-info"
)
_TRACE = field_names(
    "received authentication-results received-spf domainkey-signature return-path delivered-to"
)
_OURS = field_names("mime-version content-type content-transfer-encoding x-woomera-id")
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

# Given a field and the octets that the section has too many: what of the field stays.
_Cut = Callable[[HeaderField, int], HeaderField | None]


@dataclass(frozen=True, slots=True)
class HeaderChange:
    """One call of smfi_chgheader: `index` counts from 1 among the fields of that name, whatever their case.

    A value of None deletes; an index beyond the count adds. With SMFIP_HDR_LEADSPC negotiated, the leading
    space is ours to give, so values begin with one; folds are a line feed and white space.
    """

    name: str
    index: int
    value: str | None


class HeaderEdits:
    """What a notice makes of the original's header section; settled once, before there is a notice."""

    def __init__(self, headers: Sequence[HeaderField], subject_prefix: str) -> None:
        self._headers = headers
        self._subject_prefix = subject_prefix
        self._settled = _settled(headers, subject_prefix)

    @property
    def kept(self) -> list[HeaderField]:
        """The original's fields that stay, each as the notice has it."""
        return [field for field in self._settled if field]

    @property
    def kept_bytes(self) -> int:
        """Octets on the wire of those that stay."""
        return sum(map(_size_bytes, self._settled))

    def changes(self, notice: Notice, woomera_id: str) -> list[HeaderChange]:
        """Give the edits that turn the section into the notice's, to be applied in this order.

        Fields of one name are edited from the last to the first, so that an index means the same whether or
        not the MTA still counts those deleted before. Ours are set last, in the place of the first of their
        name.
        """
        return [*self._originals_changes(), *self._our_changes(notice, woomera_id)]

    def _originals_changes(self) -> Iterator[HeaderChange]:
        names = [field.name.lower() for field in self._headers]
        count = Counter(names)
        for original, name, kept in reversed(list(zip(self._headers, names, self._settled, strict=True))):
            index, count[name] = count[name], count[name] - 1
            if kept != original and (name not in _OURS or index > 1):
                yield HeaderChange(original.name, index, _milter_value(kept.value) if kept else None)

    def _our_changes(self, notice: Notice, woomera_id: str) -> Iterator[HeaderChange]:
        ours = {
            "MIME-Version": "1.0",
            "Content-Type": notice.content_type,
            "Content-Transfer-Encoding": "7bit",
            "X-Woomera-Id": woomera_id,
        }
        for name, value in ours.items():
            if first(self._headers, name) != b" " + value.encode():
                yield HeaderChange(name, 1, f" {value}")
        if self._subject_prefix and first(self._headers, "Subject") is None:
            subject = prefixed_subject(b"", self._subject_prefix)
            yield HeaderChange("Subject", 1, _milter_value(subject))


def _milter_value(value: bytes) -> str:
    return value.decode("ascii").replace("\r\n", "\n")


def _settled(headers: Sequence[HeaderField], subject_prefix: str) -> list[HeaderField | None]:
    """Each field as the notice has it, None for those that go; fields that are ours count as gone."""
    settled: list[HeaderField | None] = []
    seen: set[str] = set()
    for field in headers:
        name = field.name.lower()
        goes = name in _OURS or name.startswith("content-") or name == "dkim-signature"
        if goes or (name in _ONCE and name in seen):
            settled.append(None)
            continue
        seen.add(name)
        if subject_prefix and name == "subject":
            settled.append(HeaderField(field.name, prefixed_subject(field.value, subject_prefix)))
        else:
            settled.append(safe_field(field))
    return _fitted(settled)


def _fitted(fields: list[HeaderField | None]) -> list[HeaderField | None]:
    """Bring the section down to 64 KB: trace and X- fields go, then giants are cut, then the rest goes."""
    fitted = list(fields)
    excess_bytes = sum(map(_size_bytes, fields)) - MAX_SECTION_BYTES
    for position, cut in _cuts(fields):
        if excess_bytes <= 0:
            break
        before = fitted[position]
        if before:
            fitted[position] = after = cut(before, excess_bytes)
            excess_bytes -= _size_bytes(before) - _size_bytes(after)
    return fitted


def _cuts(fields: list[HeaderField | None]) -> Iterator[tuple[int, _Cut]]:
    present = [(position, field) for position, field in enumerate(fields) if field]
    largest_first = sorted(present, key=lambda item: -_size_bytes(item[1]))
    dispensable = [item for item in largest_first if _is_dispensable(item[1])]
    # MTAs count Received fields to stop loops (RFC 5321 section 6.3): they stay longest of these.
    for position, _ in sorted(dispensable, key=lambda item: item[1].name.lower() == "received"):
        yield position, _drop
    for position, _ in largest_first:
        yield position, _shorten_giant
    for position, _ in sorted(present, key=lambda item: (_drop_rank(item[1]), -item[0])):
        yield position, _drop


def _drop(field: HeaderField, excess_bytes: int) -> None:
    """A cut that leaves nothing."""


def _shorten_giant(field: HeaderField, excess_bytes: int) -> HeaderField | None:
    size_bytes = _size_bytes(field)
    if size_bytes <= GIANT_BYTES:
        return field
    return shortened(field, max(GIANT_BYTES, size_bytes - excess_bytes))


def _is_dispensable(field: HeaderField) -> bool:
    name = field.name.lower()
    # X-SES- fields tell SES what to do with the message (configuration set, tags, source ARN).
    return (
        name in _TRACE or name.startswith("arc-") or (name.startswith("x-") and not name.startswith("x-ses-"))
    )


def _drop_rank(field: HeaderField) -> int:
    name = "list-" if field.name.lower().startswith("list-") else field.name.lower()
    return _DROP_ORDER.index(name) if name in _DROP_ORDER else -1


def _size_bytes(field: HeaderField | None) -> int:
    return len(wire(field)) if field else 0
