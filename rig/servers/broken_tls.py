"""A server whose encryption breaks: for what a client makes of it, amid an answer or before one."""

import asyncio
import os
import re
import ssl
from pathlib import Path

from rig.servers.background import BackgroundServer
from rig.servers.certificate import certificate


class BrokenTls(BackgroundServer):
    """Takes a request whole, gives the `beginning` of an answer, and then octets that are no TLS."""

    def __init__(self, folder: Path, beginning: bytes = b"") -> None:
        """The certificate lies in `folder`."""
        super().__init__("127.0.0.1")
        self.certificate_file, key_file = certificate(folder, self.host)
        self.requests = 0
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(self.certificate_file, key_file)
        self._beginning = beginning

    @property
    def endpoint_url(self) -> str:
        """Where it listens."""
        return f"https://{self.host}:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak HTTP/1.1 over TLS for one request."""
        await writer.start_tls(self._tls)
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)^content-length:\s*(\d+)", head, re.MULTILINE)
        await reader.readexactly(int(length[1]) if length else 0)
        self.requests += 1
        writer.write(self._beginning)
        await writer.drain()
        os.write(writer.get_extra_info("socket").fileno(), b"no record of TLS")
        await reader.read()  # until the client has gone
