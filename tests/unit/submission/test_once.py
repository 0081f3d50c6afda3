"""A claimed mail goes out once: its claim is renewed on the way, and says in the end who has it."""

from datetime import timedelta

import pytest

from rig.servers.memory_store import MemoryStore
from tests.unit.submission.mailers import ANN, BOB, CAT, MESSAGE, SENDER
from tests.unit.sweep.sweeps import Transport, mailer
from woomera_milter.errors import TemporaryError
from woomera_milter.store.claims import Claim, Claims, LostClaimError, State
from woomera_milter.submission.mailer import MAX_RECIPIENTS, Delivery, Refusal, UnknownOutcomeError
from woomera_milter.submission.once import ClaimedMail, RefusedError

LEASE = timedelta(minutes=15)
CROWD = [f"r{number:03}@example.org" for number in range(2 * MAX_RECIPIENTS + 20)]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def claims(store: MemoryStore) -> Claims:
    return Claims(store, "host-1", LEASE)


@pytest.fixture
def mail(claims: Claims) -> ClaimedMail:
    return taken(claims)


def taken(claims: Claims) -> ClaimedMail:
    claim = claims.take("key")
    assert claim
    return ClaimedMail(claims, claim, "id-1")


def found(claims: Claims) -> Claim:
    claim = claims.find("key")
    assert claim
    return claim


def test_the_claim_is_renewed_before_each_transaction_and_says_who_was_served(
    mail: ClaimedMail, claims: Claims
) -> None:
    seen: list[Claim] = []
    transport = Transport(meanwhile=lambda: seen.append(found(claims)))
    delivery = mail.hand_over(mailer(transport), SENDER, CROWD, MESSAGE)
    assert [len(it.accepted) for it in seen] == [0, MAX_RECIPIENTS, 2 * MAX_RECIPIENTS]
    assert {it.state for it in seen} == {State.HANDING_OVER}
    assert len({it.token for it in seen}) == len(seen)
    done = mail.finish(delivery, {"subject": "Plans"})
    assert (done.state, done.accepted, done.mail) == (State.DONE, CROWD, {"subject": "Plans"})


def test_a_claim_that_is_lost_midway_stops_the_rest(
    store: MemoryStore, mail: ClaimedMail, caplog: pytest.LogCaptureFixture
) -> None:
    def overtake() -> None:
        store.advance(LEASE)
        assert Claims(store, "host-2", LEASE).take("key")

    transport = Transport(meanwhile=overtake)
    with pytest.raises(LostClaimError):
        mail.hand_over(mailer(transport), SENDER, CROWD, MESSAGE)
    assert transport.recipients == CROWD[:MAX_RECIPIENTS]
    assert "not-recorded id=id-1 reason=claim" in caplog.text


def test_a_claim_that_is_lost_before_sends_nothing(store: MemoryStore, mail: ClaimedMail) -> None:
    store.advance(LEASE)
    assert Claims(store, "host-2", LEASE).take("key")
    transport = Transport()
    with pytest.raises(LostClaimError):
        mail.hand_over(mailer(transport), SENDER, CROWD, MESSAGE)
    assert not transport.recipients


def test_those_whom_an_earlier_run_served_are_left_out(mail: ClaimedMail, claims: Claims) -> None:
    mail.fail(UnknownOutcomeError("no reply", Delivery((ANN,), unsure=(BOB,)), remedy="they may have it"))
    again, transport = taken(claims), Transport()
    assert again.hand_over(mailer(transport), SENDER, [ANN, BOB, CAT], MESSAGE).accepted == (BOB, CAT)
    assert again.accepted == [ANN]


@pytest.mark.parametrize(
    ("error", "reason", "accepted", "may_repeat"),
    [
        (TemporaryError("S3 is away"), "S3 is away", [], False),
        (
            RefusedError(Delivery((ANN,), (Refusal(BOB, "550 no such user"),))),
            f"{BOB}: 550 no such user",
            [ANN],
            False,
        ),
        (
            UnknownOutcomeError("no reply", Delivery((), (Refusal(BOB, "550"),), (CAT,)), remedy="wait"),
            f"no reply; wait; {BOB}: 550",
            [],
            True,
        ),
        (ZeroDivisionError("of hers"), "a mistake of ours (ZeroDivisionError)", [], False),
    ],
)
def test_a_failure_is_recorded_with_its_reason_and_who_is_served_all_the_same(
    error: Exception, reason: str, accepted: list[str], may_repeat: bool, mail: ClaimedMail
) -> None:
    failed = mail.fail(error)
    assert failed
    recorded = failed.state, failed.reason, failed.accepted, failed.may_repeat
    assert recorded == (State.FAILED, reason, accepted, may_repeat)


def test_after_a_mistake_of_ours_amid_the_hand_over_the_next_mail_may_be_a_second(
    mail: ClaimedMail,
) -> None:
    def err() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as raised:
        mail.hand_over(mailer(Transport(meanwhile=err)), SENDER, [ANN], MESSAGE)
    failed = mail.fail(raised.value)
    assert failed
    assert failed.may_repeat


def test_a_failure_that_cannot_be_recorded_is_logged(
    mail: ClaimedMail, store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.objects.clear()
    assert mail.fail(TemporaryError("the relay is down")) is None
    assert "not-recorded id=id-1 reason=claim" in caplog.text
