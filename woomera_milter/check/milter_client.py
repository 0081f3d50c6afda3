"""A look at a running milter from the MTA's side: it takes the beginning of a message, which is then dropped.

Speaks the milter protocol, version 6 (sendmail's include/libmilter/mfdef.h): a packet is its length in
4 octets, a command in one, and data. Nothing is delivered, stored or counted.
"""

import socket
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from woomera_milter.milter.sockets import connected

TIMEOUT_S = 10.0

ADD_HEADERS, CHANGE_BODY, CHANGE_HEADERS = 0x01, 0x02, 0x10
_ALL_ACTIONS, _ALL_STEPS = 0x1FF, 0x1FFFFF
_VERSION = 6
_MAX_PACKET_BYTES = 1 << 20
_NEGOTIATE, _MACROS, _MAIL, _RCPT, _HEADER, _END_OF_HEADERS, _ABORT, _QUIT = "ODMRLNAQ"
_ACCEPT, _CONTINUE = "a", "c"


@dataclass(frozen=True, slots=True)
class Request:
    """What a milter asks of the MTA: the changes that it may make, and macros (as "i {msg_size}" a stage)."""

    actions: int
    macros: bytes


class ProbeError(Exception):
    """The milter did not do what it should; the text says what it did."""


def probe(address: str, mailer: str, msg_size: int, timeout_s: float = TIMEOUT_S) -> Request:
    """Return what the milter at `address` asks for, once it has taken the beginning of a message.

    The message is for `mailer`, and sendmail's {msg_size} for it is `msg_size`. Raise OSError where nobody
    listens, ProbeError where the answers are wrong.
    """
    with _Mta(connected(address, timeout_s)) as mta:
        request = mta.negotiate()
        mta.send(_MAIL, b"<check@localhost>\0")
        mta.send(_MACROS, f"R{{rcpt_mailer}}\0{mailer}\0".encode())
        mta.send(_RCPT, b"<check@localhost>\0")
        mta.send(_HEADER, b"Subject\0 woomera check\0")
        mta.send(_MACROS, f"Ni\0check\0{{msg_size}}\0{msg_size}\0".encode())
        mta.send(_END_OF_HEADERS)
        answer, _ = mta.read()
        if answer not in (_ACCEPT, _CONTINUE):
            raise ProbeError(f"answers the headers of a message with {answer!r}")
        mta.send(_ABORT)
        mta.send(_QUIT)
    return request


class _Mta:
    """A connection to the milter, as an MTA makes one."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._reader = self._socket.makefile("rb")

    def negotiate(self) -> Request:
        """Offer all that a new sendmail does; return what is asked for."""
        offer = b"".join(it.to_bytes(4, "big") for it in (_VERSION, _ALL_ACTIONS, _ALL_STEPS))
        self.send(_NEGOTIATE, offer)
        answer, data = self.read()
        if answer != _NEGOTIATE or len(data) < 12:
            raise ProbeError("does not speak the milter protocol")
        return Request(int.from_bytes(data[4:8], "big"), data[12:])

    def send(self, command: str, data: bytes = b"") -> None:
        self._socket.sendall((len(data) + 1).to_bytes(4, "big") + command.encode() + data)

    def read(self) -> tuple[str, bytes]:
        try:
            length = int.from_bytes(self._reader.read(4), "big")
            packet = self._reader.read(length) if length <= _MAX_PACKET_BYTES else b""
        except TimeoutError:
            raise ProbeError("does not answer in time") from None
        except OSError:
            packet = b""
        if not packet:
            raise ProbeError("hangs up")
        return chr(packet[0]), packet[1:]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()
        self._socket.close()
