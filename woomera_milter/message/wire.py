"""A message that lies in a file, read as what is sent and stored: wire form, with CRLF line ends.

Read by pread(2) in windows, so that memory stays the same whatever the message's size, and several
readers can share a descriptor. Nothing is written: the conversion happens anew at each reading.
"""

import hashlib
import io
import os
import re
from collections.abc import Iterable, Iterator
from enum import Enum, auto

from woomera_milter.clock import Deadline
from woomera_milter.message.stream import WINDOW_BYTES, open_chunks

_BARE_LF = re.compile(rb"(?<!\r)\n")


class Form(Enum):
    """How the message lies in its file."""

    WIRE = auto()
    """As it is sent."""
    LOCAL = auto()
    """With LF line ends (CRLF ones may be among them)."""
    MBOX = auto()
    """So, and lines of text that begin with "From " have a ">" before that (mbox(5))."""


class WireMessage:
    """The octets from `start` to `end` of a file, hashed when it is made; the caller keeps the descriptor.

    Reading raises OSError where the disk fails.
    """

    def __init__(self, fd: int, start: int, end: int, form: Form) -> None:
        self._fd = fd
        self._start = start
        self._end = end
        self._form = form
        self.size_bytes = 0
        sha256 = hashlib.sha256()
        for chunk in self.chunks():
            sha256.update(chunk)
            self.size_bytes += len(chunk)
        self.sha256 = sha256.digest()

    def md5(self) -> bytes:
        """Return what Content-MD5 is made of; only for a store, as it takes twice as long as SHA-256."""
        # A check against damage, not a defence: allowed on FIPS hosts too.
        md5 = hashlib.md5(usedforsecurity=False)
        for chunk in self.chunks():
            md5.update(chunk)
        return md5.digest()

    def chunks(self) -> Iterator[bytes]:
        """Yield the message in wire form."""
        return self._windows() if self._form is Form.WIRE else self._converted()

    def open(self, deadline: Deadline) -> io.BufferedReader:
        """Return a stream of the wire form, which can be sought back to its beginning."""
        return open_chunks(self.chunks, deadline)

    def _windows(self) -> Iterator[bytes]:
        at = self._start
        while window := os.pread(self._fd, min(WINDOW_BYTES, self._end - at), at):
            yield window
            at += len(window)

    def _converted(self) -> Iterator[bytes]:
        at = self._start
        begins_line = True
        window = b""
        while at < self._end and (window := os.pread(self._fd, min(WINDOW_BYTES, self._end - at), at)):
            # Cut behind a line end, so that no CRLF and no ">From " is ever in two windows.
            cut = window.rfind(b"\n") + 1
            if not cut:
                cut = len(window) - (window.endswith(b"\r") and at + len(window) < self._end)
            at += cut
            window = window[:cut]
            if self._form is Form.MBOX:
                window = _unquoted(window, begins_line=begins_line)
            if b"\r" in window:
                window = window.replace(b"\r\n", b"\n")
            begins_line = window.endswith(b"\n")
            yield window.replace(b"\n", b"\r\n")
        if not begins_line:
            yield b"\r\n"  # sendmail would add it, too


def _unquoted(window: bytes, *, begins_line: bool) -> bytes:
    """Take back what the mailers of sendmail and procmail did to lines that begin with "From ".

    They leave those alone that had a ">" already, so there may be one too few of them afterwards.
    """
    if b">" not in window:  # an encoded file has none, and is looked through for one octet much faster
        return window
    if begins_line and window.startswith(b">From "):
        window = window[1:]
    return window.replace(b"\n>From ", b"\nFrom ")


def wire_form(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Give the octets with CRLF for each LF that has none, however they are cut; a bare CR stays."""
    ends_with_cr = False
    for chunk in chunks:
        if not chunk:
            continue
        octets = _BARE_LF.sub(b"\r\n", chunk)
        if ends_with_cr and chunk.startswith(b"\n"):
            octets = octets[1:]  # its CR came with the last chunk
        ends_with_cr = chunk.endswith(b"\r")
        yield octets
