"""Promise 4 amid a hand-over: what is with the relay is written down, whatever fails or is slow meanwhile."""

import json
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fakes.bucket import Killed, MemoryStore
from tests.fakes.outbox import Outbox
from tests.unit.sweep.sweeps import KEY, LEASE, OVER, Transport, Unwatched, mailer, record, run, sweep
from woomera_milter.errors import TemporaryError
from woomera_milter.store.keys import claim_key
from woomera_milter.submission.mailer import MAX_RECIPIENTS
from woomera_milter.sweep.processed_mail import ProcessedMail
from woomera_milter.sweep.watermark import EVERYTHING

RECIPIENTS = [f"r{number:03}@example.org" for number in range(2 * MAX_RECIPIENTS + 20)]


def archive_for_many(store: MemoryStore) -> None:
    store.put_octets(KEY.replace(".eml", ".json"), record(*RECIPIENTS))
    store.put_octets(KEY, OVER)


def test_a_relay_that_is_slower_than_the_lease_for_all_together_tells_nobody_twice(
    store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    archive_for_many(store)

    def by_another_host() -> None:
        store.advance(LEASE / 2)
        assert run(store, outbox, tmp_path).in_progress == 1

    transport = Transport(meanwhile=by_another_host)
    assert run(store, mailer(transport), tmp_path).notified == 1
    assert transport.recipients == RECIPIENTS
    assert not outbox.sent


def test_a_sweep_that_was_overtaken_amid_the_hand_over_stops_there(
    store: MemoryStore, outbox: Outbox, tmp_path: Path, events: pytest.LogCaptureFixture
) -> None:
    archive_for_many(store)

    def by_another_host() -> None:
        store.advance(LEASE)
        assert run(store, outbox, tmp_path).notified == 1

    transport = Transport(meanwhile=by_another_host)
    assert run(store, mailer(transport), tmp_path).in_progress == 1
    assert transport.recipients == RECIPIENTS[:MAX_RECIPIENTS]
    assert outbox.recipients == RECIPIENTS
    assert "may-be-a-second-notice" in events.text
    assert "not-recorded" in events.text


def test_after_a_kill_amid_the_hand_over_those_already_served_are_left_out(
    store: MemoryStore, outbox: Outbox, tmp_path: Path, events: pytest.LogCaptureFixture
) -> None:
    archive_for_many(store)
    transport = Transport()

    def die() -> None:
        if transport.recipients:
            raise Killed

    transport.meanwhile = die
    with suppress(Killed):
        run(store, mailer(transport), tmp_path)
    store.advance(LEASE)
    assert run(store, outbox, tmp_path).notified == 1
    assert transport.recipients == RECIPIENTS[:MAX_RECIPIENTS]
    assert outbox.recipients == RECIPIENTS[MAX_RECIPIENTS:]
    assert "may-be-a-second-notice" in events.text


def test_who_is_served_while_claims_cannot_be_written_is_written_down_in_the_end(
    store: MemoryStore, outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive_for_many(store)
    transport = Transport()

    def fail_once(*_: object) -> None:
        monkeypatch.undo()
        raise TemporaryError("S3 is away", reason="store")

    transport.meanwhile = lambda: monkeypatch.setattr(store, "replace_json", fail_once)
    [failure] = run(store, mailer(transport), tmp_path).failed
    assert "S3 is away" in failure.reason
    assert transport.recipients == RECIPIENTS[:MAX_RECIPIENTS]
    assert run(store, outbox, tmp_path).notified == 1
    assert outbox.recipients == RECIPIENTS[MAX_RECIPIENTS:]


def test_a_mistake_of_ours_amid_the_hand_over_is_recorded_as_a_failure(
    store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    store.put_octets(KEY, OVER)
    outbox.error = ZeroDivisionError()
    [failure] = run(store, outbox, tmp_path).failed
    claim = json.loads(store.objects[claim_key(KEY)].octets)
    assert (claim["state"], claim["reason"]) == ("failed", failure.reason)
    assert claim["first_failed_at"]
    assert claim["may_repeat"]  # nobody knows how far the mailer had come
    outbox.error = None
    assert run(store, outbox, tmp_path).notified == 1


def ledger_to_be_saved_at_once(store: MemoryStore) -> ProcessedMail:
    ledger = ProcessedMail(store, "processed.json")
    ledger._saved_at -= 60
    return ledger


@pytest.mark.parametrize("single_host", [False, True])
def test_json_of_processed_mail_that_cannot_be_written_changes_nothing_about_what_was_sent(
    single_host: bool, store: MemoryStore, outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise TemporaryError("S3 is away", reason="store")

    store.put_octets(KEY, OVER)
    results = []
    for _ in range(2):
        ledger = ledger_to_be_saved_at_once(store)
        monkeypatch.setattr(ledger, "_save", fail)
        swept = sweep(store, outbox, tmp_path, ledger, single_host=single_host)
        results.append(swept.run(EVERYTHING, most=9, dry_run=False, observer=Unwatched()))
        assert ledger.count == 1
    assert [(it.notified, it.already_done, it.failed) for it in results] == [(1, 0, []), (0, 1, [])]
    assert len(outbox.sent) == 1


def test_a_dry_run_writes_no_json_of_processed_mail(
    store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    store.put_octets(KEY, OVER)
    run(store, outbox, tmp_path)
    before = set(store.objects)
    swept = sweep(store, outbox, tmp_path, ledger_to_be_saved_at_once(store))
    assert swept.run(EVERYTHING, most=9, dry_run=True, observer=Unwatched()).already_done == 1
    assert set(store.objects) == before
