"""A claimed mail goes out once: its claim is renewed on the way, and says in the end who has it."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from rig.servers.smtp_server import SmtpServer
from tests.fakes.bucket import MemoryStore
from tests.unit.submission import mailers
from tests.unit.submission.mailers import ANN, BOB, CAT, MESSAGE, SENDER, Pauses
from tests.unit.sweep.sweeps import Transport, mailer
from woomera_milter.errors import TemporaryError
from woomera_milter.store.claims import Claims, LostClaimError
from woomera_milter.store.documents import Claim, State
from woomera_milter.submission.answers import LONGEST_END_S
from woomera_milter.submission.mailer import (
    MAX_RECIPIENTS,
    Delivery,
    Mailer,
    Refusal,
    UnknownOutcomeError,
    UnsentError,
)
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
            RefusedError(Delivery((ANN,), (Refusal(BOB, "550 no such user"), Refusal(CAT, "550")))),
            f"{BOB}: 550 no such user; {CAT}: 550",
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


def test_the_log_tells_of_a_mail_that_may_be_a_second_one_and_of_no_other(
    mail: ClaimedMail, claims: Claims, caplog: pytest.LogCaptureFixture
) -> None:
    mail.hand_over(mailer(Transport()), SENDER, [ANN], MESSAGE)
    assert caplog.messages == []
    mail.fail(UnknownOutcomeError("no reply", Delivery(unsure=(ANN,)), remedy="wait"))
    taken(claims).hand_over(mailer(Transport()), SENDER, [ANN], MESSAGE)
    assert [it.partition(" id=")[2] for it in caplog.messages] == ["id-1"]
    assert "may-be-a-second-notice" in caplog.text


def test_a_lease_that_could_never_outlive_the_reply_keeps_no_mail_back(store: MemoryStore) -> None:
    mail = taken(Claims(store, "host-1", timedelta(seconds=LONGEST_END_S)))
    assert mail.hand_over(mailer(Transport()), SENDER, [ANN], MESSAGE).accepted == (ANN,)


def test_a_failure_that_cannot_be_recorded_is_logged(
    mail: ClaimedMail, store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.objects.clear()
    assert mail.fail(TemporaryError("the relay is down")) is None
    assert "not-recorded id=id-1 reason=claim" in caplog.text


class SlowRelay(SmtpServer):
    """Takes so long over each recipient, on the clock of the bucket and of the sender; then `meanwhile`."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__()
        self.now_s = 0.0
        self.rcpt_s = 0.0
        self.meanwhile: Callable[[], object] = lambda: None
        self._store = store
        self.before_reply = self._hear

    def _hear(self, command: str) -> None:
        if command.startswith("RCPT"):
            self.now_s += self.rcpt_s
            self._store.advance(timedelta(seconds=self.rcpt_s))
            self.meanwhile()

    def taken(self, claims: Claims) -> ClaimedMail:
        claim = claims.take("key")
        assert claim
        return ClaimedMail(claims, claim, "id-1", lambda: self.now_s)


@pytest.fixture
def relay(store: MemoryStore) -> Iterator[SlowRelay]:
    with SlowRelay(store) as relay:
        yield relay


@pytest.fixture
def by_relay(relay: SlowRelay, pauses: Pauses) -> Iterator[Mailer]:
    with mailers.mailer(pauses, host=relay.host, port=relay.port) as by_relay:
        yield by_relay


def test_who_is_overtaken_while_recipients_are_named_sends_no_message(
    relay: SlowRelay, by_relay: Mailer, claims: Claims, store: MemoryStore
) -> None:
    relay.rcpt_s = LEASE.total_seconds() / 2
    overtaken = 0

    def overtake() -> None:
        nonlocal overtaken
        overtaken += bool(Claims(store, "host-2", LEASE).take("key"))

    relay.meanwhile = overtake
    with pytest.raises(LostClaimError):
        relay.taken(claims).hand_over(by_relay, SENDER, [ANN, BOB, CAT], MESSAGE)
    assert overtaken == 1
    assert (relay.heard[-1], relay.messages) == ("RSET", [])


def test_a_message_is_sent_after_slow_recipients_with_a_lease_that_outlives_the_reply(
    relay: SlowRelay, by_relay: Mailer, claims: Claims, store: MemoryStore
) -> None:
    relay.rcpt_s = LEASE.total_seconds() / 2 - 1
    mail = relay.taken(claims)
    delivery = mail.hand_over(by_relay, SENDER, [ANN, BOB], MESSAGE)
    assert relay.messages == [MESSAGE]

    store.advance(timedelta(seconds=LONGEST_END_S))
    assert Claims(store, "host-2", LEASE).take("key") is None
    assert mail.finish(delivery, {}).accepted == [ANN, BOB]


def test_a_quick_transaction_renews_nothing(
    relay: SlowRelay, by_relay: Mailer, claims: Claims, store: MemoryStore
) -> None:
    mail = relay.taken(claims)
    store.restart()
    mail.hand_over(by_relay, SENDER, [ANN, BOB], MESSAGE)
    assert [what for what, _ in store.operations] == ["replace"]


def test_where_the_lease_cannot_be_renewed_the_message_is_put_off(
    relay: SlowRelay, by_relay: Mailer, claims: Claims, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise TemporaryError("S3 is away", reason="store")

    relay.rcpt_s = LEASE.total_seconds() / 2
    relay.meanwhile = lambda: monkeypatch.setattr(store, "replace_json", fail)
    mail = relay.taken(claims)
    with pytest.raises(UnsentError, match="S3 is away") as raised:
        mail.hand_over(by_relay, SENDER, [ANN], MESSAGE)
    assert raised.value.delivery == Delivery()
    assert (relay.heard[-1], relay.messages) == ("RSET", [])
    monkeypatch.undo()
    failed = mail.fail(raised.value)
    assert failed
    assert not failed.may_repeat


def test_where_renewing_takes_too_long_the_message_is_put_off(
    relay: SlowRelay, by_relay: Mailer, claims: Claims, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_json = store.replace_json

    def slowly(key: str, value: object, etag: str) -> str | None:
        relay.now_s += 61
        return replace_json(key, value, etag)

    relay.rcpt_s = 100
    relay.meanwhile = lambda: monkeypatch.setattr(store, "replace_json", slowly)
    with pytest.raises(UnsentError, match="renewing the claim took too long"):
        relay.taken(claims).hand_over(by_relay, SENDER, [ANN], MESSAGE)
    assert (relay.heard[-1], relay.messages) == ("RSET", [])
