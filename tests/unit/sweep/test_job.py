"""A run of the sweep begins where the last left off, and leaves nothing out that is still to be done."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.fakes.bucket import MemoryStore
from tests.fakes.outbox import Outbox
from tests.unit.sweep.sweeps import OVER, Unwatched, sweep
from woomera_milter.store.keys import watermark_key
from woomera_milter.sweep.job import SweepJob
from woomera_milter.sweep.sweep import SweepResult

OLD_KEY = "archive/2026/01/05/host-1/a.eml"
NEW_KEY = "archive/2026/11/24/host-1/b.eml"


class Runs:
    """Runs of the job over one bucket, of which each is recorded as the command does."""

    def __init__(self, store: MemoryStore, outbox: Outbox, folder: Path) -> None:
        self._store, self._outbox, self._folder = store, outbox, folder

    def run(
        self,
        *,
        full: bool = False,
        most: int = 500,
        since: datetime | None = None,
        keeps_watermark: bool = True,
    ) -> SweepResult:
        job = SweepJob(
            sweep(self._store, self._outbox, self._folder),
            self._store,
            "archive/",
            None,
            keeps_watermark=keeps_watermark,
            started_at=self._store.now,
        )
        result = job.run(since, full=full, most=most, dry_run=False, observer=Unwatched())
        job.record(result)
        assert job.processed_count == 0
        return result


@pytest.fixture
def runs(store: MemoryStore, outbox: Outbox, tmp_path: Path) -> Runs:
    return Runs(store, outbox, tmp_path)


def test_after_too_many_notices_the_next_run_still_finds_every_one(runs: Runs, store: MemoryStore) -> None:
    for key in (OLD_KEY, NEW_KEY):
        store.put_octets(key, OVER)
    assert runs.run(most=1).too_many
    store.advance(timedelta(days=3))
    assert runs.run().notified == 2


def test_copy_of_an_old_day_is_found_by_a_full_run_and_by_the_first(runs: Runs, store: MemoryStore) -> None:
    store.put_octets(OLD_KEY, OVER)
    assert runs.run().notified == 1
    late = OLD_KEY.replace("a.eml", "late.eml")
    store.put_octets(late, OVER)
    assert runs.run().notified == 0  # so old a day is listed once a week
    assert runs.run(full=True).notified == 1


def test_what_failed_is_tried_by_the_next_run_of_whatever_day_its_key_is(
    runs: Runs, store: MemoryStore, outbox: Outbox
) -> None:
    store.put_octets(OLD_KEY, OVER)
    outbox.error = ZeroDivisionError()
    assert len(runs.run().failed) == 1
    outbox.error = None
    store.advance(timedelta(hours=1))
    assert runs.run().notified == 1


@pytest.mark.parametrize("keeps_watermark", [True, False])
def test_run_of_its_own_range_leaves_the_watermark_alone(
    keeps_watermark: bool, runs: Runs, store: MemoryStore
) -> None:
    since = store.now if keeps_watermark else None
    runs.run(since=since, keeps_watermark=keeps_watermark)
    assert watermark_key() not in store.objects
