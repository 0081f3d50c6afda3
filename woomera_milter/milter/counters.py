"""What a milter process counts: messages by their end, octets, failures by reason, times to store.

Each message that reached its end is counted once, on the UTC day on which it did: passed, intercepted or
failed. No address, subject or link is ever counted; those stand in sidecars alone.
"""

import threading
import time
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple, Self

from woomera_milter.clock import rfc3339

_BUCKET_ENDS_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
STORE_BUCKETS = (*(f"{end:g}" for end in _BUCKET_ENDS_S), "more")
"""Times to store an intercepted message: each bucket's name is its upper bound in seconds.

A time is in the first bucket that it does not exceed, and in no other, so that hosts add up.
"""

_RECENT_FAILURES = 20


@dataclass(slots=True)
class Amount:
    """So many messages, and the octets of all of them."""

    count: int = 0
    size_bytes: int = 0

    def add(self, size_bytes: int) -> None:
        """Count one."""
        self.count += 1
        self.size_bytes += size_bytes

    def merge(self, other: "Amount") -> None:
        """Count all of another's."""
        self.count += other.count
        self.size_bytes += other.size_bytes

    def document(self) -> dict[str, int]:
        """Return it as it stands in JSON."""
        return {"count": self.count, "bytes": self.size_bytes}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Read what `document` wrote; raise KeyError or ValueError where it is something else."""
        return cls(int(document["count"]), int(document["bytes"]))


class FailedMessage(NamedTuple):
    """One attempt that failed; `at` is RFC 3339 in UTC."""

    queue_id: str
    reason: str
    at: str


@dataclass(slots=True)
class Tally:
    """The counts of one process and day, or a sum of such.

    `passed_over_limit` are those among the failed that `on_failure: pass` sent on their way to a relay
    which refuses them. `recent_failures` are the last few.
    """

    passed: Amount = field(default_factory=Amount)
    intercepted: Amount = field(default_factory=Amount)
    failed: Counter[str] = field(default_factory=Counter)
    passed_over_limit: int = 0
    store_seconds: Counter[str] = field(default_factory=Counter)
    recent_failures: deque[FailedMessage] = field(default_factory=lambda: deque(maxlen=_RECENT_FAILURES))

    def merge(self, other: "Tally") -> None:
        """Add another's counts."""
        self.passed.merge(other.passed)
        self.intercepted.merge(other.intercepted)
        self.failed.update(other.failed)
        self.passed_over_limit += other.passed_over_limit
        self.store_seconds.update(other.store_seconds)
        self.recent_failures.extend(other.recent_failures)

    def document(self) -> dict[str, Any]:
        """Return it as it stands in JSON."""
        return {
            "passed": self.passed.document(),
            "intercepted": self.intercepted.document(),
            "failed": dict(self.failed),
            "passed_over_limit": self.passed_over_limit,
            "store_seconds": {bucket: self.store_seconds[bucket] for bucket in STORE_BUCKETS},
            "recent_failures": [it._asdict() for it in self.recent_failures],
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Read what `document` wrote; raise KeyError, TypeError or ValueError where it is something else."""
        tally = cls(
            passed=Amount.of(document["passed"]),
            intercepted=Amount.of(document["intercepted"]),
            failed=Counter({str(reason): int(count) for reason, count in document["failed"].items()}),
            passed_over_limit=int(document["passed_over_limit"]),
            store_seconds=Counter({it: int(document["store_seconds"][it]) for it in STORE_BUCKETS}),
        )
        tally.recent_failures.extend(FailedMessage(**it) for it in document["recent_failures"])
        return tally


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
            tally.store_seconds[STORE_BUCKETS[bisect_left(_BUCKET_ENDS_S, store_s)]] += 1

    def failed(self, queue_id: str, reason: str, *, passed: bool) -> None:
        """An over-limit message could not be handled; `passed`: it went on to the relay all the same."""
        with self._lock:
            tally = self._current()
            tally.failed[reason] += 1
            tally.passed_over_limit += passed
            at = datetime.fromtimestamp(self._clock(), UTC)
            tally.recent_failures.append(FailedMessage(queue_id, reason, rfc3339(at)))

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
            self._tallies = {it: tally for it, tally in self._tallies.items() if it >= day}

    def _current(self) -> Tally:
        """Return today's tally; a comparison is all that most calls cost."""
        now_s = self._clock()
        if not self._today_from_s <= now_s < self._today_until_s:
            midnight = datetime.fromtimestamp(now_s, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            self._today_from_s = midnight.timestamp()
            self._today_until_s = (midnight + timedelta(days=1)).timestamp()
            self._today = self._tallies.setdefault(midnight.date(), Tally())
        return self._today
