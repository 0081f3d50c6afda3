"""One run of many sends the report, and what it could not send the next one does."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.fakes.bucket import MemoryStore
from tests.fakes.outbox import Outbox
from tests.unit.report.documents import NOW, SETTINGS, UNTIL, gathered, leave_snapshot, snapshot, tally
from tests.unit.sweep.sweeps import Transport, mailer
from woomera_milter.errors import TemporaryError
from woomera_milter.report import report
from woomera_milter.report.figures import Statistics
from woomera_milter.report.period import Period
from woomera_milter.report.report import Report, ReportState
from woomera_milter.store.claims import Claims
from woomera_milter.store.keys import report_key
from woomera_milter.store.tallies import Amount
from woomera_milter.submission.mailer import (
    MAX_RECIPIENTS,
    Delivery,
    Mailer,
    Refusal,
    UnknownOutcomeError,
    UnsentError,
)

LEASE = timedelta(minutes=15)
CROWD = SETTINGS.model_copy(update={"to": tuple(f"r{it:02}@example.org" for it in range(MAX_RECIPIENTS + 9))})


class Runs:
    """Runs of `woomera report` on one bucket."""

    def __init__(self, bucket: MemoryStore) -> None:
        self.bucket = bucket
        self.outbox = Outbox()
        self.settings = SETTINGS

    def run(self, host: str = "host-1", mailer: Mailer | None = None) -> report.ReportOutcome:
        claims = Claims(self.bucket, host, LEASE, key_of=report_key)
        job = Report(self.settings, claims, mailer or self.outbox)
        return job.send(Period.before("day", UNTIL), lambda: gathered(self.bucket), NOW)


@pytest.fixture
def runs(bucket: MemoryStore) -> Iterator[Runs]:
    leave_snapshot(bucket, snapshot(counts=tally(intercepted=Amount(1, 1))))
    return Runs(bucket)


def test_a_period_is_reported_once_and_the_next_run_says_who_did(runs: Runs) -> None:
    assert runs.run("host-1").state is ReportState.SENT
    again = runs.run("host-2")
    assert (again.state, again.host) == (ReportState.ALREADY_DONE, "host-1")
    assert runs.outbox.served == [SETTINGS.to]
    assert "reports/day-2026-11-23.json" in runs.bucket.objects


def test_a_run_that_died_is_taken_over_when_its_lease_has_ended(runs: Runs) -> None:
    dead = Claims(runs.bucket, "host-9", LEASE, key_of=report_key)
    assert dead.take("day-2026-11-23")
    assert runs.run().state is ReportState.IN_PROGRESS
    runs.bucket.advance(LEASE)
    assert runs.run().state is ReportState.SENT


def test_a_quiet_period_sends_nothing_and_is_done_with(bucket: MemoryStore) -> None:
    runs = Runs(bucket)
    leave_snapshot(bucket, snapshot(counts=tally(passed=Amount(9, 9))))
    assert runs.run().state is ReportState.QUIET
    assert runs.run("host-2").state is ReportState.ALREADY_DONE
    assert runs.outbox.sent == []


def test_a_quiet_period_is_sent_where_that_is_wanted(bucket: MemoryStore) -> None:
    runs = Runs(bucket)
    runs.settings = SETTINGS.model_copy(update={"quiet": "send"})
    assert runs.run().state is ReportState.SENT


def test_a_period_in_which_a_host_fell_silent_is_not_quiet(bucket: MemoryStore) -> None:
    leave_snapshot(bucket, snapshot(written_at="2026-11-23T09:00:00Z"))
    assert Runs(bucket).run().state is ReportState.SENT


def test_mail_that_nobody_can_be_sent_is_sent_by_the_next_run(runs: Runs) -> None:
    runs.outbox.error = UnsentError("the server is down", Delivery(), remedy="wait")
    with pytest.raises(UnsentError):
        runs.run()
    runs.outbox.error = None
    assert runs.run("host-2").state is ReportState.SENT
    assert runs.outbox.served == [SETTINGS.to]


def test_mail_that_some_are_sent_is_told_of_and_sent_by_the_next_run_to_the_rest(runs: Runs) -> None:
    served = Delivery(accepted=SETTINGS.to[:1])
    runs.outbox.error = UnsentError("the server is down", served, remedy="wait")
    outcome = runs.run()
    assert (outcome.state, outcome.accepted) == (ReportState.SENT, served.accepted)
    assert outcome.refused == (Refusal(SETTINGS.to[1], "not sent, since the server is down"),)
    runs.outbox.error = None
    assert runs.run("host-2").state is ReportState.SENT
    assert runs.outbox.served == [SETTINGS.to[1:]]


def test_mail_whose_end_nobody_knows_is_sent_again_and_said_to_be(
    runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    runs.outbox.error = UnknownOutcomeError("no reply", Delivery(unsure=SETTINGS.to), remedy="")
    with pytest.raises(UnknownOutcomeError):
        runs.run()
    runs.outbox.error = None
    assert runs.run().state is ReportState.SENT
    assert "may-be-a-second-notice id=day-2026-11-23" in caplog.text


def test_a_recipient_who_is_refused_is_named_and_the_others_are_done_with(runs: Runs) -> None:
    runs.outbox.refusals = dict.fromkeys(SETTINGS.to[:1], "no such user")
    outcome = runs.run()
    assert (outcome.state, [it.recipient for it in outcome.refused]) == (
        ReportState.SENT,
        list(SETTINGS.to[:1]),
    )
    assert runs.run().state is ReportState.ALREADY_DONE


def test_a_report_that_everybody_is_refused_is_tried_again(runs: Runs) -> None:
    runs.outbox.refusals = dict.fromkeys(SETTINGS.to, "no such user")
    assert runs.run().state is ReportState.NOT_SENT
    runs.outbox.refusals = {}
    assert runs.run().state is ReportState.SENT


def test_a_bucket_that_cannot_be_read_leaves_the_report_to_the_next_run(runs: Runs) -> None:
    claims = Claims(runs.bucket, "host-1", LEASE, key_of=report_key)

    def fail() -> Statistics:
        raise TemporaryError("S3 is down", reason="store")

    with pytest.raises(TemporaryError):
        Report(SETTINGS, claims, runs.outbox).send(Period.before("day", UNTIL), fail, NOW)
    assert runs.run("host-2").state is ReportState.SENT


def test_a_relay_that_is_slower_than_the_lease_for_all_together_reports_to_nobody_twice(runs: Runs) -> None:
    runs.settings = CROWD

    def by_another_host() -> None:
        runs.bucket.advance(LEASE * 2 / 3)
        assert runs.run("host-2").state is ReportState.IN_PROGRESS

    transport = Transport(meanwhile=by_another_host)
    assert runs.run(mailer=mailer(transport)).state is ReportState.SENT
    assert tuple(transport.recipients) == CROWD.to
    assert not runs.outbox.sent


def test_a_run_that_was_overtaken_amid_the_hand_over_stops_there(
    runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    runs.settings = CROWD

    def by_another_host() -> None:
        runs.bucket.advance(LEASE)
        assert runs.run("host-2").state is ReportState.SENT

    transport = Transport(meanwhile=by_another_host)
    assert runs.run(mailer=mailer(transport)).state is ReportState.IN_PROGRESS
    assert tuple(transport.recipients) == CROWD.to[:MAX_RECIPIENTS]
    assert runs.outbox.served == [CROWD.to]
    assert "may-be-a-second-notice id=day-2026-11-23" in caplog.text
    assert "not-recorded id=day-2026-11-23" in caplog.text


def test_a_bucket_that_fails_amid_the_hand_over_leaves_the_rest_to_the_next_run(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.settings = CROWD

    def fail_once(*_: object) -> None:
        monkeypatch.undo()
        raise TemporaryError("S3 is away", reason="store")

    transport = Transport(meanwhile=lambda: monkeypatch.setattr(runs.bucket, "replace_json", fail_once))
    outcome = runs.run(mailer=mailer(transport))
    assert (outcome.state, outcome.accepted) == (ReportState.SENT, CROWD.to[:MAX_RECIPIENTS])
    assert [it.recipient for it in outcome.refused] == list(CROWD.to[MAX_RECIPIENTS:])
    assert runs.run("host-2").state is ReportState.SENT
    assert runs.outbox.served == [CROWD.to[MAX_RECIPIENTS:]]
