"""A relay between sendmail and the milter that acts at a given packet: each moment of a message can be hit.

The packets are those of libmilter's protocol (sendmail's include/libmilter/mfdef.h): a length in 4 octets,
big-endian, a command in one octet, and data.
"""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from rig.servers.background import BackgroundServer


class Step(Enum):
    """A packet that begins a step: its command, and whether the milter sends it."""

    MAIL = ("M", False)
    RCPT = ("R", False)
    HEADER = ("L", False)
    END_OF_HEADERS = ("N", False)
    BODY = ("B", False)
    END_OF_MESSAGE = ("E", False)
    CHANGE_HEADER = ("m", True)
    REPLACE_BODY = ("b", True)
    ACCEPT = ("a", True)

    def __init__(self, command: str, is_reply: bool) -> None:
        self.command = command.encode()
        self.is_reply = is_reply


@dataclass(frozen=True, slots=True)
class _Trap:
    step: Step
    spring: Callable[[], object]
    sprung: threading.Event


class Tripwire(BackgroundServer):
    """Relays between sendmail and the milter at 127.0.0.1 and `milter_port`, until what is `set` happens."""

    milter_port: int

    def __init__(self) -> None:
        super().__init__("127.0.0.1")
        self._trap: _Trap | None = None

    @property
    def socket(self) -> str:
        """What sendmail is told instead of the milter's own socket."""
        return f"inet:{self.port}@{self.host}"

    def set(self, step: Step, spring: Callable[[], object]) -> threading.Event:
        """Call `spring` at the next packet of that kind, once, and cut the connection instead of relaying it.

        The event that is returned is set when it has happened.
        """
        self._trap = _Trap(step, spring, threading.Event())
        return self._trap.sprung

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection until either side ends it."""
        milter_reader, milter_writer = await asyncio.open_connection(self.host, self.milter_port)
        relays = [
            asyncio.create_task(self._relay(reader, milter_writer, is_reply=False)),
            asyncio.create_task(self._relay(milter_reader, writer, is_reply=True)),
        ]
        try:
            await asyncio.wait(relays, return_when=asyncio.FIRST_COMPLETED)
        finally:
            milter_writer.transport.abort()
            for relay in relays:
                relay.cancel()
            await asyncio.gather(*relays, return_exceptions=True)

    async def _relay(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_reply: bool
    ) -> None:
        while True:
            length = await reader.readexactly(4)
            packet = await reader.readexactly(int.from_bytes(length, "big"))
            trap = self._trap
            if trap and (trap.step.command, trap.step.is_reply) == (packet[:1], is_reply):
                self._trap = None
                trap.spring()
                trap.sprung.set()
                return
            writer.write(length + packet)
            await writer.drain()
