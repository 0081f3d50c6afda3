"""Other ends of the milter protocol: a filter that grows bodies, and relays between sendmail and ours."""

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable

from rig.mta.packets import BODY, CHUNK_BYTES, END_OF_MESSAGE, QUIT_CONNECTION, REPLACE_BODY, REPLY
from rig.servers.background import BackgroundServer
from woomera_milter.check.milter_client import (
    ABORT,
    CHANGE_BODY,
    CONTINUE,
    END_OF_HEADERS,
    MACROS,
    NEGOTIATE,
    QUIT,
    RCPT,
    VERSION,
    Packet,
    offer,
    packed,
)

_SILENT = (MACROS, ABORT, QUIT_CONNECTION)
_BODY_ONLY = 0x36F  # SMFIP_NO*: no connect, helo, mail, rcpt, headers, end of headers, unknown, data
_RECIPIENTS_ONLY = 0x377  # likewise, but for RCPT


class _Filter(BackgroundServer):
    """Listens where sendmail looks for a filter."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1")

    @property
    def socket(self) -> str:
        """What sendmail is told."""
        return f"inet:{self.port}@{self.host}"


class Footer(_Filter):
    """A filter that adds `text` to the end of every body, as those for disclaimers do."""

    def __init__(self, text: bytes) -> None:
        super().__init__()
        self.text = text

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Filter the messages of one SMTP connection."""
        body = b""
        while (packet := await _read(reader))[0] != QUIT:
            command, data = packet
            if command == NEGOTIATE:
                version = min(VERSION, int.from_bytes(data[:4], "big"))
                writer.write(packed(NEGOTIATE, offer(version, CHANGE_BODY, _BODY_ONLY)))
                continue
            if command in _SILENT:
                body = body if command == MACROS else b""
                continue
            body += data
            if command == END_OF_MESSAGE:
                grown = body + self.text
                for start in range(0, len(grown), CHUNK_BYTES):
                    writer.write(packed(REPLACE_BODY, grown[start : start + CHUNK_BYTES]))
                body = b""
            writer.write(packed(CONTINUE))
            await writer.drain()


class RecipientFilter(_Filter):
    """A filter that refuses the recipient `refused`, as those for policies do."""

    def __init__(self, refused: str) -> None:
        super().__init__()
        self.refused = refused

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Filter the recipients of one SMTP connection."""
        while (packet := await _read(reader))[0] != QUIT:
            command, data = packet
            if command == NEGOTIATE:
                version = min(VERSION, int.from_bytes(data[:4], "big"))
                writer.write(packed(NEGOTIATE, offer(version, 0, _RECIPIENTS_ONLY)))
            elif command == RCPT and self.refused.encode() in data:
                writer.write(packed(REPLY, b"550 5.7.1 Not for them\0"))
            elif command not in _SILENT:
                writer.write(packed(CONTINUE))
            await writer.drain()


class MilterRelay(_Filter, ABC):
    """Stands between sendmail and the milter at 127.0.0.1 and `target_port`, and sees every packet."""

    target_port: int

    @abstractmethod
    def relayed(self, packet: Packet, *, is_reply: bool) -> Iterable[Packet]:
        """Return what is sent on in the packet's stead; `is_reply`: the milter sent it.

        Raise ConnectionError to cut the connection.
        """

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection until either side ends it."""
        milter_reader, milter_writer = await asyncio.open_connection(self.host, self.target_port)
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
            for packet in self.relayed(await _read(reader), is_reply=is_reply):
                writer.write(packed(*packet))
            await writer.drain()


class MilterProxy(MilterRelay):
    """Passes all on, and counts what it sees.

    With `hide_msg_size` it keeps the macro {msg_size} from the milter, as an MTA does that has none.
    """

    def __init__(self, *, hide_msg_size: bool = False, split_bytes: int = CHUNK_BYTES) -> None:
        """`split_bytes`: the most of a new body in one packet, for an MTA that has no room for 64 KB."""
        super().__init__()
        self._hide_msg_size = hide_msg_size
        self._split_bytes = split_bytes
        self.body_bytes = 0
        """Of all message bodies that sendmail has sent to the milter."""

    def relayed(self, packet: Packet, *, is_reply: bool) -> Iterable[Packet]:
        """Return it, with or without the macro, whole or in pieces."""
        command, data = packet
        if is_reply and command == REPLACE_BODY:
            step = self._split_bytes
            return [(command, data[start : start + step]) for start in range(0, max(len(data), 1), step)]
        if not is_reply and command in (BODY, END_OF_MESSAGE):
            self.body_bytes += len(data)
        if self._hide_msg_size and not is_reply and command == MACROS and data.startswith(_AT_END_OF_HEADERS):
            data = re.sub(rb"\{msg_size\}\0[^\0]*\0", b"", data)
        return [(command, data)]


_AT_END_OF_HEADERS = END_OF_HEADERS.encode()


async def _read(reader: asyncio.StreamReader) -> Packet:
    packet = await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
    return chr(packet[0]), packet[1:]
