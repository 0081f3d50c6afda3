"""How far sweeps have come, so that the next one asks for recent days only, and never misses a late copy.

A copy may reach S3 days after its own day (a host was cut off), so a sweep goes back a week behind the
watermark; and once a week all is listed, for copies that come even later. An object that was there, and
was dealt with, a day before the last sweep that saw all of its kind is not looked at again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from pydantic import BaseModel, TypeAdapter

from woomera_milter.clock import moment, rfc3339
from woomera_milter.store.documents import Moment, shaped
from woomera_milter.store.keys import watermark_key
from woomera_milter.store.objects import Store

_LATE = timedelta(days=7)
_FULL_EVERY = timedelta(days=7)
_CLOCKS_AND_UPLOADS = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SweepRange:
    """What a sweep looks at: days from `since` on, and of their objects those that came after `new_since`.

    None: all of them.
    """

    since: date | None
    new_since: datetime | None

    @property
    def is_full(self) -> bool:
        """Whether it leaves out no day."""
        return self.since is None


EVERYTHING = SweepRange(None, None)


@dataclass(frozen=True, slots=True)
class Watermark:
    """What is dealt with below `prefix`: copies of recent days that came before `recent_until`, copies of
    whatever day that came before `all_until`. `retry`: some of those that came later failed.
    """

    prefix: str
    recent_until: datetime
    all_until: datetime
    retry: bool

    def next_range(self, now: datetime) -> SweepRange:
        """Return what the next sweep has to look at."""
        if self.retry or now - self.all_until > _FULL_EVERY:
            return SweepRange(None, self.all_until - _CLOCKS_AND_UPLOADS)
        return SweepRange((self.recent_until - _LATE).date(), self.recent_until - _CLOCKS_AND_UPLOADS)


class _Shape(BaseModel):
    prefix: str
    recent_until: Moment
    all_until: Moment
    retry: bool


_SHAPE = TypeAdapter(_Shape)


def load(store: Store, prefix: str) -> Watermark | None:
    """Return how far sweeps of `prefix` have come, None where there was none."""
    found = store.get_json(watermark_key())
    if found is None:
        return None
    known = shaped(_SHAPE, found.value, store.name_of(watermark_key()))
    if known.prefix != prefix:
        return None
    return Watermark(prefix, moment(known.recent_until), moment(known.all_until), known.retry)


def advanced(
    before: Watermark | None,
    prefix: str,
    span: SweepRange,
    started_at: datetime,
    unsettled: Iterable[datetime],
) -> Watermark:
    """Return the watermark after a sweep of `span`; `unsettled`: when the copies came that failed."""
    came = sorted(unsettled)
    until = min([started_at, *came[:1]])
    all_until = until if span.is_full or before is None else min(before.all_until, until)
    return Watermark(prefix, until, all_until, retry=bool(came))


def save(store: Store, watermark: Watermark) -> None:
    """Record how far sweeps have come."""
    value = {
        "prefix": watermark.prefix,
        "recent_until": rfc3339(watermark.recent_until),
        "all_until": rfc3339(watermark.all_until),
        "retry": watermark.retry,
    }
    store.put_json(watermark_key(), value)
