"""Promise 4 for the sweep: each over-limit message yields one notice per recipient, whatever dies when."""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rig.memory_store import Killed, MemoryStore
from rig.messages import message
from woomera_milter import archived, config, log, watermark
from woomera_milter.archived import wire_form
from woomera_milter.claims import Claims, claim_key
from woomera_milter.errors import TemporaryError
from woomera_milter.links import Signer
from woomera_milter.listing import ArchiveListing
from woomera_milter.mailer import Delivery, Refusal, UnknownOutcomeError, UnsentError
from woomera_milter.notice import Composer
from woomera_milter.notifier import Notifier, woomera_id
from woomera_milter.offload import Offload
from woomera_milter.spool import Deadline
from woomera_milter.store import Listed
from woomera_milter.sweep import Sweep, SweepResult
from woomera_milter.watermark import EVERYTHING, Window

LIMIT_BYTES = 128 * 1024
OVER = message(LIMIT_BYTES + 4096)
KEY = "archive/2026/11/24/host-1/a.eml"
LEASE = timedelta(minutes=15)


@dataclass
class Outbox:
    """A mailer that keeps what it is given; kills its process at a hand-over, before or after it is done."""

    sent: list[tuple[str, tuple[str, ...], bytes]] = field(default_factory=list)
    kill: str = ""
    error: Exception | None = None
    refusals: dict[str, str] = field(default_factory=dict)

    def send(self, envelope_sender: str, recipients: Sequence[str], message: bytes) -> Delivery:
        if self.error:
            raise self.error
        if self.kill == "before":
            raise Killed
        accepted = tuple(it for it in recipients if it not in self.refusals)
        refused = tuple(Refusal(it, self.refusals[it]) for it in recipients if it in self.refusals)
        if accepted:
            self.sent.append((envelope_sender, accepted, message))
        if self.kill == "after":
            raise Killed
        return Delivery(accepted, refused)

    @property
    def recipients(self) -> list[str]:
        return sorted(it for _, recipients, _ in self.sent for it in recipients)


class NoProgress:
    def scanned(self, count: int) -> None: ...
    def sending(self, total: int) -> None: ...
    def sent(self) -> None: ...


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture(autouse=True)
def events(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    log.logger.propagate = True
    with caplog.at_level(logging.INFO, logger="woomera_milter"):
        yield caplog


def settings(**changes: Any) -> config.Config:
    keys = {"access_key_id": "AKIASTORAGE000000000", "secret_access_key": "s" * 40}
    data = {"limit": "128KB", "storage": {"bucket": "large-mail", "region": "us-east-1"} | keys} | changes
    return config.validate(data, "config.yaml")


def sweep(store: MemoryStore, outbox: Outbox, folder: Path, **changes: Any) -> Sweep:
    configuration = settings(**changes)
    claims = Claims(store, "host-1", LEASE)
    offload = Offload(configuration, store, Signer(configuration.links, configuration.storage))
    composer = Composer(configuration.notice)
    notifier = Notifier(configuration, store, claims, offload, composer, outbox, folder)
    return Sweep(configuration, store, ArchiveListing(store, "archive/", ""), claims, notifier, folder)


def run(
    store: MemoryStore,
    outbox: Outbox,
    folder: Path,
    window: Window = EVERYTHING,
    most: int = 500,
    **more: Any,
) -> SweepResult:
    return sweep(store, outbox, folder, **more).run(window, most=most, dry_run=False, progress=NoProgress())


def record(*recipients: str, source: str = "archive-milter") -> bytes:
    value = {"envelope_sender": "s@example.com", "recipients": recipients, "source": source}
    return json.dumps(value | {"archived_at": "2026-11-24T09:00:00Z", "host": "host-1"}).encode()


def test_a_sweep_killed_at_any_operation_leads_to_one_notice_but_for_the_hand_over(
    tmp_path: Path, events: pytest.LogCaptureFixture
) -> None:
    repeated_at = []
    kill_at = 0
    while True:
        store, outbox = MemoryStore(), Outbox()
        store.put_octets(KEY, OVER)
        store.restart(kill_at)
        killed = False
        try:
            run(store, outbox, tmp_path)
        except Killed:
            killed = True
        last = store.operations[-1]
        store.advance(LEASE)
        store.restart()
        events.clear()
        run(store, outbox, tmp_path)
        if not killed:
            break
        assert len(outbox.sent) in (1, 2), last
        if len(outbox.sent) == 2:
            repeated_at.append(last)
            assert "may-be-a-second-notice" in events.text
            first, second = (message.split(b"\r\n\r\n")[0].split(b"\r\n") for _, _, message in outbox.sent)
            for name in (b"X-Woomera-Id", b"Message-ID"):
                assert [it for it in first if it.startswith(name)] == [
                    it for it in second if it.startswith(name)
                ]
        kill_at += 1
    assert kill_at > 10
    # The one operation between hand-over and record is the record itself.
    assert repeated_at == [("replace", claim_key(KEY))]


@pytest.mark.parametrize(("kill", "notices"), [("before", 1), ("after", 2)])
def test_a_sweep_killed_amid_the_hand_over_says_that_the_next_notice_may_be_a_second(
    kill: str,
    notices: int,
    store: MemoryStore,
    outbox: Outbox,
    tmp_path: Path,
    events: pytest.LogCaptureFixture,
) -> None:
    store.put_octets(KEY, OVER)
    outbox.kill = kill
    with suppress(Killed):
        run(store, outbox, tmp_path)
    outbox.kill = ""
    assert run(store, outbox, tmp_path).in_progress == 1  # the lease has not ended
    store.advance(LEASE)
    assert run(store, outbox, tmp_path).notified == 1
    assert len(outbox.sent) == notices
    assert "may-be-a-second-notice" in events.text


def test_a_failed_hand_over_is_no_reason_to_suspect_a_second_notice(
    store: MemoryStore, outbox: Outbox, tmp_path: Path, events: pytest.LogCaptureFixture
) -> None:
    store.put_octets(KEY, OVER)
    outbox.error = TemporaryError("the relay is down", reason="mail")
    failed = run(store, outbox, tmp_path).failed
    assert [(it.key, "the relay is down" in it.reason) for it in failed] == [(KEY, True)]
    outbox.error = None
    assert run(store, outbox, tmp_path).notified == 1
    assert "may-be-a-second-notice" not in events.text


def test_who_was_served_before_the_relay_failed_is_left_out_of_the_next_try(
    store: MemoryStore, outbox: Outbox, tmp_path: Path, events: pytest.LogCaptureFixture
) -> None:
    store.put_octets(KEY.replace(".eml", ".json"), record("a@example.org", "b@example.org"))
    store.put_octets(KEY, OVER)
    outbox.error = UnsentError("the relay went away", Delivery(("a@example.org",)), remedy="")
    run(store, outbox, tmp_path)
    outbox.error = None
    run(store, outbox, tmp_path)
    assert outbox.recipients == ["b@example.org"]
    assert "may-be-a-second-notice" not in events.text


def test_a_relay_that_never_said_whether_it_took_the_notice_may_lead_to_a_second_one(
    store: MemoryStore, outbox: Outbox, tmp_path: Path, events: pytest.LogCaptureFixture
) -> None:
    store.put_octets(KEY, OVER)
    unsure = Delivery(unsure=("recipient@example.org",))
    outbox.error = UnknownOutcomeError("the relay never replied", unsure, remedy="")
    assert len(run(store, outbox, tmp_path).failed) == 1
    outbox.error = None
    assert run(store, outbox, tmp_path).notified == 1
    assert "may-be-a-second-notice" in events.text


def test_after_a_partial_refusal_only_the_rest_is_tried_again(
    store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    store.put_octets(KEY.replace(".eml", ".json"), record("a@example.org", "b@example.org"))
    store.put_octets(KEY, OVER)
    outbox.refusals = {"b@example.org": "454 Throttling failure"}
    assert "454" in run(store, outbox, tmp_path).failed[0].reason
    outbox.refusals = {}
    assert run(store, outbox, tmp_path).notified == 1
    assert [recipients for _, recipients, _ in outbox.sent] == [("a@example.org",), ("b@example.org",)]


def test_more_notices_than_the_limit_allows_means_none(
    store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    for number in range(5):
        store.put_octets(f"archive/2026/11/24/host-1/{number}.eml", OVER)
    result = run(store, outbox, tmp_path, most=4)
    assert (result.too_many, result.due_count, len(result.due), result.notified) == (True, 5, 4, 0)
    assert not outbox.sent
    assert not [key for key in store.objects if not key.startswith("archive/")]
    assert run(store, outbox, tmp_path, most=5).notified == 5


def test_a_mistake_of_ours_on_one_message_does_not_end_the_sweep(
    store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        store.put_octets(f"archive/2026/11/24/host-1/{name}.eml", OVER)
    outbox.error = ZeroDivisionError()
    assert len(run(store, outbox, tmp_path).failed) == 2


def test_what_is_our_own_is_never_swept(store: MemoryStore, outbox: Outbox, tmp_path: Path) -> None:
    for folder in ("messages", "processed", "stats", "reports", "sweep"):
        store.put_octets(f"{folder}/2026/11/24/x/message.eml", OVER)
    swept = sweep(store, outbox, tmp_path)
    swept._listing = ArchiveListing(store, "", "")
    result = swept.run(EVERYTHING, most=9, dry_run=False, progress=NoProgress())
    assert (result.scanned, result.over_limit) == (0, 0)


def test_the_signer_of_a_notice_may_be_the_sweep_with_replies_to_the_original_sender(
    store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    store.put_octets(KEY, OVER)
    run(store, outbox, tmp_path, sweep={"sender": "woomera@example.com"})
    (envelope_sender, _, octets) = outbox.sent[0]
    head = octets.split(b"\r\n\r\n")[0].decode()
    assert envelope_sender == "woomera@example.com"
    assert "From: <woomera@example.com>" in head
    assert "Reply-To: Sandra Sender <sender@example.com>" in head


def test_the_same_archived_object_has_the_same_id_everywhere() -> None:
    assert woomera_id(KEY) == woomera_id(KEY) != woomera_id(KEY + "x")


# What is over the limit.


def measured(store: MemoryStore, octets: bytes, folder: Path) -> int:
    store.put_octets(KEY, octets)
    listed = Listed(KEY, len(octets), store.now, "STANDARD")
    copy = archived.fetch(store, listed, folder, Deadline(60))
    copy.message.close()
    return copy.measured_bytes


@pytest.mark.parametrize(
    ("form", "recorded", "spare_bytes", "is_over"),
    [
        pytest.param("crlf", "", 0, False, id="wire form at the limit"),
        pytest.param("crlf", "", -1, True, id="wire form a byte over"),
        pytest.param("lf", "", 0, False, id="LF form at the limit on the wire"),
        pytest.param("lf", "", -1, True, id="LF form a byte over on the wire"),
        pytest.param("mbox", "", 0, False, id="an mbox line does not count"),
        pytest.param("mbox", "", -1, True, id="an mbox line does not hide a byte over"),
        pytest.param("crlf", "archive-milter", 2048, False, id="our copy at limit less allowance"),
        pytest.param("crlf", "archive-milter", 2047, True, id="our copy a byte over limit less allowance"),
        pytest.param("crlf", "import", 0, False, id="an imported copy has its trace header"),
    ],
)
def test_the_limit_is_exact_to_the_byte(
    form: str,
    recorded: str,
    spare_bytes: int,
    is_over: bool,
    store: MemoryStore,
    outbox: Outbox,
    tmp_path: Path,
) -> None:
    octets = message(LIMIT_BYTES - spare_bytes)
    if form != "crlf":
        octets = octets.replace(b"\r\n", b"\n")
    if form == "mbox":
        octets = b"From sender@example.com Tue Nov 24 09:00:00 2026\n" + octets
    if recorded:
        store.put_octets(KEY.replace(".eml", ".json"), record("a@example.org", source=recorded))
    store.put_octets(KEY, octets)
    assert run(store, outbox, tmp_path).over_limit == is_over


def test_long_lines_count_for_what_breaking_them_adds(
    store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    store.put_octets(KEY.replace(".eml", ".json"), record("a@example.org"))
    store.put_octets(KEY, b"Subject: x\r\n\r\n" + b"y" * (LIMIT_BYTES - 2300) + b"\r\n")
    assert run(store, outbox, tmp_path).over_limit == 1


@pytest.mark.parametrize("cut", [1, 2, 3, 7])
def test_line_ends_become_crlf_wherever_the_chunks_are_cut(cut: int) -> None:
    octets = b"a\nb\r\nc\r\r\n\n\r\nd\re\n"
    chunks = [octets[start : start + cut] for start in range(0, len(octets), cut)]
    assert b"".join(wire_form(chunks)) == b"a\r\nb\r\nc\r\r\n\r\n\r\nd\re\r\n"


def test_what_shows_hidden_recipients_is_not_in_the_stored_message(
    store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    hidden = (
        b"Return-Path: <s@example.com>\r\nDelivered-To: secret@example.org\r\n"
        b"BCC : secret@example.org,\r\n\tsecret2@example.org\r\nX-Envelope-To: secret@example.org\r\n"
    )
    store.put_octets(KEY, b"From x Tue\n" + hidden + OVER)
    run(store, outbox, tmp_path)
    key = next(key for key in store.objects if key.endswith("message.eml"))
    assert store.objects[key].octets == OVER
    assert all(b"secret" not in octets for _, _, octets in outbox.sent)
    assert outbox.recipients == ["recipient@example.org", "secret2@example.org", "secret@example.org"]


# Which part of the archive is looked at.


def listed_prefixes(store: MemoryStore) -> list[str]:
    return [key for what, key in store.operations if what == "list"]


def test_days_before_the_window_are_not_listed(store: MemoryStore, outbox: Outbox, tmp_path: Path) -> None:
    for day in ("2025/12/31", "2026/10/31", "2026/11/16", "2026/11/17", "2026/11/24"):
        store.put_octets(f"archive/{day}/host-1/a.eml", b"small")
    store.put_octets("archive/elsewhere/b.eml", b"small")
    result = run(store, outbox, tmp_path, Window(date(2026, 11, 17), None))
    assert listed_prefixes(store) == [
        "archive/",
        "archive/2026/",
        "archive/2026/11/",
        "archive/2026/11/17/",
        "archive/2026/11/24/",
        "archive/elsewhere/",
    ]
    assert result.scanned == 3


def test_everything_is_every_object_of_whatever_layout(
    store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    keys = [
        "a.eml",
        "2026/b.eml",
        "2026/11/c.eml",
        "2026/11/24/d.eml",
        "2026/11/24/h/e.eml",
        "99/f",
        "x/y/z/g",
    ]
    for key in keys:
        store.put_octets(f"archive/{key}", OVER)
    assert run(store, outbox, tmp_path).notified == len(keys)


NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


def after_one(store: MemoryStore, *unsettled: datetime) -> watermark.Watermark:
    watermark.save(store, watermark.advanced(None, "archive/", EVERYTHING, NOW, unsettled))
    found = watermark.load(store, "archive/")
    assert found
    return found


def test_the_next_sweep_goes_back_far_enough_for_late_copies(store: MemoryStore) -> None:
    window = after_one(store).window(NOW + timedelta(hours=1))
    assert window == Window(date(2026, 11, 17), NOW - timedelta(days=1))


def test_once_a_week_all_days_are_listed_for_copies_that_are_later_still(store: MemoryStore) -> None:
    first = after_one(store)
    second = watermark.advanced(first, "archive/", first.window(NOW), NOW + timedelta(days=6), ())
    window = second.window(NOW + timedelta(days=8))
    # What came to old days since the last sweep of all of them is new, however often recent days were swept.
    assert window == Window(None, NOW - timedelta(days=1))


def test_failures_hold_the_watermark_back(store: MemoryStore) -> None:
    came = NOW - timedelta(days=40)
    window = after_one(store, came).window(NOW)
    assert window.since is None
    assert window.new_since
    assert window.new_since < came


def test_another_prefix_has_no_watermark(store: MemoryStore) -> None:
    after_one(store)
    assert watermark.load(store, "elsewhere/") is None


def test_an_object_that_cannot_be_notified_is_unsettled_for_a_week(
    store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    store.put_octets(KEY, OVER.replace(b"To: recipient@example.org\r\n", b"To: undisclosed-recipients:;\r\n"))
    result = run(store, outbox, tmp_path)
    assert "no recipients" in result.failed[0].reason
    assert result.unsettled == [store.now]
    claim = json.loads(store.objects[claim_key(KEY)].octets)
    store.put_octets(claim_key(KEY), json.dumps(claim | {"first_failed_at": "2020-01-01T00:00:00Z"}).encode())
    result = run(store, outbox, tmp_path)
    assert (len(result.failed), result.unsettled) == (1, [])
