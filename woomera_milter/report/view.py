"""Statistics made into what administrators read, and what programs read. Pure."""

from collections.abc import Iterator
from datetime import datetime
from itertools import accumulate
from typing import Any
from zoneinfo import ZoneInfo

from woomera_milter.clock import rfc3339
from woomera_milter.report.figures import Host, LargeMessage, Statistics, Usage
from woomera_milter.report.letter import Bar, Bulletin, Figure, Table
from woomera_milter.report.matters import FormatTime, needed
from woomera_milter.report.period import Period
from woomera_milter.store.documents import written
from woomera_milter.store.tallies import STORE_BUCKETS, Amount, Tally
from woomera_milter.text import wording
from woomera_milter.text.lines import line_for_people
from woomera_milter.text.wording import counted

_SENDERS = 10


def bulletin(statistics: Statistics, zone: ZoneInfo, now: datetime) -> Bulletin:
    """Return the report, its times in `zone`."""
    format_time = _in_zone(zone)
    attention = needed(statistics, format_time)
    period, done = statistics.period, statistics.totals.tally.intercepted.count
    state = f"{len(attention)} to look at" if attention else "all is well"
    return Bulletin(
        subject=f"[SES Woomera] {period.title}: {done:,} intercepted, {state}",
        title=f"SES Woomera, {period.title}",
        subtitle=f"{counted(len(statistics.hosts), 'host')}. Days are those of UTC; times are in {zone}.",
        attention=attention,
        figures=_figures(statistics),
        figures_note=_store_times(statistics.totals.tally),
        bars=[
            Bar(f"{day:%a} {day.day} {day:%b}", of_day.intercepted, of_day.swept, of_day.failed)
            for day, of_day in statistics.days.items()
        ],
        tables=[table for table in _tables(statistics, format_time) if table.rows],
        footer=f"Made by `woomera report` on {format_time(now)}. "
        "`woomera list` shows what is stored, `woomera resend ID` sends fresh links.",
    )


def document(statistics: Statistics) -> dict[str, Any]:
    """Return the same for programs; times are RFC 3339 in UTC."""
    period, totals = statistics.period, statistics.totals
    tally = written(totals.tally)
    return {
        "period": {
            "kind": period.kind,
            "from": period.first.isoformat(),
            "until": period.until.isoformat(),
        },
        **{name: tally[name] for name in ("passed", "intercepted", "failed", "store_seconds")},
        "passed_over_limit": totals.tally.passed_over_limit,
        "swept": {"notified": totals.notified, "failed": totals.unannounced},
        "archived": written(totals.archived),
        "hosts": [_host_document(name, host) for name, host in sorted(statistics.hosts.items())],
        "attention": [
            {
                "kind": matter.kind,
                "text": matter.text,
                "remedy": matter.remedy,
                "details": list(matter.details),
            }
            for matter in needed(statistics, rfc3339)
        ],
    }


def _host_document(name: str, host: Host) -> dict[str, Any]:
    tally = written(host.tally)
    return {
        "host": name,
        **{part: tally[part] for part in ("passed", "intercepted", "failed")},
        "archived": written(host.archived),
        "seen_at": rfc3339(host.seen_at) if host.seen_at else None,
    }


def _figures(statistics: Statistics) -> list[Figure]:
    now, before = statistics.totals, statistics.before
    return [
        _amount("Intercepted (stored, notice sent)", now.tally.intercepted, before.tally.intercepted),
        _number("Failed attempts to store", now.tally.failed.total(), before.tally.failed.total()),
        _number("Announced later, by the sweep", now.notified, before.notified),
        _number("Archived mail that could not be announced", now.unannounced, before.unannounced),
        _amount("Passed untouched", now.tally.passed, before.tally.passed),
        _amount("Copies moved to the archive", now.archived, before.archived),
    ]


def _amount(name: str, now: Amount, before: Amount) -> Figure:
    size = wording.plain_size(now.size_bytes) if now.count else ""
    return Figure(name, f"{now.count:,}", size, f"{before.count:,}")


def _number(name: str, now: int, before: int) -> Figure:
    return Figure(name, f"{now:,}", before=f"{before:,}")


def _store_times(tally: Tally) -> str:
    """Tell how long storing took half of the messages, and nearly all."""
    total = tally.store_seconds.total()
    if not total:
        return ""
    sums = list(accumulate(tally.store_seconds[bucket] for bucket in STORE_BUCKETS))

    def within(share: float) -> str:
        bucket = next(it for it, so_far in zip(STORE_BUCKETS, sums, strict=True) if so_far >= share * total)
        return f"more than {STORE_BUCKETS[-2]} s" if bucket == STORE_BUCKETS[-1] else f"{bucket} s at most"

    return f"Storing a message took {within(0.5)} for half of them, and {within(0.95)} for 95 %."


def _tables(statistics: Statistics, format_time: FormatTime) -> Iterator[Table]:
    yield Table(
        "The largest messages",
        ("Size", "Message"),
        [(wording.plain_size(it.size_bytes), _described(it, format_time)) for it in statistics.largest],
        frozenset({0}),
    )
    yield Table(
        "Who sent most of them",
        ("Sender", "Messages"),
        [(sender, f"{count:,}") for sender, count in statistics.senders.most_common(_SENDERS)],
        frozenset({1}),
    )
    yield Table(
        "Hosts",
        ("Host", "Intercepted", "Failed", "Passed"),
        [_host_row(name, host, statistics.as_of, format_time) for name, host in _by_trouble(statistics)],
        frozenset({1, 2, 3}),
    )
    yield Table(
        "In the bucket",
        ("Prefix", "Objects", "Size"),
        [
            (
                prefix + _ending(usage, statistics.period),
                f"{usage.stored.count:,}",
                wording.plain_size(usage.stored.size_bytes),
            )
            for prefix, usage in sorted(statistics.usage.items())
        ],
        frozenset({1, 2}),
        note="Messages are deleted by the bucket's lifecycle, as storage.retention tells it.",
    )


def _ending(usage: Usage, period: Period) -> str:
    if not usage.ending.count:
        return ""
    size = wording.plain_size(usage.ending.size_bytes)
    return f"\n{usage.ending.count:,} of them ({size}) deleted within {counted(period.days, 'day')}"


def _described(message: LargeMessage, format_time: FormatTime) -> str:
    subject, sender = line_for_people(message.subject), line_for_people(message.sender)
    received = format_time(message.received_at)
    return f"{subject or '(no subject)'}\nfrom {sender or 'nobody'}, {received}\n{message.id}"


def _by_trouble(statistics: Statistics) -> list[tuple[str, Host]]:
    """Return the hosts, those with trouble first, then the busiest."""

    def rank(item: tuple[str, Host]) -> tuple[bool, int, int, str]:
        name, host = item
        failed, intercepted = host.tally.failed.total(), host.tally.intercepted.count
        return not host.is_silent(statistics.as_of), -failed, -intercepted, name

    return sorted(statistics.hosts.items(), key=rank)


def _host_row(name: str, host: Host, as_of: datetime, format_time: FormatTime) -> tuple[str, ...]:
    facts = []
    if host.seen_at:
        state = "silent since" if host.is_silent(as_of) else "stopped" if host.stopped else "last heard of"
        facts.append(f"{state} {format_time(host.seen_at)}")
    if host.archived.count:
        facts.append(f"{counted(host.archived.count, 'copy', 'copies')} archived")
    numbers = host.tally.intercepted.count, host.tally.failed.total(), host.tally.passed.count
    return (f"{name}\n{', '.join(facts)}", *(f"{number:,}" for number in numbers))


def _in_zone(zone: ZoneInfo) -> FormatTime:
    def format_time(moment: datetime) -> str:
        there = moment.astimezone(zone)
        return f"{there.day} {there:%b %H:%M %Z}"

    return format_time
