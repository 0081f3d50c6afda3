"""Hands finished messages over: to an SMTP server (sendmail on this host, or any), or to Amazon SES's API.

A hand-over has one of four ends for each recipient, and they are kept apart: accepted, refused for good,
not sent (to be tried again), and unsure, where the connection broke after the message and before the
reply. Who tries again leaves out those who have theirs.
"""

import random
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Protocol, Self

from woomera_milter import config
from woomera_milter.errors import PermanentError, Reason, TemporaryError
from woomera_milter.store.claims import LostClaimError
from woomera_milter.submission.answers import Answer, DeferredError, NoReplyError, ReplyKind, Transport
from woomera_milter.submission.beyond_ascii import form_of, needs_smtputf8
from woomera_milter.submission.ses import Ses
from woomera_milter.submission.smtp import Smtp

MAX_RECIPIENTS = 50  # what SES takes in one transaction

# SES counts its sending rate by the second; a daily quota that is used up outlasts any wait of ours.
PAUSES_S = (0.5, 1, 2, 4, 8)

_FIELD_START = re.compile(rb"(?<=\r\n)(?![ \t])")
_ADDRESS_IN_TEXT = re.compile(r"\S+@\S+")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A recipient who gets nothing, however often it is tried; the reason is one sentence without links.

    Those of `UnsentError.left` have got nothing yet, or maybe.
    """

    recipient: str
    reason: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a message's recipients; those named nowhere were sent nothing."""

    accepted: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()
    unsure: tuple[str, ...] = ()


class UnsentError(TemporaryError):
    """Not everybody could be served now. `delivery` says who was, and is not to be tried again."""

    def __init__(self, problem: str, delivery: Delivery, *, remedy: str) -> None:
        super().__init__(problem, remedy=remedy, reason=Reason.MAIL)
        self.delivery = delivery

    def left(self, recipients: Sequence[str]) -> tuple[Refusal, ...]:
        """Return those of all `recipients` who were not served, each with the reason."""
        delivery = self.delivery
        settled = {*delivery.accepted, *(it.recipient for it in delivery.refused)}
        rest = [it for it in dict.fromkeys(recipients) if it not in settled]
        not_sent = f"not sent, since {self.problem}"
        return (
            *delivery.refused,
            *(Refusal(it, str(self) if it in delivery.unsure else not_sent) for it in rest),
        )


class UnknownOutcomeError(UnsentError):
    """The server may have taken the message for `delivery.unsure`; trying again may send it twice."""


class Mailer(Protocol):
    """The one way out for mail that we send. Safe to use from many threads at once."""

    def send(
        self,
        envelope_sender: str,
        recipients: Sequence[str],
        message: bytes,
        on_part: Callable[[Delivery], object] = lambda _: None,
        may_send: Callable[[], object] = lambda: None,
    ) -> Delivery:
        """Hand the message over, to at most 50 recipients at a time; wait a little where that is asked for.

        `envelope_sender` "" is the null sender, `message` is 7-bit with CRLF line ends. `on_part` hears
        what is done so far, after each transaction but the last; what it raises ends the work.
        So does what `may_send` raises, which each transaction asks before the message is sent.
        Raise UnsentError where something is left to do (UnknownOutcomeError: and may be done already), and
        PermanentError where the configuration is wrong and nobody was sent anything.
        """


def from_config(
    configuration: config.Config,
    *,
    pause: Callable[[float], object] = time.sleep,
    jitter: Callable[[], float] = random.random,
) -> "TransportMailer":
    """Return the mailer that `mail` describes. Raise PermanentError where SES cannot be set up."""
    mail = configuration.mail
    transport = Ses(mail, configuration.storage) if mail.via == "ses" else Smtp(mail)
    return TransportMailer(transport, pause, jitter, mail.headers)


class TransportMailer:
    """Sends by one transport, and waits a little where the server asks for it."""

    def __init__(
        self,
        transport: Transport,
        pause: Callable[[float], object],
        jitter: Callable[[], float],
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`pause` waits for so many seconds; `jitter` returns numbers between 0 and 1.

        `headers` are fields that each message gets, in place of its own of the same name.
        """
        self._headers = headers
        self._transport = transport
        self._pause = pause
        self._jitter = jitter

    def send(
        self,
        envelope_sender: str,
        recipients: Sequence[str],
        message: bytes,
        on_part: Callable[[Delivery], object] = lambda _: None,
        may_send: Callable[[], object] = lambda: None,
    ) -> Delivery:
        """As Mailer says."""
        message = _with_fields(message, self._headers)
        progress = _Progress(envelope_sender, recipients)
        pauses = iter(PAUSES_S)
        while progress.batches:
            batch = progress.batches.popleft()
            answers = self._deliver(envelope_sender, batch, message, may_send, progress)
            progress.take(answers)
            if progress.batches:
                on_part(progress.delivery())
            texts = {answer.kind: answer.text for answer in answers.values()}
            if ReplyKind.ACCEPTED in texts:
                pauses = iter(PAUSES_S)
            elif ReplyKind.DEFERRED in texts:
                self._wait(pauses, texts[ReplyKind.DEFERRED], progress)
        return progress.delivery()

    def _deliver(
        self,
        envelope_sender: str,
        batch: Sequence[str],
        message: bytes,
        may_send: Callable[[], object],
        progress: "_Progress",
    ) -> dict[str, Answer]:
        """Make one transaction; what it raises tells what became of all those before it."""
        try:
            return self._transport.deliver(envelope_sender, batch, message, may_send)
        except DeferredError as error:
            return dict.fromkeys(batch, Answer(ReplyKind.DEFERRED, str(error)))
        except NoReplyError as error:
            raise UnknownOutcomeError(
                f"{self._transport.name} was sent the message for {len(batch)} recipients and did not reply",
                progress.delivery(unsure=batch),
                remedy="they may have it already, and sending it again may give them a second one",
            ) from error
        except LostClaimError:
            raise
        except TemporaryError as error:
            raise UnsentError(error.problem, progress.delivery(), remedy=error.remedy) from error
        except PermanentError as error:
            if not progress.accepted:
                raise
            raise UnsentError(error.problem, progress.delivery(), remedy=error.remedy) from error

    def _wait(self, pauses: Iterator[float], text: str, progress: "_Progress") -> None:
        pause_s = next(pauses, None)
        if pause_s is None:
            raise UnsentError(
                f"{self._transport.name} puts mail off: {_ADDRESS_IN_TEXT.sub('...', text)}",
                progress.delivery(),
                remedy="try again later; where it happens often, look into the sending limits there",
            )
        self._pause(pause_s * (1 + self._jitter()) / 2)

    def close(self) -> None:
        """Take leave of the server."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Progress:
    """Who still has to be served with a message, and what became of the others."""

    def __init__(self, envelope_sender: str, recipients: Sequence[str]) -> None:
        self.accepted: list[str] = []
        self._refused: list[Refusal] = []
        good: list[str] = []
        sender_problem = _problem("the sender's address", envelope_sender) if envelope_sender else ""
        for recipient in dict.fromkeys(recipients):
            if problem := sender_problem or _problem("the address", recipient):
                self._refused.append(Refusal(recipient, problem))
            else:
                good.append(recipient)
        # A server that takes SMTPUTF8 may have to refuse a whole message for its next one, which does not.
        ascii_ones = [it for it in good if not needs_smtputf8(it)]
        others = [it for it in good if needs_smtputf8(it)]
        self.batches = deque([*_batches(ascii_ones), *_batches(others)])

    def take(self, answers: dict[str, Answer]) -> None:
        deferred = []
        for recipient, answer in answers.items():
            match answer.kind:
                case ReplyKind.ACCEPTED:
                    self.accepted.append(recipient)
                case ReplyKind.REFUSED:
                    self._refused.append(Refusal(recipient, answer.text))
                case ReplyKind.REFUSED_TOGETHER:
                    self.batches.append([recipient])
                case ReplyKind.DEFERRED:
                    deferred.append(recipient)
        if deferred:
            self.batches.append(deferred)

    def delivery(self, unsure: Sequence[str] = ()) -> Delivery:
        return Delivery(tuple(self.accepted), tuple(self._refused), tuple(unsure))


def _batches(recipients: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(recipients), MAX_RECIPIENTS):
        yield recipients[start : start + MAX_RECIPIENTS]


def _with_fields(message: bytes, fields: Mapping[str, str]) -> bytes:
    if not fields:
        return message
    section, _, body = message.partition(b"\r\n\r\n")
    ours = {name.lower().encode() for name in fields}
    kept = _FIELD_START.split(section + b"\r\n")
    kept = [field for field in kept if field.partition(b":")[0].strip().lower() not in ours]
    added = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return b"".join([added.encode(), *kept, b"\r\n", body])


def _problem(what: str, address: str) -> str:
    """Say why SMTP cannot carry the address; "" where it can."""
    return f"{what} is none that SMTP could carry" if form_of(address) is None else ""
