"""What a milter process counts: messages by their end, octets, failures by reason, times to store.

Each message that reached its end is counted once, on the UTC day on which it did: passed, intercepted or
failed. No address, subject or link is ever counted; those stand in sidecars alone.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from woomera_milter.store.tallies import FailedMessage, Tally, bucket_of


class Counters:
    """The counts of this process by UTC day. Safe to use from many threads at once."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives seconds since the epoch."""
        self._clock = clock
        self._lock = threading.Lock()
        self._tallies: dict[date, Tally] = {}
        self._today = Tally()
        self._today_from_s = self._today_until_s = 0.0

    def passed(self, size_bytes: int) -> None:
        """A message within the limit, or not for the relay, went its way."""
        with self._lock:
            self._current().passed.add(size_bytes)

    def intercepted(self, size_bytes: int, store_s: float) -> None:
        """A message was stored, and the MTA has taken the notice in its place."""
        with self._lock:
            tally = self._current()
            tally.intercepted.add(size_bytes)
            tally.store_seconds[bucket_of(store_s)] += 1

    def failed(self, queue_id: str, reason: str, *, passed: bool) -> None:
        """An over-limit message could not be handled; `passed`: it went on to the relay all the same."""
        with self._lock:
            tally = self._current()
            tally.failed[reason] += 1
            tally.passed_over_limit += passed
            at = datetime.fromtimestamp(self._clock(), UTC)
            tally.recent_failures.append(FailedMessage(queue_id, reason, at))

    def by_day(self) -> dict[date, Tally]:
        """Return copies of the tallies that are kept; today's is always among them."""
        with self._lock:
            self._current()
            copies = {}
            for day, tally in self._tallies.items():
                copies[day] = Tally()
                copies[day].merge(tally)
            return copies

    def forget_before(self, day: date) -> None:
        """Drop the tallies of earlier days."""
        with self._lock:
            self._tallies = {kept: tally for kept, tally in self._tallies.items() if kept >= day}

    def _current(self) -> Tally:
        """Return today's tally; a comparison is all that most calls cost."""
        now_s = self._clock()
        if not self._today_from_s <= now_s < self._today_until_s:
            midnight = datetime.fromtimestamp(now_s, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            self._today_from_s = midnight.timestamp()
            self._today_until_s = (midnight + timedelta(days=1)).timestamp()
            self._today = self._tallies.setdefault(midnight.date(), Tally())
        return self._today
