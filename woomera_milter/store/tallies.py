"""Counts that add up over processes, hosts and days, as they stand in documents too."""

from bisect import bisect_left
from collections import Counter, deque
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, PlainSerializer, model_validator

from woomera_milter.clock import Moment

DOCUMENTED = ConfigDict(use_attribute_docstrings=True)
_BUCKET_ENDS_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
STORE_BUCKETS = (*(f"{end:g}" for end in _BUCKET_ENDS_S), "more")
"""Times to store an intercepted message: each bucket's name is its upper bound in seconds.

A time is in the first bucket that it does not exceed, and in no other, so that hosts add up.
"""

_RECENT_FAILURES = 20


def _whole(value: object, kind: type[Any]) -> object:
    """Refuse a document in which a count is missing: read as 0 it would make every sum wrong."""
    if isinstance(value, dict) and not COUNTS[kind] <= value.keys():
        raise ValueError("counts are missing")
    return value


@dataclass(slots=True)
class Amount:
    """So many messages, and the octets of all of them."""

    __pydantic_config__: ClassVar[ConfigDict] = DOCUMENTED

    count: int = 0
    """How many."""
    size_bytes: Annotated[int, Field(alias="bytes")] = 0
    """Their octets."""

    @model_validator(mode="before")
    @classmethod
    def _has_both(cls, value: object) -> object:
        return _whole(value, Amount)

    def add(self, size_bytes: int) -> None:
        """Count one."""
        self.count += 1
        self.size_bytes += size_bytes

    def merge(self, other: "Amount") -> None:
        """Count all of another's."""
        self.count += other.count
        self.size_bytes += other.size_bytes


@dataclass(frozen=True, slots=True)
class FailedMessage:
    """One attempt that failed."""

    __pydantic_config__: ClassVar[ConfigDict] = DOCUMENTED

    queue_id: str
    """By which the host's log says more."""
    reason: str
    """In a word; errors.py says what it means."""
    at: Moment
    """When."""


def _all_buckets(counts: Counter[str]) -> dict[str, int]:
    return {bucket: counts[bucket] for bucket in STORE_BUCKETS}


@dataclass(slots=True)
class Tally:
    """The counts of one process and day, or a sum of such."""

    __pydantic_config__: ClassVar[ConfigDict] = DOCUMENTED

    passed: Amount = field(default_factory=Amount)
    """Messages left as they are; the octets are those of `{msg_size}` where no body was read."""
    intercepted: Amount = field(default_factory=Amount)
    """Messages stored and replaced."""
    failed: Counter[str] = field(default_factory=Counter)
    """Attempts that failed, by reason."""
    passed_over_limit: int = 0
    """Those of them that `on_failure: pass` sent on their way to a relay which refuses them."""
    store_seconds: Annotated[Counter[str], PlainSerializer(_all_buckets)] = field(default_factory=Counter)
    """How many took so long to store: each bucket's name is its upper bound in seconds."""
    recent_failures: deque[FailedMessage] = field(default_factory=lambda: deque(maxlen=_RECENT_FAILURES))
    """The last few that failed."""

    @model_validator(mode="before")
    @classmethod
    def _has_all(cls, value: object) -> object:
        return _whole(value, Tally)

    def merge(self, other: "Tally") -> None:
        """Add another's counts."""
        self.passed.merge(other.passed)
        self.intercepted.merge(other.intercepted)
        self.failed.update(other.failed)
        self.passed_over_limit += other.passed_over_limit
        self.store_seconds.update(other.store_seconds)
        self.recent_failures.extend(other.recent_failures)


def bucket_of(store_s: float) -> str:
    """Return the bucket of a time to store."""
    return STORE_BUCKETS[bisect_left(_BUCKET_ENDS_S, store_s)]


COUNTS: dict[type[Any], frozenset[str]] = {
    Amount: frozenset({"count", "bytes"}),
    Tally: frozenset(it.name for it in fields(Tally)),
}
"""What has to stand in a document; in Python all of it begins at 0."""
