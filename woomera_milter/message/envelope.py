"""Who a message is from and for, and the header fields that no recipient may see."""

from dataclasses import dataclass

from woomera_milter.message.fields import field_names

HIDDEN_FIELDS = field_names("bcc resent-bcc")
"""What sendmail takes out of what it relays (RFC 5322 section 3.6.3)."""
HIDDEN_IN_COPIES = HIDDEN_FIELDS | field_names(
    "return-path delivered-to envelope-to x-envelope-from x-envelope-to x-original-to x-rcpt-to"
)
"""What names the one recipient for whom a delivery was made, who may be a hidden one, as well."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """RFC 5321's envelope: addresses without angle brackets; the null sender is "".

    `refused_count`: so many of the recipients were refused by a later filter, and nobody tells us which.
    """

    envelope_sender: str
    recipients: tuple[str, ...]
    refused_count: int = 0
