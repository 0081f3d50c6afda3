"""The report calls attention to what somebody has to act upon, and to nothing else."""

import json
from collections import Counter
from datetime import date, timedelta

import pytest

from tests.fakes.bucket import MemoryStore
from tests.unit.report.documents import (
    DAY,
    NOON,
    NOW,
    SETTINGS,
    TODAY,
    UNTIL,
    archive_day,
    as_mail,
    claim,
    gathered,
    kinds,
    leave,
    leave_snapshot,
    sidecar,
    snapshot,
    tally,
)
from woomera_milter.errors import Reason
from woomera_milter.report import report
from woomera_milter.report.matters import needed
from woomera_milter.store.documents import Backlog
from woomera_milter.store.keys import archive_day_key
from woomera_milter.store.tallies import Amount, FailedMessage


def test_nothing_needs_attention_where_all_is_well(bucket: MemoryStore) -> None:
    leave_snapshot(bucket, snapshot(counts=tally(passed=Amount(5, 5), intercepted=Amount(1, 1))))
    leave(bucket, "messages/2026/11/23/id/envelope.json", sidecar())
    leave(bucket, "processed/a.json", claim("done"))
    assert kinds(gathered(bucket)) == []


def test_failures_are_told_by_reason_with_queue_ids_and_hosts(bucket: MemoryStore) -> None:
    counts = tally()
    counts.failed["store"] = 30
    counts.recent_failures.extend(
        FailedMessage(f"6AO{number}", "store", NOON + timedelta(seconds=number)) for number in range(20)
    )
    leave_snapshot(bucket, snapshot(counts=counts))
    [matter] = needed(gathered(bucket), lambda moment: f"{moment:%H:%M:%S}")
    assert matter.text.startswith("30 attempts to store an over-limit message failed (store)")
    assert list(matter.details) == [f"6AO{number} on host-1, 12:00:{number}" for number in range(19, 14, -1)]


def test_a_failure_of_a_milter_that_is_gone_is_told_without_a_queue_id(bucket: MemoryStore) -> None:
    counts = tally()
    counts.failed["never-heard-of"] = 1
    leave_snapshot(bucket, snapshot(counts=counts))
    [matter] = needed(gathered(bucket), str)
    assert (matter.kind, list(matter.details)) == ("failed", [])


def test_mail_that_passed_over_the_limit_comes_first(bucket: MemoryStore) -> None:
    counts = tally(passed_over_limit=1)
    counts.failed["store"] = 1
    leave_snapshot(bucket, snapshot(counts=counts))
    assert kinds(gathered(bucket)) == ["passed-over-limit", "failed"]


def test_links_that_live_shorter_than_configured_are_told(bucket: MemoryStore) -> None:
    short = sidecar(2, links_expire_at="2026-11-23T18:00:00Z")
    leave(bucket, "messages/2026/11/23/id1/envelope.json", sidecar())
    leave(bucket, "messages/2026/11/23/id2/envelope.json", short)
    [matter] = needed(gathered(bucket), str)
    assert (matter.kind, list(matter.details)) == ("short-links", ["id2: until 2026-11-23 18:00:00+00:00"])


def test_recipients_who_could_not_be_told_are_named_with_the_reason(bucket: MemoryStore) -> None:
    leave(bucket, "processed/a.json", claim("failed", reason="ann@example.org: 550 no such user"))
    [matter] = needed(gathered(bucket), str)
    assert (matter.kind, list(matter.details)) == (
        "untold",
        ["archive/a.eml: ann@example.org: 550 no such user"],
    )


@pytest.mark.parametrize(("age", "is_stuck"), [(timedelta(minutes=14), False), (timedelta(minutes=16), True)])
def test_a_claim_is_stuck_once_its_lease_has_ended(
    age: timedelta, is_stuck: bool, bucket: MemoryStore
) -> None:
    leave(bucket, "processed/a.json", claim("handing-over"), NOW - age)
    assert kinds(gathered(bucket)) == ["stuck-claim"] * is_stuck


@pytest.mark.parametrize(("age", "is_backlog"), [(timedelta(hours=23), False), (timedelta(days=2), True)])
def test_copies_that_wait_for_more_than_a_day_are_a_backlog(
    age: timedelta, is_backlog: bool, bucket: MemoryStore
) -> None:
    document = archive_day("host-1", TODAY, NOON, backlog=Backlog(4, 4, NOON - age))
    leave(bucket, archive_day_key(TODAY, "host-1"), document)
    assert kinds(gathered(bucket)) == ["archive-backlog"] * is_backlog


@pytest.mark.parametrize(
    ("written_at", "stopped", "is_silent"),
    [
        pytest.param("2026-11-23T23:50:00Z", False, False, id="two snapshots missing"),
        pytest.param("2026-11-23T23:40:00Z", False, True, id="silent"),
        pytest.param("2026-11-23T09:00:00Z", True, False, id="stopped by somebody"),
        pytest.param("2026-11-22T09:00:00Z", False, True, id="silent since the day before"),
    ],
)
def test_a_host_that_nobody_stopped_and_that_tells_nothing_fell_silent(
    written_at: str, stopped: bool, is_silent: bool, bucket: MemoryStore
) -> None:
    day = date.fromisoformat(written_at[:10])
    leave_snapshot(bucket, snapshot(day=day, written_at=written_at, stopped=stopped))
    assert kinds(gathered(bucket)) == ["silent-host"] * is_silent


def test_a_host_that_was_heard_of_just_now_is_not_silent_though_the_day_goes_on(bucket: MemoryStore) -> None:
    leave_snapshot(bucket, snapshot(day=UNTIL, written_at="2026-11-24T00:10:00Z"))
    assert kinds(gathered(bucket, until=UNTIL + DAY)) == []


def test_a_host_that_is_gone_for_long_is_not_called_silent_any_more(bucket: MemoryStore) -> None:
    leave_snapshot(bucket, snapshot(day=TODAY - 2 * DAY, written_at="2026-11-21T09:00:00Z"))
    leave_snapshot(bucket, snapshot("host-2"))
    statistics = gathered(bucket)
    assert (kinds(statistics), list(statistics.hosts)) == ([], ["host-2"])


@pytest.mark.parametrize(
    ("last", "stopped", "expected"),
    [
        pytest.param(TODAY, True, [], id="heard of in the period"),
        pytest.param(TODAY - DAY, True, ["no-hosts"], id="stopped the day before"),
        pytest.param(TODAY - DAY, False, ["silent-host"], id="silent, which says it"),
        pytest.param(TODAY - 2 * DAY, False, ["no-hosts"], id="no longer called silent"),
        pytest.param(TODAY - 13 * DAY, False, ["no-hosts"], id="two weeks ago"),
        pytest.param(TODAY - 14 * DAY, False, [], id="before that: given up"),
    ],
)
def test_a_period_in_which_no_milter_told_anything_is_not_well_where_one_did_before(
    last: date, stopped: bool, expected: list[str], bucket: MemoryStore
) -> None:
    leave_snapshot(bucket, snapshot(day=last, written_at=f"{last}T09:00:00Z", stopped=stopped))
    statistics = gathered(bucket)
    assert kinds(statistics) == expected
    assert (report.message_of(statistics, SETTINGS, NOW) is None) is (expected == [])


def test_who_runs_the_sweep_and_no_milter_is_not_told_each_day(bucket: MemoryStore) -> None:
    leave(bucket, "processed/a.json", claim("done"))
    document = archive_day("host-1", TODAY, NOON)
    leave(bucket, archive_day_key(TODAY, "host-1"), document)
    assert kinds(gathered(bucket)) == []


def test_a_host_on_which_the_archive_has_not_run_for_a_day_is_named(bucket: MemoryStore) -> None:
    for host, age in (("host-1", timedelta(hours=20)), ("host-2", timedelta(hours=30))):
        at = NOW - age
        document = archive_day(host, at.date(), at)
        leave(bucket, archive_day_key(at.date(), host), document)
    [matter] = needed(gathered(bucket), lambda moment: f"{moment:%d %H:%M}")
    assert (matter.kind, list(matter.details)) == ("silent-archive", ["host-2: last run 22 18:15"])


def test_a_host_whose_last_snapshot_came_after_midnight_is_not_silent(bucket: MemoryStore) -> None:
    leave_snapshot(bucket, snapshot(written_at="2026-11-23T09:00:00Z"))
    leave_snapshot(bucket, snapshot(day=UNTIL, written_at="2026-11-24T00:05:00Z"))
    assert kinds(gathered(bucket)) == []


@pytest.mark.parametrize(
    "octets",
    [
        *(b"null", b"[]", b'{"day": "x", "host": 1}', b'{"source": "milter"}'),
        json.dumps(snapshot(every_s=1e308)).encode(),
        json.dumps(snapshot(every_s=1e11)).encode(),
        json.dumps(snapshot(written_at="2026-11-23T10:00:00")).encode(),
        json.dumps(snapshot(passed={"count": 1e999, "bytes": 0})).encode(),
    ],
)
def test_an_object_that_cannot_be_read_is_named_and_the_rest_is_told(
    octets: bytes, bucket: MemoryStore
) -> None:
    leave_snapshot(bucket, snapshot(counts=tally(intercepted=Amount(1, 1))))
    bucket.put_octets("stats/2026-11-23/stranger.json", octets)
    statistics = gathered(bucket)
    assert statistics.unreadable.shown == ["stats/2026-11-23/stranger.json"]
    assert statistics.totals.tally.intercepted.count == 1
    assert as_mail(statistics)


def test_a_message_whose_sidecar_tells_no_time_is_named_and_the_report_is_made(bucket: MemoryStore) -> None:
    leave(bucket, "messages/2026/11/23/id/envelope.json", sidecar(received_at="yesterday"))
    statistics = gathered(bucket)
    assert statistics.unreadable.shown == ["messages/2026/11/23/id/envelope.json"]
    assert as_mail(statistics)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_told_with_what_it_means(reason: Reason, bucket: MemoryStore) -> None:
    leave_snapshot(bucket, snapshot(counts=tally(failed=Counter({reason: 1}))))
    [matter] = needed(gathered(bucket), str)
    assert matter.text.endswith(f"failed ({reason.value}): {reason.meaning}")
    assert len(reason.meaning.split()) > 3


def test_a_reason_of_a_later_version_leads_to_the_log(bucket: MemoryStore) -> None:
    leave_snapshot(bucket, snapshot(counts=tally(failed=Counter({"moon": 1}))))
    assert [it.text for it in needed(gathered(bucket), str)] == [
        "1 attempt to store an over-limit message failed (moon): see the log"
    ]


@pytest.mark.parametrize("missing", ["passed", "intercepted", "failed", "recent_failures"])
def test_a_snapshot_in_which_a_count_is_missing_is_left_out_and_named(
    missing: str, bucket: MemoryStore
) -> None:
    document = snapshot(counts=tally(passed=Amount(5, 5)))
    del document[missing]
    leave_snapshot(bucket, document)
    statistics = gathered(bucket)
    assert (statistics.unreadable.count, statistics.hosts) == (1, {})
