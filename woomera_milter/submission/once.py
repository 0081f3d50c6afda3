"""A claimed mail is handed over once, and what became of it is recorded: claim, hand over, finish or fail.

The claim is renewed after each transaction, and says who was served by then. So one transaction has to end
within the lease, not all of them, and whoever takes over sends to the rest alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from woomera_milter import log
from woomera_milter.errors import PermanentError, Reason, WoomeraError
from woomera_milter.store.claims import Claim, Claims, LostClaimError, State
from woomera_milter.submission.mailer import Delivery, Mailer, UnsentError


class RefusedError(PermanentError):
    """Recipients are refused for good, as `delivery` says, and nobody is left to be tried."""

    def __init__(self, delivery: Delivery) -> None:
        super().__init__("; ".join(_refusals(delivery)), reason=Reason.REFUSED)
        self.delivery = delivery


class ClaimedMail:
    """A mail that is ours to send; `id` is what the log calls it."""

    def __init__(self, claims: Claims, claim: Claim, mail_id: str) -> None:
        self.id = mail_id
        self._claims = claims
        self._claim = claim

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
        self._claim = self._claims.hand_over(self._claim)
        if self._claim.may_repeat:
            log.may_repeat(self.id)
        rest = [it for it in recipients if it not in self._claim.accepted]
        try:
            return mailer.send(envelope_sender, rest, message, self._renew)
        except LostClaimError as error:
            log.not_recorded(self.id, error.reason, str(error))
            raise

    def _renew(self, so_far: Delivery) -> None:
        try:
            self._claim = self._claims.hand_over(self._claim, so_far.accepted)
        except LostClaimError:
            raise
        except WoomeraError as error:  # nobody else is served before it is known who was
            raise UnsentError(error.problem, so_far, remedy=error.remedy) from error

    def finish(self, delivery: Delivery, mail: Mapping[str, Any]) -> Claim:
        """Record that all are served who ever can be; `mail` is the account of it, for reports.

        Raise the errors of Claims.
        """
        return self._claims.finish(self._claim, list(delivery.accepted), mail)

    def fail(self, error: Exception) -> Claim | None:
        """Record why it failed, and who is served all the same; the next run tries the rest.

        Return None where that cannot be recorded, which is logged: what failed first is what counts.
        """
        delivery = error.delivery if isinstance(error, (UnsentError, RefusedError)) else Delivery()
        # After a mistake of ours amid the hand-over nobody knows how far the mailer had come.
        crashed = self._claim.state is State.HANDING_OVER and not isinstance(error, WoomeraError)
        unsure = crashed or bool(delivery.unsure)
        try:
            return self._claims.fail(self._claim, list(delivery.accepted), problem_of(error), unsure=unsure)
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
