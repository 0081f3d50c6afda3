"""Reads what a report is made of: one pass over the listing, and the few objects that matter, in parallel.

Objects are asked for while the listing still goes on, and reduced as they come: memory does not grow with
their number.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from woomera_milter.errors import DamagedError
from woomera_milter.message.addresses import address_of
from woomera_milter.report.figures import Statistics
from woomera_milter.store.answers import Listed
from woomera_milter.store.documents import ArchiveDay, Claim, MilterDay, Sidecar, host_day, validated
from woomera_milter.store.keys import (
    MESSAGES,
    PROCESSED,
    REPORTS,
    STATS,
    conditional_writes_key,
    day_of_message,
    day_of_snapshot,
    is_sidecar_key,
)
from woomera_milter.store.objects import Store
from woomera_milter.workers import in_parallel

AT_ONCE = 16
_AHEAD = 256
_STALE_FOR = timedelta(days=7)

_Found = tuple[MilterDay | ArchiveDay | Sidecar | Claim | DamagedError, timedelta]
"""What an object holds, and how long ago it was written."""


class Reader:
    """Fills statistics from the bucket. Raises the errors of Store."""

    def __init__(
        self, store: Store, archive_prefix: str, retention: timedelta, progress: Callable[[int], None]
    ) -> None:
        """`progress` is told of so many more objects that were read."""
        self._store = store
        self._archive_prefix = archive_prefix
        self._retention = retention
        self._progress = progress

    def fill(self, statistics: Statistics, now: datetime) -> None:
        """Read all that belongs to the statistics' period."""
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="report") as workers:
            wanted = self._wanted(statistics, now)
            for listed, found in in_parallel(workers, self._read, wanted, _AHEAD):
                self._progress(1)
                try:
                    if found is not None:
                        _add(statistics, listed, found)
                except ValueError:
                    statistics.unreadable.add(listed.key)

    def _wanted(self, statistics: Statistics, now: datetime) -> Iterator[Listed]:
        """Count what lies in the bucket, and yield what has to be read of it."""
        since, period = statistics.reads_since, statistics.period
        claims_since = min(datetime(since.year, since.month, since.day, tzinfo=UTC), now - _STALE_FOR)

        def is_snapshot(listed: Listed) -> bool:
            day = day_of_snapshot(listed.key)
            return day is not None and since <= day <= period.until

        def is_sidecar(listed: Listed) -> bool:
            day = day_of_message(listed.key)
            return is_sidecar_key(listed.key) and day is not None and day in period

        def is_claim(listed: Listed) -> bool:
            is_probe = listed.key == conditional_writes_key(listed.key)
            return listed.modified_at >= claims_since and not is_probe

        wanted = {STATS: is_snapshot, PROCESSED: is_claim, MESSAGES: is_sidecar}
        for prefix in (*wanted, self._archive_prefix, REPORTS):
            is_wanted = wanted.get(prefix)
            for page in self._store.pages(prefix):
                for listed in page.objects:
                    ends_at = listed.modified_at + self._retention if prefix == MESSAGES else None
                    statistics.add_stored(prefix, listed.size_bytes, ends_at, now)
                    if is_wanted and is_wanted(listed):
                        yield listed

    def _read(self, listed: Listed) -> tuple[Listed, _Found | None]:
        try:
            found = self._store.get_json(listed.key)
            return listed, (
                self._document(listed.key, found.value),
                found.age or timedelta(0),
            ) if found else None
        except DamagedError as error:
            return listed, (error, timedelta(0))

    def _document(self, key: str, value: object) -> MilterDay | ArchiveDay | Sidecar | Claim:
        name = self._store.name_of(key)
        if key.startswith(STATS):
            return host_day(value, name)
        return validated(Sidecar, value, name) if key.startswith(MESSAGES) else validated(Claim, value, name)


def _add(statistics: Statistics, listed: Listed, found: _Found) -> None:
    document, age = found
    match document:
        case MilterDay():
            statistics.add_milter_day(document)
        case ArchiveDay():
            statistics.add_archive_day(document)
        case Sidecar():
            author = address_of(document.header_from.encode()) or document.envelope_sender
            statistics.add_sidecar(document, listed.modified_at, author.lower())
        case Claim():
            statistics.add_claim(document, listed.modified_at, age)
        case DamagedError():
            statistics.unreadable.add(listed.key)
