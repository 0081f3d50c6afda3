"""Counters in the bucket: `stats/YYYY-MM-DD/HOST-START.json`, one object a process and UTC day.

Only that process writes it, each time whole, so nobody overwrites anybody and a write that is repeated or
lost harms no sum. It is written while nothing happens, too: that is how a report knows who fell silent.
"""

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from types import TracebackType
from typing import Self

from woomera_milter import log
from woomera_milter.errors import WoomeraError
from woomera_milter.milter.counters import Counters
from woomera_milter.store.documents import MilterDay, written
from woomera_milter.store.keys import milter_day_key
from woomera_milter.store.objects import Store
from woomera_milter.store.tallies import Tally

_STOP_TIMEOUT_S = 3.0
"""How long a milter that was told to end waits for its last snapshot."""


class SnapshotWriter:
    """Writes counters from a thread of its own while the `with` block runs, and once more at its end.

    S3 may be away: the counts stay in memory, the log says so once, and a later snapshot has them all.
    """

    def __init__(
        self,
        store: "Store",
        counters: Counters,
        host: str,
        every: timedelta,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`clock` gives the time of now; the process counts as started when this is made."""
        self._store = store
        self._counters = counters
        self._host = host
        self._every = every
        self._clock = clock
        self._started_at = clock()
        self._complete: dict[date, Tally] = {}
        self._is_failing = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="snapshots", daemon=True)

    def write(self, *, stopped: bool = False) -> None:
        """Write today's counts, and those of earlier days that are not in the bucket yet."""
        now = self._clock()
        for day, tally in self._counters.by_day().items():
            if self._complete.get(day) == tally:
                continue
            document = MilterDay(
                host=self._host,
                day=day,
                started_at=self._started_at,
                written_at=now,
                every_s=int(self._every.total_seconds()),
                stopped=stopped,
            )
            document.merge(tally)
            key = milter_day_key(day, self._host, self._started_at)
            try:
                self._store.put_json(key, written(document))
            except WoomeraError as error:
                if not self._is_failing:
                    log.not_counted(error.reason, str(error))
                self._is_failing = True
                return
            self._is_failing = False
            if day < now.date():
                self._complete[day] = tally
        # Yesterday's stay, for a clock that is put back over midnight: their object would be begun anew.
        yesterday = now.date() - timedelta(days=1)
        self._counters.forget_before(yesterday)
        self._complete = {day: tally for day, tally in self._complete.items() if day >= yesterday}

    def _run(self) -> None:
        while not self._ended.wait(self._pause_s()):
            self._write_whatever_happens(stopped=False)
        self._write_whatever_happens(stopped=True)

    def _write_whatever_happens(self, *, stopped: bool) -> None:
        try:
            self.write(stopped=stopped)
        except Exception as error:  # the thread's boundary: mail goes on, the next snapshot tries again
            log.crashed(log.NO_QUEUE_ID, "not counted", error)

    def _pause_s(self) -> float:
        """Return how long until the next snapshot; a day that ends gets its last one at once."""
        now = self._clock()
        midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return min(self._every, midnight - now).total_seconds() + 0.001

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(_STOP_TIMEOUT_S)
