"""Messages for a session to see, and what plays the interceptor that it asks."""

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from woomera_milter.clock import Deadline
from woomera_milter.milter.counters import Counters
from woomera_milter.milter.session import OverLimit, Replacement, Session
from woomera_milter.notice.header_edits import HeaderChange
from woomera_milter.store.tallies import Tally

LIMIT_BYTES = 1024 * 1024
ALLOWANCE_BYTES = 2048
LINE = b"x" * 78 + b"\r\n"
HEADERS = b"Subject: figures\r\n\r\n"
OVER = LINE * (LIMIT_BYTES // len(LINE))
PATIENCE_S = 10
LINKS_END = datetime(2026, 12, 1, 9, tzinfo=UTC)


def no_progress() -> None:
    pass


class Interceptions:
    """Plays the interceptor: remembers what it was asked for and does what the test says."""

    def __init__(self, answer: Callable[[OverLimit, Deadline], Replacement | None]) -> None:
        self._answer = answer
        self.asked: list[OverLimit] = []

    def intercept(self, over: OverLimit, deadline: Deadline) -> Replacement | None:
        self.asked.append(over)
        return self._answer(over, deadline)


class Marks:
    """Counts the messages that were marked as never announced; its replacements can be given to a gate."""

    def __init__(self) -> None:
        self._marked = threading.Semaphore(0)
        self.count = 0

    def replaces(self, over: OverLimit, deadline: Deadline) -> Replacement:
        return replace(replaces(over, deadline), mark_unannounced=self._mark)

    def _mark(self) -> None:
        self.count += 1
        self._marked.release()

    def wait(self) -> None:
        assert self._marked.acquire(timeout=PATIENCE_S)


def replaces(over: OverLimit, _: Deadline) -> Replacement:
    return Replacement(
        over.queue_id,
        header_changes=(),
        body=b"notice\r\n",
        message_id="id",
        measured_bytes=over.measured_bytes,
        store_s=0.3,
        links_expire_at=LINKS_END,
        mark_unannounced=no_progress,
    )


MakeSession = Callable[..., Session]


def receive(session: Session, body: bytes = OVER, *, msg_size: int | None = None) -> None:
    """Let the session see a message up to its end, as libmilter would."""
    session.add_recipient("recipient@example.org", "relay")
    session.add_header("Subject", b" figures")
    if session.end_headers("4AO9Xk1S012345", msg_size):
        for start in range(0, len(body), 65_535):
            session.add_body(body[start : start + 65_535])


class ObedientMta:
    """Plays the MTA that takes every change, after it has looked at what the test says."""

    def __init__(self, before: Callable[[], object] = no_progress) -> None:
        self._before = before
        self.bodies: list[bytes] = []
        self.copies_to: list[str | None] = []

    def report_progress(self) -> None:
        pass

    def replace_message(self, _: Sequence[HeaderChange], body: bytes, copy_to: str | None = None) -> None:
        self._before()
        self.bodies.append(body)
        self.copies_to.append(copy_to)


def octets_of(over: OverLimit) -> bytes:
    return os.pread(over.message.fileno(), over.message.size_bytes, 0)


def only_tally(counters: Counters) -> Tally:
    [tally] = counters.by_day().values()
    return tally


def open_files_below(folder: Path) -> int:
    """How many files below `folder` this process has open; spooled messages have no name, but a place."""
    count = 0
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            count += str(link.readlink()).startswith(str(folder))
    return count
