"""A proxy in front of an S3 server that fails on demand, in the ways in which networks and servers fail."""

import asyncio
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from rig.servers.background import BackgroundServer

_CHUNK_BYTES = 1 << 16
_SLOW_WRITES_PER_S = 20
_RST_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Pass:
    """All is well."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nothing listens on the port, and open connections are cut."""


@dataclass(frozen=True, slots=True)
class Hang:
    """Takes that much of the request's body, then neither reads nor answers; the server hears nothing."""

    after_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Reset:
    """Takes that much of the request's body, then resets the connection (RST); the server hears nothing."""

    after_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """Takes the request and answers in the server's place, which hears nothing."""

    status: int = 503
    code: str = "SlowDown"


@dataclass(frozen=True, slots=True)
class Slow:
    """Passes the request's body on at this pace."""

    bytes_per_s: int


@dataclass(frozen=True, slots=True)
class Corrupt:
    """Flips a bit of the octet at this offset of the request's body; a shorter body passes unharmed."""

    at_byte: int = 0


@dataclass(frozen=True, slots=True)
class LoseReply:
    """The server does its work, but no more than this of its reply arrives; `hangs`: the client waits on."""

    after_bytes: int = 0
    hangs: bool = False


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The server's whole reply, head and body, is what `edit` makes of it; Content-Length is put right."""

    edit: Callable[[bytes], bytes]


Fault = Pass | Refuse | Hang | Reset | Answer | Slow | Corrupt | LoseReply | Rewrite


class FaultProxy(BackgroundServer):
    """Relays HTTP/1.1 from a port of its own to an S3 server, with the fault that is `set`."""

    def __init__(
        self, target_port: int, *, target_host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
    ) -> None:
        """With `tls` it speaks HTTPS to its clients."""
        super().__init__("127.0.0.1", buffer_bytes=1 << 18)
        self._target = (target_host, target_port)
        self._tls = tls
        self._fault: Fault = Pass()
        self._applies_to = ""
        self._with_header = ""
        self._above_bytes = -1
        self._requests: list[str] = []
        self._changed = threading.Condition()

    @property
    def endpoint_url(self) -> str:
        """Where clients find it instead of the server."""
        return f"{'https' if self._tls else 'http'}://{self.host}:{self.port}"

    @property
    def requests(self) -> list[str]:
        """The first lines of the requests so far, such as "PUT /bucket/key HTTP/1.1"."""
        with self._changed:
            return list(self._requests)

    def forget_requests(self) -> None:
        """Begin anew with `requests`, and with what `wait_for_request` looks at."""
        with self._changed:
            self._requests.clear()

    def set(
        self, fault: Fault, *, applies_to: str = "", with_header: str = "", above_bytes: int = -1
    ) -> None:
        """Fail like this from the next request on, where the request's first line contains `applies_to`.

        `with_header` (in lower case): only where its header section contains that; `above_bytes`: only where
        its body is longer.
        `Refuse` knows no requests: it takes the whole server away at once.
        """
        self._fault, self._applies_to = fault, applies_to
        self._with_header, self._above_bytes = with_header, above_bytes
        if isinstance(fault, Refuse):
            self.go_dark()
        else:
            self.listen()

    def wait_for_request(self, text: str, timeout_s: float = 10) -> None:
        """Return once a request's first line contains `text`; raise TimeoutError where none does."""
        with self._changed:
            if not self._changed.wait_for(lambda: any(text in it for it in self._requests), timeout_s):
                raise TimeoutError(f"no request with {text!r} within {timeout_s:g} s, only {self._requests}")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection's requests, one after the other, until either side closes it."""
        if self._tls:
            await writer.start_tls(self._tls)
        link = _Link(reader, writer, *await asyncio.open_connection(*self._target))
        tasks = [asyncio.create_task(self._relay_requests(link)), asyncio.create_task(_relay_replies(link))]
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            link.server_writer.transport.abort()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _relay_requests(self, link: "_Link") -> None:
        while True:
            head = await link.reader.readuntil(b"\r\n\r\n")
            link.fault = self._note(head.decode("latin-1"), _body_bytes(head))
            link.reply_bytes = 0
            link.has_body = not head.startswith(b"HEAD ")
            if isinstance(link.fault, Hang | Reset | Answer):
                await _play_server(link.fault, head, link)
                return
            link.server_writer.write(head)
            await _relay_body(_body_bytes(head), link)

    def _note(self, head: str, body_bytes: int) -> Fault:
        request_line = head.partition("\r\n")[0]
        with self._changed:
            self._requests.append(request_line)
            self._changed.notify_all()
        applies = self._applies_to in request_line and self._with_header in head.lower()
        return self._fault if applies and body_bytes > self._above_bytes else Pass()


@dataclass(slots=True)
class _Link:
    """A client's connection, ours to the server on its behalf, and what befalls the request under way."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    server_reader: asyncio.StreamReader
    server_writer: asyncio.StreamWriter
    fault: Fault = field(default_factory=Pass)
    reply_bytes: int = 0
    has_body: bool = True


def _body_bytes(head: bytes) -> int:
    """Return the length of the request's body; S3 clients name it, since S3 takes no body without one."""
    length = re.search(rb"(?i)^content-length:\s*(\d+)", head, re.MULTILINE)
    return int(length[1]) if length else 0


async def _relay_body(length: int, link: _Link) -> None:
    sent = 0
    while sent < length:
        most = _CHUNK_BYTES
        if isinstance(link.fault, Slow):
            most = max(1, link.fault.bytes_per_s // _SLOW_WRITES_PER_S)
            await asyncio.sleep(1 / _SLOW_WRITES_PER_S)
        chunk = bytearray(await link.reader.read(min(most, length - sent)))
        if not chunk:
            raise EOFError("the client left amid its request")
        if isinstance(link.fault, Corrupt) and sent <= link.fault.at_byte < sent + len(chunk):
            chunk[link.fault.at_byte - sent] ^= 1
        link.server_writer.write(chunk)
        await link.server_writer.drain()
        sent += len(chunk)


async def _relay_replies(link: _Link) -> None:
    while chunk := await link.server_reader.read(_CHUNK_BYTES):
        if isinstance(link.fault, Rewrite):
            link.writer.write(await _rewritten(chunk, link.fault.edit, link))
        elif not isinstance(link.fault, LoseReply):
            link.writer.write(chunk)
        else:
            if chunk.startswith(b"HTTP/1.1 100"):  # the invitation to send the body: not the reply yet
                interim, end, chunk = chunk.partition(b"\r\n\r\n")
                link.writer.write(interim + end)
            part = chunk[: link.fault.after_bytes - link.reply_bytes]
            link.writer.write(part)
            link.reply_bytes += len(part)
            if len(part) < len(chunk) and not link.fault.hangs:
                return
        await link.writer.drain()


async def _rewritten(reply: bytes, edit: Callable[[bytes], bytes], link: _Link) -> bytes:
    if reply.startswith(b"HTTP/1.1 100"):
        return reply
    while b"\r\n\r\n" not in reply:
        reply += await link.server_reader.read(_CHUNK_BYTES)
    head, _, body = reply.partition(b"\r\n\r\n")
    while link.has_body and len(body) < _body_bytes(head):
        body += await link.server_reader.read(_CHUNK_BYTES)
    head, end, body = edit(head + b"\r\n\r\n" + body).partition(b"\r\n\r\n")
    if link.has_body:
        head = re.sub(rb"(?im)^(content-length: *)\d+", rb"\g<1>%d" % len(body), head)
    return head + end + body


async def _play_server(fault: Hang | Reset | Answer, head: bytes, link: _Link) -> None:
    left = _body_bytes(head)
    if not isinstance(fault, Answer):
        left = min(left, fault.after_bytes)
    if left and b"100-continue" in head.lower():
        link.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    while left and (chunk := await link.reader.read(min(left, _CHUNK_BYTES))):
        left -= len(chunk)
    match fault:
        case Hang():
            await asyncio.Event().wait()
        case Reset():
            client: socket.socket = link.writer.get_extra_info("socket")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
            link.writer.transport.abort()
        case Answer(status, code):
            body = f"<Error><Code>{code}</Code><Message>The rig says so.</Message></Error>".encode()
            link.writer.write(
                f"HTTP/1.1 {status} {code}\r\nContent-Type: application/xml\r\nConnection: close\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
