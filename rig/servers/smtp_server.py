"""A mail server that answers as a test tells it to, over TLS too, and keeps what it heard."""

import asyncio
import ssl
import threading
from base64 import b64decode
from collections.abc import Callable

from rig.servers.background import BackgroundServer

HANG_UP = ""

_REPLIES = {
    "greeting": "220 mail.rig.example ESMTP",
    "DATA": "354 Go on",
    "STARTTLS": "220 Go ahead",
    "AUTH": "235 Welcome",
    "QUIT": "221 Bye",
}


class SmtpServer(BackgroundServer):
    """Says yes to everything that it was not told to say no to."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, extensions: tuple[str, ...] = ()) -> None:
        """With `tls` it offers STARTTLS, before which it does not offer its `extensions`."""
        super().__init__("127.0.0.1")
        self.connections = 0
        self.heard: list[str] = []
        """Commands, and "message" for each; those that came encrypted are marked: "tls EHLO ..."."""
        self.messages: list[bytes] = []
        """Those that it said yes to, with CRLF line ends, dots unstuffed."""
        self.before_reply: Callable[[str], object] = lambda _: None
        """Is told each command before it is answered."""
        self._tls = tls
        self._extensions = extensions
        self._replies: dict[str, list[str]] = {}
        self._lock = threading.Lock()

    def answer(self, command: str, *replies: str) -> None:
        """Give these replies, in turn, to the next commands that begin so; then say yes again.

        "greeting" and "message" stand for what comes without a command. HANG_UP is a reply too.
        """
        with self._lock:
            self._replies[command] = list(replies)

    @property
    def password(self) -> str | None:
        """The password of the last AUTH PLAIN (RFC 4616)."""
        words = [line.split() for line in self.heard if "AUTH PLAIN" in line]
        return b64decode(words[-1][-1]).split(b"\0")[2].decode() if words else None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak SMTP until QUIT, or until it is to hang up."""
        self.connections += 1
        encrypted = False
        line, message = "greeting", b""
        while reply := self._reply_to(line, encrypted=encrypted):
            if line == "message" and reply.startswith("2"):
                self.messages.append((b"\r\n" + message).replace(b"\r\n.", b"\r\n")[2:])
            writer.write(reply.encode() + b"\r\n")
            await writer.drain()
            if line == "QUIT":
                return
            if line == "STARTTLS" and self._tls and reply.startswith("2"):
                await writer.start_tls(self._tls)
                encrypted = True
            if reply.startswith("354"):
                line, message = "message", (await reader.readuntil(b"\r\n.\r\n"))[:-3]
            else:
                line = _command((await reader.readuntil(b"\r\n")).decode("latin-1").strip())
            self.heard.append(f"tls {line}" if encrypted else line)

    def _reply_to(self, line: str, *, encrypted: bool) -> str:
        self.before_reply(line)
        with self._lock:
            for command, replies in self._replies.items():
                if line.startswith(command) and replies:
                    return replies.pop(0)
        if line.startswith("EHLO"):
            offered = ("STARTTLS",) if self._tls and not encrypted else self._extensions
            return "\r\n".join(["250-mail.rig.example", *(f"250-{it}" for it in offered), "250 8BITMIME"])
        return _REPLIES.get(line.partition(" ")[0], "250 Ok")


def _command(line: str) -> str:
    """The line with its verb in capitals."""
    verb, space, argument = line.partition(" ")
    return verb.upper() + space + argument
