"""A report's period is whole UTC days, the same on every host and at whatever hour it is asked for."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from woomera_milter.report.period import Period, PeriodKind, last_days


@pytest.mark.parametrize(
    ("kind", "day", "first", "until"),
    [
        ("day", "2026-11-24", "2026-11-23", "2026-11-24"),
        ("day", "2028-03-01", "2028-02-29", "2028-03-01"),
        ("week", "2026-11-24", "2026-11-17", "2026-11-24"),
        ("week", "2027-01-03", "2026-12-27", "2027-01-03"),
        ("month", "2026-12-01", "2026-11-01", "2026-12-01"),
        ("month", "2026-12-31", "2026-11-01", "2026-12-01"),
        ("month", "2027-01-01", "2026-12-01", "2027-01-01"),
    ],
)
def test_a_period_is_the_last_that_ends_before_the_day(
    kind: PeriodKind, day: str, first: str, until: str
) -> None:
    period = Period.before(kind, date.fromisoformat(day))
    assert (period.first.isoformat(), period.until.isoformat()) == (first, until)


@pytest.mark.parametrize("day", range(23, 30), ids=lambda it: f"November {it}")
def test_the_last_week_is_one_from_monday_to_sunday_on_whatever_day_it_is_asked_for(day: int) -> None:
    """A timer that asks each day has one report to send, and not seven that overlap."""
    assert Period.last("week", date(2026, 11, day)) == Period.before("week", date(2026, 11, 23))


@pytest.mark.parametrize("kind", ["day", "month"])
def test_the_last_day_and_the_last_month_end_before_today(kind: PeriodKind) -> None:
    assert Period.last(kind, date(2026, 11, 24)) == Period.before(kind, date(2026, 11, 24))


@pytest.mark.parametrize(
    ("kind", "first", "until"),
    [
        ("day", "2026-02-28", "2026-03-01"),
        ("week", "2026-02-15", "2026-02-22"),
        ("month", "2026-01-01", "2026-02-01"),
    ],
)
def test_it_is_compared_with_the_one_before_of_the_same_kind(
    kind: PeriodKind, first: str, until: str
) -> None:
    period = Period.before(kind, date(2026, 3, 2 if kind == "day" else 1))
    previous = period.previous
    assert (previous.kind, previous.first.isoformat()) == (kind, first)
    assert previous.until == period.first == date.fromisoformat(until)


def test_it_covers_its_first_moment_and_not_that_of_the_next() -> None:
    period = Period.before("day", date(2026, 11, 24))
    midnight = datetime(2026, 11, 24, tzinfo=UTC)
    assert period.covers(midnight - timedelta(days=1))
    assert period.covers(midnight - timedelta(microseconds=1))
    assert not period.covers(midnight)
    assert date(2026, 11, 23) in period
    assert date(2026, 11, 24) not in period


def test_its_name_is_that_of_kind_and_first_day_alone() -> None:
    assert Period.before("month", date(2026, 12, 5)).name == Period.before("month", date(2026, 12, 1)).name
    assert Period.before("day", date(2026, 11, 24)).name == "day-2026-11-23"


def test_what_is_told_before_its_end_has_a_name_and_a_title_of_its_own() -> None:
    ended = Period.before("day", date(2026, 11, 24))
    so_far = replace(ended, so_far=True)
    assert (so_far.name, so_far.title) == (f"{ended.name}-so-far", f"{ended.title}, so far")
    assert so_far.previous == ended.previous


def test_the_last_days_end_with_the_one_before() -> None:
    assert list(last_days(date(2026, 3, 1), 2)) == [date(2026, 2, 27), date(2026, 2, 28)]
