"""One mail transaction (RFC 5321, section 3.3) as a milter sees it: what the two milters have in common.

Knows nothing of libmilter: `connection.py` calls it and carries out what it decides.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from woomera_milter.message.envelope import HIDDEN_FIELDS, Envelope
from woomera_milter.message.fields import HeaderField

if TYPE_CHECKING:  # else the archive milter, which composes nothing, would load what composes notices
    from woomera_milter.notice.header_edits import HeaderChange


class Verdict(Enum):
    """What the MTA hears at the end of a message."""

    PASS = "pass"
    TEMPFAIL = "tempfail"
    REJECT = "reject"


class Mta(Protocol):
    """What can be asked of the MTA at the end of a message. Methods raise TemporaryError where it is gone."""

    def report_progress(self) -> None:
        """Have it wait on."""

    def replace_message(
        self, changes: "Sequence[HeaderChange]", body: bytes, copy_to: str | None = None
    ) -> None:
        """Have it apply the changes in order, then take the body (CRLF), and deliver to `copy_to`, too."""


class Transaction(ABC):
    """One message, from MAIL FROM to its end. Call `close` whatever happened to it."""

    def __init__(self, envelope_sender: str) -> None:
        self._envelope_sender = envelope_sender
        self._recipients: list[str] = []
        self._refused_count = 0
        self._mailers: set[str] = set()
        self._headers: list[HeaderField] = []

    def add_recipient(self, address: str, mailer: str) -> None:
        """Take an envelope recipient, and the mailer that sendmail means to use for it ({rcpt_mailer})."""
        self._recipients.append(address)
        self._mailers.add(mailer)

    def keep_recipients(self, count: int) -> None:
        """Hear how many recipients other filters have left of those that were taken."""
        self._refused_count = max(0, len(self._recipients) - count)

    def add_header(self, name: str, value: bytes) -> None:
        """Take a header field: the octets after the colon, folds as LF and white space."""
        self._headers.append(HeaderField(name, value.replace(b"\n", b"\r\n")))

    @property
    def _envelope(self) -> Envelope:
        return Envelope(self._envelope_sender, tuple(self._recipients), self._refused_count)

    def _fields(self) -> Iterator[tuple[bytes, bool]]:
        """Yield each header field in wire form, and whether the message is stored with it."""
        for name, value in self._headers:
            yield b"%s:%s\r\n" % (name.encode(), value), name.lower() not in HIDDEN_FIELDS

    @abstractmethod
    def end_headers(self, queue_id: str, msg_size: int | None, own_names: Sequence[str] = ()) -> bool:
        """Tell whether the body is needed. `msg_size` is sendmail's {msg_size}, None where it gives none.

        `own_names` are those that the MTA puts behind addresses of its host, as far as it tells.
        """

    @abstractmethod
    def add_body(self, octets: bytes) -> None:
        """Take the next octets of the body, in wire form."""

    @abstractmethod
    def end_message(self, mta: Mta) -> Verdict:
        """Decide, and have the MTA carry it out. Never raises."""

    @abstractmethod
    def close(self) -> None:
        """Give back what the message took."""
