"""How far sweeps have come, so that the next one asks for recent days only, and never misses a late copy.

A copy may reach S3 days after its own day (a host was cut off), so a sweep goes back a week behind the
watermark; and once a week all is listed, for copies that come even later. An object that was there, and
was dealt with, a day before the last sweep that saw all of its kind is not looked at again. All of this is
by the server's clock, which says when objects came: a host whose clock is ahead makes no copy go unseen.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from woomera_milter.store.documents import Watermark, validated, written
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


def load(store: Store, prefix: str) -> Watermark | None:
    """Return how far sweeps of `prefix` have come, None where there was none.

    It cannot be further than to the moment at which that was written.
    """
    found = store.get_json(watermark_key())
    if found is None:
        return None
    known = validated(Watermark, found.value, store.name_of(watermark_key()))
    if known.prefix != prefix:
        return None
    if found.modified_at is None:
        return known
    reached = {it: min(getattr(known, it), found.modified_at) for it in ("recent_until", "all_until")}
    return known.model_copy(update=reached)


def next_range(before: Watermark | None, now: datetime) -> SweepRange:
    """Return what the next sweep has to look at."""
    if before is None:
        return EVERYTHING
    if before.retry or now - before.all_until > _FULL_EVERY:
        return SweepRange(None, before.all_until - _CLOCKS_AND_UPLOADS)
    return SweepRange((before.recent_until - _LATE).date(), before.recent_until - _CLOCKS_AND_UPLOADS)


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
    return Watermark(prefix=prefix, recent_until=until, all_until=all_until, retry=bool(came))


def save(store: Store, watermark: Watermark) -> None:
    """Record how far sweeps have come."""
    store.put_json(watermark_key(), written(watermark))
