"""A look at a running milter from the MTA's side: it takes the beginning of a message, which is then dropped.

Speaks the milter protocol, version 6 (sendmail's include/libmilter/mfdef.h): a packet is its length in
4 octets, big-endian, a command in one, and data. Nothing is delivered, stored or counted.
"""

import socket
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Self

from woomera_milter.milter.sockets import connected

TIMEOUT_S = 10.0

ADD_HEADERS, CHANGE_BODY, CHANGE_HEADERS = 0x01, 0x02, 0x10
ALL_ACTIONS, ALL_STEPS = 0x1FF, 0x1FFFFF
VERSION = 6
_MAX_PACKET_BYTES = 1 << 20
NEGOTIATE, MACROS, MAIL, RCPT, HEADER, END_OF_HEADERS, ABORT, QUIT = "ODMRLNAQ"
ACCEPT, CONTINUE = "a", "c"

Packet = tuple[str, bytes]
"""A command and its data."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a milter asks of the MTA: the changes that it may make, and macros (as "i {msg_size}" a stage)."""

    actions: int
    macros: bytes


class ProbeError(Exception):
    """The milter did not do what it should; the text says what it did."""


def packed(command: str, data: bytes = b"") -> bytes:
    """Return the packet as it stands on the wire."""
    return (len(data) + 1).to_bytes(4, "big") + command.encode() + data


def offer(version: int = VERSION, actions: int = ALL_ACTIONS, steps: int = ALL_STEPS) -> bytes:
    """Return the data of NEGOTIATE: by default all that a new sendmail offers."""
    return b"".join(number.to_bytes(4, "big") for number in (version, actions, steps))


def read_packet(reader: BinaryIO) -> Packet | None:
    """Return the next packet, None where the other side has hung up; raise TimeoutError."""
    try:
        length = int.from_bytes(reader.read(4), "big")
        packet = reader.read(length) if length <= _MAX_PACKET_BYTES else b""
    except TimeoutError:
        raise
    except OSError:
        packet = b""
    return (chr(packet[0]), packet[1:]) if packet else None


def probe(address: str, mailer: str, msg_size: int, timeout_s: float = TIMEOUT_S) -> Request:
    """Return what the milter at `address` asks for, once it has taken the beginning of a message.

    The message is for `mailer`, and sendmail's {msg_size} for it is `msg_size`. Raise OSError where nobody
    listens, ProbeError where the answers are wrong.
    """
    with _Mta(connected(address, timeout_s)) as mta:
        request = mta.negotiate()
        mta.send(MAIL, b"<check@localhost>\0")
        mta.send(MACROS, f"R{{rcpt_mailer}}\0{mailer}\0".encode())
        mta.send(RCPT, b"<check@localhost>\0")
        mta.send(HEADER, b"Subject\0 woomera check\0")
        mta.send(MACROS, f"Ni\0check\0{{msg_size}}\0{msg_size}\0".encode())
        mta.send(END_OF_HEADERS)
        answer, _ = mta.read()
        if answer not in (ACCEPT, CONTINUE):
            raise ProbeError(f"answers the headers of a message with {answer!r}")
        mta.send(ABORT)
        mta.send(QUIT)
    return request


class _Mta:
    """A connection to the milter, as an MTA makes one."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._reader = self._socket.makefile("rb")

    def negotiate(self) -> Request:
        """Offer all that a new sendmail does; return what is asked for."""
        self.send(NEGOTIATE, offer())
        answer, data = self.read()
        if answer != NEGOTIATE or len(data) < 12:
            raise ProbeError("does not speak the milter protocol")
        return Request(int.from_bytes(data[4:8], "big"), data[12:])

    def send(self, command: str, data: bytes = b"") -> None:
        self._socket.sendall(packed(command, data))

    def read(self) -> Packet:
        try:
            packet = read_packet(self._reader)
        except TimeoutError:
            raise ProbeError("does not answer in time") from None
        if packet is None:
            raise ProbeError("hangs up")
        return packet

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()
        self._socket.close()
