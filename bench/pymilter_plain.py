"""A filter as pymilter's sample.py is one: `python bench/pymilter_plain.py unix:SOCKET`.

Like that one it copies each message to a file, has the email package take it apart and asks each part for
its name; no name being suspicious, the message passes. Unlike it, it prints nothing, which is in its favour.
"""

import email
import sys
import tempfile
from typing import IO

import Milter

_CONTINUE: int = Milter.CONTINUE
_ACCEPT: int = Milter.ACCEPT


class Plain(Milter.Base):
    """Serves one SMTP connection, on which several messages may come."""

    copy: IO[bytes] | None = None

    def envfrom(self, *_: str) -> int:
        """Begin a message."""
        self.abort()
        self.copy = tempfile.TemporaryFile()  # noqa: SIM115 - abort closes it
        return _CONTINUE

    def header(self, name: str, value: str) -> int:
        """Copy a header field."""
        return self._write(f"{name}: {value}\n".encode("utf-8", "surrogateescape"))

    def eoh(self) -> int:
        """Copy the blank line."""
        return self._write(b"\n")

    def body(self, chunk: bytes) -> int:
        """Copy a part of the body."""
        return self._write(chunk)

    def eom(self) -> int:
        """Take the copy apart and let the message pass."""
        assert self.copy is not None
        self.copy.seek(0)
        for part in email.message_from_binary_file(self.copy).walk():
            part.get_filename()
        return _ACCEPT

    def abort(self) -> int:
        """Drop the copy."""
        if self.copy is not None:
            self.copy.close()
        return _CONTINUE

    def close(self) -> int:
        """End with the connection."""
        return self.abort()

    def _write(self, octets: bytes) -> int:
        assert self.copy is not None
        self.copy.write(octets)
        return _CONTINUE


if __name__ == "__main__":
    Milter.factory = Plain
    Milter.runmilter("plain", sys.argv[1], 240)
