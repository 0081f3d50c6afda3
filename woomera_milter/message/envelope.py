"""Who a message is from and for, and the header fields that no recipient may see."""

import re
from dataclasses import dataclass

from woomera_milter.message.fields import field_names

HIDDEN_FIELDS = field_names("bcc resent-bcc")
"""What sendmail takes out of what it relays (RFC 5322 section 3.6.3)."""
HIDDEN_IN_COPIES = HIDDEN_FIELDS | field_names(
    "return-path delivered-to envelope-to x-envelope-from x-envelope-to x-original-to x-rcpt-to"
)
"""What names the one recipient for whom a delivery was made, who may be a hidden one, as well."""

_PATH_AND_PARAMETERS = re.compile(r'<((?:"(?:[^"\\]|\\.)*"|[^<>"])*)> .*', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Envelope:
    """RFC 5321's envelope: addresses without angle brackets; the null sender is "".

    `refused_count`: so many of the recipients were refused by a later filter, and nobody tells us which.
    """

    envelope_sender: str
    recipients: tuple[str, ...]
    refused_count: int = 0


def address_in(path: str) -> str:
    """Return the address of a RFC 5321 path: without angle brackets, and as valid UTF-8.

    sendmail 8.17.1 with USE_EAI puts the command's parameters behind it (RELEASE_NOTES, 8.17.2).
    """
    found = _PATH_AND_PARAMETERS.fullmatch(path)
    address = found[1] if found else path.removeprefix("<").removesuffix(">")
    return address.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
