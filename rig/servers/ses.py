"""A stand-in for Amazon SES's SMTP endpoint: accepts and refuses what SES does, and keeps every octet.

The limits and replies are those of SES's documentation (quotas, header fields) and of captures of its
replies. It is stricter than SES where our notices promise more: no 8-bit header and no header line of
over 998 octets (RFC 5322 section 2.1.1) passes.
"""

import asyncio
import re
import threading
from collections import Counter
from dataclasses import dataclass, field

from rig.servers.background import BackgroundServer

SES_HOST = "127.0.0.3"
"""Not 127.0.0.1, which a sendmail that relays to it would take for itself."""
SES_LIMIT_BYTES = 10 * 1024 * 1024
MAX_RECIPIENTS = 50
MAX_HEADER_LINE_BYTES = 998

_END_OF_DATA = b"\r\n.\r\n"
_BUFFER_BYTES = 1 << 20
_PATH = re.compile(r"(?:MAIL FROM|RCPT TO):\s*<([^>]*)>(.*)", re.IGNORECASE)

# docs.aws.amazon.com/ses/latest/dg/header-fields.html: these "can't appear more than once".
_SINGLE_FIELDS = """
    accept-language acceptlanguage archived-at auto-submitted bounces-to comments content-alternative
    content-base content-class content-description content-disposition content-duration content-id
    content-language content-length content-location content-md5 content-transfer-encoding content-type
    date delivered-to disposition-notification-options disposition-notification-to dkim-signature
    domainkey-signature errors-to from importance in-reply-to keywords list-archive list-help list-id
    list-owner list-post list-subscribe list-unsubscribe list-unsubscribe-post message-context message-id
    mime-version organization original-from original-message-id original-recipient original-subject
    precedence priority references reply-to return-path return-receipt-to sender solicitation sensitivity
    subject thread-index thread-topic user-agent vbr-info
    """
SINGLE_FIELDS = frozenset(_SINGLE_FIELDS.split())


@dataclass(frozen=True, slots=True)
class Transaction:
    """A message that was handed over, whether it was taken or refused."""

    envelope_sender: str
    recipients: tuple[str, ...]
    message: bytes = field(repr=False)
    """As sent: CRLF line ends, dots unstuffed (RFC 5321 section 4.5.2)."""
    reply: str


class Ses(BackgroundServer):
    """Listens on `SES_HOST` while the `with` block runs; `go_dark` and `listen` take it away and back."""

    def __init__(self, *, limit_bytes: int = SES_LIMIT_BYTES, smtputf8: bool = False) -> None:
        """`smtputf8`: it offers and takes SMTPUTF8 (RFC 6531), as other relays do and SES does not."""
        super().__init__(SES_HOST, buffer_bytes=_BUFFER_BYTES)
        self.limit_bytes = limit_bytes
        self._smtputf8 = smtputf8
        self.throttled = False
        """While true, every message is answered with SES's throttling reply, a 454."""
        self.announces_size = False
        """While true, EHLO names its limit, as SES did until about 2020."""
        self.unverified_senders: frozenset[str] = frozenset()
        """SES sends for none of these envelope senders."""
        self._transactions: list[Transaction] = []
        self._changed = threading.Condition()

    @property
    def transactions(self) -> list[Transaction]:
        """The messages taken or refused so far, oldest first."""
        with self._changed:
            return list(self._transactions)

    @property
    def accepted(self) -> list[Transaction]:
        """The messages taken so far, oldest first."""
        return [it for it in self.transactions if it.reply.startswith("250")]

    @property
    def refused(self) -> list[Transaction]:
        """The messages refused so far, oldest first."""
        return [it for it in self.transactions if not it.reply.startswith("250")]

    def wait_for(self, count: int, timeout_s: float = 10) -> list[Transaction]:
        """Return the accepted messages once there are `count`; raise TimeoutError where they stay away."""
        with self._changed:
            if self._changed.wait_for(lambda: len(self.accepted) >= count, timeout_s):
                return self.accepted
        replies = [it.reply for it in self.refused]
        raise TimeoutError(
            f"SES has {len(self.accepted)} of {count} messages after {timeout_s:g} s; it refused: {replies}"
        )

    def clear(self) -> None:
        """Forget all messages."""
        with self._changed:
            self._transactions.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak SMTP until QUIT."""
        writer.write(b"220 email-smtp.rig.example ESMTP SimpleEmailService\r\n")
        envelope = _Envelope(self._smtputf8)
        verb = ""
        while verb != "QUIT":
            line = (await reader.readuntil(b"\r\n")).decode("utf-8", "replace").strip()
            verb = line.partition(" ")[0].upper()
            if verb == "DATA" and envelope.recipients:
                writer.write(b"354 End data with <CR><LF>.<CR><LF>\r\n")
                reply = self._take(envelope, await _read_message(reader))
                envelope.clear()
            else:
                reply = envelope.reply_to(verb, line)
                if verb == "EHLO" and self.announces_size:
                    reply = reply.replace("250 Ok", f"250-SIZE {self.limit_bytes}\r\n250 Ok")
            writer.write(reply.encode("ascii", "replace") + b"\r\n")
            await writer.drain()

    def _take(self, envelope: "_Envelope", message: bytes) -> str:
        sender, recipients = envelope.sender or "", tuple(envelope.recipients)
        if self.throttled:
            reply = "454 Throttling failure: Maximum sending rate exceeded."
        elif sender in self.unverified_senders:
            reply = (
                "554 Message rejected: Email address is not verified. "
                f"The following identities failed the check in region US-EAST-1: {sender}"
            )
        else:
            reply = self._refusal(recipients, message) or f"250 Ok {len(self._transactions):024x}"
        with self._changed:
            self._transactions.append(Transaction(sender, recipients, message, reply))
            self._changed.notify_all()
        return reply

    def _refusal(self, recipients: tuple[str, ...], message: bytes) -> str:
        """Return SES's reply to what it does not take, else an empty text."""
        if len(message) > self.limit_bytes:
            return "552 5.3.4 Message is too long"
        if len(recipients) > MAX_RECIPIENTS:
            return f"554 Transaction failed: Recipient count exceeds {MAX_RECIPIENTS}."
        lines = header_lines(message)
        for name, count in Counter(map(field_name, lines)).items():
            if count > 1 and name in SINGLE_FIELDS:
                return f"554 Transaction failed: Duplicate header '{name}'."
        if not all(line.isascii() for line in lines):
            return "554 Transaction failed: Header is not ASCII."
        if any(len(line) > MAX_HEADER_LINE_BYTES for line in lines):
            return f"554 Transaction failed: Header line exceeds {MAX_HEADER_LINE_BYTES} octets."
        return ""


@dataclass(slots=True)
class _Envelope:
    """What the client has said since its last message."""

    smtputf8: bool
    sender: str | None = None
    recipients: list[str] = field(default_factory=list)
    is_utf8: bool = False
    """Whether the client has said SMTPUTF8 of this message."""

    def clear(self) -> None:
        self.sender, self.recipients, self.is_utf8 = None, [], False

    def reply_to(self, verb: str, line: str) -> str:
        """Return the reply to a command, which must come in the order of RFC 5321 section 3.3."""
        path = _PATH.fullmatch(line)
        match verb:
            case "EHLO":
                self.clear()
                extensions = ["8BITMIME", *(["SMTPUTF8"] if self.smtputf8 else [])]
                return "\r\n".join(
                    ["250-email-smtp.rig.example", *(f"250-{it}" for it in extensions), "250 Ok"]
                )
            case "HELO" | "RSET":
                self.clear()
                return "250 Ok"
            case "MAIL" | "RCPT" if path is None:
                return "501 Invalid address"
            case "MAIL" if path and (unknown := _unknown_parameters(path[2], smtputf8=self.smtputf8)):
                return f"555 5.5.4 Unsupported option: {unknown[0]}"
            case "MAIL" if path:
                is_utf8 = "SMTPUTF8" in path[2].upper().split()
                if not path[1] or not (is_utf8 or path[1].isascii()):
                    return "501 Invalid MAIL FROM address provided"
                self.sender, self.recipients, self.is_utf8 = path[1], [], is_utf8
                return "250 Ok"
            case "RCPT" if path and not (self.is_utf8 or path[1].isascii()):
                return "501 Invalid RCPT TO address provided"
            case "RCPT" if path and self.sender is not None:
                self.recipients.append(path[1])
                return "250 Ok"
            case "RCPT" | "DATA":
                return "503 Bad sequence of commands"
            case "NOOP":
                return "250 Ok"
            case "QUIT":
                return "221 Bye"
            case _:
                return "502 Command not implemented"


def header_lines(message: bytes) -> list[bytes]:
    """Return the lines of the header section, those that continue a field (folds) among them."""
    return message.partition(b"\r\n\r\n")[0].split(b"\r\n")


def field_name(header_line: bytes) -> str:
    """Return the lower-case name of the header field that `header_line` begins; "" where it continues one."""
    if header_line[:1] in (b" ", b"\t"):
        return ""
    return header_line.partition(b":")[0].strip().decode("latin-1").lower()


def _unknown_parameters(parameters: str, *, smtputf8: bool) -> list[str]:
    """Return those that no server may be sent which does not announce them (RFC 5321 section 4.1.1.11)."""
    known = {"BODY=8BITMIME", "BODY=7BIT"} | ({"SMTPUTF8"} if smtputf8 else set())
    return [it for it in parameters.split() if it.upper() not in known]


async def _read_message(reader: asyncio.StreamReader) -> bytes:
    """Read up to the line of a lone dot and take out the stuffed dots (RFC 5321 section 4.5.2)."""
    received = bytearray(b"\r\n")  # a dot that comes first of all ends the message too
    while (end := received.find(_END_OF_DATA, -_BUFFER_BYTES - len(_END_OF_DATA))) < 0:
        chunk = await reader.read(_BUFFER_BYTES)
        if not chunk:
            raise EOFError("the client left amid its message")
        received += chunk
    if len(received) > end + len(_END_OF_DATA):
        raise ConnectionError("the client goes on without waiting for the reply to its message")
    return bytes(received[: end + 2].replace(b"\r\n.", b"\r\n")[2:])
