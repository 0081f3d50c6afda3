"""One message on its way through the main milter: collected, measured, and decided upon at its end."""

import concurrent.futures
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import TYPE_CHECKING

from woomera_milter import config, log
from woomera_milter.clock import Deadline
from woomera_milter.errors import DeadlineError, Reason, TemporaryError, WoomeraError
from woomera_milter.message.envelope import Envelope
from woomera_milter.message.fields import HeaderField
from woomera_milter.message.rewriting import MOST_ADDED_PER_OCTET, most_added_bytes
from woomera_milter.message.size import Measure, proves_small
from woomera_milter.message.spool import SpooledMessage
from woomera_milter.milter.counters import Counters
from woomera_milter.milter.transaction import Mta, Transaction, Verdict

if TYPE_CHECKING:
    from woomera_milter.notice.header_edits import HeaderChange

# progress restarts sendmail's R timeout (libmilter API, smfi_progress), which may be as short as 10 s.
PROGRESS_EVERY_S = 3.0
_HASH_EVERY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class OverLimit:
    """A message that the relay would refuse.

    `mailers` are those sendmail named for its recipients, `own_names` as for `Transaction.end_headers`.
    """

    message: SpooledMessage
    envelope: Envelope
    mailers: frozenset[str]
    headers: Sequence[HeaderField]
    own_names: Sequence[str]
    queue_id: str
    measured_bytes: int


@dataclass(frozen=True, slots=True)
class Replacement:
    """What the MTA is told to make of the message: apply the changes in order, then the body (CRLF).

    The rest is for the log: `store_s` is the time that storing and signing took. `mark_unannounced`, which
    returns at once, is called where nobody gets the notice of what was stored. `copy_to` gets it beside the
    message's recipients.
    """

    queue_id: str
    header_changes: "Sequence[HeaderChange]"
    body: bytes
    message_id: str
    measured_bytes: int
    store_s: float
    links_expire_at: datetime
    mark_unannounced: Callable[[], object]
    copy_to: str | None = None


Intercept = Callable[[OverLimit, Deadline], Replacement | None]
"""Stores a message and returns what replaces it; None: it is not for the relay. Raises WoomeraError."""


class Session(Transaction):
    """A message that is replaced by a notice where it is over the limit."""

    def __init__(
        self,
        configuration: config.Config,
        intercept: Intercept,
        workers: Executor,
        counters: Counters,
        envelope_sender: str,
    ) -> None:
        super().__init__(envelope_sender)
        self._milter = configuration.milter
        self._limit_bytes = configuration.limit
        self._intercept = intercept
        self._workers = workers
        self._counters = counters
        self._queue_id = ""
        self._own_names: Sequence[str] = ()
        self._measure = Measure()
        self._added_bytes = 0
        self._message: SpooledMessage | None = None
        self._hash_at_bytes = inf
        self._spool_failure: TemporaryError | None = None

    def end_headers(self, queue_id: str, msg_size: int | None, own_names: Sequence[str] = ()) -> bool:
        """Tell whether the body is needed: not where {msg_size} already proves the message small."""
        self._queue_id, self._own_names = queue_id, own_names
        if msg_size is not None and self._milter.trust_msg_size and self._is_small(msg_size, own_names):
            log.passed(queue_id, "small", msg_size=msg_size)
            self._counters.passed(msg_size)
            return False
        self._added_bytes = most_added_bytes(self._headers, own_names)
        if (msg_size or 0) > self._limit_bytes:
            self._hash_at_bytes = _HASH_EVERY_BYTES
        try:
            self._message = SpooledMessage(self._milter.spool)
        except TemporaryError as error:
            self._spool_failure = error
        for field, is_stored in self._fields():
            self._measure.feed(field)
            if is_stored:
                self._spool(field)
        self.add_body(b"\r\n")
        return True

    def _is_small(self, msg_size: int, own_names: Sequence[str]) -> bool:
        limit_bytes, allowance_bytes = self._limit_bytes, self._milter.allowance
        if proves_small(msg_size, limit_bytes, allowance_bytes, MOST_ADDED_PER_OCTET * msg_size):
            return True  # for small mail this is all that its addresses cost
        return proves_small(
            msg_size, limit_bytes, allowance_bytes, most_added_bytes(self._headers, own_names)
        )

    def add_body(self, octets: bytes) -> None:
        """Take the next octets of the body, in wire form."""
        self._measure.feed(octets)
        self._spool(octets)

    def _spool(self, octets: bytes) -> None:
        # A spool that fails is no matter until the message turns out to be over the limit: a smaller
        # one passes all the same. (libmilter takes no answer to a body chunk anyway.)
        if self._message is None:
            return
        try:
            self._message.write(octets)
        except TemporaryError as error:
            self._spool_failure = error
            self.close()
        else:
            if self._message.size_bytes >= self._hash_at_bytes:
                self._hash_ahead(self._message)

    def _hash_ahead(self, message: SpooledMessage) -> None:
        """Have a worker hash what has arrived, since {msg_size} tells that the message will be stored."""
        self._hash_at_bytes = message.size_bytes + _HASH_EVERY_BYTES
        with contextlib.suppress(RuntimeError):  # the process ends: the client hears so at the end of message
            self._workers.submit(message.hash_ahead)

    def end_message(self, mta: Mta) -> Verdict:
        """Decide, and have the MTA put the notice in the place of an over-limit message."""
        decision = self.decide(mta.report_progress)
        if isinstance(decision, Verdict):
            return decision
        try:
            mta.replace_message(decision.header_changes, decision.body, decision.copy_to)
        except TemporaryError as error:
            decision.mark_unannounced()
            # Whatever on_failure says: half a change must not pass.
            log.failed(self._queue_id, error.reason, Verdict.TEMPFAIL.value, str(error))
            self._counters.failed(self._queue_id, error.reason, passed=False)
            return Verdict.TEMPFAIL
        log.intercepted(
            self._queue_id,
            decision.message_id,
            measured_bytes=decision.measured_bytes,
            store_s=decision.store_s,
            expires_at=decision.links_expire_at,
            to_sender=decision.copy_to is not None,
        )
        self._counters.intercepted(self._measure.wire_bytes, decision.store_s)
        return Verdict.PASS

    def decide(self, progress: Callable[[], None]) -> Replacement | Verdict:
        """Decide. An over-limit message is stored and verified when this returns its replacement.

        Calls `progress` every few seconds. Never raises: any failure becomes what milter.on_failure says.
        """
        try:
            measured_bytes = self._measure.measured_bytes + self._added_bytes + self._milter.allowance
            if measured_bytes <= self._limit_bytes:
                return self._passes("within the limit", measured_bytes)
            replacement = self._stored(measured_bytes, progress)
        except WoomeraError as error:
            log.failed(self._queue_id, error.reason, self._milter.on_failure, str(error))
            return self._fails(error.reason)
        except Exception as error:  # the boundary: the client hears a clear answer, whatever broke
            log.crashed(self._queue_id, self._milter.on_failure, error)
            return self._fails(Reason.INTERNAL)
        return replacement or self._passes("not for the relay", measured_bytes)

    def _passes(self, why: str, measured_bytes: int) -> Verdict:
        log.passed(self._queue_id, why, measured_bytes=measured_bytes)
        self._counters.passed(self._measure.wire_bytes)
        return Verdict.PASS

    def _fails(self, reason: Reason) -> Verdict:
        verdict = Verdict(self._milter.on_failure)
        self._counters.failed(self._queue_id, reason, passed=verdict is Verdict.PASS)
        return verdict

    def _stored(self, measured_bytes: int, progress: Callable[[], None]) -> Replacement | None:
        if self._message is None:
            raise self._spool_failure or TemporaryError("the message was not spooled", reason=Reason.SPOOL)
        message = self._message
        deadline = Deadline(self._milter.deadline.total_seconds())
        work = self._workers.submit(
            self._intercept,
            OverLimit(
                message=message,
                envelope=self._envelope,
                mailers=frozenset(self._mailers),
                headers=self._headers,
                own_names=self._own_names,
                queue_id=self._queue_id,
                measured_bytes=measured_bytes,
            ),
            deadline,
        )
        # From here on the file is the worker's, which may still read it when the deadline has passed.
        self._message = None
        work.add_done_callback(lambda _: message.close())
        try:
            _wait(work, deadline, progress)
        except BaseException:
            work.cancel()  # if it waits for its turn still, nobody waits for it
            work.add_done_callback(_mark_unannounced)
            raise
        return work.result()

    def close(self) -> None:
        """Give back what the message took."""
        if self._message is not None:
            self._message.close()
            self._message = None


def _wait(
    work: "concurrent.futures.Future[Replacement | None]", deadline: Deadline, progress: Callable[[], None]
) -> None:
    while not _done(work, min(PROGRESS_EVERY_S, deadline.remaining_s)):
        if deadline.remaining_s <= 0:
            raise DeadlineError(
                "storing the message took longer than milter.deadline",
                remedy="see whether S3 is slow, or more than milter.max_concurrent messages wait",
            )
        progress()


def _mark_unannounced(work: "concurrent.futures.Future[Replacement | None]") -> None:
    """For what was stored when nobody waited for it any more."""
    if not work.cancelled() and not work.exception() and (replacement := work.result()):
        replacement.mark_unannounced()


def _done(work: "concurrent.futures.Future[Replacement | None]", timeout_s: float) -> bool:
    return bool(concurrent.futures.wait([work], max(timeout_s, 0.0)).done)
