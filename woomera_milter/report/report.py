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
from woomera_milter.store.claims import Claim, Claims, IgnoredConditionsError, LostClaimError, State
from woomera_milter.submission.mailer import Delivery, Mailer, Refusal, UnknownOutcomeError, UnsentError


class Kind(Enum):
    """What became of a report."""

    SENT = auto()
    NOT_SENT = auto()
    ALREADY_DONE = auto()
    IN_PROGRESS = auto()
    QUIET = auto()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a report; `host` is whose work it is where it is not ours.

    Of those `refused`, some may only be put off to the next run.
    """

    kind: Kind
    accepted: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()
    host: str = ""


def claim_key(name: str) -> str:
    """Return the key, below storage.prefix, of the claim on a report."""
    return f"reports/{name}.json"


class Report:
    """Sends reports. Raises the errors of Store and Mailer; what failed, the next run tries again."""

    def __init__(self, settings: config.Report, claims: Claims, mailer: Mailer) -> None:
        """`settings` has a sender and recipients; `claims` has claim_key as its `key_of`."""
        self._settings = settings
        self._claims = claims
        self._mailer = mailer

    def send(self, period: Period, gather: Callable[[], Statistics], now: datetime) -> Outcome:
        """Send the report of a period that ended, unless somebody else does or did."""
        known = self._claims.find(period.name)
        if known and known.state is State.DONE:
            return Outcome(Kind.ALREADY_DONE, host=known.host)
        try:
            self._claims.check_server()
        except IgnoredConditionsError:
            # Better two reports, where two hosts begin at the same moment, than none.
            log.unguarded(period.name)
            self._claims = self._claims.for_single_host()
        claim = self._claims.take(period.name)
        if claim is None:
            return Outcome(Kind.IN_PROGRESS)
        try:
            return self._send(claim, period, gather, now)
        except LostClaimError:
            return Outcome(Kind.IN_PROGRESS)

    def _send(self, claim: Claim, period: Period, gather: Callable[[], Statistics], now: datetime) -> Outcome:
        try:
            statistics = gather()
            message = message_of(statistics, self._settings, now)
        except WoomeraError as error:
            self._claims.fail(claim, [], str(error))
            raise
        if message is None:
            self._claims.finish(claim, [], {"quiet": True})
            return Outcome(Kind.QUIET)
        claim = self._claims.hand_over(claim)
        if claim.may_repeat:
            log.may_repeat(period.name)
        rest = [it for it in self._settings.to if it not in claim.accepted]
        try:
            delivery = self._mailer.send(self._settings.sender or "", rest, message)
        except UnsentError as error:
            unsure = isinstance(error, UnknownOutcomeError)
            accepted = error.delivery.accepted
            self._claims.fail(claim, list(accepted), str(error), unsure=unsure)
            if not accepted:
                raise
            return Outcome(Kind.SENT, accepted, error.left(rest))
        except WoomeraError as error:
            self._claims.fail(claim, [], str(error))
            raise
        return self._record(claim, period, delivery)

    def _record(self, claim: Claim, period: Period, delivery: Delivery) -> Outcome:
        accepted = list(delivery.accepted)
        if not accepted and not claim.accepted:
            self._claims.fail(claim, [], "; ".join(it.reason for it in delivery.refused))
            return Outcome(Kind.NOT_SENT, refused=delivery.refused)
        log.reported(period.name, recipients=len(accepted))
        self._claims.finish(claim, accepted, {"refused": [it.recipient for it in delivery.refused]})
        return Outcome(Kind.SENT, delivery.accepted, delivery.refused)


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
