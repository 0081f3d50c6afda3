"""A mailer that keeps what it is given."""

from collections.abc import Callable, Sequence

from tests.fakes.bucket import Killed
from woomera_milter.submission.mailer import Delivery, Refusal


class Outbox:
    """A Mailer that hands over to nobody; kills its process at a hand-over, before or after it is done."""

    def __init__(self, error: Exception | None = None) -> None:
        """`error` is what every hand-over raises."""
        self.sent: list[tuple[str, tuple[str, ...], bytes]] = []
        """Envelope sender, those who were served, and message."""
        self.kill = ""
        self.error = error
        self.refusals: dict[str, str] = {}
        """Who is refused, and with which reply."""

    def send(
        self,
        envelope_sender: str,
        recipients: Sequence[str],
        message: bytes,
        on_part: Callable[[Delivery], object] = lambda _: None,
        may_send: Callable[[], object] = lambda: None,
    ) -> Delivery:
        """As Mailer says, in one transaction."""
        if self.error:
            raise self.error
        if self.kill == "before":
            raise Killed
        accepted = tuple(it for it in recipients if it not in self.refusals)
        refused = tuple(Refusal(it, self.refusals[it]) for it in recipients if it in self.refusals)
        if accepted:
            self.sent.append((envelope_sender, accepted, message))
        if self.kill == "after":
            raise Killed
        return Delivery(accepted, refused)

    @property
    def served(self) -> list[tuple[str, ...]]:
        """Who was served at each hand-over."""
        return [recipients for _, recipients, _ in self.sent]

    @property
    def recipients(self) -> list[str]:
        """All who were served, in order of their addresses."""
        return sorted(it for _, recipients, _ in self.sent for it in recipients)
