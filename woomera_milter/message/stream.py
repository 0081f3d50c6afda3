"""Octets that come in chunks, as a stream that an upload can read, and read again from the beginning."""

import io
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from woomera_milter.clock import Deadline

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

WINDOW_BYTES = 128 * 1024  # what a processor's cache holds, with its converted form


def open_chunks(chunks: Callable[[], Iterator[bytes]], deadline: Deadline) -> io.BufferedReader:
    """Return what `chunks` yields as a stream, which can be sought back to its beginning.

    Reading raises DeadlineError once the deadline has passed, which ends an upload that hangs.
    """
    return io.BufferedReader(_ChunkReader(chunks, deadline), WINDOW_BYTES)


class _ChunkReader(io.RawIOBase):
    def __init__(self, chunks: Callable[[], Iterator[bytes]], deadline: Deadline) -> None:
        super().__init__()
        self._begin = chunks
        self._deadline = deadline
        self._rewind()

    def _rewind(self) -> None:
        self._chunks = self._begin()
        self._chunk = memoryview(b"")
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        """True: botocore rewinds the stream to send it again."""
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go back to the beginning, or stay; raise UnsupportedOperation where more is asked for."""
        if (offset, whence) == (0, os.SEEK_SET):
            self._rewind()
        elif (offset, whence) not in ((0, os.SEEK_CUR), (self._position, os.SEEK_SET)):
            raise io.UnsupportedOperation("this stream goes back to its beginning only")
        return self._position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        self._deadline.check("storing the message")
        while not self._chunk:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._chunk = memoryview(chunk)
        target = memoryview(buffer)
        count = min(len(target), len(self._chunk))
        target[:count] = self._chunk[:count]
        self._chunk = self._chunk[count:]
        self._position += count
        return count
