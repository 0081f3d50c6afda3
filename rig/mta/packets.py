"""The MTA's end of the milter protocol, by hand, for what no MTA would send; packets as `check` has them."""

import contextlib
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rig.mail.messages import RECIPIENT, SENDER
from woomera_milter.check.milter_client import (
    ALL_ACTIONS,
    ALL_STEPS,
    CONTINUE,
    END_OF_HEADERS,
    HEADER,
    MACROS,
    MAIL,
    NEGOTIATE,
    RCPT,
    Packet,
    offer,
    packed,
    read_packet,
)

CONNECT, HELO, DATA, BODY, END_OF_MESSAGE, QUIT_CONNECTION, UNKNOWN = "CHTBEKU"
TEMPFAIL, REPLY = "t", "y"
PROGRESS, REPLACE_BODY, ADD_HEADER, CHANGE_HEADER, ADD_RECIPIENT = "p", "b", "h", "m", "+"
CHUNK_BYTES = 65_535
QUEUE_ID = b"4AO9Xk1S012345"

_CHANGES = (REPLACE_BODY, ADD_HEADER, CHANGE_HEADER)


def head_of(
    message: bytes,
    *,
    queue_id: bytes = QUEUE_ID,
    msg_size: int | None = None,
    sender: str = SENDER,
    recipient: str = RECIPIENT,
) -> list[Packet]:
    """Return a message's envelope and headers (not folded), up to their end, as packets."""
    size = b"" if msg_size is None else b"{msg_size}\0%d\0" % msg_size
    fields = [line.split(b":", 1) for line in message.partition(b"\r\n\r\n")[0].split(b"\r\n")]
    return [
        (MAIL, b"<%s>\0" % sender.encode()),
        (MACROS, b"R{rcpt_mailer}\0relay\0"),
        (RCPT, b"<%s>\0" % recipient.encode()),
        *((HEADER, b"%s\0%s\0" % (name, value)) for name, value in fields),
        (MACROS, b"Ni\0" + queue_id + b"\0" + size),
        (END_OF_HEADERS, b""),
    ]


def body_of(message: bytes) -> list[Packet]:
    """Return a message's body, up to the end of the message, as packets."""
    body = message.partition(b"\r\n\r\n")[2]
    chunks = [body[start : start + CHUNK_BYTES] for start in range(0, len(body), CHUNK_BYTES)]
    return [*((BODY, chunk) for chunk in chunks), (END_OF_MESSAGE, b"")]


@dataclass(slots=True)
class Outcome:
    """What the milter made of a message: its answer (None: it hung up), and the changes before it."""

    answer: str | None
    text: bytes = b""
    body: bytes = b""
    headers: list[bytes] = field(default_factory=list)
    added_recipients: list[bytes] = field(default_factory=list)


class Mta:
    """A connection to the milter at `port`, as an MTA makes one."""

    def __init__(self, port: int, timeout_s: float = 5) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = self._socket.makefile("rb")

    def send(self, command: str, data: bytes = b"") -> None:
        self.send_raw(packed(command, data))

    def send_raw(self, octets: bytes) -> None:
        self._socket.sendall(octets)

    def say(self, packets: Sequence[Packet]) -> None:
        """Send them all, unless the milter hangs up before the last."""
        with contextlib.suppress(ConnectionError):
            for command, data in packets:
                self.send(command, data)

    def read(self) -> Packet | None:
        """Return the milter's next packet; None where it has hung up."""
        return read_packet(self._reader)

    def ask(self, command: str, data: bytes = b"") -> str | None:
        """Send a command and return the answer to it."""
        self.send(command, data)
        answer = self.read()
        return answer and answer[0]

    def negotiate(self, actions: int = ALL_ACTIONS, steps: int = ALL_STEPS) -> bytes | None:
        """Offer these; return what the milter wants of them, or None where it hangs up."""
        self.send(NEGOTIATE, offer(actions=actions, steps=steps))
        answer = self.read()
        return answer and answer[1]

    def begin(self, message: bytes, msg_size: int | None = None) -> str | None:
        """Hand over all but the body; return the answer. `msg_size`: the macro {msg_size}."""
        self.say(head_of(message, msg_size=msg_size))
        answer = self.read()
        return answer and answer[0]

    def hand_over(self, message: bytes, msg_size: int | None = None) -> Outcome:
        """Hand over a whole message, on a connection that has negotiated."""
        answer = self.begin(message, msg_size)
        if answer != CONTINUE:
            return Outcome(answer)
        self.say(body_of(message))
        return self.outcome()

    def outcome(self) -> Outcome:
        """Read up to the answer to END_OF_MESSAGE."""
        outcome = Outcome(None)
        while packet := self.read():
            command, data = packet
            if command == REPLACE_BODY:
                outcome.body += data
            elif command in _CHANGES:
                outcome.headers.append(data)
            elif command == ADD_RECIPIENT:
                outcome.added_recipients.append(data.rstrip(b"\0"))
            elif command != PROGRESS:
                outcome.answer, outcome.text = command, data
                break
        return outcome

    def hang_up(self) -> None:
        """Send no more, and wait until the milter hangs up, too; raise TimeoutError where it does not."""
        with contextlib.suppress(OSError):  # the milter may have been the first to
            self._socket.shutdown(socket.SHUT_WR)
        while self.read():
            pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._reader.close()
        self._socket.close()
