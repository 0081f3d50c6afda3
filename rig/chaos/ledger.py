"""The account of a chaos run, kept outside all that is under test: what clients heard, and what SES got.

What is fair to ask of each message, by what its client heard:

- *250*: each recipient gets it once, with the right contents. Where SES refuses it for good (554), it has to
  be sent back to its sender instead, and counts as *sent back*: whoever relays mail owes no more.
- *4xx*: nobody gets it, for the client will send it again.
- *5xx*: nobody gets it, and it is lost: the client will not send it again, and every message here is good.
- *unknown*: the connection broke before a reply came. Nobody gets it, or all do, once.

A message that SES got twice is no fault of anybody's where sendmail could not know that SES had it: sendmail
was killed, or SES cut the connection, between SES's 250 and the removal of the message from the queue (RFC
1047). Such *windows* are counted by themselves, and strictly: the copies are equal, have the same queue id,
and a break lies between them. Every other second copy counts as *doubled*: a notice beside the original,
two notices with ids of their own, one copy more than there were breaks.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from rig.chaos.plan import PlannedMessage
from rig.mta.sendmail_cf import MAILER_DAEMON
from rig.mta.smtp import Exchange
from rig.promises.checker import BrokenPromise, Interception
from rig.servers.ses import Transaction

_RECEIVED_ID = re.compile(rb"\bid (\S+?)(?:;|\s)")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A message that was sent, and what its client heard; None: the connection broke without a reply."""

    message: PlannedMessage
    exchange: Exchange | None

    @property
    def accepted(self) -> bool:
        """Tell whether the client heard 250."""
        return self.exchange is not None and self.exchange.ok

    @property
    def refused(self) -> bool:
        """Tell whether the client heard 4xx or 5xx."""
        return self.exchange is not None and not self.exchange.ok

    @property
    def refused_for_good(self) -> bool:
        """Tell whether the client heard 5xx, after which it does not try again (RFC 5321 section 4.2.1)."""
        return self.exchange is not None and self.exchange.last.code >= 500

    def __str__(self) -> str:
        heard = "no reply" if self.exchange is None else self.exchange.last
        return f"message {self.message.number} of {self.message.size_bytes} bytes, {heard}"


Verify = Callable[[Attempt, Transaction], Interception | None]
"""Holds a copy's contents against what was sent, as the checker does; raises BrokenPromise."""


@dataclass(slots=True)
class Account:
    """Figures, and a sentence for each promise that was broken."""

    sent: int = 0
    accepted: int = 0
    refused: int = 0
    unknown: int = 0
    unknown_arrived: int = 0
    intercepted: int = 0
    sent_back: int = 0
    windows: int = 0
    lost: list[str] = field(default_factory=list)
    corrupted: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    unwanted: list[str] = field(default_factory=list)
    """What reached SES and should not have: of a message whose client was refused, or of none at all."""

    @property
    def broken(self) -> list[str]:
        """All that went wrong; nothing where every promise was kept."""
        found = {
            "lost": self.lost,
            "corrupted": self.corrupted,
            "doubled": self.doubled,
            "unwanted": self.unwanted,
        }
        return [f"{name}: {sentence}" for name, sentences in found.items() for sentence in sentences]


class _Copy(NamedTuple):
    position: int
    transaction: Transaction


def settle(
    attempts: Iterable[Attempt], transactions: Sequence[Transaction], breaks: Sequence[int], verify: Verify
) -> Account:
    """Hold everything that SES ever got against everything that was ever sent.

    `transactions` are in the order in which SES got them; a break of 7 means that what came before the
    seventh of them (counted from 0) and what came from there on is not of the same conversation.
    """
    attempts = list(attempts)
    account = Account(sent=len(attempts))
    copies, bounces = _sorted_by_message(attempts, transactions, account)
    for attempt in attempts:
        number = attempt.message.number
        if attempt.refused:
            account.refused += 1
            if attempt.refused_for_good:
                account.lost.append(f"{attempt}, so its client gives up")
            if number in copies or number in bounces:
                account.unwanted.append(f"{attempt}, yet it reached SES")
            continue
        account.accepted += attempt.accepted
        account.unknown += not attempt.accepted
        account.unknown_arrived += not attempt.accepted and number in copies
        if attempt.accepted or number in copies:
            _settle_one(attempt, copies[number], bounces[number], breaks, account, verify)
    return account


def _sorted_by_message(
    attempts: Sequence[Attempt], transactions: Sequence[Transaction], account: Account
) -> tuple[dict[int, list[_Copy]], dict[int, list[_Copy]]]:
    """Return what SES took or refused for good of each message, and what was sent back to its sender."""
    number_of = {
        address: it.message.number
        for it in attempts
        for address in (it.message.envelope_sender, *it.message.recipients)
    }
    copies: dict[int, list[_Copy]] = defaultdict(list)
    bounces: dict[int, list[_Copy]] = defaultdict(list)
    for position, transaction in enumerate(transactions):
        if transaction.reply.startswith("4"):
            continue  # sendmail still has it
        for number in {number_of.get(it, -1) for it in transaction.recipients}:
            if number < 0:
                account.unwanted.append(f"nobody sent anything to {transaction.recipients}")
            else:
                kind = bounces if transaction.envelope_sender == MAILER_DAEMON else copies
                kind[number].append(_Copy(position, transaction))
    return copies, bounces


def _settle_one(
    attempt: Attempt,
    copies: Sequence[_Copy],
    bounces: Sequence[_Copy],
    breaks: Sequence[int],
    account: Account,
    verify: Verify,
) -> None:
    reached = {recipient for it in copies for recipient in it.transaction.recipients}
    if missing := set(attempt.message.recipients) - reached:
        account.lost.append(f"{attempt}, yet nothing reached SES for {sorted(missing)}")
        return
    first = copies[0].transaction
    was_taken = first.reply.startswith("250")
    if was_taken == bool(bounces):
        told = "was told of a failure" if was_taken else "was not told"
        account.lost.append(f"{attempt}; SES said {first.reply[:3]}, and the sender {told}")
        return
    account.sent_back += not was_taken
    try:
        account.intercepted += verify(attempt, first) is not None
    except BrokenPromise as broken:
        account.corrupted.append(f"{attempt}: {broken}")
        return
    for one, next_one in (*pairwise(copies), *pairwise(bounces)):
        if reason := _fault_of_second(one, next_one, breaks):
            account.doubled.append(f"{attempt}: {reason}")
        else:
            account.windows += 1


def _fault_of_second(first: _Copy, second: _Copy, breaks: Sequence[int]) -> str:
    """Say why the second copy is not due to a window of RFC 1047; "" where it may be."""
    # A refused message that is tried again gives a new bounce.
    if first.transaction.envelope_sender != MAILER_DAEMON:
        if queue_id(first.transaction) != queue_id(second.transaction):
            return "two copies with different queue ids reached SES"
        if first.transaction.message != second.transaction.message:
            return "two different copies reached SES"
    if not any(first.position < it <= second.position for it in breaks):
        return "two copies reached SES, though nothing broke between them"
    return ""


def queue_id(transaction: Transaction) -> str:
    """Return the queue id that sendmail's trace header names; "" where there is none."""
    found = _RECEIVED_ID.search(transaction.message.partition(b"\r\n\r\n")[0])
    return found[1].decode("latin-1") if found else ""
