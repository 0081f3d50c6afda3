"""Time: deadlines, what runs again and again, and moments as documents write them (RFC 3339)."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

from woomera_milter.errors import DeadlineError

# Of any moment that we work with; further off, sums and time zones lead out of what datetime can hold.
_YEARS = range(1970, 9000)


def moment(text: str) -> datetime:
    """Read an RFC 3339 time; raise ValueError or TypeError where it is none, or tells no time zone."""
    read = datetime.fromisoformat(text)
    if read.tzinfo is None or read.year not in _YEARS:
        raise ValueError("not a moment with a time zone")
    return read


def rfc3339(moment: datetime) -> str:
    """Write a moment as it stands in documents and figures: in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read_moment(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    return moment(value if isinstance(value, str) else "")


def _is_moment(text: str) -> str:
    moment(text)
    return text


_SHOWN = WithJsonSchema({"type": "time (RFC 3339)"})
Moment = Annotated[datetime, BeforeValidator(_read_moment), PlainSerializer(rfc3339), _SHOWN]
"""A time in a document; it is written in UTC, to the second."""

MomentText = Annotated[str, AfterValidator(_is_moment), _SHOWN]
"""The same where it stays as it stands in JSON."""


class Deadline:
    """A moment by which work has to be done, on the monotonic clock; `setting` is the key that sets it."""

    __slots__ = ("_at", "_setting", "_timeout_s")

    def __init__(self, timeout_s: float, setting: str = "milter.deadline") -> None:
        self._at = time.monotonic() + timeout_s
        self._timeout_s = timeout_s
        self._setting = setting

    @property
    def remaining_s(self) -> float:
        """Seconds left; negative when it has passed."""
        return self._at - time.monotonic()

    def for_extras(self) -> "Deadline":
        """Return a deadline a third earlier, so that what may be left out never takes the rest's time."""
        return Deadline(self.remaining_s - self._timeout_s / 3, self._setting)

    def check(self, attempted: str) -> None:
        """Raise DeadlineError if the time is up."""
        if self.remaining_s <= 0:
            remedy = "see why S3 or the way to it is slow"
            raise DeadlineError(f"{attempted} took longer than {self._setting}", remedy=remedy)


@contextlib.contextmanager
def every(interval_s: float, task: Callable[[], object]) -> Iterator[None]:
    """Run `task`, which must not raise, in a thread, again and again while the `with` block runs."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(interval_s):
            task()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
