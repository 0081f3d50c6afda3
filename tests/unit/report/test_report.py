"""One run of many sends the report, and what it could not send the next one does."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest

from tests.unit.report.documents import NOW, SETTINGS, UNTIL, Bucket, gathered, snapshot, tally
from woomera_milter.errors import TemporaryError
from woomera_milter.milter.counters import Amount
from woomera_milter.report import report
from woomera_milter.report.figures import Statistics
from woomera_milter.report.period import Period
from woomera_milter.report.report import Kind, Report
from woomera_milter.store.claims import Claims
from woomera_milter.submission.mailer import Delivery, Mailer, Refusal, UnknownOutcomeError, UnsentError


class Outbox:
    """A mailer that keeps what it is given, and answers as a test says."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, ...]] = []
        self.error: Exception | None = None
        self.refused: tuple[str, ...] = ()

    def send(self, envelope_sender: str, recipients: Sequence[str], message: bytes) -> Delivery:
        if self.error:
            raise self.error
        accepted = tuple(it for it in recipients if it not in self.refused)
        self.sent.append(accepted)
        return Delivery(
            accepted, tuple(Refusal(it, "no such user") for it in recipients if it in self.refused)
        )


class Runs:
    """Runs of `woomera report` on one bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self.outbox = Outbox()
        self.settings = SETTINGS

    def run(self, host: str = "host-1") -> report.Outcome:
        claims = Claims(self.bucket, host, timedelta(minutes=15), key_of=report.claim_key)
        mailer: Mailer = self.outbox  # type: ignore[assignment]
        job = Report(self.settings, claims, mailer)
        return job.send(Period.before("day", UNTIL), lambda: gathered(self.bucket), NOW)


@pytest.fixture
def runs(bucket: Bucket) -> Iterator[Runs]:
    bucket.put_snapshot(snapshot(counts=tally(intercepted=Amount(1, 1))))
    return Runs(bucket)


def test_a_period_is_reported_once_and_the_next_run_says_who_did(runs: Runs) -> None:
    assert runs.run("host-1").kind is Kind.SENT
    again = runs.run("host-2")
    assert (again.kind, again.host) == (Kind.ALREADY_DONE, "host-1")
    assert runs.outbox.sent == [SETTINGS.to]
    assert "reports/day-2026-11-23.json" in runs.bucket.objects


def test_a_run_that_died_is_taken_over_when_its_lease_has_ended(runs: Runs) -> None:
    dead = Claims(runs.bucket, "host-9", timedelta(minutes=15), key_of=report.claim_key)
    assert dead.take("day-2026-11-23")
    assert runs.run().kind is Kind.IN_PROGRESS
    runs.bucket.advance(timedelta(minutes=15))
    assert runs.run().kind is Kind.SENT


def test_a_quiet_period_sends_nothing_and_is_done_with(bucket: Bucket) -> None:
    runs = Runs(bucket)
    bucket.put_snapshot(snapshot(counts=tally(passed=Amount(9, 9))))
    assert runs.run().kind is Kind.QUIET
    assert runs.run("host-2").kind is Kind.ALREADY_DONE
    assert runs.outbox.sent == []


def test_a_quiet_period_is_sent_where_that_is_wanted(bucket: Bucket) -> None:
    runs = Runs(bucket)
    runs.settings = SETTINGS.model_copy(update={"quiet": "send"})
    assert runs.run().kind is Kind.SENT


def test_a_period_in_which_a_host_fell_silent_is_not_quiet(bucket: Bucket) -> None:
    bucket.put_snapshot(snapshot(written_at="2026-11-23T09:00:00Z"))
    assert Runs(bucket).run().kind is Kind.SENT


def test_mail_that_nobody_can_be_sent_is_sent_by_the_next_run(runs: Runs) -> None:
    runs.outbox.error = UnsentError("the server is down", Delivery(), remedy="wait")
    with pytest.raises(UnsentError):
        runs.run()
    runs.outbox.error = None
    assert runs.run("host-2").kind is Kind.SENT
    assert runs.outbox.sent == [SETTINGS.to]


def test_mail_that_some_are_sent_is_told_of_and_sent_by_the_next_run_to_the_rest(runs: Runs) -> None:
    served = Delivery(accepted=SETTINGS.to[:1])
    runs.outbox.error = UnsentError("the server is down", served, remedy="wait")
    outcome = runs.run()
    assert (outcome.kind, outcome.accepted) == (Kind.SENT, served.accepted)
    assert outcome.refused == (Refusal(SETTINGS.to[1], "not sent, since the server is down"),)
    runs.outbox.error = None
    assert runs.run("host-2").kind is Kind.SENT
    assert runs.outbox.sent == [SETTINGS.to[1:]]


def test_mail_whose_end_nobody_knows_is_sent_again_and_said_to_be(
    runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    runs.outbox.error = UnknownOutcomeError("no reply", Delivery(unsure=SETTINGS.to), remedy="")
    with pytest.raises(UnknownOutcomeError):
        runs.run()
    runs.outbox.error = None
    assert runs.run().kind is Kind.SENT
    assert "may-be-a-second-notice id=day-2026-11-23" in caplog.text


def test_a_recipient_who_is_refused_is_named_and_the_others_are_done_with(runs: Runs) -> None:
    runs.outbox.refused = SETTINGS.to[:1]
    outcome = runs.run()
    assert (outcome.kind, [it.recipient for it in outcome.refused]) == (Kind.SENT, list(SETTINGS.to[:1]))
    assert runs.run().kind is Kind.ALREADY_DONE


def test_a_report_that_everybody_is_refused_is_tried_again(runs: Runs) -> None:
    runs.outbox.refused = SETTINGS.to
    assert runs.run().kind is Kind.NOT_SENT
    runs.outbox.refused = ()
    assert runs.run().kind is Kind.SENT


def test_a_bucket_that_cannot_be_read_leaves_the_report_to_the_next_run(runs: Runs) -> None:
    claims = Claims(runs.bucket, "host-1", timedelta(minutes=15), key_of=report.claim_key)
    mailer: Mailer = runs.outbox  # type: ignore[assignment]

    def fail() -> Statistics:
        raise TemporaryError("S3 is down", reason="store")

    with pytest.raises(TemporaryError):
        Report(SETTINGS, claims, mailer).send(Period.before("day", UNTIL), fail, NOW)
    assert runs.run("host-2").kind is Kind.SENT
