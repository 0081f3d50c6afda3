"""What of a period needs a hand, the worst first. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from woomera_milter.errors import Reason
from woomera_milter.report.figures import Statistics
from woomera_milter.text import wording
from woomera_milter.text.wording import counted

LONGEST_WAIT = timedelta(days=1)
"""Of an archived copy on its host, before somebody should ask whether `woomera archive` runs at all."""

_EXAMPLES = 5

FormatTime = Callable[[datetime], str]
"""Puts a moment into words, in the time zone of the readers."""


@dataclass(frozen=True, slots=True)
class Matter:
    """One matter: a stable word for programs, a sentence, what to do, and the first few of its cases."""

    kind: str
    text: str
    remedy: str
    details: Sequence[str]


def needed(statistics: Statistics, format_time: FormatTime) -> list[Matter]:
    """Return what needs attention; empty where all is well."""
    sources = (
        _passed_over_limit,
        _failures,
        _unannounced,
        _stale_claims,
        _short_links,
        _backlogs,
        _silent,
        _no_hosts,
        _silent_archives,
        _unreadable,
    )
    return [one for source in sources for one in source(statistics, format_time)]


def _passed_over_limit(statistics: Statistics, _: FormatTime) -> Iterator[Matter]:
    if count := statistics.totals.tally.passed_over_limit:
        yield Matter(
            "passed-over-limit",
            f"{counted(count, 'over-limit message')} went to the relay, which refuses it: it may be lost",
            "milter.on_failure is pass; with tempfail the sender keeps what cannot be stored",
            (),
        )


def _failures(statistics: Statistics, format_time: FormatTime) -> Iterator[Matter]:
    for reason, count in statistics.totals.tally.failed.most_common():
        meaning = Reason.meaning_of(reason)
        yield Matter(
            "failed",
            f"{counted(count, 'attempt')} to store an over-limit message failed ({reason}): {meaning}",
            "the log of the host says more, by the queue id",
            [
                f"{attempt.queue_id or '-'} on {attempt.host}, {format_time(attempt.at)}"
                for attempt in statistics.failures.get(reason, ())
            ],
        )


def _unannounced(statistics: Statistics, _: FormatTime) -> Iterator[Matter]:
    if count := statistics.unannounced.count:
        yield Matter(
            "untold",
            f"{counted(count, 'archived message')} could not be announced to all recipients",
            "`woomera sweep` tries again for a week; after that, tell them yourself",
            [f"{it.key}: {it.reason}" for it in statistics.unannounced.shown],
        )


def _stale_claims(statistics: Statistics, format_time: FormatTime) -> Iterator[Matter]:
    if count := statistics.stale_claims.count:
        yield Matter(
            "stuck-claim",
            f"{counted(count, 'notice')} of the sweep {'is' if count == 1 else 'are'} overdue: a run died",
            "the next `woomera sweep` takes over; see that a timer runs it",
            [
                f"{claim.key}: claimed by {claim.host}, {format_time(claim.since)}"
                for claim in statistics.stale_claims.shown
            ],
        )


def _short_links(statistics: Statistics, format_time: FormatTime) -> Iterator[Matter]:
    if count := statistics.short_links.count:
        yield Matter(
            "short-links",
            f"The links of {counted(count, 'message')} live shorter than links.expires says",
            "see who signs links (an instance role's live for hours), and the bucket's lifecycle",
            [f"{it.id}: until {format_time(it.ends_at)}" for it in statistics.short_links.shown],
        )


def _backlogs(statistics: Statistics, format_time: FormatTime) -> Iterator[Matter]:
    for name, host in sorted(statistics.hosts.items()):
        if host.last_archive is None or host.last_archive.backlog.oldest_at is None:
            continue
        backlog, oldest_at = host.last_archive.backlog, host.last_archive.backlog.oldest_at
        if host.last_archive.written_at - oldest_at > LONGEST_WAIT:
            waiting = counted(backlog.count, "archived copy", "archived copies")
            yield Matter(
                "archive-backlog",
                f"{waiting} ({wording.plain_size(backlog.size_bytes)}) wait on {name}, the oldest since "
                f"{format_time(oldest_at)}",
                "run `woomera archive` there and see what it says",
                (),
            )


def _silent(statistics: Statistics, format_time: FormatTime) -> Iterator[Matter]:
    silent = [
        (name, host.seen_at)
        for name, host in sorted(statistics.hosts.items())
        if host.seen_at and host.is_silent(statistics.as_of)
    ]
    if silent:
        yield Matter(
            "silent-host",
            f"{counted(len(silent), 'host')} fell silent: the milter there died, or cannot reach S3",
            "look at the milter's log there",
            [f"{name}: last heard of {format_time(seen_at)}" for name, seen_at in silent[:_EXAMPLES]],
        )


def _no_hosts(statistics: Statistics, format_time: FormatTime) -> Iterator[Matter]:
    """Where no milter told anything before the period either, none is missed: the sweep is of use alone."""
    last_at = statistics.last_snapshot_at
    is_told = any(host.is_silent(statistics.as_of) for host in statistics.hosts.values())
    if last_at and last_at < statistics.period.starts_at and not is_told:
        yield Matter(
            "no-hosts",
            f"No milter has told anything since {format_time(last_at)}: none runs, or none reaches S3",
            "run `woomera check` on each host",
            (),
        )


def _silent_archives(statistics: Statistics, format_time: FormatTime) -> Iterator[Matter]:
    silent = [
        (name, host.last_archive.written_at)
        for name, host in sorted(statistics.hosts.items())
        if host.last_archive and host.last_archive.written_at < statistics.as_of - LONGEST_WAIT
    ]
    if silent:
        yield Matter(
            "silent-archive",
            f"`woomera archive` has not run for a day on {counted(len(silent), 'host')}",
            "copies may wait there: have a timer run it, and see what it says",
            [f"{name}: last run {format_time(ran_at)}" for name, ran_at in silent[:_EXAMPLES]],
        )


def _unreadable(statistics: Statistics, _: FormatTime) -> Iterator[Matter]:
    if count := statistics.unreadable.count:
        yield Matter(
            "unreadable",
            f"{counted(count, 'object')} in the bucket could not be read; this report leaves "
            f"{'it' if count == 1 else 'them'} out",
            "see who wrote them",
            statistics.unreadable.shown,
        )
