"""What a chaos run does, drawn from its seed: the messages to send, and the blows that fall meanwhile."""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from rig.mail import messages
from rig.mail.messages import MB
from rig.promises.checker import Limits, Sent
from rig.servers.faults import Answer, Corrupt, Fault, Hang, LoseReply, Refuse, Reset, Slow

Kind = TypeVar("Kind")

KB = 1024
LIMITS = Limits(limit_bytes=256 * KB)
"""Far below SES's 10 MB, so that a message over the limit costs little and a run has many of them."""

_AT_THE_LIMIT_BYTES = LIMITS.limit_bytes - LIMITS.allowance_bytes
"""The largest message, without the allowance, that is not over the limit."""
_UPLOAD_BYTES = LIMITS.limit_bytes // 2
"""Amid the upload of every message over the limit."""
_LONGEST_DELAY_S = 0.3
_REFUSED_FOR_GOOD = 0.01
_TWO_RECIPIENTS = 0.2


@dataclass(frozen=True, slots=True)
class PlannedMessage:
    """A message to be sent once. Its addresses are its own, so whatever is made of it names it."""

    number: int
    size_bytes: int
    envelope_sender: str
    recipients: tuple[str, ...]

    def sent(self) -> Sent:
        """Return it as clients hand it over: the same octets each time, and no other message's."""
        name = f"chaos-{self.number}"
        octets = messages.message_with_file(
            self.size_bytes, file_name=f"{name}.bin", to=self.recipients, subject=name, seed=self.number
        )
        return Sent(octets, self.envelope_sender, self.recipients)


class Victim(Enum):
    """What is killed (SIGKILL), with all that it has forked."""

    MILTER = "milter"
    S3 = "S3 server"
    SENDMAIL = "sendmail"


class Trouble(Enum):
    """What goes wrong elsewhere than on the way to S3."""

    SPOOL_FULL = "spool disk full"
    SES_AWAY = "SES away"
    SES_THROTTLES = "SES throttles"


@dataclass(frozen=True, slots=True)
class Kill:
    """Falls `delay_s` after message `after_messages` has begun; the victim is back `pause_s` later."""

    after_messages: int
    delay_s: float
    victim: Victim
    pause_s: float

    def __str__(self) -> str:
        return f"kill -9 {self.victim.value}, away for {self.pause_s:.2f} s"


@dataclass(frozen=True, slots=True)
class Outage:
    """Begins likewise and lasts `lasts_s`; a Fault is one of the network between milter and S3."""

    after_messages: int
    delay_s: float
    what: Trouble | Fault
    lasts_s: float

    def __str__(self) -> str:
        what = self.what.value if isinstance(self.what, Trouble) else f"to S3: {self.what}"
        return f"{what}, for {self.lasts_s:.2f} s"


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is decided beforehand. The same arguments give the same plan.

    What the machine makes of it is not: which message a blow hits, and where, differs from run to run.
    """

    seed: int
    messages: Sequence[PlannedMessage]
    kills: Sequence[Kill]
    outages: Sequence[Outage]

    @property
    def unverified_senders(self) -> frozenset[str]:
        """The senders whose mail SES refuses for good, with a 554."""
        return frozenset(
            it.envelope_sender for it in self.messages if it.envelope_sender.startswith("unverified")
        )


def make_plan(seed: int, *, messages: int, kills: int, outages: int) -> Plan:
    """Draw a plan. Each kind of kill and of outage comes about equally often, spread over the run."""
    chance = random.Random(seed)
    return Plan(
        seed,
        [_message(number, chance) for number in range(messages)],
        [
            Kill(after, chance.uniform(0, _LONGEST_DELAY_S), victim, chance.uniform(0.05, 0.8))
            for after, victim in _spread(list(Victim), kills, messages, chance)
        ],
        [
            Outage(after, chance.uniform(0, _LONGEST_DELAY_S), what, chance.uniform(0.5, 2.5))
            for after, what in _spread(_possible_outages(chance), outages, messages, chance)
        ],
    )


def _message(number: int, chance: random.Random) -> PlannedMessage:
    sender = "unverified" if chance.random() < _REFUSED_FOR_GOOD else "sender"
    recipients = 2 if chance.random() < _TWO_RECIPIENTS else 1
    return PlannedMessage(
        number,
        _size_bytes(chance),
        f"{sender}-{number}@example.com",
        tuple(f"recipient-{number}-{it}@example.org" for it in range(recipients)),
    )


def _size_bytes(chance: random.Random) -> int:
    """Most messages are small; some lie just around the limit, some are large, a few too large for SES."""
    kind = chance.random()
    if kind < 0.005:
        return chance.randrange(10 * MB, 11 * MB)
    if kind < 0.1:
        return chance.randrange(MB, 4 * MB)
    if kind < 0.25:
        return _AT_THE_LIMIT_BYTES + chance.randint(-2 * KB, 2 * KB)
    return int(2 * KB * math.exp(chance.uniform(0, math.log(50))))


def _possible_outages(chance: random.Random) -> list[Trouble | Fault]:
    amid_upload = chance.randrange(_UPLOAD_BYTES)
    return [
        *Trouble,
        Refuse(),
        Hang(),
        Hang(after_bytes=amid_upload),
        Reset(after_bytes=amid_upload),
        Answer(503, "SlowDown"),
        Slow(bytes_per_s=_UPLOAD_BYTES),
        Corrupt(at_byte=chance.randrange(500)),
        Corrupt(at_byte=amid_upload),
        LoseReply(),
    ]


def _spread(
    kinds: Sequence[Kind], count: int, messages: int, chance: random.Random
) -> Iterator[tuple[int, Kind]]:
    """Yield `count` of the kinds in chance order, each with the number of messages after which it falls."""
    drawn = (list(kinds) * (count // len(kinds) + 1))[:count]
    chance.shuffle(drawn)
    moments = sorted(chance.randrange(messages) for _ in drawn)
    return zip(moments, drawn, strict=True)
