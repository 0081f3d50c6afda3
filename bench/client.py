"""An SMTP client that costs next to nothing, so that what is measured is the server's work.

Messages are made ready for the wire beforehand; each goes over a connection of its own, as the `sendmail`
command sends them.
"""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from rig.mail.messages import RECIPIENT, SENDER
from rig.mta.smtp import dot_stuffed

TIMEOUT_S = 300
_COMMANDS = (
    (b"EHLO client.bench.example\r\n", b"250"),
    (b"MAIL FROM:<%s>\r\n" % SENDER.encode(), b"250"),
    (b"RCPT TO:<%s>\r\n" % RECIPIENT.encode(), b"250"),
    (b"DATA\r\n", b"354"),
)


class DeliveryError(RuntimeError):
    """The server did not take a message, so there is nothing to measure."""


def on_the_wire(message: bytes) -> bytes:
    """Return the octets that follow DATA for a message that ends with CRLF."""
    return dot_stuffed(message) + b".\r\n"


def deliver(port: int, wire: bytes) -> float:
    """Hand over one message; return the seconds from the connection to the last 250.

    Raise DeliveryError where the server refuses it.
    """
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        with connection.makefile("rb") as replies:

            def expect(code: bytes) -> None:
                while True:
                    line = replies.readline()
                    if not line.startswith(code):
                        raise DeliveryError(f"sendmail said {line!r}, not {code.decode()}")
                    if line[3:4] != b"-":
                        return

            expect(b"220")
            for command, code in _COMMANDS:
                connection.sendall(command)
                expect(code)
            connection.sendall(wire)
            expect(b"250")
            took_s = time.perf_counter() - began
            connection.sendall(b"QUIT\r\n")
            expect(b"221")
    return took_s


def deliver_at_once(port: int, wire: bytes, clients: int, messages_each: int = 1) -> list[float]:
    """Have `clients` begin together, each with `messages_each` one after another; return all the times."""
    start = Barrier(clients)

    def work(_: int) -> list[float]:
        start.wait()
        return [deliver(port, wire) for _ in range(messages_each)]

    with ThreadPoolExecutor(clients) as pool:
        return [took_s for times in pool.map(work, range(clients)) for took_s in times]
