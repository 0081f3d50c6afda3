"""Chaos in short (the long form is `make chaos`), and that its account can also turn out badly."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from rig.chaos import report, run, send_under_fire
from rig.chaos_arena import arena
from rig.chaos_plan import LIMITS, make_plan
from rig.ledger import Account, settle
from rig.ses import Transaction

SEED = 20261124
Tamper = Callable[[Transaction], list[Transaction]]


def test_nothing_is_lost_corrupted_or_doubled_while_everything_dies_and_fails(tmp_path: Path) -> None:
    plan = make_plan(SEED, messages=150, kills=6, outages=4)

    outcome = run(plan, tmp_path, print)

    print(report(outcome))
    assert outcome.broken == []
    assert outcome.account.sent == 150
    assert outcome.account.accepted > 75
    assert outcome.account.intercepted > 5


def damaged(copy: Transaction) -> Transaction:
    return replace(copy, message=copy.message[:-3] + bytes([copy.message[-3] ^ 1]) + copy.message[-2:])


def tampered(
    transactions: Sequence[Transaction], recipients: Sequence[str], tamper: Tamper
) -> list[Transaction]:
    """Return what SES would have got had this happened to the message to `recipients`."""
    return [each for it in transactions for each in (tamper(it) if it.recipients == recipients else [it])]


def test_account_shows_what_was_lost_damaged_or_doubled_on_the_way(tmp_path: Path) -> None:
    plan = make_plan(SEED, messages=40, kills=0, outages=0)
    with arena(tmp_path, plan) as ring, ring.verifier(plan) as verify:
        attempts = send_under_fire(ring, plan, print)
        ring.recover()
        honest = ring.lab.ses.transactions
        small = next(it for it in attempts if not LIMITS.is_over(it.message.sent().message))
        large = next(it for it in attempts if LIMITS.is_over(it.message.sent().message))

        def account_of(number: int, tamper: Tamper) -> Account:
            mine = plan.messages[number].recipients
            return settle(attempts, tampered(honest, mine, tamper), ring.breaks, verify)

        assert settle(attempts, honest, ring.breaks, verify).broken == []
        for attempt in (small, large):
            number, original = attempt.message.number, attempt.message.sent().message
            assert len(account_of(number, lambda _: []).lost) == 1
            assert len(account_of(number, lambda it: [it, it]).doubled) == 1
            assert len(account_of(number, lambda it: [damaged(it)]).corrupted) == 1
            as_sent = account_of(number, lambda it, octets=original: [it, replace(it, message=octets)])
            assert len(as_sent.doubled) == 1
