"""The header section of the notice: the original's, made fit for SES, as edits that a milter can apply.

What stays and what goes is the paragraph "The notice" of the public contract: MIME fields and DKIM-Signature
are replaced or removed, fields that SES allows once are there once
(docs.aws.amazon.com/ses/latest/dg/header-fields.html), every line is short ASCII, and the section has room.
Pure: nothing here does I/O, and no value of a sender, however hostile, raises.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from woomera_milter.message.encoding import prefixed_subject, safe_field
from woomera_milter.message.fields import HeaderField, field_names, first
from woomera_milter.notice.header_room import fitted, relayed_bytes
from woomera_milter.notice.notice import Notice

_ONCE = field_names(
    "accept-language acceptlanguage archived-at auto-submitted bounces-to comments date delivered-to"
    " disposition-notification-options disposition-notification-to domainkey-signature errors-to from"
    " importance in-reply-to keywords list-archive list-help list-id list-owner list-post list-subscribe"
    " list-unsubscribe list-unsubscribe-post message-context message-id organization original-from"
    " original-message-id original-recipient original-subject precedence priority references reply-to"
    " return-path return-receipt-to sender solicitation sensitivity subject thread-index thread-topic"
    " user-agent vbr-info"
)
_OURS = field_names("mime-version content-type content-transfer-encoding x-woomera-id")


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

    def __init__(
        self, headers: Sequence[HeaderField], subject_prefix: str, own_names: Sequence[str] = ()
    ) -> None:
        """`own_names` are the MTA's, as for `rewriting.most_added_bytes`."""
        self._headers = headers
        self._subject_prefix = subject_prefix
        self._own_names = own_names
        self._settled = fitted(_settled(headers, subject_prefix), own_names)

    @property
    def kept(self) -> list[HeaderField]:
        """The original's fields that stay, each as the notice has it."""
        return [field for field in self._settled if field]

    @property
    def relayed_bytes(self) -> int:
        """The octets that those take at most as they reach the relay."""
        return relayed_bytes(self.kept, self._own_names)

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
    return settled
