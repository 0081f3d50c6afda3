"""Chaos in short (the long form is `make chaos`), and that its account can also turn out badly."""

from dataclasses import replace
from pathlib import Path

from rig.chaos.arena import arena
from rig.chaos.ledger import settle
from rig.chaos.plan import LIMITS, make_plan
from rig.chaos.run import report, run, send_under_fire
from rig.servers.ses import Transaction

SEED = 20261124


def test_nothing_is_lost_corrupted_or_doubled_while_everything_dies_and_fails(tmp_path: Path) -> None:
    plan = make_plan(SEED, messages=300, kills=6, outages=4)

    outcome = run(plan, tmp_path, print)

    print(report(outcome))
    assert outcome.broken == []
    assert outcome.account.sent == 300
    assert outcome.account.accepted > 75
    assert outcome.account.intercepted > 5


def damaged(copy: Transaction, after: bytes) -> Transaction:
    """Return the copy with one bit changed, in the octet that follows `after`."""
    octets = bytearray(copy.message)
    octets[copy.message.index(after) + len(after)] ^= 1
    return replace(copy, message=bytes(octets))


def test_account_shows_what_was_lost_damaged_or_doubled_on_the_way(tmp_path: Path) -> None:
    plan = make_plan(SEED, messages=20, kills=0, outages=0)
    with arena(tmp_path, plan) as ring, ring.verifier(plan) as verify:
        attempts = send_under_fire(ring, plan, print)
        ring.recover()
        honest = ring.lab.ses.transactions
        assert settle(attempts, honest, [], verify).broken == []

        for is_large, place in ((False, b"\r\n\r\n"), (True, b"\r\nhttp")):
            attempt = next(it for it in attempts if LIMITS.is_over(it.message.sent().message) is is_large)
            sent = attempt.message.sent()
            [copy] = [it for it in honest if set(it.recipients) == set(sent.recipients)]
            original = replace(copy, message=sent.message)
            assert len(settle([attempt], [], [], verify).lost) == 1
            assert len(settle([attempt], [damaged(copy, place)], [], verify).corrupted) == 1
            assert len(settle([attempt], [copy, copy], [], verify).doubled) == 1
            assert len(settle([attempt], [copy, original], [], verify).doubled) == 1
