"""What the ways to send mail have in common: one transaction, and an answer for each of its recipients."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol, Self

from woomera_milter.text.lines import line_for_people

DATA_TIMEOUT_S = 120  # RFC 5321 section 4.5.3.2.4: for the reply to DATA, and as long again for the message
REPLY_TIMEOUT_S = 600  # RFC 5321 section 4.5.3.2.6: whoever leaves sooner makes duplicates
LONGEST_END_S = 2 * DATA_TIMEOUT_S + REPLY_TIMEOUT_S
"""So long after all recipients are named a transaction has its reply, or has failed."""

_MAX_TEXT_LENGTH = 300
_LINK = re.compile(r"\b[a-z]+://\S+", re.IGNORECASE)


class ReplyKind(Enum):
    """What a server wants us to do about a recipient."""

    ACCEPTED = auto()
    DEFERRED = auto()
    REFUSED = auto()
    REFUSED_TOGETHER = auto()  # one of several may have spoiled it for the others: ask for each alone


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's answer for one recipient; `text` is one line without links, and may name addresses."""

    kind: ReplyKind
    text: str

    @classmethod
    def of(cls, kind: ReplyKind, text: str) -> Self:
        """Make a server's words fit for people."""
        return cls(kind, _LINK.sub("(link)", line_for_people(text))[:_MAX_TEXT_LENGTH])


class NoReplyError(Exception):
    """The whole message was sent, and no reply came."""


class DeferredError(Exception):
    """The message was not sent, for a reason that may be over in seconds."""


class Transport(Protocol):
    """Makes transactions; safe to use from many threads at once. `name` says where they go."""

    name: str

    def deliver(
        self,
        envelope_sender: str,
        recipients: Sequence[str],
        message: bytes,
        may_send: Callable[[], object],
    ) -> dict[str, Answer]:
        """Make one transaction, and return the answer for each recipient.

        `may_send` is asked before the last LONGEST_END_S: an error of ours from it keeps the message back.
        Raise DeferredError, TemporaryError or PermanentError where the message was not sent, and
        NoReplyError where it was and nobody knows whether it arrived.
        """

    def close(self) -> None:
        """Take leave of the server."""
