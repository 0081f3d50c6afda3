"""Counters reach the bucket, each process's day once, and are never in anybody's way."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from tests.fakes.bucket import MemoryStore
from woomera_milter.errors import TemporaryError
from woomera_milter.milter.counters import Counters
from woomera_milter.milter.snapshots import SnapshotWriter
from woomera_milter.store.documents import validated
from woomera_milter.store.tallies import Tally

START = datetime(2026, 11, 24, 23, 50, tzinfo=UTC)
KEY = "stats/2026-11-24/host-1-20261124T235000.000000Z.json"
NEXT_KEY = "stats/2026-11-25/host-1-20261124T235000.000000Z.json"
PATIENCE_S = 10


class World:
    """A process's counters, its clock and its bucket."""

    def __init__(self) -> None:
        self.now = START
        self.bucket = MemoryStore()
        self.bucket.on_step = self._at_each_step
        self.is_away = False
        self.asked = threading.Event()
        self.freed = threading.Event()
        self.freed.set()
        self.counters = Counters(self.now_s)
        self.writer = self.make_writer(timedelta(minutes=5))

    def _at_each_step(self, _what: str, _key: str) -> None:
        """The bucket can be away, or hang."""
        self.asked.set()
        self.freed.wait(PATIENCE_S)
        if self.is_away:
            raise TemporaryError("S3 is down", reason="store")

    def passed(self) -> dict[str, int]:
        return {key: self.bucket.json(key)["passed"]["count"] for key in self.bucket.objects}

    def now_s(self) -> float:
        return self.now.timestamp()

    def make_writer(self, every: timedelta) -> SnapshotWriter:
        return SnapshotWriter(self.bucket, self.counters, "host-1", every, lambda: self.now)

    def go_on(self, span: timedelta) -> None:
        self.now += span


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.freed.set()


def test_a_snapshot_says_whose_it_is_and_what_was_counted(world: World) -> None:
    world.counters.passed(100)
    world.go_on(timedelta(minutes=5))
    world.writer.write()
    document = json.loads(world.bucket.objects[KEY].octets)
    about = {
        "source": "milter",
        "host": "host-1",
        "day": "2026-11-24",
        "started_at": "2026-11-24T23:50:00Z",
        "written_at": "2026-11-24T23:55:00Z",
        "every_s": 300,
        "stopped": False,
    }
    assert {name: document[name] for name in about} == about
    assert validated(Tally, document, KEY) == world.counters.by_day()[date(2026, 11, 24)]


def test_a_process_that_outlives_midnight_completes_its_day_and_begins_another_object(world: World) -> None:
    world.counters.passed(1)
    world.writer.write()
    world.counters.passed(1)  # after the last snapshot of the day
    world.go_on(timedelta(minutes=10))
    world.counters.passed(1)
    world.writer.write()
    assert world.passed() == {KEY: 2, NEXT_KEY: 1}


def test_a_finished_day_is_written_no_more_and_an_idle_one_goes_on_being_written(world: World) -> None:
    world.writer.write()
    world.go_on(timedelta(minutes=10))
    world.writer.write()
    world.bucket.restart()
    world.writer.write()
    assert world.bucket.operations == [("put", NEXT_KEY)]


def test_counts_of_days_without_s3_are_written_when_it_is_back(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.is_away = True
    for _ in range(4):
        world.counters.passed(1)
        world.writer.write()
        world.go_on(timedelta(days=1))
    assert world.passed() == {}
    assert caplog.messages == ['-: not-counted reason=store problem="S3 is down"']

    world.is_away = False
    world.writer.write()

    assert [count for _, count in sorted(world.passed().items())] == [1, 1, 1, 1, 0]


def test_the_end_of_the_process_writes_what_was_counted_since(world: World) -> None:
    with world.writer:
        world.counters.passed(1)
    document = json.loads(world.bucket.objects[KEY].octets)
    assert (document["passed"]["count"], document["stopped"]) == (1, True)


def test_snapshots_are_written_while_the_process_runs(world: World) -> None:
    with world.make_writer(timedelta(milliseconds=10)):
        assert world.asked.wait(PATIENCE_S)


def test_an_s3_that_hangs_keeps_no_process_from_ending_and_no_message_from_being_counted(
    world: World,
) -> None:
    world.freed.clear()
    with world.make_writer(timedelta(milliseconds=10)):
        assert world.asked.wait(PATIENCE_S)
        world.counters.passed(1)
    assert world.passed() == {}  # it hangs still
