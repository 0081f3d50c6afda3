"""Which part of the archive a sweep looks at: all that may be new, and no more."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tests.fakes.bucket import MemoryStore
from tests.fakes.outbox import Outbox
from tests.unit.sweep.sweeps import KEY, OVER, Unwatched, run, sweep
from woomera_milter.errors import PermanentError
from woomera_milter.store.keys import claim_key
from woomera_milter.store.objects import Document
from woomera_milter.sweep import watermark
from woomera_milter.sweep.job import SweepJob
from woomera_milter.sweep.watermark import EVERYTHING, SweepRange


def listed_prefixes(store: MemoryStore) -> list[str]:
    return [key for what, key in store.operations if what == "list"]


def test_days_before_the_window_are_not_listed(store: MemoryStore, outbox: Outbox, tmp_path: Path) -> None:
    for day in ("2025/12/31", "2026/10/31", "2026/11/16", "2026/11/17", "2026/11/24"):
        store.put_octets(f"archive/{day}/host-1/a.eml", b"small")
    store.put_octets("archive/elsewhere/b.eml", b"small")
    result = run(store, outbox, tmp_path, SweepRange(date(2026, 11, 17), None))
    assert listed_prefixes(store) == [
        "archive/",
        "archive/2025/",
        "archive/2026/",
        "archive/2026/11/",
        "archive/2026/11/17/",
        "archive/2026/11/24/",
        "archive/elsewhere/",
    ]
    assert result.scanned == 3


def test_everything_is_every_object_of_whatever_layout(
    store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    keys = [
        "a.eml",
        "2026/b.eml",
        "2026/11/c.eml",
        "2026/11/24/d.eml",
        "2026/11/24/h/e.eml",
        "99/f",
        "x/y/z/g",
    ]
    for key in keys:
        store.put_octets(f"archive/{key}", OVER)
    assert run(store, outbox, tmp_path).notified == len(keys)


@pytest.mark.parametrize(
    "folder", ["1001", "1001/11/03", "9999", "2015", "2015/inbox", "2026/03x", "2026/13", "2026/00/01"]
)
def test_a_folder_that_only_looks_like_a_year_is_looked_into(
    folder: str, store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    store.put_octets(f"archive/{folder}/a.eml", OVER)
    store.put_octets("archive/2026/11/24/host-1/b.eml", b"small")
    assert run(store, outbox, tmp_path, SweepRange(date(2026, 11, 17), None)).notified == 1


NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


def after_one(store: MemoryStore, *unsettled: datetime) -> watermark.Watermark:
    watermark.save(store, watermark.advanced(None, "archive/", EVERYTHING, NOW, unsettled))
    found = watermark.load(store, "archive/")
    assert found
    return found


def test_the_next_sweep_goes_back_far_enough_for_late_copies(store: MemoryStore) -> None:
    span = watermark.next_range(after_one(store), NOW + timedelta(hours=1))
    assert span == SweepRange(date(2026, 11, 17), NOW - timedelta(days=1))


def test_once_a_week_all_days_are_listed_for_copies_that_are_later_still(store: MemoryStore) -> None:
    first = after_one(store)
    second = watermark.advanced(
        first, "archive/", watermark.next_range(first, NOW), NOW + timedelta(days=6), ()
    )
    span = watermark.next_range(second, NOW + timedelta(days=8))
    # What came to old days since the last sweep of all of them is new, however often recent days were swept.
    assert span == SweepRange(None, NOW - timedelta(days=1))


def test_failures_hold_the_watermark_back(store: MemoryStore) -> None:
    came = NOW - timedelta(days=40)
    span = watermark.next_range(after_one(store, came), NOW)
    assert span.since is None
    assert span.new_since
    assert span.new_since < came


def test_what_failed_is_looked_at_by_the_next_sweep_of_whatever_day_its_key_is(store: MemoryStore) -> None:
    came = NOW - timedelta(minutes=5)
    failed = after_one(store, came)
    assert watermark.next_range(failed, NOW) == SweepRange(None, came - timedelta(days=1))
    settled = watermark.advanced(failed, "archive/", watermark.next_range(failed, NOW), NOW, ())
    assert watermark.next_range(settled, NOW).since == date(2026, 11, 17)


def test_a_watermark_never_lies_ahead_of_the_moment_at_which_it_was_written(store: MemoryStore) -> None:
    ahead = watermark.advanced(None, "archive/", EVERYTHING, NOW + timedelta(days=400), ())
    watermark.save(store, ahead)
    store.advance(timedelta(days=1))
    found = watermark.load(store, "archive/")
    assert watermark.next_range(found, store.now) == SweepRange(date(2026, 11, 17), NOW - timedelta(days=1))


def test_watermark_of_a_server_that_does_not_tell_when_it_was_written_holds_as_it_stands(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = after_one(store)
    get_json = store.get_json

    def without_times(key: str) -> Document | None:
        found = get_json(key)
        return found and replace(found, age=None, modified_at=None)

    monkeypatch.setattr(store, "get_json", without_times)
    assert watermark.load(store, "archive/") == written


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(days=400), timedelta(days=-400)])
def test_a_clock_that_is_wrong_at_one_sweep_hides_no_copy_from_the_next(
    ahead: timedelta, store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    def sweep_at(started_at: datetime) -> int:
        swept = sweep(store, outbox, tmp_path)
        job = SweepJob(swept, store, "archive/", None, keeps_watermark=True, started_at=started_at)
        result = job.run(None, full=False, most=9, dry_run=False, observer=Unwatched())
        job.record(result)
        return result.notified

    assert sweep_at(store.now + ahead) == 0
    store.advance(timedelta(days=3))
    store.put_octets(KEY, OVER)
    assert sweep_at(store.now) == 1
    store.restart()
    assert sweep_at(store.now) == 0
    assert ("get", KEY) not in store.operations


@pytest.mark.parametrize("octets", [b"1", b"{}", b'{"prefix": "archive/", "recent_until": "2026-11-24"}'])
def test_a_damaged_watermark_is_named(store: MemoryStore, octets: bytes) -> None:
    store.put_octets("sweep/watermark.json", octets)
    with pytest.raises(PermanentError, match=r"sweep/watermark\.json: .* is not what it should be"):
        watermark.load(store, "archive/")


def test_another_prefix_has_no_watermark(store: MemoryStore) -> None:
    after_one(store)
    assert watermark.load(store, "elsewhere/") is None


def test_an_object_that_cannot_be_notified_is_unsettled_for_a_week(
    store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    store.put_octets(KEY, OVER.replace(b"To: recipient@example.org\r\n", b"To: undisclosed-recipients:;\r\n"))
    result = run(store, outbox, tmp_path)
    assert "no recipients" in result.failed[0].reason
    assert result.unsettled == [store.now]
    claim = json.loads(store.objects[claim_key(KEY)].octets)
    store.put_octets(claim_key(KEY), json.dumps(claim | {"first_failed_at": "2020-01-01T00:00:00Z"}).encode())
    result = run(store, outbox, tmp_path)
    assert (len(result.failed), result.unsettled) == (1, [])


@pytest.mark.parametrize(
    ("failing_for", "is_settled"),
    [(timedelta(days=7, minutes=-1), False), (timedelta(days=7, minutes=1), True)],
    ids=["almost a week", "a week"],
)
def test_next_sweeps_come_back_to_a_failure_for_a_week(
    failing_for: timedelta, is_settled: bool, store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    store.put_octets(KEY, OVER)
    outbox.error = ZeroDivisionError()
    run(store, outbox, tmp_path)
    claim = json.loads(store.objects[claim_key(KEY)].octets)
    since = (datetime.now(UTC) - failing_for).isoformat()
    store.put_octets(claim_key(KEY), json.dumps(claim | {"first_failed_at": since}).encode())
    assert (run(store, outbox, tmp_path).unsettled == []) is is_settled
