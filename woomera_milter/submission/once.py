"""A claimed mail is handed over once, and what became of it is recorded: claim, hand over, finish or fail.

The claim is renewed after each transaction, and says who was served by then, so that whoever takes over
sends to the rest alone. It is renewed, too, where a transaction took its time before the message itself,
which is not sent unless the lease outlives the reply to it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from woomera_milter import log
from woomera_milter.errors import PermanentError, Reason, TemporaryError, WoomeraError
from woomera_milter.store.claims import Claims, LostClaimError
from woomera_milter.store.documents import Claim, State
from woomera_milter.submission.answers import LONGEST_END_S
from woomera_milter.submission.mailer import Delivery, Mailer, UnsentError

# A claim's age is told in whole seconds, and renewing it takes a moment: 15m have room for both.
_CLOCK_S = 2
_RENEWAL_S = 60


class RefusedError(PermanentError):
    """Recipients are refused for good, as `delivery` says, and nobody is left to be tried."""

    def __init__(self, delivery: Delivery) -> None:
        super().__init__("; ".join(_refusals(delivery)), reason=Reason.REFUSED)
        self.delivery = delivery


class ClaimedMail:
    """A mail that is ours to send; `id` is what the log calls it."""

    def __init__(
        self, claims: Claims, claim: Claim, mail_id: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock` gives seconds that never run backwards."""
        self.id = mail_id
        self._claims = claims
        self._claim = claim
        self._clock = clock
        self._ours_until_s = 0.0

    @property
    def accepted(self) -> Sequence[str]:
        """Those who are known to have it, from runs before this one too."""
        return self._claim.accepted

    def hand_over(
        self, mailer: Mailer, envelope_sender: str, recipients: Sequence[str], message: bytes
    ) -> Delivery:
        """Hand it over to those of `recipients` who do not have it.

        Raise the errors of Mailer, which are then to be told to `fail`, and LostClaimError where another run
        has taken over, maybe after some of our transactions: the rest is its own.
        """
        self._begin_lease()
        if self._claim.may_repeat:
            log.may_repeat(self.id)
        rest = [it for it in recipients if it not in self._claim.accepted]
        try:
            return mailer.send(envelope_sender, rest, message, self._renew, self._may_send)
        except LostClaimError as error:
            log.not_recorded(self.id, error.reason, str(error))
            raise

    def _renew(self, so_far: Delivery) -> None:
        try:
            self._begin_lease(so_far.accepted)
        except LostClaimError:
            raise
        except WoomeraError as error:  # nobody else is served before it is known who was
            raise UnsentError(error.problem, so_far, remedy=error.remedy) from error

    def _may_send(self) -> None:
        """Have the lease outlive the reply; one that never could (`check` warns of it) is left as it is."""
        wanted_s = min(LONGEST_END_S, self._claim.lease_s - _RENEWAL_S)
        if self._ours_until_s - self._clock() < wanted_s:
            self._begin_lease()
        if self._ours_until_s - self._clock() < wanted_s:
            raise TemporaryError(
                "renewing the claim took too long for anything to be sent after it",
                remedy="see why S3 or the way to it is slow",
                reason=Reason.CLAIM,
            )

    def _begin_lease(self, accepted: Sequence[str] = ()) -> None:
        begun_s = self._clock()
        self._claim = self._claims.hand_over(self._claim, accepted)
        self._ours_until_s = begun_s + self._claim.lease_s - _CLOCK_S

    def finish(self, delivery: Delivery, mail: Mapping[str, Any]) -> Claim:
        """Record that all are served who ever can be; `mail` is the account of it, for reports.

        Raise the errors of Claims.
        """
        return self._claims.finish(self._claim, list(delivery.accepted), mail)

    def fail(self, error: Exception, *, given_up_of: datetime | None = None) -> Claim | None:
        """Record why it failed, and who is served all the same; the next run tries the rest.

        Return None where that cannot be recorded, which is logged: what failed first is what counts.
        """
        delivery = error.delivery if isinstance(error, (UnsentError, RefusedError)) else Delivery()
        # After a mistake of ours amid the hand-over nobody knows how far the mailer had come.
        crashed = self._claim.state is State.HANDING_OVER and not isinstance(error, WoomeraError)
        unsure = crashed or bool(delivery.unsure)
        try:
            return self._claims.fail(
                self._claim,
                list(delivery.accepted),
                problem_of(error),
                unsure=unsure,
                given_up_of=given_up_of,
            )
        except WoomeraError as unrecorded:
            log.not_recorded(self.id, unrecorded.reason, str(unrecorded))
            return None


def problem_of(error: Exception) -> str:
    """Say what went wrong, and who was refused on the way; of what we did not foresee only the type."""
    match error:
        case UnsentError():
            return "; ".join([str(error), *_refusals(error.delivery)])
        case WoomeraError():
            return str(error)
        case _:
            return f"a mistake of ours ({type(error).__name__})"


def _refusals(delivery: Delivery) -> list[str]:
    return [f"{it.recipient}: {it.reason}" for it in delivery.refused]
