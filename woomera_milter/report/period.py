"""The time that a report is about: whole UTC days."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

PeriodKind = Literal["day", "week", "month"]

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """From the beginning of `first` to the beginning of `until`, in UTC.

    A week is any seven days; a month is the last calendar month that ended by then, so its
    report is the same on whatever day of the next month it is made. `so_far`: it has not ended, so what is
    told of it is no more than the beginning.
    """

    kind: PeriodKind
    first: date
    until: date
    so_far: bool = False

    @classmethod
    def before(cls, kind: PeriodKind, day: date) -> "Period":
        """Return the last period of this kind that ends before `day` begins."""
        if kind == "day":
            return cls(kind, day - _DAY, day)
        if kind == "week":
            return cls(kind, day - 7 * _DAY, day)
        until = day.replace(day=1)
        return cls(kind, (until - _DAY).replace(day=1), until)

    @classmethod
    def last(cls, kind: PeriodKind, today: date) -> "Period":
        """Return the last period of this kind that ended before `today` began.

        Weeks begin on Monday here (ISO 8601), so that a timer finds one of them all week.
        """
        return cls.before(kind, today - today.weekday() * _DAY if kind == "week" else today)

    @property
    def previous(self) -> "Period":
        """The period before this one, with which it is compared."""
        return Period.before(self.kind, self.first)

    @property
    def days(self) -> int:
        """How many there are."""
        return (self.until - self.first).days

    @property
    def starts_at(self) -> datetime:
        """When it begins."""
        return datetime.combine(self.first, time(), UTC)

    @property
    def ends_at(self) -> datetime:
        """When it has ended."""
        return datetime.combine(self.until, time(), UTC)

    @property
    def name(self) -> str:
        """The name of its report, the same on all hosts: `day-2026-11-24`.

        A report so far has a name of its own: the period's own is still to come.
        """
        return f"{self.kind}-{self.first.isoformat()}{'-so-far' if self.so_far else ''}"

    @property
    def title(self) -> str:
        """Return it in words."""
        return f"{self._days_in_words}{', so far' if self.so_far else ''}"

    @property
    def _days_in_words(self) -> str:
        if self.kind == "day":
            return f"{self.first:%A} {spoken(self.first)}"
        if self.kind == "month":
            return f"{self.first:%B %Y}"
        return f"{spoken(self.first)} to {spoken(self.until - _DAY)}"

    def __contains__(self, day: date) -> bool:
        return self.first <= day < self.until

    def covers(self, moment: datetime) -> bool:
        """Tell whether a moment (aware) lies in it."""
        return self.starts_at <= moment < self.ends_at


def last_days(until: date, count: int) -> Iterator[date]:
    """Yield the `count` days before `until`, oldest first."""
    return (until - number * _DAY for number in range(count, 0, -1))


def spoken(day: date) -> str:
    """Return a day in words: 24 November 2026."""
    return f"{day.day} {day:%B %Y}"
