"""The report's sums: of hosts, processes, sweeps and archive runs, over whole periods."""

from datetime import date, timedelta

import pytest

from tests.fakes.bucket import MemoryStore
from tests.unit.report.documents import (
    DAY,
    NOON,
    NOW,
    TODAY,
    UNTIL,
    UTC_ZONE,
    archive_day,
    claim,
    gathered,
    leave,
    leave_snapshot,
    sidecar,
    snapshot,
    tally,
)
from woomera_milter.report import view
from woomera_milter.store.keys import archive_day_key
from woomera_milter.store.tallies import STORE_BUCKETS, Amount


def test_hosts_and_processes_add_up(bucket: MemoryStore) -> None:
    counts = tally(passed=Amount(10, 1000), intercepted=Amount(2, 50))
    counts.failed["store"] = 1
    counts.store_seconds["0.5"] = 2
    for host in ("host-1", "host-2"):
        for process in ("p1", "p2"):
            leave_snapshot(bucket, snapshot(host, counts=counts), process)
    document = view.document(gathered(bucket))
    assert document["passed"] == {"count": 40, "bytes": 4000}
    assert document["intercepted"] == {"count": 8, "bytes": 200}
    assert document["failed"] == {"store": 4}
    assert document["store_seconds"] == dict.fromkeys(STORE_BUCKETS, 0) | {"0.5": 8}
    assert [(it["host"], it["passed"]["count"]) for it in document["hosts"]] == [
        ("host-1", 20),
        ("host-2", 20),
    ]


@pytest.mark.parametrize(("kind", "now", "before"), [("day", 1, 10), ("week", 11, 100), ("month", 1000, 0)])
def test_a_period_holds_its_own_days_and_is_compared_with_those_before(
    kind: str, now: int, before: int, bucket: MemoryStore
) -> None:
    for day, count in ((TODAY, 1), (TODAY - DAY, 10), (date(2026, 11, 12), 100), (date(2026, 10, 31), 1000)):
        leave_snapshot(bucket, snapshot(day=day, counts=tally(intercepted=Amount(count, count))))
    leave_snapshot(bucket, snapshot(day=UNTIL, counts=tally(intercepted=Amount(9, 9))))
    statistics = gathered(bucket, kind)
    assert statistics.totals.tally.intercepted == Amount(now, now)
    assert statistics.before.tally.intercepted == Amount(before, before)


def test_the_picture_shows_fourteen_days_each_with_what_became_of_its_mail(bucket: MemoryStore) -> None:
    counts = tally(intercepted=Amount(3, 3))
    counts.failed["spool"] = 2
    leave_snapshot(bucket, snapshot(day=date(2026, 11, 10), counts=counts))
    leave_snapshot(bucket, snapshot(day=date(2026, 11, 9), counts=counts))
    leave(bucket, "processed/a.json", claim("done", done_at="2026-11-10T23:59:59Z"))
    bars = view.bulletin(gathered(bucket), UTC_ZONE, NOW).bars
    assert len(bars) == 14
    assert (bars[0].label, bars[0].intercepted, bars[0].swept, bars[0].failed) == ("Tue 10 Nov", 3, 1, 2)
    assert sum(bar.total for bar in bars) == 6


def test_sweeps_add_up_by_what_their_claims_came_to(bucket: MemoryStore) -> None:
    leave(bucket, "processed/a.json", claim("done"))
    leave(bucket, "processed/b.json", claim("done", done_at="2026-11-22T12:00:00Z"), NOON - DAY)
    leave(bucket, "processed/c.json", claim("failed", reason="nobody can be told"))
    leave(bucket, "processed/d.json", claim("done", is_repeated=True))
    leave(bucket, "processed/conditional-writes.json", {"about": "a probe", "nonce": "x"})
    statistics = gathered(bucket)
    assert view.document(statistics)["swept"] == {"notified": 1, "failed": 1}
    assert statistics.before.notified == 1
    assert statistics.unreadable.count == 0


def test_archive_runs_add_up_by_host_and_day(bucket: MemoryStore) -> None:
    for host in ("host-1", "host-2"):
        for day in (TODAY, TODAY - DAY):
            document = archive_day(host, day, NOON, Amount(3, 30))
            leave(bucket, archive_day_key(day, host), document)
    statistics = gathered(bucket)
    assert view.document(statistics)["archived"] == {"count": 6, "bytes": 60}
    assert statistics.before.archived == Amount(6, 60)


def test_a_message_counts_once_however_often_its_client_tried(bucket: MemoryStore) -> None:
    same = {"sha256": "ab" * 32, "message_id": "<1@example.com>", "recipients": ["a@example.org"]}
    attempts = {  # in the order of their ids, not of time
        "a": sidecar(1, received_at="2026-11-23T12:10:00Z", **same),
        "b": sidecar(2, received_at="2026-11-23T12:20:00Z", **same),
        "c": sidecar(3, received_at="2026-11-23T12:00:00Z", **same),
        "d": sidecar(4, received_at="2026-11-23T12:30:00Z", announced=False, **same),
        "e": sidecar(5, 10, **same | {"sha256": "cd" * 32}),
    }
    for name, document in attempts.items():
        leave(bucket, f"messages/2026/11/23/{name}/envelope.json", document)
    statistics = gathered(bucket)
    assert [it.id for it in statistics.largest] == ["id2", "id5"]
    assert statistics.senders == {"jane@example.com": 2}


def test_the_largest_messages_and_the_senders_are_those_of_the_period(bucket: MemoryStore) -> None:
    for number in range(15):
        leave(bucket, f"messages/2026/11/23/id{number}/envelope.json", sidecar(number, 1000 + number))
    leave(bucket, "messages/2026/11/23/bounce/envelope.json", sidecar(99, 1, header_from=""))
    leave(bucket, "messages/2026/11/22/id/envelope.json", sidecar(100, 10**9))
    leave(
        bucket, "messages/2026/11/23/id1/1/envelope.json", sidecar(101, 10**9)
    )  # an attachment of that name
    statistics = gathered(bucket)
    assert [it.size_bytes for it in statistics.largest] == list(range(1014, 1004, -1))
    assert statistics.senders == {"jane@example.com": 15, "bounces@example.com": 1}


def test_storage_is_told_by_prefix_with_what_the_lifecycle_deletes_next(bucket: MemoryStore) -> None:
    for number, age_days in enumerate((29.5, 28, 1)):
        leave(bucket, f"messages/2026/11/01/{number}/message.eml", "x", NOW - timedelta(days=age_days))
    leave(bucket, "archive/2026/11/23/host/a.eml", "12345678", NOW - timedelta(days=40))
    usage = gathered(bucket).usage
    assert (usage["messages/"].stored.count, usage["messages/"].ending.count) == (3, 1)
    assert (usage["archive/"].stored, usage["archive/"].ending.count) == (Amount(1, 10), 0)
