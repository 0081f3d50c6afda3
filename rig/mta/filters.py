"""Other ends of the milter protocol: a filter that grows bodies, and an observer between sendmail and ours.

A packet is its length (4 octets, big-endian), a command's octet, and data (sendmail's libmilter/mfdef.h).
"""

import asyncio
import contextlib
import re

from rig.servers.background import BackgroundServer

_MACRO, _BODY, _END_OF_MESSAGE, _QUIT, _NEGOTIATE, _END_OF_HEADERS = b"D", b"B", b"E", b"Q", b"O", b"N"
_ABORT, _QUIT_CONNECTION = b"A", b"K"
_CONTINUE, _REPLACE_BODY = b"c", b"b"
_CHUNK_BYTES = 65_535
_SILENT = (_MACRO, _ABORT, _QUIT_CONNECTION)

_CHANGES_BODY = 0x02  # SMFIF_CHGBODY
_BODY_ONLY = 0x36F  # SMFIP_NO*: no connect, helo, mail, rcpt, headers, end of headers, unknown, data


class Footer(BackgroundServer):
    """A filter that adds `text` to the end of every body, as those for disclaimers do."""

    def __init__(self, text: bytes) -> None:
        super().__init__("127.0.0.1")
        self.text = text

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Filter the messages of one SMTP connection."""
        body = b""
        while (packet := await _read_packet(reader))[:1] != _QUIT:
            command, data = packet[:1], packet[1:]
            if command == _NEGOTIATE:
                options = _CHANGES_BODY.to_bytes(4, "big") + _BODY_ONLY.to_bytes(4, "big")
                _write_packet(writer, _NEGOTIATE + data[:4] + options)
                continue
            if command in _SILENT:
                body = body if command == _MACRO else b""
                continue
            body += data
            if command == _END_OF_MESSAGE:
                grown = body + self.text
                for start in range(0, len(grown), _CHUNK_BYTES):
                    _write_packet(writer, _REPLACE_BODY + grown[start : start + _CHUNK_BYTES])
                body = b""
            _write_packet(writer, _CONTINUE)
            await writer.drain()


class MilterProxy(BackgroundServer):
    """Passes all on between sendmail and the milter at `target_port`, and counts what it sees.

    With `hide_msg_size` it keeps the macro {msg_size} from the milter, as an MTA does that has none.
    """

    target_port: int

    def __init__(self, *, hide_msg_size: bool = False, split_bytes: int = _CHUNK_BYTES) -> None:
        """`split_bytes`: the most of a new body in one packet, for an MTA that has no room for 64 KB."""
        super().__init__("127.0.0.1")
        self._hide_msg_size = hide_msg_size
        self._split_bytes = split_bytes
        self.body_bytes = 0
        """Of all message bodies that sendmail has sent to the milter."""

    @property
    def socket(self) -> str:
        """What sendmail's FEATURE is told instead of the milter's own socket."""
        return f"inet:{self.port}@{self.host}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection until either side ends it."""
        milter_reader, milter_writer = await asyncio.open_connection(self.host, self.target_port)
        replies = asyncio.create_task(self._relay_replies(milter_reader, writer))
        try:
            while True:
                packet = await _read_packet(reader)
                if packet[:1] in (_BODY, _END_OF_MESSAGE):
                    self.body_bytes += len(packet) - 1
                if self._hide_msg_size and packet[:2] == _MACRO + _END_OF_HEADERS:
                    packet = re.sub(rb"\{msg_size\}\0[^\0]*\0", b"", packet)
                _write_packet(milter_writer, packet)
                await milter_writer.drain()
        finally:
            replies.cancel()
            milter_writer.close()

    async def _relay_replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):  # the milter has hung up
            while True:
                packet = await _read_packet(reader)
                step = self._split_bytes if packet[:1] == _REPLACE_BODY else len(packet)
                for start in range(1, max(len(packet), 2), step):
                    _write_packet(writer, packet[:1] + packet[start : start + step])
                await writer.drain()
        writer.close()


async def _read_packet(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))


def _write_packet(writer: asyncio.StreamWriter, packet: bytes) -> None:
    writer.write(len(packet).to_bytes(4, "big") + packet)
