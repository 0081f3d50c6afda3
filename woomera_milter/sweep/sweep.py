"""The fallback: finds over-limit messages in the archive, and mails their recipients a notice, once.

First all of the archive that may hold something new is looked at; only then, and only if there are not
suspiciously many, does any mail go out.
"""

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from woomera_milter import config, log
from woomera_milter.clock import Deadline, rfc3339
from woomera_milter.errors import FrozenError, WoomeraError
from woomera_milter.message.rewriting import most_added_bytes
from woomera_milter.message.size import (
    is_small_in_any_case,
    is_surely_large,
    is_surely_small,
    is_surely_small_by_us,
)
from woomera_milter.store.answers import Listed
from woomera_milter.store.claims import Claims
from woomera_milter.store.documents import Claim, State
from woomera_milter.store.objects import Store
from woomera_milter.submission.once import problem_of
from woomera_milter.sweep import copies
from woomera_milter.sweep.listing import ArchiveListing
from woomera_milter.sweep.notifier import Ledger, NoticeOutcome, NoticeState, Notifier
from woomera_milter.sweep.unpacking import MOST_TIMES, UnfitCopyError, is_packed_by_name
from woomera_milter.sweep.watermark import SweepRange
from woomera_milter.workers import in_parallel

AT_ONCE = 8
_AHEAD = 64


@dataclass(frozen=True, slots=True)
class Failure:
    """An archived object of whose recipients some have no notice, and why."""

    key: str
    reason: str


@dataclass(slots=True)
class SweepResult:
    """What a sweep did.

    `over_limit` = `notified` + `already_done` + `in_progress` + `failed` + `given_up` + `due_count`.
    `in_progress`: another sweep is at it. `given_up`: an earlier one named them; they cannot be read.
    `due_count`: those left alone, for --dry-run or because there are more than --limit allows (`too_many`);
    `due` names the first of them. `unsettled`: when those came that the next sweep has to look at again.
    """

    scanned: int = 0
    over_limit: int = 0
    notified: int = 0
    already_done: int = 0
    in_progress: int = 0
    failed: list[Failure] = field(default_factory=list)
    given_up: int = 0
    due_count: int = 0
    due: list[str] = field(default_factory=list)
    too_many: bool = False
    unsettled: list[datetime] = field(default_factory=list)

    def add(self, outcome: NoticeOutcome) -> None:
        """Count what became of one over-limit object."""
        match outcome.state:
            case NoticeState.NOTIFIED:
                self.notified += 1
            case NoticeState.ALREADY_DONE:
                self.already_done += 1
            case NoticeState.IN_PROGRESS:
                self.in_progress += 1
            case NoticeState.FAILED:
                self.failed.append(Failure(outcome.listed.key, outcome.reason))
            case NoticeState.GIVEN_UP:
                self.given_up += 1
            case NoticeState.DUE:
                self.due_count += 1
            case NoticeState.SMALL:
                return
        if not outcome.settled:
            self.unsettled.append(outcome.listed.modified_at)


class SweepObserver(Protocol):
    """Tells a person who waits where the sweep stands."""

    def scanned(self, count: int) -> None:
        """So many more objects have been looked at."""

    def sending(self, total: int) -> None:
        """So many notices are about to go out."""

    def sent(self) -> None:
        """One more of them is dealt with."""


class Sweep:
    """Sweeps one prefix of the bucket."""

    def __init__(
        self,
        configuration: config.Config,
        archive: Store,
        listing: ArchiveListing,
        claims: Claims,
        notifier: Notifier,
        spool: Path,
        ledger: Ledger | None = None,
    ) -> None:
        """`archive` is the bucket without storage.prefix; `ledger` is the notifier's too."""
        self._limit_bytes = configuration.limit
        self._allowance_bytes = configuration.milter.allowance
        self._lease_s = configuration.sweep.lease.total_seconds()
        self._archive = archive
        self._listing = listing
        self._claims = claims
        self._notifier = notifier
        self._spool = spool
        self._ledger = ledger

    def server_time(self) -> datetime | None:
        """Return the time by the server's clock; None where it does not tell. Raise the errors of Store."""
        return self._listing.server_time()

    def run(self, span: SweepRange, *, most: int, dry_run: bool, observer: SweepObserver) -> SweepResult:
        """Look at what is in the span, then send, unless more than `most` notices are due.

        Raise the errors of Store where the archive cannot be listed, PermanentError where the server cannot
        keep claims; what goes wrong with one message is in the result.
        """
        result = SweepResult()
        with ThreadPoolExecutor(AT_ONCE) as workers:
            due = self._look(workers, span, most, result, observer, dry_run=dry_run)
            result.too_many = result.due_count > most
            if dry_run or result.too_many:
                result.due = [listed.key for listed in due]
                return result
            result.due_count = 0
            if due:
                self._claims.check_server()
                observer.sending(len(due))
            for outcome in in_parallel(workers, self._notifier.notify, due, 2 * AT_ONCE):
                observer.sent()
                result.add(outcome)
        return result

    def _look(
        self,
        workers: Executor,
        span: SweepRange,
        most: int,
        result: SweepResult,
        observer: SweepObserver,
        *,
        dry_run: bool,
    ) -> list[Listed]:
        """Return what is due, at most `most`; count all of it."""

        def candidates() -> Iterator[Listed]:
            for sifted in self._listing.sift(workers, span.since, lambda it: self._may_be_due(it, span)):
                result.scanned += sifted.count
                observer.scanned(sifted.count)
                yield from sifted.candidates

        due: list[Listed] = []
        examine = partial(self._examine, dry_run=dry_run)
        for outcome in in_parallel(workers, examine, candidates(), _AHEAD):
            result.over_limit += outcome.state is not NoticeState.SMALL
            result.add(outcome)
            if outcome.state is NoticeState.DUE and len(due) < most:
                due.append(outcome.listed)
        return due

    def _may_be_due(self, listed: Listed, span: SweepRange) -> bool:
        size_bytes = listed.size_bytes * (MOST_TIMES if is_packed_by_name(listed.key) else 1)
        if is_small_in_any_case(size_bytes, self._limit_bytes, self._allowance_bytes):
            return False
        return span.new_since is None or listed.modified_at >= span.new_since

    def _examine(self, listed: Listed, *, dry_run: bool) -> NoticeOutcome:
        try:
            if self._ledger is not None and listed.key in self._ledger:
                return NoticeOutcome(listed, NoticeState.ALREADY_DONE)
            claim = self._claims.find(listed.key)
            if claim is None:
                if not self._is_over(listed):
                    return NoticeOutcome(listed, NoticeState.SMALL)
                work = copies.work_of(self._archive, listed.key, self._deadline())
                claim = self._claims.find(work) if work != listed.key else None
            if claim and claim.state is State.DONE:
                if not dry_run:
                    self._note(claim, listed.key)
                return NoticeOutcome(listed, NoticeState.ALREADY_DONE)
            is_given_up = claim is not None and self._is_given_up(claim, listed)
            return NoticeOutcome(listed, NoticeState.GIVEN_UP if is_given_up else NoticeState.DUE)
        except WoomeraError as error:
            return NoticeOutcome(listed, NoticeState.FAILED, str(error), settled=False)
        except Exception as error:  # the boundary: one odd object does not end the sweep
            log.crashed(log.NO_QUEUE_ID, "failed", error)
            return NoticeOutcome(listed, NoticeState.FAILED, problem_of(error), settled=False)

    def _note(self, done: Claim, key: str) -> None:
        self._claims.repeat(done, key)
        if self._ledger is not None:
            self._ledger.record(replace(done, key=key))

    def _is_given_up(self, claim: Claim, listed: Listed) -> bool:
        """Tell whether it is the same copy that could not be read, and still cannot."""
        if claim.state is not State.FAILED or claim.given_up_of != rfc3339(listed.modified_at):
            return False
        if listed.storage_class == "STANDARD":
            return True
        try:  # restored, it keeps its date and its class
            copies.beginning_of(self._archive, listed.key, self._deadline())
        except FrozenError:
            return True
        return False

    def _deadline(self) -> Deadline:
        return Deadline(self._lease_s, "sweep.lease")

    def _is_over(self, listed: Listed) -> bool:
        """Tell whether a copy is over the limit, or cannot be read, which its claim is to say.

        Only where its size leaves that open is it read.
        """
        try:
            return self._measures_over(listed)
        except (FrozenError, UnfitCopyError):
            return True

    def _measures_over(self, listed: Listed) -> bool:
        is_packed = is_packed_by_name(listed.key)
        if is_surely_large(listed.size_bytes, self._limit_bytes) and not is_packed:
            return True
        deadline = self._deadline()
        record = copies.record_of(self._archive, listed.key)
        by_us = record is not None and record.by_us
        # Our own copies lack sendmail's trace header, which others' have.
        allowance_bytes = self._allowance_bytes if by_us else 0
        added_bytes = record.added_bytes if record else None
        if added_bytes is None:
            beginning = copies.beginning_of(self._archive, listed.key, deadline)
            is_packed = is_packed or beginning.is_packed
            added_bytes = most_added_bytes(beginning.headers)
        is_small = is_surely_small_by_us if by_us else is_surely_small
        if not is_packed and is_small(listed.size_bytes, self._limit_bytes, allowance_bytes, added_bytes):
            return False
        copy = copies.fetch(self._archive, listed, self._spool, deadline)
        copy.message.close()
        return copy.measured_bytes + allowance_bytes + added_bytes > self._limit_bytes
