"""Promise 4 for the sweep: each over-limit message yields one notice per recipient, whatever dies when."""

import json
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fakes.bucket import Killed, MemoryStore
from tests.fakes.outbox import Outbox
from tests.unit.sweep.sweeps import KEY, LEASE, OVER, Transport, Unwatched, mailer, record, run, sweep
from woomera_milter.errors import TemporaryError
from woomera_milter.store.keys import claim_key
from woomera_milter.submission.mailer import Delivery, UnknownOutcomeError, UnsentError
from woomera_milter.sweep.listing import ArchiveListing
from woomera_milter.sweep.notifier import woomera_id
from woomera_milter.sweep.watermark import EVERYTHING


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


@pytest.mark.parametrize(
    ("recorded", "sender"),
    [("s@example.com", "s@example.com"), ("apache", "sender@example.com"), ("", "sender@example.com")],
)
def test_an_imported_copy_is_announced_to_those_in_its_headers(
    recorded: str, sender: str, store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    imported = record(source="import").replace(b"s@example.com", recorded.encode())
    store.put_octets(KEY.replace(".eml", ".json"), imported)
    store.put_octets(KEY, OVER)
    assert run(store, outbox, tmp_path).notified == 1
    ((envelope_sender, recipients, _),) = outbox.sent
    assert (envelope_sender, recipients) == (sender, ("recipient@example.org",))


@pytest.mark.parametrize("recipients", ["a@example.org", 7, [["a@example.org"]], ["a@b>\r\nRCPT TO:<c@d"]])
def test_a_forged_envelope_fails_alone_and_reaches_nobody(
    recipients: object, store: MemoryStore, tmp_path: Path
) -> None:
    transport = Transport()
    forged = json.dumps({"recipients": recipients, "archived_at": "2026-11-24T09:00:00Z"}).encode()
    store.put_octets(KEY.replace(".eml", ".json"), forged)
    store.put_octets(KEY, OVER)
    store.put_octets(KEY.replace("a.eml", "b.eml"), OVER)
    result = run(store, mailer(transport), tmp_path)
    assert (result.notified, [it.key for it in result.failed]) == (1, [KEY])
    assert transport.recipients == ["recipient@example.org"]


@pytest.mark.parametrize(
    ("key", "octets"),
    [
        pytest.param(claim_key(KEY), b'{"state": "claimed"}', id="a damaged claim"),
        pytest.param(KEY.replace(".eml", ".json"), b'{"recipients": 1}', id="a damaged envelope"),
    ],
)
def test_a_damaged_document_is_named_and_does_not_end_the_sweep(
    key: str, octets: bytes, store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    store.put_octets(KEY, OVER)
    store.put_octets(KEY.replace("a.eml", "b.eml"), OVER)
    store.put_octets(key, octets)
    result = run(store, outbox, tmp_path)
    assert result.notified == 1
    [failure] = result.failed
    assert failure.key == KEY
    assert f"{key}: " in failure.reason


def test_an_envelope_with_an_impossible_date_is_no_obstacle(
    store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    store.put_octets(KEY, OVER)
    envelope = record("a@example.org").replace(b"2026-11-24T09:00:00Z", b"9999-12-31T23:59:59-23:59")
    store.put_octets(KEY.replace(".eml", ".json"), envelope)
    assert run(store, outbox, tmp_path).notified == 1


def test_what_is_our_own_is_never_swept(store: MemoryStore, outbox: Outbox, tmp_path: Path) -> None:
    for folder in ("messages", "processed", "stats", "reports", "sweep"):
        store.put_octets(f"{folder}/2026/11/24/x/message.eml", OVER)
    swept = sweep(store, outbox, tmp_path)
    swept._listing = ArchiveListing(store, "", "")
    result = swept.run(EVERYTHING, most=9, dry_run=False, observer=Unwatched())
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
