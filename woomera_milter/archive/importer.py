"""Messages of mbox files and Maildirs, on their way to S3. The originals are only read, and stay.

Their envelopes are lost but for the sender that a From_ line names: recipients are found in the headers,
by the sweep.
"""

import contextlib
import fcntl
import os
import re
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from woomera_milter import log
from woomera_milter.archive import mbox
from woomera_milter.archive.shipper import Result, Shipper, ShippingObserver
from woomera_milter.errors import PermanentError, Reason, TemporaryError
from woomera_milter.message.wire import Form, WireMessage
from woomera_milter.store.documents import CopyRecord

LOCK_TIMEOUT_S = 10.0
STILL_WRITTEN_S = 60.0
"""An mbox that changed so recently, and does not end with an empty line, may get the rest of its last one."""

_LOCK_POLL_S = 0.1
_DELIVERED_AT = re.compile(r"(\d{1,10})\.")


@dataclass(frozen=True, slots=True)
class Imported:
    """A message in a file that others own. `fd` None: the file at `path`, opened when its turn comes."""

    path: Path
    fd: int | None
    start: int
    end: int | None
    form: Form
    envelope_sender: str
    delivered_at: datetime

    @property
    def name(self) -> str:
        """The file, and where in it."""
        return f"{self.path}:{self.start}" if self.form is Form.MBOX else str(self.path)

    @property
    def size_bytes(self) -> int:
        """Of a whole file; 0 where it has gone by now, which shipping it will tell."""
        return self.path.stat().st_size if self.path.exists() else 0

    def record(self) -> CopyRecord:
        """What is known of its envelope."""
        return CopyRecord(
            envelope_sender=self.envelope_sender,
            recipients=[],
            archived_at=self.delivered_at.isoformat().replace("+00:00", "Z"),
            host=socket.gethostname(),
            source="import",
        )

    @contextlib.contextmanager
    def open(self) -> Iterator[WireMessage]:
        """Open and hash it. In a Maildir its owner could have linked what he himself may not read."""
        fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW) if self.fd is None else self.fd
        try:
            end = os.fstat(fd).st_size if self.end is None else self.end
            yield WireMessage(fd, self.start, end, self.form)
        finally:
            if self.fd is None:
                os.close(fd)

    def remove(self) -> None:
        """Nothing: the original is not ours."""


@dataclass(frozen=True, slots=True)
class MboxFile:
    """An open mbox file as it was when nobody wrote to it.

    `has_open_end`: its last message may be incomplete, and is left out.
    """

    path: Path
    fd: int
    size_bytes: int
    changed_at: datetime
    has_open_end: bool

    def messages(self) -> Iterator[Imported]:
        """Yield its messages; raise PermanentError where it is no mbox."""
        found = mbox.messages(self.fd, self.size_bytes)
        last = next(found, None)
        if last is None and os.pread(self.fd, mbox.MAX_FROM_LINE_BYTES, 0).strip():
            raise PermanentError(
                f"{self.path} does not begin with a From_ line, so it is no mbox",
                remedy="give mbox files to --mbox, and folders with one file a message to --maildir",
                reason=Reason.MBOX,
            )
        while last is not None:
            following = next(found, None)
            if following is not None or not self.has_open_end:
                yield self._imported(last)
            last = following

    def _imported(self, message: mbox.MboxMessage) -> Imported:
        return Imported(
            path=self.path,
            fd=self.fd,
            start=message.start,
            end=message.end,
            form=Form.MBOX,
            envelope_sender=message.envelope_sender,
            delivered_at=message.delivered_at or self.changed_at,
        )


@contextlib.contextmanager
def open_mbox(path: Path) -> Iterator[MboxFile]:
    """Open an mbox file; raise TemporaryError where a mailer keeps it locked, or it cannot be read.

    It is locked only while its size is taken: what mailers append later is for the next run.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        with _locked(fd, path):
            state = os.fstat(fd)
        ends_with_empty_line = os.pread(fd, 2, max(0, state.st_size - 2)) == b"\n\n"
        yield MboxFile(
            path,
            fd,
            size_bytes=state.st_size,
            changed_at=datetime.fromtimestamp(int(state.st_mtime), UTC),
            has_open_end=not ends_with_empty_line and time.time() - state.st_mtime < STILL_WRITTEN_S,
        )
    finally:
        os.close(fd)


@contextlib.contextmanager
def _locked(fd: int, path: Path) -> Iterator[None]:
    """Keep mailers out: those that use fcntl, flock or a dot-lock file (procmail(1), mail.local(8))."""
    dot_lock = Path(f"{path}.lock")
    ends_at = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            fcntl.lockf(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            if not dot_lock.exists():
                break
        fcntl.flock(fd, fcntl.LOCK_UN)
        if time.monotonic() > ends_at:
            raise TemporaryError(
                f"{path} is locked by a mailer",
                remedy=f"try again later, or remove {dot_lock} if no mailer runs",
                reason=Reason.BUSY,
            )
        time.sleep(_LOCK_POLL_S)
    try:
        yield
    finally:
        fcntl.lockf(fd, fcntl.LOCK_UN)
        fcntl.flock(fd, fcntl.LOCK_UN)


def maildir_messages(folder: Path) -> list[Imported]:
    """Return the messages in `new` and `cur` of a Maildir, oldest first; raise WoomeraError where it is none.

    A message's time is in the name of its file (maildir(5)), or else the file's own.
    """
    found: list[Imported] = []
    for sub in (folder / "new", folder / "cur"):
        try:
            entries = [it for it in os.scandir(sub) if it.is_file() and not it.name.startswith(".")]
        except FileNotFoundError as error:
            raise PermanentError(
                f"{folder} has no folder {sub.name}, so it is no Maildir",
                remedy="give the folder that holds cur, new and tmp",
                reason=Reason.MAILDIR,
            ) from error
        except OSError as error:
            raise _unreadable(sub, error) from error
        found.extend(_in_maildir(Path(entry.path), entry.stat().st_mtime) for entry in entries)
    return sorted(found, key=lambda message: (message.delivered_at, message.path))


def _in_maildir(path: Path, changed_at: float) -> Imported:
    named = _DELIVERED_AT.match(path.name)
    delivered_at = datetime.fromtimestamp(int(named[1] if named else changed_at), UTC)
    return Imported(path, None, 0, None, Form.LOCAL, "", delivered_at)


def import_into(
    shipper: Shipper, mboxes: Sequence[Path], maildirs: Sequence[Path], observer: ShippingObserver
) -> tuple[Result, list[Path]]:
    """Store the messages of all of them; return the mboxes, too, whose last message was left out."""
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(open_mbox(path)) for path in mboxes]
        in_maildirs = [message for folder in maildirs for message in maildir_messages(folder)]
        observer.expect(sum(it.size_bytes for it in files) + sum(it.size_bytes for it in in_maildirs))
        in_mboxes = chain.from_iterable(file.messages() for file in files)
        result = shipper.run(chain(in_mboxes, in_maildirs), observer.done)
    left_out = [file.path for file in files if file.has_open_end]
    for path in left_out:
        log.warning(f"{path}: the last message may still be being written; run this again in a minute")
    return result, left_out


def _unreadable(path: Path, error: OSError) -> TemporaryError:
    return TemporaryError(
        f"{path} cannot be read ({os.strerror(error.errno or 0)})",
        remedy="see that it exists, and that the user of this command may read it",
        reason=Reason.READ,
    )
