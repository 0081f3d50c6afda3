"""One run of `woomera sweep`: where earlier ones left off, and what it leaves for the next."""

from datetime import datetime

from woomera_milter.store.documents import Watermark
from woomera_milter.store.objects import Store
from woomera_milter.sweep import watermark
from woomera_milter.sweep.processed_mail import ProcessedMail
from woomera_milter.sweep.sweep import Sweep, SweepObserver, SweepResult
from woomera_milter.sweep.watermark import EVERYTHING, SweepRange


class SweepJob:
    """A sweep that begins where the watermark stands. Methods raise the errors of Sweep and Store."""

    def __init__(
        self,
        sweep: Sweep,
        store: Store,
        prefix: str,
        ledger: ProcessedMail | None,
        *,
        keeps_watermark: bool,
        started_at: datetime,
    ) -> None:
        """`ledger` is the sweep's; without a watermark all of the archive is looked at.

        `started_at`, by this host's clock, sets the watermark only where the server does not tell the time.
        """
        self._sweep = sweep
        self._store = store
        self._prefix = prefix
        self._ledger = ledger
        self._keeps_watermark = keeps_watermark
        self.started_at = started_at
        self._began_at = started_at
        self._before: Watermark | None = None
        self._range = EVERYTHING

    def run(
        self, since: datetime | None, *, full: bool, most: int, dry_run: bool, observer: SweepObserver
    ) -> SweepResult:
        """Sweep what came `since` then, or all of the archive, or what no earlier sweep has dealt with."""
        if since:
            self._keeps_watermark = False
            self._range = SweepRange(since.date(), since)
        if self._keeps_watermark:
            self._began_at = self._sweep.server_time() or self.started_at
            self._before = watermark.load(self._store, self._prefix)
            if not full:
                self._range = watermark.next_range(self._before, self._began_at)
        return self._sweep.run(self._range, most=most, dry_run=dry_run, observer=observer)

    def record(self, result: SweepResult) -> None:
        """Write down what the next sweep need not look at again."""
        if self._ledger is not None:
            self._ledger.save()
        if self._keeps_watermark and not result.too_many:
            reached = watermark.advanced(
                self._before, self._prefix, self._range, self._began_at, result.unsettled
            )
            watermark.save(self._store, reached)

    @property
    def processed_count(self) -> int:
        """How many objects the JSON of processed mail names."""
        return self._ledger.count if self._ledger is not None else 0
