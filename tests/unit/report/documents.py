"""The documents that hosts leave in the bucket for a report, and what is gathered from them."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.fakes.bucket import MemoryStore
from woomera_milter import config
from woomera_milter.report import report
from woomera_milter.report.figures import Statistics
from woomera_milter.report.matters import needed
from woomera_milter.report.period import Period
from woomera_milter.report.reader import Reader
from woomera_milter.store.documents import ArchiveDay, Backlog, written
from woomera_milter.store.tallies import Amount, FailedMessage, Tally

UNTIL = date(2026, 11, 24)
TODAY = date(2026, 11, 23)
DAY = timedelta(days=1)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOW = datetime(2026, 11, 24, 0, 15, tzinfo=UTC)
SETTINGS = config.Report(sender="woomera@example.com", to=("postmaster@example.com", "second@example.org"))
UTC_ZONE = ZoneInfo("UTC")


def tally(**changes: Any) -> Tally:
    return Tally(**changes)


def snapshot(host: str = "host-1", day: date = TODAY, counts: Tally | None = None, **about: Any) -> Any:
    """A milter's object, as the writer makes it."""
    written_at = datetime(day.year, day.month, day.day, tzinfo=UTC) + DAY
    known = {
        "source": "milter",
        "host": host,
        "day": day.isoformat(),
        "started_at": "2026-11-01T00:00:00Z",
        "written_at": f"{written_at:%Y-%m-%dT%H:%M:%SZ}",
        "every_s": 300,
        "stopped": False,
    }
    return known | written(counts or Tally()) | about


def archive_day(
    host: str, day: date, at: datetime, archived: Amount | None = None, backlog: Backlog | None = None
) -> Any:
    """What an archive run leaves, as the writer makes it."""
    return written(
        ArchiveDay(
            host=host, day=day, written_at=at, archived=archived or Amount(), backlog=backlog or Backlog()
        )
    )


def sidecar(number: int = 1, size_bytes: int = 11_000_000, **changes: Any) -> Any:
    known = {
        "id": f"id{number}",
        "received_at": "2026-11-23T12:00:00Z",
        "envelope_sender": "bounces@example.com",
        "recipients": ["ann@example.org"],
        "header_from": "Jane <jane@example.com>",
        "subject": "Plans",
        "size_bytes": size_bytes,
        "links_expire_at": "2026-11-30T12:00:00Z",
    }
    return known | changes


def claim(state: str, **changes: Any) -> Any:
    known = {
        "key": "archive/a.eml",
        "token": "t",
        "host": "host-2",
        "claimed_at": "2026-11-23T12:00:00Z",
        "lease_s": 900,
        "state": state,
        "reason": "r",
        "first_failed_at": "2026-11-23T12:00:00Z" if state == "failed" else "",
        "done_at": "2026-11-23T12:00:00Z" if state == "done" else "",
    }
    return known | changes


def leave(bucket: MemoryStore, key: str, document: Any, at: datetime = NOON) -> None:
    """Put a document where a host left it at that time."""
    now, bucket.now = bucket.now, at
    bucket.put_octets(key, json.dumps(document).encode())
    bucket.now = now


def leave_snapshot(bucket: MemoryStore, document: Any, name: str = "x") -> None:
    leave(bucket, f"stats/{document['day']}/{document['host']}-{name}.json", document)


def gathered(bucket: MemoryStore, kind: str = "day", until: date = UNTIL) -> Statistics:
    statistics = Statistics(Period.before(kind, until), timedelta(days=7), NOW)  # type: ignore[arg-type]
    Reader(bucket, "archive/", timedelta(days=30), lambda _: None).fill(statistics, NOW)
    return statistics


def kinds(statistics: Statistics) -> list[str]:
    return [it.kind for it in needed(statistics, str)]


def busy(bucket: MemoryStore, text: str = "Plans") -> Statistics:
    """A day with something of everything; `text` is what strangers wrote."""
    for host in range(200):
        counts = tally(passed=Amount(10, 10), intercepted=Amount(host, host))
        counts.failed["store"] = 1
        counts.store_seconds["1"] = 1
        counts.recent_failures.append(FailedMessage("6AO1", "store", NOON))
        leave_snapshot(
            bucket, snapshot(f"host-{host}.example.com", counts=counts, written_at="2026-11-23T10:00:00Z")
        )
    for number in range(30):
        leave(
            bucket,
            f"messages/2026/11/23/id{number}/envelope.json",
            sidecar(
                number,
                subject=text,
                header_from=f"<{number}@{text[:60]}>",
                links_expire_at="2026-11-24T00:00:00Z",
            ),
        )
        leave(bucket, f"processed/{number}.json", claim("failed", reason=text, key=f"archive/{text[:300]}"))
        leave(bucket, f"processed/s{number}.json", claim("claimed"))
    return gathered(bucket)


def as_mail(statistics: Statistics, settings: config.Report = SETTINGS) -> bytes:
    message = report.message_of(statistics, settings, NOW)
    assert message is not None
    return message
