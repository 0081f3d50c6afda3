"""The folder in which the archive milter keeps copies until `woomera archive` has them in S3.

A copy is two files, NAME.json (its envelope) and NAME.eml (the message in wire form). Both are written
under hidden names, synced and then renamed, the envelope first: what has its name is whole, and whoever
sees an .eml finds its .json.
"""

import contextlib
import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from woomera_milter.archive import journal
from woomera_milter.archive.room import Reservation, Room, spool_error
from woomera_milter.clock import moment
from woomera_milter.errors import DamagedError, Reason, TemporaryError
from woomera_milter.message.envelope import Envelope
from woomera_milter.message.wire import Form, WireMessage
from woomera_milter.store.documents import CopyRecord, parsed, validated, written

_UNFINISHED = ".unfinished-"
_LOCK_NAME = ".lock"
# So long after the beginning of a copy its envelope cannot be waiting for the message any more.
_ORPHAN_AGE = timedelta(hours=1)
_WRITE_OUT_EVERY_BYTES = 4 * 1024 * 1024


class CopyError(TemporaryError):
    """One copy cannot be read, which keeps no other one from S3."""


class ArchiveSpool:
    """The folder. Safe to use from many threads at once; methods raise TemporaryError."""

    def __init__(self, folder: Path, min_free_bytes: int) -> None:
        self.folder = folder
        self.room = Room(folder, min_free_bytes)

    def begin(self, expected_bytes: int) -> "Draft":
        """Begin a copy, for which there must be room; `expected_bytes` of it are kept for this one."""
        return Draft(self.folder, Reservation(self.room, expected_bytes))

    def copies(self) -> "list[Copy]":
        """Return the copies, oldest first; at the time of the call all of them are whole."""
        try:
            names = sorted(path.name for path in self.folder.glob("[!.]*.eml"))
        except OSError as error:
            raise spool_error(self.folder, error) from error
        if not names:
            self.room.free_bytes()  # a folder that is missing looks empty, but is not all right
        return [Copy(self.folder / name) for name in names]

    def remove_unfinished(self) -> None:
        """Remove what a killed milter had begun; only for one that has the socket, ahead of all mail."""
        for path in self.folder.glob(f"{_UNFINISHED}*"):
            path.unlink(missing_ok=True)

    def remove_orphans(self) -> None:
        """Remove envelopes whose message was never finished, or is in S3."""
        newest = (datetime.now(UTC) - _ORPHAN_AGE).timestamp()
        for path in self.folder.glob("[!.]*.json"):
            with contextlib.suppress(FileNotFoundError):
                if not path.with_suffix(".eml").exists() and path.stat().st_mtime < newest:
                    path.unlink()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs of `woomera archive` off; raise TemporaryError where one is at work."""
        try:
            descriptor = os.open(self.folder / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise spool_error(self.folder, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise TemporaryError(
                f"archive.spool: another `woomera archive` is at work in {self.folder}",
                remedy="wait until it is done",
                reason=Reason.BUSY,
            ) from error
        finally:
            os.close(descriptor)


class Draft:
    """A copy that is being written. It is gone when the `with` block ends, unless it was kept."""

    def __init__(self, folder: Path, reservation: Reservation) -> None:
        self.size_bytes = 0
        self._folder = folder
        self._reservation = reservation
        self._written_out_bytes = 0
        try:
            self._fd, path = tempfile.mkstemp(prefix=_UNFINISHED, dir=folder)
        except OSError as error:
            reservation.release()
            raise spool_error(folder, error) from error
        self._path = Path(path)

    def write(self, octets: bytes) -> None:
        """Append; raise TemporaryError where that would leave less than archive.min_free of the disk."""
        self._reservation.before(len(octets))
        rest = memoryview(octets)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            raise spool_error(self._folder, error) from error
        self._reservation.after(len(octets))
        self.size_bytes += len(octets)
        if self.size_bytes - self._written_out_bytes >= _WRITE_OUT_EVERY_BYTES:
            # Has the kernel begin to write what it holds, without waiting: less is left for fsync.
            os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_DONTNEED)
            self._written_out_bytes = self.size_bytes

    def keep(
        self,
        envelope: Envelope,
        host: str,
        queue_id: str,
        archived_at: datetime,
        *,
        added_bytes: int | None = None,
    ) -> str:
        """Make it a copy that outlives a power cut, and return its name.

        `added_bytes`: what the MTA adds at most to its address fields, where that is known.
        """
        name = f"{archived_at:%Y%m%dT%H%M%S.%fZ}-{queue_id if queue_id.isalnum() else secrets.token_hex(4)}"
        record = CopyRecord(
            envelope_sender=envelope.envelope_sender,
            recipients=list(envelope.recipients),
            archived_at=archived_at.isoformat().replace("+00:00", "Z"),
            host=host,
            source="archive-milter",
        )
        if added_bytes is not None:
            record = record.model_copy(update={"added_bytes": added_bytes})
        try:
            os.fsync(self._fd)
            with Draft(self._folder, self._reservation) as envelope_draft:
                envelope_draft.write(json.dumps(written(record), ensure_ascii=False).encode())
                os.fsync(envelope_draft._fd)
                # A file system that keeps a journal keeps the order of renames through a power cut, too.
                envelope_draft._path.rename(self._folder / f"{name}.json")
            self._path.rename(self._folder / f"{name}.eml")
            _sync_folder(self._folder)
        except OSError as error:
            raise spool_error(self._folder, error) from error
        return name

    def close(self) -> None:
        """Give back what was not kept."""
        if self._fd < 0:
            return
        os.close(self._fd)
        self._fd = -1
        self._reservation.release()
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy that waits for its way to S3; `path` is the message's."""

    path: Path

    @property
    def name(self) -> str:
        """Of the copy, without an ending."""
        return self.path.stem

    @contextlib.contextmanager
    def open(self) -> Iterator[WireMessage]:
        """Open and hash it; raise OSError, for a symbolic link too: we make none."""
        fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            yield WireMessage(fd, 0, os.fstat(fd).st_size, Form.WIRE)
        finally:
            os.close(fd)

    def record(self) -> CopyRecord:
        """Return what NAME.json says; raise CopyError where it is missing or damaged."""
        path = self.path.with_suffix(".json")
        try:
            record = validated(CopyRecord, parsed(path.read_bytes()), str(path))
            moment(record.archived_at)
            if not record.host:
                raise ValueError("no host")  # noqa: TRY301 - as the others
        except (OSError, ValueError, DamagedError) as error:
            raise CopyError(
                f"{path} does not tell the envelope of the copy beside it ({type(error).__name__})",
                remedy="restore it, or have the .eml imported from a Maildir (woomera archive --maildir)",
                reason=Reason.ENVELOPE,
            ) from error
        return record

    @property
    def size_bytes(self) -> int:
        """0 where it has gone by now, which shipping it will tell."""
        return self.path.stat().st_size if self.path.exists() else 0

    def kept_at(self) -> datetime:
        """Return since when it waits; raise OSError where it does not any more."""
        return datetime.fromtimestamp(self.path.stat().st_mtime, UTC)

    def remove(self) -> None:
        """Remove it, and note that it is in S3.

        The message goes first, since an envelope alone is an orphan that a later run clears away.
        """
        with contextlib.suppress(OSError):  # a full disk, above all: counting keeps no copy on it
            journal.record(self.path.parent, self.name, self.path.stat().st_size, datetime.now(UTC).date())
        self.path.unlink(missing_ok=True)
        self.path.with_suffix(".json").unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
