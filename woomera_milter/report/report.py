"""`woomera report`: the statistics of a period, mailed to administrators once, whichever host does it.

The claim on the period, `reports/NAME.json`, is what one of them holds; it is taken before anything is read,
so that the others do not read it all in vain.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from woomera_milter import config, log
from woomera_milter.errors import WoomeraError
from woomera_milter.report import letter, view
from woomera_milter.report.figures import Statistics
from woomera_milter.report.period import Period
from woomera_milter.store.claims import Claims, IgnoredConditionsError, LostClaimError
from woomera_milter.store.documents import State
from woomera_milter.submission.mailer import Delivery, Mailer, Refusal, UnsentError
from woomera_milter.submission.once import ClaimedMail, RefusedError


class ReportState(Enum):
    """What became of a report."""

    SENT = auto()
    NOT_SENT = auto()
    ALREADY_DONE = auto()
    IN_PROGRESS = auto()
    QUIET = auto()


@dataclass(frozen=True, slots=True)
class ReportOutcome:
    """What became of a report; `host` is whose work it is where it is not ours.

    Of those `refused`, some may only be put off to the next run.
    """

    state: ReportState
    accepted: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()
    host: str = ""


class Report:
    """Sends reports. Raises the errors of Store and Mailer; what failed, the next run tries again."""

    def __init__(self, settings: config.Report, claims: Claims, mailer: Mailer) -> None:
        """`settings` has a sender and recipients; `claims` has keys.report_key as its `key_of`."""
        self._settings = settings
        self._claims = claims
        self._mailer = mailer

    def send(self, period: Period, read: Callable[[], Statistics], now: datetime) -> ReportOutcome:
        """Send the report of a period that ended, unless somebody else does or did."""
        known = self._claims.find(period.name)
        if known and known.state is State.DONE:
            return ReportOutcome(ReportState.ALREADY_DONE, host=known.host)
        try:
            self._claims.check_server()
        except IgnoredConditionsError:
            # Better two reports, where two hosts begin at the same moment, than none.
            log.unguarded(period.name)
            self._claims = self._claims.for_single_host()
        claim = self._claims.take(period.name)
        if claim is None:
            return ReportOutcome(ReportState.IN_PROGRESS)
        try:
            return self._send(ClaimedMail(self._claims, claim, period.name), period, read, now)
        except LostClaimError:
            return ReportOutcome(ReportState.IN_PROGRESS)

    def _send(
        self, mail: ClaimedMail, period: Period, read: Callable[[], Statistics], now: datetime
    ) -> ReportOutcome:
        try:
            message = message_of(read(), self._settings, now)
        except WoomeraError as error:
            mail.fail(error)
            raise
        if message is None:
            mail.finish(Delivery(), {"quiet": True})
            return ReportOutcome(ReportState.QUIET)
        recipients = [it for it in self._settings.to if it not in mail.accepted]
        try:
            delivery = mail.hand_over(self._mailer, self._settings.sender or "", recipients, message)
        except LostClaimError:
            raise
        except WoomeraError as error:
            mail.fail(error)
            if isinstance(error, UnsentError) and error.delivery.accepted:
                return ReportOutcome(ReportState.SENT, error.delivery.accepted, error.left(recipients))
            raise
        if not delivery.accepted and not mail.accepted:
            mail.fail(RefusedError(delivery))
            return ReportOutcome(ReportState.NOT_SENT, refused=delivery.refused)
        log.reported(period.name, recipients=len(delivery.accepted))
        mail.finish(delivery, {"refused": [it.recipient for it in delivery.refused]})
        return ReportOutcome(ReportState.SENT, delivery.accepted, delivery.refused)


def message_of(statistics: Statistics, settings: config.Report, now: datetime) -> bytes | None:
    """Return the mail in wire form; None where nothing happened and report.quiet says to skip that.

    Its Message-ID is the same whoever makes it, so that mail programs show a second one as the first.
    """
    report = view.bulletin(statistics, settings.timezone, now)
    if settings.quiet == "skip" and statistics.is_quiet and not report.attention:
        return None
    sender = settings.sender or ""
    return letter.as_message(
        report,
        sender=sender,
        recipients=settings.to,
        message_id=f"{statistics.period.name}.report.woomera@{sender.rpartition('@')[2]}",
        now=now,
    )
