"""The ledger of a chaos run sees each promise broken, and tells windows of RFC 1047 from real doubles."""

from collections import Counter
from collections.abc import Sequence

import pytest

from rig.chaos.ledger import Account, Attempt, settle
from rig.chaos.plan import LIMITS, PlannedMessage, Victim, make_plan
from rig.mta.sendmail_cf import MAILER_DAEMON
from rig.mta.smtp import Exchange, Reply
from rig.promises.checker import Interception
from rig.promises.notices import BrokenPromise
from rig.servers.ses import Transaction

MESSAGE = PlannedMessage(7, 2048, "sender-7@example.com", ("one-7@example.org", "two-7@example.org"))
OK = Reply(250, ("2.0.0 queue-id Message accepted for delivery",))
TAKEN = Exchange(OK, (OK, OK), OK)
PUT_OFF = Exchange(Reply(451, ("4.3.0 Try again later",)), (), None)
REFUSED = Exchange(Reply(554, ("5.3.0 Never",)), (), None)
COPY_IS_RIGHT = b"right"


def copy(
    contents: bytes = COPY_IS_RIGHT,
    *,
    queue_id: str = "first",
    recipients: tuple[str, ...] = MESSAGE.recipients,
    reply: str = "250 Ok",
) -> Transaction:
    octets = b"Received: by rig; id %s; today\r\n\r\n%s" % (queue_id.encode(), contents)
    return Transaction(MESSAGE.envelope_sender, recipients, octets, reply)


BOUNCE = Transaction(MAILER_DAEMON, (MESSAGE.envelope_sender,), b"Subject: Returned mail\r\n\r\n", "250 Ok")


def verify(attempt: Attempt, transaction: Transaction) -> Interception | None:
    """What `rig.promises.checker.check` does is tested elsewhere."""
    if not transaction.message.endswith(COPY_IS_RIGHT):
        raise BrokenPromise("the contents are wrong")
    return None


def settled(
    exchange: Exchange | None, transactions: Sequence[Transaction], breaks: Sequence[int] = ()
) -> Account:
    return settle([Attempt(MESSAGE, exchange)], transactions, breaks, verify)


def test_accepted_message_that_arrives_once_is_in_order() -> None:
    account = settled(TAKEN, [copy()])

    assert account.broken == []
    assert (account.sent, account.accepted, account.windows) == (1, 1, 0)


@pytest.mark.parametrize(
    ("exchange", "transactions", "kind", "sentence"),
    [
        (TAKEN, [], "lost", "nothing reached SES"),
        (TAKEN, [copy(recipients=MESSAGE.recipients[:1])], "lost", "two-7@example.org"),
        (TAKEN, [copy(reply="454 Throttling failure")], "lost", "nothing reached SES"),
        (TAKEN, [copy(reply="554 No")], "lost", "SES said 554, and the sender was not told"),
        (TAKEN, [copy(), BOUNCE], "lost", "SES said 250, and the sender was told of a failure"),
        (TAKEN, [copy(b"wrong")], "corrupted", "the contents are wrong"),
        (TAKEN, [copy(), copy()], "doubled", "nothing broke between them"),
        (TAKEN, [copy(), copy(queue_id="second")], "doubled", "different queue ids"),
        (TAKEN, [copy(), copy(b"the original")], "doubled", "two different copies"),
        (None, [copy(b"wrong")], "corrupted", "the contents are wrong"),
        (None, [copy(), copy()], "doubled", "nothing broke between them"),
        (PUT_OFF, [copy()], "unwanted", "yet it reached SES"),
        (REFUSED, [], "lost", "so its client gives up"),
        (PUT_OFF, [BOUNCE], "unwanted", "yet it reached SES"),
        (PUT_OFF, [copy(recipients=("root@example.org",))], "unwanted", "nobody sent anything to"),
    ],
)
def test_broken_promise_is_named(
    exchange: Exchange | None, transactions: list[Transaction], kind: str, sentence: str
) -> None:
    account = settled(exchange, transactions)

    [broken] = account.broken
    assert broken.startswith(f"{kind}: ")
    assert sentence in broken


@pytest.mark.parametrize("exchange", [PUT_OFF, None])
def test_message_that_was_not_taken_for_certain_need_not_arrive(exchange: Exchange | None) -> None:
    account = settled(exchange, [])

    assert account.broken == []
    assert account.refused + account.unknown == 1


def test_message_without_a_reply_may_arrive() -> None:
    account = settled(None, [copy()])

    assert account.broken == []
    assert (account.unknown, account.unknown_arrived) == (1, 1)


def test_message_that_ses_refuses_for_good_has_to_go_back_to_its_sender() -> None:
    account = settled(TAKEN, [copy(reply="554 No"), BOUNCE])

    assert account.broken == []
    assert account.sent_back == 1


def test_second_copy_after_a_break_is_a_window() -> None:
    account = settled(TAKEN, [copy(), copy()], breaks=[1])

    assert account.broken == []
    assert account.windows == 1


@pytest.mark.parametrize("break_at", [0, 2])
def test_break_before_or_after_both_copies_explains_nothing(break_at: int) -> None:
    assert len(settled(TAKEN, [copy(), copy()], breaks=[break_at]).doubled) == 1


def test_one_break_explains_one_further_copy() -> None:
    account = settled(TAKEN, [copy(), copy(), copy()], breaks=[1])

    assert (account.windows, len(account.doubled)) == (1, 1)


@pytest.mark.parametrize("second", [copy(queue_id="second"), copy(b"the original")])
def test_break_does_not_excuse_a_double_of_our_own(second: Transaction) -> None:
    assert len(settled(TAKEN, [copy(), second], breaks=[1]).doubled) == 1


def test_seed_replays_the_plan_to_the_octet() -> None:
    plan, again = (make_plan(3, messages=50, kills=5, outages=5) for _ in range(2))

    assert plan == again
    assert plan.messages[49].sent() == again.messages[49].sent()
    assert make_plan(4, messages=50, kills=5, outages=5) != plan


def test_plan_has_mail_of_all_sizes_and_kills_all_three_equally_often() -> None:
    plan = make_plan(1, messages=1000, kills=30, outages=10)

    over = [it for it in plan.messages if it.size_bytes + LIMITS.allowance_bytes > LIMITS.limit_bytes]
    assert 100 < len(over) < 300
    assert max(it.size_bytes for it in plan.messages) > 10 * 1024 * 1024
    assert min(it.size_bytes for it in plan.messages) < 3 * 1024
    assert Counter(it.victim for it in plan.kills) == dict.fromkeys(Victim, 10)
