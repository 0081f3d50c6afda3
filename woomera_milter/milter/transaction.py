"""One mail transaction (RFC 5321, section 3.3) as a milter sees it: what the two milters have in common.

Knows nothing of libmilter: `connection.py` calls it and carries out what it decides.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from enum import Enum

from woomera_milter import log
from woomera_milter.message.envelope import HIDDEN_FIELDS, Envelope
from woomera_milter.message.fields import HeaderField
from woomera_milter.milter.intercept import Replacement


class Verdict(Enum):
    """What becomes of a message that is not replaced."""

    PASS = "pass"
    TEMPFAIL = "tempfail"
    REJECT = "reject"


class Transaction(ABC):
    """One message, from MAIL FROM to its end. Call `close` whatever happened to it."""

    def __init__(self, envelope_sender: str) -> None:
        self._envelope_sender = envelope_sender
        self._recipients: list[str] = []
        self._mailers: set[str] = set()
        self._headers: list[HeaderField] = []

    def add_recipient(self, address: str, mailer: str) -> None:
        """Take an envelope recipient, and the mailer that sendmail means to use for it ({rcpt_mailer})."""
        self._recipients.append(address)
        self._mailers.add(mailer)

    def add_header(self, name: str, value: bytes) -> None:
        """Take a header field: the octets after the colon, folds as LF and white space."""
        self._headers.append(HeaderField(name, value.replace(b"\n", b"\r\n")))

    @property
    def _envelope(self) -> Envelope:
        return Envelope(self._envelope_sender, tuple(self._recipients))

    def _fields(self) -> Iterator[tuple[bytes, bool]]:
        """Yield each header field in wire form, and whether the message is stored with it."""
        for name, value in self._headers:
            yield b"%s:%s\r\n" % (name.encode(), value), name.lower() not in HIDDEN_FIELDS

    @abstractmethod
    def end_headers(self, queue_id: str, msg_size: int | None) -> bool:
        """Tell whether the body is needed. `msg_size` is sendmail's {msg_size}, None where it gives none."""

    @abstractmethod
    def add_body(self, octets: bytes) -> None:
        """Take the next octets of the body, in wire form."""

    @abstractmethod
    def end_message(self, progress: Callable[[], None]) -> Replacement | Verdict:
        """Decide; call `progress` every few seconds. Never raises."""

    def replaced(self, replacement: Replacement) -> None:
        """The MTA has taken what `end_message` returned: only now the message is intercepted."""
        log.intercepted(
            replacement.queue_id,
            replacement.message_id,
            measured_bytes=replacement.measured_bytes,
            store_s=replacement.store_s,
            expires_at=replacement.links_expire_at,
        )

    def not_replaced(self, replacement: Replacement) -> Verdict:
        """The MTA is gone or will not do it; whatever on_failure says, half a change must not pass."""
        log.failed(
            replacement.queue_id, "mta", Verdict.TEMPFAIL.value, "the MTA refused a change to the message"
        )
        return Verdict.TEMPFAIL

    @abstractmethod
    def close(self) -> None:
        """Give back what the message took."""
