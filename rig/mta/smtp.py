"""An SMTP client that sends exactly the octets it is given and hides no reply.

smtplib rewrites line ends and raises where a test wants to look at the reply.
"""

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

_CLIENT_NAME = "client.rig.example"


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply to one command (RFC 5321 section 4.2)."""

    code: int
    lines: tuple[str, ...]
    """Their texts, without codes."""

    @property
    def ok(self) -> bool:
        """Tell whether the command succeeded."""
        return 200 <= self.code < 300

    def __str__(self) -> str:
        return f"{self.code} {' / '.join(self.lines)}"


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the server said to one message; `data` is None where it took neither sender nor recipient."""

    mail: Reply
    recipients: tuple[Reply, ...]
    data: Reply | None

    @property
    def ok(self) -> bool:
        """Tell whether the server took the message (for those recipients that it took)."""
        return self.data is not None and self.data.ok

    @property
    def last(self) -> Reply:
        """The reply that decided the message's fate."""
        return self.data or (self.recipients or (self.mail,))[-1]

    @property
    def queue_id(self) -> str:
        """The id under which sendmail took the message, as in its log."""
        found = re.search(r"(\S+) Message accepted for delivery", str(self.data))
        if found is None:
            raise ValueError(f"no queue id in the reply: {self.last}")
        return found[1]


class SmtpClient:
    """A connection on which EHLO has been said; the end of the `with` block says QUIT, `close` just cuts."""

    def __init__(self, port: int, host: str = "127.0.0.1", *, timeout_s: float = 60) -> None:
        self._socket = socket.create_connection((host, port), timeout=timeout_s)
        self._replies = self._socket.makefile("rb")
        try:
            self.greeting = self._read_reply()
            self.ehlo = self.command(f"EHLO {_CLIENT_NAME}")
        except OSError:
            self.close()
            raise

    def command(self, line: str) -> Reply:
        """Send one command; return the reply. Raise ConnectionError where the server has gone."""
        self._socket.sendall(line.encode() + b"\r\n")
        return self._read_reply()

    def send(
        self,
        message: bytes,
        *,
        sender: str,
        recipients: Sequence[str],
        mail_parameters: str = "",
        rcpt_parameters: str = "",
    ) -> Exchange:
        """Hand over one message, as far as the server lets us. `sender` may be "": the null sender.

        The parameters are those of RFC 5321 section 4.1.1.11, such as "BODY=8BITMIME" or "NOTIFY=SUCCESS".
        """
        mail = self.command(f"MAIL FROM:<{sender}> {mail_parameters}".rstrip())
        if not mail.ok:
            return Exchange(mail, (), None)
        taken = tuple(self.command(f"RCPT TO:<{it}> {rcpt_parameters}".rstrip()) for it in recipients)
        if not any(it.ok for it in taken):
            return Exchange(mail, taken, None)
        return Exchange(mail, taken, self.data(message))

    def data(self, message: bytes) -> Reply:
        """Send DATA and the message; return the reply to it, or to DATA where that was refused.

        The end mark needs a CRLF before it, which counts as the message's (RFC 5321 section 4.1.1.4): a
        message without a final line end gets one.
        """
        invitation = self.command("DATA")
        if invitation.code != 354:
            return invitation
        end = b".\r\n" if message.endswith(b"\r\n") else b"\r\n.\r\n"
        try:
            self._socket.sendall(dot_stuffed(message) + end)
        except ConnectionError:
            return self._read_reply()  # what it said before it hung up, if that still reached us
        return self._read_reply()

    def abort_in_data(self, beginning: bytes) -> None:
        """Send DATA and the beginning of a message, then cut the connection."""
        self.command("DATA")
        self._socket.sendall(dot_stuffed(beginning))
        self.close()

    def close(self) -> None:
        """Cut the connection without QUIT."""
        self._replies.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None and not self._replies.closed:
                self.command("QUIT")
        except ConnectionError:
            pass  # it hung up first, as after a 421
        finally:
            self.close()

    def _read_reply(self) -> Reply:
        lines = []
        while True:
            line = self._replies.readline()
            if not line.endswith(b"\n"):
                raise ConnectionError("the server closed the connection without a reply")
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            lines.append(text[4:])
            if text[3:4] != "-":
                return Reply(int(text[:3]), tuple(lines))


def send(
    port: int, message: bytes, *, sender: str, recipients: Sequence[str], host: str = "127.0.0.1"
) -> Exchange:
    """Hand over one message on a connection of its own."""
    with SmtpClient(port, host) as client:
        return client.send(message, sender=sender, recipients=recipients)


def dot_stuffed(message: bytes) -> bytes:
    """Return `message` with a second dot before each line that begins with one (RFC 5321 section 4.5.2)."""
    return (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:]
