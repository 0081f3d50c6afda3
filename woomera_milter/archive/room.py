"""The disk's room: copies in hand at the same time do not take it twice, and archive.min_free stays free."""

import os
import threading
from pathlib import Path

from woomera_milter.config.values import format_size
from woomera_milter.errors import Reason, TemporaryError

LOOK_EVERY_BYTES = 4 * 1024 * 1024
"""Of each copy: others write to the disk, too, and {msg_size} may be missing or wrong."""


class Room:
    """What a folder's disk has left. Safe to use from many threads at once; methods raise TemporaryError."""

    def __init__(self, folder: Path, min_free_bytes: int) -> None:
        self._folder = folder
        self._min_free_bytes = min_free_bytes
        self._lock = threading.Lock()
        self._reserved_bytes = 0

    def free_bytes(self) -> int:
        """What an ordinary user may still write to the disk."""
        try:
            disk = os.statvfs(self._folder)
        except OSError as error:
            raise spool_error(self._folder, error) from error
        return disk.f_bavail * disk.f_frsize

    def check(self) -> None:
        """Raise where all that is reserved would leave less than archive.min_free of the disk."""
        self.change(0)

    def change(self, more_bytes: int) -> None:
        """Reserve so much more, or raise where that would leave less than archive.min_free."""
        with self._lock:
            free_bytes = self.free_bytes()
            if free_bytes - self._reserved_bytes - more_bytes < self._min_free_bytes:
                of_others = f", {format_size(self._reserved_bytes)} of it for copies in hand"
                raise TemporaryError(
                    f"archive.spool: {self._folder} has {format_size(free_bytes)} left"
                    f"{of_others if self._reserved_bytes else ''}, and archive.min_free is "
                    f"{format_size(self._min_free_bytes)}",
                    remedy="see why `woomera archive` does not move copies to S3, or make room",
                    reason=Reason.DISK_FLOOR,
                )
            self._reserved_bytes += more_bytes

    def give_back(self, count_bytes: int) -> None:
        """Reserve so much less: it is written, or will not be."""
        with self._lock:
            self._reserved_bytes -= count_bytes


class Reservation:
    """What one copy may still write without a look at the disk."""

    def __init__(self, room: Room, expected_bytes: int) -> None:
        room.change(expected_bytes)
        self._room = room
        self._left_bytes = expected_bytes
        self._unseen_bytes = 0

    def before(self, count_bytes: int) -> None:
        """Raise TemporaryError where so much more would leave less than archive.min_free of the disk."""
        if count_bytes > self._left_bytes:
            more_bytes = max(count_bytes - self._left_bytes, LOOK_EVERY_BYTES)
            self._room.change(more_bytes)
            self._left_bytes += more_bytes
            self._unseen_bytes = 0
        elif self._unseen_bytes >= LOOK_EVERY_BYTES:
            self._room.check()
            self._unseen_bytes = 0

    def after(self, count_bytes: int) -> None:
        """So much is written, and the disk tells of it."""
        self._left_bytes -= count_bytes
        self._unseen_bytes += count_bytes
        self._room.give_back(count_bytes)

    def release(self) -> None:
        """Nothing more will be written."""
        self._room.give_back(self._left_bytes)
        self._left_bytes = 0


def spool_error(folder: Path, error: OSError) -> TemporaryError:
    """The folder itself is in the way of copies."""
    return TemporaryError(
        f"archive.spool: {folder} cannot take copies ({os.strerror(error.errno or 0)})",
        remedy="see that the folder exists, belongs to the milter's user and has room",
        reason=Reason.ARCHIVE_SPOOL,
    )
