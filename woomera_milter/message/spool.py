"""The message on disk while we hold it, and its digests.

The file has no name (O_TMPFILE, or unlinked at once), so a crash leaves no mail lying
about; it is read with pread(2), so that several readers need no lock and no mapping.
"""

import hashlib
import io
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from woomera_milter.clock import Deadline
from woomera_milter.errors import Reason, TemporaryError
from woomera_milter.message.stream import WINDOW_BYTES, open_chunks


class SpooledMessage:
    """A message in wire form, in an unnamed file of mode 0600, hashed with SHA-256 as it is written.

    So are its attachments, decoded. Whoever holds it calls `close` once; nothing else removes it but
    the end of the process.
    """

    def __init__(self, folder: Path) -> None:
        """Raise TemporaryError where `folder` cannot take a file."""
        self.size_bytes = 0
        self._holders = 1
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)  # against damage alone: allowed on FIPS hosts too
        self._md5_bytes = 0
        self._lock = threading.Lock()  # of holders and MD5
        try:
            self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - held until close()
        except OSError as error:
            raise _spool_error(folder, error) from error
        self._folder = folder

    def write(self, octets: bytes) -> None:
        """Append. Raise TemporaryError where the disk is full or fails."""
        rest = memoryview(octets)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise _spool_error(self._folder, error) from error
        self._sha256.update(octets)
        self.size_bytes += len(octets)

    def beside(self) -> "SpooledMessage":
        """Return a new, empty one in the same folder."""
        return SpooledMessage(self._folder)

    def share(self) -> None:
        """Let one more hold it: the file stays until each of them has called `close`."""
        with self._lock:
            self._holders += 1

    def close(self) -> None:
        """Give the disk space back, once nobody holds it any more."""
        with self._lock:
            self._holders -= 1
            if self._holders == 0:
                self._file.close()

    def fileno(self) -> int:
        """The descriptor, for pread(2) only: the file's own position belongs to the writer."""
        return self._file.fileno()

    def hash_ahead(self) -> None:
        """Take what was written so far into the MD5 digest; nothing where nobody holds the message any more.

        For a thread beside the writer's, so that `md5` has little left to do.
        """
        with self._lock:
            if self._holders:
                self._hash_written()

    def md5(self) -> bytes:
        """Return the MD5 digest (16 octets) of all that was written, for Content-MD5.

        The dearest step of all, so not done while writing: messages within the limit need not pay it.
        """
        with self._lock:
            self._hash_written()
            return self._md5.digest()

    def chunks(self) -> Iterator[bytes]:
        """Yield what was written."""
        return self._from(0)

    def open(self, deadline: Deadline) -> io.BufferedReader:
        """Return a stream for an upload; each has a position of its own."""
        return open_chunks(self.chunks, deadline)

    def _hash_written(self) -> None:
        for octets in self._from(self._md5_bytes):
            self._md5.update(octets)
            self._md5_bytes += len(octets)

    def _from(self, position: int) -> Iterator[bytes]:
        while octets := os.pread(self.fileno(), min(WINDOW_BYTES, self.size_bytes - position), position):
            yield octets
            position += len(octets)

    @property
    def sha256(self) -> bytes:
        """SHA-256 digest (32 octets) of all that was written."""
        return self._sha256.digest()


def _spool_error(folder: Path, error: OSError) -> TemporaryError:
    return TemporaryError(
        f"milter.spool: {folder} cannot hold the message ({os.strerror(error.errno or 0)})",
        remedy="see that the folder exists, belongs to the milter's user and has room",
        reason=Reason.SPOOL,
    )
