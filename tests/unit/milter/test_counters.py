"""What a process counts is exact, whatever thread counts it and whatever the hour."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest

from woomera_milter.milter.counters import Counters
from woomera_milter.store.documents import validated, written
from woomera_milter.store.tallies import STORE_BUCKETS, Amount, Tally

NOON_S = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()
MIDNIGHT_S = datetime(2026, 11, 25, tzinfo=UTC).timestamp()
TODAY, TOMORROW = date(2026, 11, 24), date(2026, 11, 25)
THREADS, TIMES = 8, 2000


class Clock:
    """Stands still until a test moves it."""

    def __init__(self, now_s: float = NOON_S) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


def test_no_count_is_lost_between_threads() -> None:
    counters = Counters(Clock())

    def count(_: int) -> None:
        for _ in range(TIMES):
            counters.passed(10)
            counters.intercepted(100, 0.2)
            counters.failed("id", "store", passed=True)

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(count, range(THREADS)))

    total = THREADS * TIMES
    tally = counters.by_day()[TODAY]
    assert tally.passed == Amount(total, 10 * total)
    assert tally.intercepted == Amount(total, 100 * total)
    assert (tally.failed, tally.passed_over_limit, tally.store_seconds) == (
        {"store": total},
        total,
        {"0.25": total},
    )


def test_a_message_counts_on_the_utc_day_of_its_end() -> None:
    clock = Clock(MIDNIGHT_S - 0.001)
    counters = Counters(clock)
    counters.passed(1)
    clock.now_s = MIDNIGHT_S
    counters.passed(2)
    assert {day: it.passed.size_bytes for day, it in counters.by_day().items()} == {TODAY: 1, TOMORROW: 2}


def test_a_clock_that_is_put_back_over_midnight_loses_nothing() -> None:
    clock = Clock(MIDNIGHT_S - 1)
    counters = Counters(clock)
    for now_s in (MIDNIGHT_S - 1, MIDNIGHT_S + 1, MIDNIGHT_S - 1):
        clock.now_s = now_s
        counters.passed(1)
    assert [it.passed.count for it in counters.by_day().values()] == [2, 1]


def test_today_is_there_before_anything_is_counted() -> None:
    assert Counters(Clock()).by_day() == {TODAY: Tally()}


def test_what_was_given_out_does_not_change_any_more() -> None:
    counters = Counters(Clock())
    before = counters.by_day()[TODAY]
    counters.passed(1)
    counters.failed("id", "store", passed=False)
    assert before == Tally()


@pytest.mark.parametrize(
    ("store_s", "bucket"), [(0.0, "0.1"), (0.1, "0.1"), (0.1001, "0.25"), (60, "60"), (60.5, "more")]
)
def test_a_time_to_store_is_in_the_first_bucket_that_it_does_not_exceed(store_s: float, bucket: str) -> None:
    counters = Counters(Clock())
    counters.intercepted(1, store_s)
    document = written(counters.by_day()[TODAY])["store_seconds"]
    assert document == dict.fromkeys(STORE_BUCKETS, 0) | {bucket: 1}


def test_the_last_failures_are_kept_and_no_more_than_twenty() -> None:
    counters = Counters(Clock())
    for number in range(25):
        counters.failed(f"id{number}", "store", passed=False)
    tally = counters.by_day()[TODAY]
    assert [it.queue_id for it in tally.recent_failures] == [f"id{number}" for number in range(5, 25)]
    assert tally.recent_failures[0].at == datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert tally.failed == {"store": 25}


def test_a_tally_is_read_back_from_json_as_it_was() -> None:
    counters = Counters(Clock())
    counters.passed(5)
    counters.intercepted(7, 3)
    counters.failed("id", "store", passed=True)
    tally = counters.by_day()[TODAY]
    assert validated(Tally, json.loads(json.dumps(written(tally))), "it") == tally
