"""A TCP server on an event loop in a thread of its own, for tests that talk to it with blocking calls."""

import asyncio
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Self

from rig.process import free_port


class BackgroundServer(ABC):
    """Serves each connection with `serve`; every listener and connection ends with the `with` block.

    The port is known from the start and stays the same, so that others can be told of it before it serves,
    and find it again once it is back.
    """

    _loop: asyncio.AbstractEventLoop
    _thread: threading.Thread

    def __init__(self, host: str, *, buffer_bytes: int = 1 << 16) -> None:
        """`buffer_bytes` bounds what one read of a stream may ask for."""
        self.host = host
        self.port = free_port(host)
        self._buffer_bytes = buffer_bytes
        self._listener: socket.socket | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @abstractmethod
    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection; the caller closes it. A lost connection may raise."""

    def listen(self) -> None:
        """Accept connections, if it does not already."""
        self._run(self._listen())

    def go_dark(self) -> None:
        """Refuse connections, as a host does where nothing listens, and cut those that are open."""
        self._run(self._go_dark())

    def finish(self, timeout_s: float = 60) -> None:
        """Return once all that its clients of this moment have sent is read and answered; they hang up.

        Raise TimeoutError where one of them does not.
        """
        asyncio.run_coroutine_threadsafe(self._finish(), self._loop).result(timeout_s)

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=type(self).__name__, daemon=True)
        self._thread.start()
        self.listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.go_dark()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = socket.create_server((self.host, self.port), backlog=100)
            self._listener.setblocking(False)
            self._loop.add_reader(self._listener, self._accept, self._listener)

    async def _finish(self) -> None:
        if self._connections:
            await asyncio.wait(self._connections)

    async def _go_dark(self) -> None:
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    # Not by asyncio.start_server, of whose connections some are in nobody's hands when the listener closes.
    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # a client has gone before it was accepted
            client, _ = listener.accept()
            connection = self._loop.create_task(self._connected(client))
            self._connections.add(connection)
            connection.add_done_callback(self._connections.discard)
            connection.add_done_callback(lambda _: client.close())

    async def _connected(self, client: socket.socket) -> None:
        with suppress(OSError, EOFError):  # the client has gone: ordinary life for a server under test
            reader = asyncio.StreamReader(self._buffer_bytes)
            writers: list[asyncio.StreamWriter] = []
            await self._loop.connect_accepted_socket(
                lambda: asyncio.StreamReaderProtocol(reader, lambda _, writer: writers.append(writer)), client
            )
            [writer] = writers
            try:
                await self.serve(reader, writer)
                writer.close()
                await writer.wait_closed()
            finally:
                writer.transport.abort()
