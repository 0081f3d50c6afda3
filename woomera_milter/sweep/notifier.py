"""One archived over-limit message -> its recipients have their notice, and the claim on it says so.

The order is what makes it exactly one: claim, store (the same key each time), record that the hand-over
begins, hand over to 50 recipients at a time, record after each who was served.
"""

import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from pathlib import Path
from typing import Protocol

from woomera_milter import config, log
from woomera_milter.clock import Deadline, moment
from woomera_milter.errors import FrozenError, PermanentError, Reason, WoomeraError
from woomera_milter.message import addresses, fields
from woomera_milter.message.envelope import Envelope
from woomera_milter.message.mime.raw_fields import in_utf_8
from woomera_milter.notice import new_message
from woomera_milter.notice.notice import Composer
from woomera_milter.offload.announcement import as_message
from woomera_milter.offload.offload import Offload
from woomera_milter.offload.source import Offloaded, Origin
from woomera_milter.store.answers import Listed
from woomera_milter.store.claims import Claims, LostClaimError
from woomera_milter.store.documents import Claim, CopyRecord
from woomera_milter.store.objects import Store
from woomera_milter.submission.mailer import Delivery, Mailer
from woomera_milter.submission.once import ClaimedMail, RefusedError, problem_of
from woomera_milter.sweep import copies
from woomera_milter.sweep.copies import Archived
from woomera_milter.sweep.unpacking import UnfitCopyError

_RETRIED_FOR = timedelta(days=7)


class NoticeState(Enum):
    """What an archived object is, or what became of it."""

    SMALL = auto()
    DUE = auto()
    NOTIFIED = auto()
    ALREADY_DONE = auto()
    IN_PROGRESS = auto()
    FAILED = auto()
    GIVEN_UP = auto()


@dataclass(frozen=True, slots=True)
class NoticeOutcome:
    """What became of an object; unless `settled`, the next sweep has to look at it again."""

    listed: Listed
    state: NoticeState
    reason: str = ""
    settled: bool = True


class Ledger(Protocol):
    """Another record of who was told, kept beside the claims: the first Woomera's JSON."""

    def __contains__(self, key: str) -> bool:
        """Tell whether it names the object, which is then done with."""

    def record(self, claim: Claim) -> None:
        """Take a claim that is done; whatever goes wrong with that is no error of the notice."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A notice that is ready to go out."""

    envelope_sender: str
    recipients: tuple[str, ...]
    message: bytes
    offloaded: Offloaded


class Notifier:
    """Safe to use from many threads, and from many hosts, at once."""

    def __init__(
        self,
        configuration: config.Config,
        archive: Store,
        claims: Claims,
        offload: Offload,
        composer: Composer,
        mailer: Mailer,
        spool: Path,
        ledger: Ledger | None = None,
    ) -> None:
        """`archive` is the bucket without storage.prefix: keys of archived objects count from its root."""
        self._configuration = configuration
        self._archive = archive
        self._claims = claims
        self._offload = offload
        self._composer = composer
        self._mailer = mailer
        self._spool = spool
        self._ledger = ledger
        self._host = socket.gethostname()
        self._lock = threading.Lock()
        self._in_hand: set[str] = set()

    def notify(self, listed: Listed) -> NoticeOutcome:
        """Send the notice, unless somebody else does or did; what is wrong with one message is no error."""
        try:
            work = self._work_of(listed.key)
            with self._alone(work) as is_alone:
                claim = self._claims.take(listed.key, work) if is_alone else None
                if claim is None:
                    return NoticeOutcome(listed, NoticeState.IN_PROGRESS, settled=False)
                return self._notify(listed, claim)
        except WoomeraError as error:
            return NoticeOutcome(listed, NoticeState.FAILED, str(error), settled=False)

    @contextmanager
    def _alone(self, work: str) -> Iterator[bool]:
        """Tell whether no other thread has another copy of the same message in hand.

        Of hosts that is known by the claim; not of threads, where the server takes no conditions.
        """
        with self._lock:
            is_alone = work not in self._in_hand
            self._in_hand.add(work)
        try:
            yield is_alone
        finally:
            if is_alone:
                with self._lock:
                    self._in_hand.discard(work)

    def _notify(self, listed: Listed, claim: Claim) -> NoticeOutcome:
        mail = ClaimedMail(self._claims, claim, woomera_id(claim.work))
        try:
            notice = self._prepare(listed, mail.id)
            delivery = mail.hand_over(self._mailer, notice.envelope_sender, notice.recipients, notice.message)
        except LostClaimError:
            return NoticeOutcome(listed, NoticeState.IN_PROGRESS, settled=False)
        except Exception as error:  # the boundary: one odd message does not end the sweep
            return self._failed(listed, mail, error)
        if delivery.refused:
            return self._failed(listed, mail, RefusedError(delivery))
        return self._done(listed, mail, delivery, notice.offloaded)

    def _work_of(self, key: str) -> str:
        """Return what the message is, unless it was claimed by where it lies, as earlier versions did."""
        work = copies.work_of(self._archive, key, self._deadline())
        return key if work != key and self._claims.find(key) else work

    def _deadline(self) -> Deadline:
        return Deadline(self._configuration.sweep.lease.total_seconds(), "sweep.lease")

    def _prepare(self, listed: Listed, notice_id: str) -> _Prepared:
        record = copies.record_of(self._archive, listed.key)
        deadline = self._deadline()
        by_us = record is not None and record.by_us
        copy = copies.fetch(self._archive, listed, self._spool, deadline, by_us=by_us)
        try:
            copy = replace(copy, headers=in_utf_8(copy.headers, copy.message))
            envelope = _envelope(record, copy)
            if not envelope.recipients:
                raise PermanentError(
                    "nobody can be told: the copy has no recipients in its header, nor an envelope beside it",
                    remedy="find out who it was for, and forward it to them",
                    reason=Reason.RECIPIENTS,
                )
            origin = Origin("sweep", self._host, "", _received_at(listed, record))
            heading = self._heading(notice_id, copy, envelope)
            offloaded = self._offload.run(notice_id, copy.message, envelope, copy.headers, origin, deadline)
        finally:
            copy.message.close()
        return _Prepared(
            envelope_sender=heading.envelope_sender,
            recipients=envelope.recipients,
            message=as_message(self._composer, offloaded, heading),
            offloaded=offloaded,
        )

    def _heading(self, notice_id: str, copy: Archived, envelope: Envelope) -> new_message.Heading:
        return new_message.heading(
            new_message.kept_of(copy.headers),
            woomera_id=notice_id,
            envelope_sender=envelope.envelope_sender,
            sender=self._configuration.sweep.sender,
            subject_prefix=self._configuration.notice.subject_prefix,
            now=datetime.now(UTC),
        )

    def _done(
        self, listed: Listed, mail: ClaimedMail, delivery: Delivery, offloaded: Offloaded
    ) -> NoticeOutcome:
        facts = offloaded.original.headers
        account = {"id": mail.id, "from": facts.header_from, "subject": facts.subject, "date": facts.date}
        log.notified(mail.id, recipients=len(delivery.accepted), expires_at=offloaded.links_expire_at)
        try:
            done = mail.finish(delivery, account)
            self._claims.repeat(done, listed.key)
            if self._ledger is not None:
                self._ledger.record(replace(done, key=listed.key))
        except WoomeraError as error:
            log.not_recorded(mail.id, error.reason, str(error))
        except Exception as error:  # the boundary: sent is sent
            log.crashed(log.NO_QUEUE_ID, "notified", error)
        else:
            return NoticeOutcome(listed, NoticeState.NOTIFIED)
        return NoticeOutcome(listed, NoticeState.NOTIFIED, settled=False)

    def _failed(self, listed: Listed, mail: ClaimedMail, error: Exception) -> NoticeOutcome:
        if not isinstance(error, WoomeraError):
            log.crashed(log.NO_QUEUE_ID, "failed", error)
        log.not_notified(mail.id, error.reason if isinstance(error, WoomeraError) else Reason.INTERNAL)
        is_given_up = isinstance(error, FrozenError | UnfitCopyError)
        failed = mail.fail(error, given_up_of=listed.modified_at if is_given_up else None)
        settled = failed is not None and (is_given_up or _failing_for(failed) > _RETRIED_FOR)
        return NoticeOutcome(listed, NoticeState.FAILED, problem_of(error), settled)


def woomera_id(work: str) -> str:
    """Return the id of what was claimed: the same for every sweep that finds it, whichever copy it finds."""
    return f"swept-{hashlib.sha256(work.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def _envelope(record: CopyRecord | None, copy: Archived) -> Envelope:
    """Return the recorded one, or what the headers tell: an mbox or a Maildir never knew the recipients."""
    if record and record.recipients:
        return Envelope(record.envelope_sender, tuple(record.recipients))
    recorded = record.envelope_sender if record else ""
    # The From_ line of an mbox may name a user of that host, without a domain.
    sender = recorded if "@" in recorded else addresses.address_of(fields.first(copy.headers, "From") or b"")
    return Envelope(sender or "", addresses.recipients_of(copy.headers).addresses)


def _received_at(listed: Listed, record: CopyRecord | None) -> datetime:
    """Return the time in the message's key, which has to be the same each time it is tried."""
    try:
        return moment(record.archived_at).astimezone(UTC) if record else listed.modified_at
    except ValueError:
        return listed.modified_at


def _failing_for(claim: Claim) -> timedelta:
    return datetime.now(UTC) - datetime.fromisoformat(claim.first_failed_at)
