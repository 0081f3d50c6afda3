"""The sums of a report, reduced object by object as they come from the bucket. Pure.

However many hosts and messages there are, what is kept is a few numbers for each host, day and sender, short
lists of examples, and which messages of the last two days were there already.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from heapq import heapify, heappush, heappushpop
from typing import Generic, NamedTuple, TypeVar

from woomera_milter.clock import moment
from woomera_milter.report.period import Period, last_days
from woomera_milter.store.documents import ArchiveDay, Claim, MilterDay, Sidecar, State
from woomera_milter.store.sidecars import Attempts, message_of
from woomera_milter.store.tallies import Amount, Tally

Example = TypeVar("Example")

CHART_DAYS = 14
_LARGEST = 10
_EXAMPLES = 5
_LONGEST_EVERY = timedelta(days=366)
_ROUNDING = timedelta(hours=1)
"""Of a link's life: it is signed a little before its sidecar is written, and the store may have been slow."""


class FailedAt(NamedTuple):
    """An attempt that failed on a host."""

    at: datetime
    host: str
    queue_id: str


class LargeMessage(NamedTuple):
    """A message as the list of the largest shows it."""

    size_bytes: int
    received_at: datetime
    id: str
    sender: str
    subject: str
    message: int | None


class ShortLink(NamedTuple):
    """A message whose links end earlier than they should."""

    id: str
    ends_at: datetime


class Unannounced(NamedTuple):
    """An archived message of whose recipients some have no notice."""

    key: str
    reason: str


class StaleClaim(NamedTuple):
    """A sweep's claim that is older than its lease, and led to nothing."""

    key: str
    host: str
    since: datetime


@dataclass(slots=True)
class Examples(Generic[Example]):
    """How many there are, and the first few of them."""

    count: int = 0
    shown: list[Example] = field(default_factory=list)

    def add(self, example: Example) -> None:
        """Count one more."""
        self.count += 1
        if len(self.shown) < _EXAMPLES:
            self.shown.append(example)


@dataclass(slots=True)
class Host:
    """What one host did in the period. `seen_at`: when its milter last wrote a snapshot, None where never."""

    tally: Tally = field(default_factory=Tally)
    archived: Amount = field(default_factory=Amount)
    seen_at: datetime | None = None
    every: timedelta = timedelta(0)
    stopped: bool = False
    last_archive: ArchiveDay | None = None

    def is_silent(self, at: datetime) -> bool:
        """Tell whether its milter, which nobody stopped, has missed three snapshots by then."""
        return self.seen_at is not None and not self.stopped and self.seen_at < at - 3 * self.every


@dataclass(slots=True)
class Day:
    """What became of over-limit mail on one day."""

    intercepted: int = 0
    swept: int = 0
    failed: int = 0


@dataclass(slots=True)
class Usage:
    """What lies below a prefix; the lifecycle deletes `ending` within as many days as the period has."""

    stored: Amount = field(default_factory=Amount)
    ending: Amount = field(default_factory=Amount)


@dataclass(slots=True)
class Totals:
    """The sums of one period."""

    tally: Tally = field(default_factory=Tally)
    notified: int = 0
    unannounced: int = 0
    archived: Amount = field(default_factory=Amount)


class Statistics:
    """All that a report of `period` tells; `add_...` take what was read.

    `last_snapshot_at`: when a milter last wrote one, as far back as is read (`reads_since`); None: none did.
    """

    def __init__(self, period: Period, links_expire: timedelta, now: datetime) -> None:
        """`links_expire`: how long links should live."""
        self.period = period
        self.as_of = min(period.ends_at, now)
        self.totals = Totals()
        self.before = Totals()
        self.days = {day: Day() for day in last_days(period.until, CHART_DAYS)}
        self.hosts: dict[str, Host] = {}
        self.last_snapshot_at: datetime | None = None
        self.failures: dict[str, list[FailedAt]] = {}
        self.unannounced = Examples[Unannounced]()
        self.stale_claims = Examples[StaleClaim]()
        self.short_links = Examples[ShortLink]()
        self.unreadable = Examples[str]()
        self.senders: Counter[str] = Counter()
        self.usage: dict[str, Usage] = {}
        self._links_expire = links_expire
        self._largest: list[LargeMessage] = []
        self._attempts = Attempts()

    @property
    def reads_since(self) -> date:
        """The first day of which anything is needed."""
        return min(self.period.previous.first, *self.days)

    @property
    def largest(self) -> list[LargeMessage]:
        """The largest messages of the period, the largest first."""
        return sorted(self._largest, reverse=True)

    @property
    def is_quiet(self) -> bool:
        """Whether Woomera had nothing to do: mail that passes is none of its doing."""
        done = self.totals.tally.intercepted.count + self.totals.tally.failed.total()
        return not done + self.totals.notified + self.totals.unannounced

    def add_milter_day(self, counted: MilterDay) -> None:
        """Take what a milter process counted on a day."""
        day, seen_at = counted.day, counted.written_at
        self.last_snapshot_at = max(seen_at, self.last_snapshot_at or seen_at)
        # Of the day after, too: a host whose last snapshot of the period was lost is not silent for that.
        if self.period.previous.first <= day <= self.period.until:
            known = self.hosts.setdefault(counted.host, Host())
            if known.seen_at is None or seen_at > known.seen_at:
                known.seen_at, known.stopped = seen_at, counted.stopped
                known.every = timedelta(seconds=counted.every_s)
        if day in self.days:
            self.days[day].intercepted += counted.intercepted.count
            self.days[day].failed += counted.failed.total()
        if day in self.period.previous:
            self.before.tally.merge(counted)
        if day in self.period:
            self.totals.tally.merge(counted)
            self.hosts[counted.host].tally.merge(counted)
            for failure in counted.recent_failures:
                seen = self.failures.setdefault(failure.reason, [])
                seen.append(FailedAt(failure.at, counted.host, failure.queue_id))
                seen.sort(reverse=True)
                del seen[_EXAMPLES:]

    def add_archive_day(self, moved: ArchiveDay) -> None:
        """Take what `woomera archive` did on a host and day."""
        if self.period.previous.first <= moved.day <= self.period.until:
            known = self.hosts.setdefault(moved.host, Host())
            if known.last_archive is None or moved.written_at > known.last_archive.written_at:
                known.last_archive = moved
        if moved.day in self.period.previous:
            self.before.archived.merge(moved.archived)
        if moved.day in self.period:
            self.hosts[moved.host].archived.merge(moved.archived)
            self.totals.archived.merge(moved.archived)

    def add_sidecar(self, sidecar: Sidecar, written_at: datetime, sender: str) -> None:
        """Take the sidecar of a message received in the period; `sender` is its author's address."""
        if not sidecar.announced:
            return
        message = LargeMessage(
            sidecar.size_bytes,
            sidecar.received_at,
            sidecar.id,
            sender,
            sidecar.subject,
            message_of(sidecar),
        )
        if self._attempts.saw(message.message, message.received_at):
            self._renew(message)
            return
        if len(self._largest) < _LARGEST:
            heappush(self._largest, message)
        else:
            heappushpop(self._largest, message)
        self.senders[sender] += 1
        ends_at = sidecar.links_expire_at
        if ends_at and ends_at < written_at + self._links_expire - _ROUNDING:
            self.short_links.add(ShortLink(sidecar.id, ends_at))

    def _renew(self, newer: LargeMessage) -> None:
        """Show the newest attempt at a message: it is the one that was announced."""
        for place, shown in enumerate(self._largest):
            if shown.message == newer.message and shown.received_at < newer.received_at:
                self._largest[place] = newer
                heapify(self._largest)

    def add_claim(self, claim: Claim, written_at: datetime, age: timedelta) -> None:
        """Take a sweep's claim; `age` and `written_at` are of its last change. Raise ValueError where it
        came to an end, and does not say when.
        """
        if claim.is_repeated:
            return
        if claim.state is State.DONE:
            done_at = moment(claim.done_at)
            if (day := done_at.date()) in self.days:
                self.days[day].swept += 1
            self.totals.notified += self.period.covers(done_at)
            self.before.notified += self.period.previous.covers(done_at)
        elif claim.state is State.FAILED:
            first_at = moment(claim.first_failed_at)
            if self.period.covers(written_at) or self.period.covers(first_at):
                self.totals.unannounced += 1
                self.unannounced.add(Unannounced(claim.key, claim.reason))
            elif self.period.previous.covers(first_at):
                self.before.unannounced += 1
        elif age > timedelta(seconds=claim.lease_s):
            self.stale_claims.add(StaleClaim(claim.key, claim.host, written_at))

    def add_stored(self, prefix: str, size_bytes: int, ends_at: datetime | None, now: datetime) -> None:
        """Take an object of a listing; `ends_at`: when the lifecycle deletes it, None where nobody knows."""
        usage = self.usage.setdefault(prefix, Usage())
        usage.stored.add(size_bytes)
        if ends_at and ends_at < now + timedelta(days=self.period.days):
            usage.ending.add(size_bytes)
