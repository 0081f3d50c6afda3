"""The report: its sums, what it calls attention to, how it reads, and that one run of many sends it."""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rig.jobs import text_of
from rig.memory_store import MemoryStore
from woomera_milter import bulletin, config, report, report_view, snapshots
from woomera_milter.attention import needed
from woomera_milter.claims import Claims
from woomera_milter.counters import STORE_BUCKETS, Amount, FailedMessage, Tally
from woomera_milter.errors import TemporaryError
from woomera_milter.gather import Gatherer
from woomera_milter.mailer import Delivery, Mailer, Refusal, UnknownOutcomeError, UnsentError
from woomera_milter.period import Period
from woomera_milter.report import Kind, Report
from woomera_milter.statistics import Statistics

UNTIL = date(2026, 11, 24)
TODAY = date(2026, 11, 23)
DAY = timedelta(days=1)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOW = datetime(2026, 11, 24, 0, 15, tzinfo=UTC)
SETTINGS = config.Report(sender="woomera@example.com", to=("postmaster@example.com", "second@example.org"))
UTC_ZONE = ZoneInfo("UTC")


def tally(**changes: Any) -> Tally:
    return Tally(**changes)


def snapshot(host: str = "host-1", day: date = TODAY, counts: Tally | None = None, **about: Any) -> Any:
    """A milter's object, as the writer makes it."""
    written_at = datetime(day.year, day.month, day.day, tzinfo=UTC) + DAY
    known = {
        "source": "milter",
        "host": host,
        "day": day.isoformat(),
        "started_at": "2026-11-01T00:00:00Z",
        "written_at": f"{written_at:%Y-%m-%dT%H:%M:%SZ}",
        "every_s": 300,
        "stopped": False,
    }
    return known | (counts or Tally()).document() | about


def sidecar(number: int = 1, size_bytes: int = 11_000_000, **changes: Any) -> Any:
    known = {
        "id": f"id{number}",
        "received_at": "2026-11-23T12:00:00Z",
        "envelope_sender": "bounces@example.com",
        "header_from": "Jane <jane@example.com>",
        "subject": "Plans",
        "size_bytes": size_bytes,
        "links_expire_at": "2026-11-30T12:00:00Z",
    }
    return known | changes


def claim(state: str, **changes: Any) -> Any:
    known = {
        "key": "archive/a.eml",
        "token": "t",
        "host": "host-2",
        "claimed_at": "2026-11-23T12:00:00Z",
        "lease_s": 900,
        "state": state,
        "reason": "r",
        "first_failed_at": "2026-11-23T12:00:00Z" if state == "failed" else "",
        "done_at": "2026-11-23T12:00:00Z" if state == "done" else "",
    }
    return known | changes


class Bucket(MemoryStore):
    """A bucket in which a test puts documents."""

    def put(self, key: str, document: Any, at: datetime = NOON) -> None:
        now, self.now = self.now, at
        self.put_octets(key, json.dumps(document).encode())
        self.now = now

    def put_snapshot(self, document: Any, name: str = "x") -> None:
        self.put(f"stats/{document['day']}/{document['host']}-{name}.json", document)


@pytest.fixture
def bucket() -> Bucket:
    bucket = Bucket()
    bucket.now = NOW
    return bucket


def gathered(bucket: Bucket, kind: str = "day", until: date = UNTIL) -> Statistics:
    statistics = Statistics(Period.before(kind, until), timedelta(days=7), NOW)  # type: ignore[arg-type]
    Gatherer(bucket, "archive/", timedelta(days=30), lambda _: None).fill(statistics, NOW)
    return statistics


def kinds(statistics: Statistics) -> list[str]:
    return [it.kind for it in needed(statistics, str)]


# Sums.


def test_hosts_and_processes_add_up(bucket: Bucket) -> None:
    counts = tally(passed=Amount(10, 1000), intercepted=Amount(2, 50))
    counts.failed["store"] = 1
    counts.store_seconds["0.5"] = 2
    for host in ("host-1", "host-2"):
        for process in ("p1", "p2"):
            bucket.put_snapshot(snapshot(host, counts=counts), process)
    document = report_view.document(gathered(bucket))
    assert document["passed"] == {"count": 40, "bytes": 4000}
    assert document["intercepted"] == {"count": 8, "bytes": 200}
    assert document["failed"] == {"store": 4}
    assert document["store_seconds"] == dict.fromkeys(STORE_BUCKETS, 0) | {"0.5": 8}
    assert [(it["host"], it["passed"]["count"]) for it in document["hosts"]] == [
        ("host-1", 20),
        ("host-2", 20),
    ]


@pytest.mark.parametrize(("kind", "now", "before"), [("day", 1, 10), ("week", 11, 100), ("month", 1000, 0)])
def test_a_period_holds_its_own_days_and_is_compared_with_those_before(
    kind: str, now: int, before: int, bucket: Bucket
) -> None:
    for day, count in ((TODAY, 1), (TODAY - DAY, 10), (date(2026, 11, 12), 100), (date(2026, 10, 31), 1000)):
        bucket.put_snapshot(snapshot(day=day, counts=tally(intercepted=Amount(count, count))))
    bucket.put_snapshot(snapshot(day=UNTIL, counts=tally(intercepted=Amount(9, 9))))
    statistics = gathered(bucket, kind)
    assert statistics.totals.tally.intercepted == Amount(now, now)
    assert statistics.before.tally.intercepted == Amount(before, before)


def test_the_picture_shows_fourteen_days_each_with_what_became_of_its_mail(bucket: Bucket) -> None:
    counts = tally(intercepted=Amount(3, 3))
    counts.failed["spool"] = 2
    bucket.put_snapshot(snapshot(day=date(2026, 11, 10), counts=counts))
    bucket.put_snapshot(snapshot(day=date(2026, 11, 9), counts=counts))
    bucket.put("processed/a.json", claim("done", done_at="2026-11-10T23:59:59Z"))
    bars = report_view.bulletin(gathered(bucket), UTC_ZONE, NOW).bars
    assert len(bars) == 14
    assert (bars[0].label, bars[0].intercepted, bars[0].swept, bars[0].failed) == ("Tue 10 Nov", 3, 1, 2)
    assert sum(bar.total for bar in bars) == 6


def test_sweeps_add_up_by_what_their_claims_came_to(bucket: Bucket) -> None:
    bucket.put("processed/a.json", claim("done"))
    bucket.put("processed/b.json", claim("done", done_at="2026-11-22T12:00:00Z"), NOON - DAY)
    bucket.put("processed/c.json", claim("failed", reason="nobody can be told"))
    bucket.put("processed/conditional-writes.json", {"about": "a probe", "nonce": "x"})
    statistics = gathered(bucket)
    assert report_view.document(statistics)["swept"] == {"notified": 1, "failed": 1}
    assert statistics.before.notified == 1
    assert statistics.unreadable.count == 0


def test_archive_runs_add_up_by_host_and_day(bucket: Bucket) -> None:
    for host in ("host-1", "host-2"):
        for day in (TODAY, TODAY - DAY):
            document = snapshots.archive_document(day, host, NOON, Amount(3, 30), Amount(), None)
            bucket.put(snapshots.archive_key(day, host), document)
    statistics = gathered(bucket)
    assert report_view.document(statistics)["archived"] == {"count": 6, "bytes": 60}
    assert statistics.before.archived == Amount(6, 60)


def test_the_largest_messages_and_the_senders_are_those_of_the_period(bucket: Bucket) -> None:
    for number in range(15):
        bucket.put(f"messages/2026/11/23/id{number}/envelope.json", sidecar(number, 1000 + number))
    bucket.put("messages/2026/11/23/bounce/envelope.json", sidecar(99, 1, header_from=""))
    bucket.put("messages/2026/11/22/id/envelope.json", sidecar(100, 10**9))
    statistics = gathered(bucket)
    assert [it.size_bytes for it in statistics.largest] == list(range(1014, 1004, -1))
    assert statistics.senders == {"jane@example.com": 15, "bounces@example.com": 1}


def test_storage_is_told_by_prefix_with_what_the_lifecycle_deletes_next(bucket: Bucket) -> None:
    for number, age_days in enumerate((29.5, 28, 1)):
        bucket.put(f"messages/2026/11/01/{number}/message.eml", "x", NOW - timedelta(days=age_days))
    bucket.put("archive/2026/11/23/host/a.eml", "12345678", NOW - timedelta(days=40))
    usage = gathered(bucket).usage
    assert (usage["messages/"].stored.count, usage["messages/"].ending.count) == (3, 1)
    assert (usage["archive/"].stored, usage["archive/"].ending.count) == (Amount(1, 10), 0)


# What needs attention.


def test_nothing_needs_attention_where_all_is_well(bucket: Bucket) -> None:
    bucket.put_snapshot(snapshot(counts=tally(passed=Amount(5, 5), intercepted=Amount(1, 1))))
    bucket.put("messages/2026/11/23/id/envelope.json", sidecar())
    bucket.put("processed/a.json", claim("done"))
    assert kinds(gathered(bucket)) == []


def test_failures_are_told_by_reason_with_queue_ids_and_hosts(bucket: Bucket) -> None:
    counts = tally()
    counts.failed["store"] = 30
    counts.recent_failures.extend(
        FailedMessage(f"6AO{number}", "store", f"2026-11-23T10:00:{number:02}Z") for number in range(20)
    )
    bucket.put_snapshot(snapshot(counts=counts))
    [matter] = needed(gathered(bucket), lambda moment: f"{moment:%H:%M:%S}")
    assert matter.text.startswith("30 attempts to store an over-limit message failed (store)")
    assert list(matter.details) == [f"6AO{number} on host-1, 10:00:{number}" for number in range(19, 14, -1)]


def test_a_failure_of_a_milter_that_is_gone_is_told_without_a_queue_id(bucket: Bucket) -> None:
    counts = tally()
    counts.failed["never-heard-of"] = 1
    bucket.put_snapshot(snapshot(counts=counts))
    [matter] = needed(gathered(bucket), str)
    assert (matter.kind, list(matter.details)) == ("failed", [])


def test_mail_that_passed_over_the_limit_comes_first(bucket: Bucket) -> None:
    counts = tally(passed_over_limit=1)
    counts.failed["store"] = 1
    bucket.put_snapshot(snapshot(counts=counts))
    assert kinds(gathered(bucket)) == ["passed-over-limit", "failed"]


def test_links_that_live_shorter_than_configured_are_told(bucket: Bucket) -> None:
    short = sidecar(2, links_expire_at="2026-11-23T18:00:00Z")
    bucket.put("messages/2026/11/23/id1/envelope.json", sidecar())
    bucket.put("messages/2026/11/23/id2/envelope.json", short)
    [matter] = needed(gathered(bucket), str)
    assert (matter.kind, list(matter.details)) == ("short-links", ["id2: until 2026-11-23 18:00:00+00:00"])


def test_recipients_who_could_not_be_told_are_named_with_the_reason(bucket: Bucket) -> None:
    bucket.put("processed/a.json", claim("failed", reason="ann@example.org: 550 no such user"))
    [matter] = needed(gathered(bucket), str)
    assert (matter.kind, list(matter.details)) == (
        "untold",
        ["archive/a.eml: ann@example.org: 550 no such user"],
    )


@pytest.mark.parametrize(("age", "is_stuck"), [(timedelta(minutes=14), False), (timedelta(minutes=16), True)])
def test_a_claim_is_stuck_once_its_lease_has_ended(age: timedelta, is_stuck: bool, bucket: Bucket) -> None:
    bucket.put("processed/a.json", claim("handing-over"), NOW - age)
    assert kinds(gathered(bucket)) == ["stuck-claim"] * is_stuck


@pytest.mark.parametrize(("age", "is_backlog"), [(timedelta(hours=23), False), (timedelta(days=2), True)])
def test_copies_that_wait_for_more_than_a_day_are_a_backlog(
    age: timedelta, is_backlog: bool, bucket: Bucket
) -> None:
    document = snapshots.archive_document(TODAY, "host-1", NOON, Amount(), Amount(4, 4), NOON - age)
    bucket.put(snapshots.archive_key(TODAY, "host-1"), document)
    assert kinds(gathered(bucket)) == ["archive-backlog"] * is_backlog


@pytest.mark.parametrize(
    ("written_at", "stopped", "is_silent"),
    [
        pytest.param("2026-11-23T23:50:00Z", False, False, id="two snapshots missing"),
        pytest.param("2026-11-23T23:40:00Z", False, True, id="silent"),
        pytest.param("2026-11-23T09:00:00Z", True, False, id="stopped by somebody"),
        pytest.param("2026-11-22T09:00:00Z", False, True, id="silent since the day before"),
    ],
)
def test_a_host_that_nobody_stopped_and_that_tells_nothing_fell_silent(
    written_at: str, stopped: bool, is_silent: bool, bucket: Bucket
) -> None:
    day = date.fromisoformat(written_at[:10])
    bucket.put_snapshot(snapshot(day=day, written_at=written_at, stopped=stopped))
    assert kinds(gathered(bucket)) == ["silent-host"] * is_silent


def test_a_host_that_was_heard_of_just_now_is_not_silent_though_the_day_goes_on(bucket: Bucket) -> None:
    bucket.put_snapshot(snapshot(day=UNTIL, written_at="2026-11-24T00:10:00Z"))
    assert kinds(gathered(bucket, until=UNTIL + DAY)) == []


def test_a_host_that_is_gone_for_long_is_not_called_silent_any_more(bucket: Bucket) -> None:
    bucket.put_snapshot(snapshot(day=TODAY - 2 * DAY, written_at="2026-11-21T09:00:00Z"))
    statistics = gathered(bucket)
    assert (kinds(statistics), statistics.hosts) == ([], {})


def test_a_host_on_which_the_archive_has_not_run_for_a_day_is_named(bucket: Bucket) -> None:
    for host, age in (("host-1", timedelta(hours=20)), ("host-2", timedelta(hours=30))):
        at = NOW - age
        document = snapshots.archive_document(at.date(), host, at, Amount(), Amount(), None)
        bucket.put(snapshots.archive_key(at.date(), host), document)
    [matter] = needed(gathered(bucket), lambda moment: f"{moment:%d %H:%M}")
    assert (matter.kind, list(matter.details)) == ("silent-archive", ["host-2: last run 22 18:15"])


def test_a_host_whose_last_snapshot_came_after_midnight_is_not_silent(bucket: Bucket) -> None:
    bucket.put_snapshot(snapshot(written_at="2026-11-23T09:00:00Z"))
    bucket.put_snapshot(snapshot(day=UNTIL, written_at="2026-11-24T00:05:00Z"))
    assert kinds(gathered(bucket)) == []


@pytest.mark.parametrize("octets", [b"null", b"[]", b'{"day": "x", "host": 1}', b'{"source": "milter"}'])
def test_an_object_that_cannot_be_read_is_named_and_the_rest_is_told(octets: bytes, bucket: Bucket) -> None:
    bucket.put_snapshot(snapshot(counts=tally(intercepted=Amount(1, 1))))
    bucket.put_octets("stats/2026-11-23/stranger.json", octets)
    statistics = gathered(bucket)
    assert statistics.unreadable.shown == ["stats/2026-11-23/stranger.json"]
    assert statistics.totals.tally.intercepted.count == 1


# How it reads.


def busy(bucket: Bucket, text: str = "Plans") -> Statistics:
    """A day with something of everything; `text` is what strangers wrote."""
    for host in range(200):
        counts = tally(passed=Amount(10, 10), intercepted=Amount(host, host))
        counts.failed["store"] = 1
        counts.store_seconds["1"] = 1
        counts.recent_failures.append(FailedMessage("6AO1", "store", "2026-11-23T10:00:00Z"))
        bucket.put_snapshot(
            snapshot(f"host-{host}.example.com", counts=counts, written_at="2026-11-23T10:00:00Z")
        )
    for number in range(30):
        bucket.put(
            f"messages/2026/11/23/id{number}/envelope.json",
            sidecar(
                number,
                subject=text,
                header_from=f"<{number}@{text[:60]}>",
                links_expire_at="2026-11-24T00:00:00Z",
            ),
        )
        bucket.put(f"processed/{number}.json", claim("failed", reason=text, key=f"archive/{text[:300]}"))
        bucket.put(f"processed/s{number}.json", claim("claimed"))
    return gathered(bucket)


def as_mail(statistics: Statistics, settings: config.Report = SETTINGS) -> bytes:
    message = report.message_of(statistics, settings, NOW)
    assert message is not None
    return message


@pytest.mark.parametrize("text", ["Plans", "見" * 400, "\U0001f600" * 400, "<&>" * 400, "=" * 400])
def test_the_mail_is_safe_for_ses_however_busy_the_day_was(text: str, bucket: Bucket) -> None:
    octets = as_mail(busy(bucket, text))
    assert len(octets) < 100 * 1024
    assert octets.isascii()
    head, _, body = octets.partition(b"\r\n\r\n")
    assert max(len(line) for line in body.split(b"\r\n")) <= 76
    assert max(len(line) for line in head.split(b"\r\n")) < 998
    assert b"\n" not in octets.replace(b"\r\n", b"")
    mail = message_from_bytes(octets)
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    assert mail["Auto-Submitted"] == "auto-generated"


def test_the_message_id_is_the_same_for_the_same_period(bucket: Bucket) -> None:
    first = message_from_bytes(as_mail(busy(bucket)))
    second = message_from_bytes(as_mail(busy(Bucket())))
    assert first["Message-ID"] == second["Message-ID"] == "<day-2026-11-23.report.woomera@example.com>"


class Words(HTMLParser):
    """The words of an HTML document, and what it would load or run."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: set[str] = set()
        self._unseen = False
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self._unseen = tag in ("style", "title")

    def handle_endtag(self, tag: str) -> None:
        self._unseen = False

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.words += data.split()


def test_both_alternatives_tell_the_same_numbers(bucket: Bucket) -> None:
    made = report_view.bulletin(busy(bucket), UTC_ZONE, NOW)
    text, words = bulletin.as_text(made), Words(bulletin.as_html(made)).words
    said = " ".join(words)
    for figure in made.figures:
        assert f"{figure.name}: {figure.value}" in text
        assert f"{figure.name} {figure.value}" in said
    for matter in made.attention:
        assert matter.text in text
        assert " ".join(matter.text.split()) in said
    for table in made.tables:
        for row in table.rows:
            assert row[0].split("\n")[0] in text
            assert " ".join(row[0].split()) in said


def test_the_html_loads_nothing_and_runs_nothing(bucket: Bucket) -> None:
    text = '<script>alert(1)</script><img src="http://evil.example/x">'
    markup = bulletin.as_html(report_view.bulletin(busy(bucket, text), UTC_ZONE, NOW))
    assert not Words(markup).tags & {"script", "img", "link", "svg", "a", "iframe", "object"}
    assert "http" not in markup.replace("http:// ", "")


def test_what_a_stranger_wrote_cannot_begin_a_line(bucket: Bucket) -> None:
    made = report_view.bulletin(
        busy(bucket, "x\nALL IS WELL: nothing\r\n.\u2028http://evil.example"), UTC_ZONE, NOW
    )
    text = bulletin.as_text(made)
    assert not re.search(r"^(ALL IS WELL|\.|http)", text, re.MULTILINE)
    assert "http://evil" not in text


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        ("2026-10-25T00:30:00Z", "25 Oct 02:30 CEST"),
        ("2026-10-25T01:30:00Z", "25 Oct 02:30 CET"),
        ("2026-03-29T00:59:00Z", "29 Mar 01:59 CET"),
        ("2026-03-29T01:00:00Z", "29 Mar 03:00 CEST"),
    ],
)
def test_times_are_those_of_the_zone_through_its_changes(moment: str, shown: str, bucket: Bucket) -> None:
    day = date.fromisoformat(moment[:10])
    bucket.put(
        f"messages/{day:%Y/%m/%d}/id/envelope.json",
        sidecar(received_at=moment, links_expire_at=f"{day + 7 * DAY}T23:00:00Z"),
        datetime.fromisoformat(moment),
    )
    statistics = gathered(bucket, until=day + DAY)
    made = report_view.bulletin(statistics, ZoneInfo("Europe/Berlin"), NOW)
    assert f"jane@example.com, {shown}" in bulletin.as_text(made)


def test_a_quiet_day_says_so_in_a_line(bucket: Bucket) -> None:
    made = report_view.bulletin(gathered(bucket), UTC_ZONE, NOW)
    assert "ALL IS WELL: nothing needs attention." in bulletin.as_text(made)
    assert made.subject == "[SES Woomera] Monday 23 November 2026: 0 intercepted, all is well"


@pytest.mark.parametrize(
    ("buckets", "half"), [({"1": 3}, "1 s at most"), ({"more": 3}, "more than 60 s"), ({}, "")]
)
def test_times_to_store_are_told_by_their_buckets(buckets: dict[str, int], half: str, bucket: Bucket) -> None:
    counts = tally()
    counts.store_seconds.update(buckets)
    bucket.put_snapshot(snapshot(counts=counts))
    note = report_view.bulletin(gathered(bucket), UTC_ZONE, NOW).figures_note
    assert (f"took {half} for half" in note) if half else note == ""


# Who sends it.


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


def test_mail_that_cannot_be_sent_is_sent_by_the_next_run_to_the_rest(runs: Runs) -> None:
    served = Delivery(accepted=SETTINGS.to[:1])
    runs.outbox.error = UnsentError("the server is down", served, remedy="wait")
    with pytest.raises(UnsentError):
        runs.run()
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


def test_the_mail_is_addressed_to_all_and_its_text_is_the_report(bucket: Bucket) -> None:
    mail = message_from_bytes(as_mail(busy(bucket)))
    assert mail["To"] == "postmaster@example.com, second@example.org"
    assert mail["From"] == "woomera@example.com"
    assert text_of(mail).startswith("SES Woomera, Monday 23 November 2026\n")
