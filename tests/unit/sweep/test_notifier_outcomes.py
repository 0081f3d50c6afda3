"""What a sweep could not bring to an end is left for the next one, and told as what it is."""

import json
from pathlib import Path
from typing import NoReturn

import pytest

from tests.fakes.bucket import MemoryStore
from tests.fakes.outbox import Outbox
from tests.unit.milter.interceptions import open_files_below
from tests.unit.sweep.sweeps import KEY, LEASE, OVER, Transport, mailer, record, run
from woomera_milter.errors import TemporaryError
from woomera_milter.store.claims import Claim, Claims
from woomera_milter.store.keys import claim_key
from woomera_milter.sweep.notifier import woomera_id


class BrokenLedger:
    """A JSON of processed mail that cannot be kept."""

    def __contains__(self, key: str) -> bool:
        return False

    def record(self, claim: Claim) -> None:
        raise ZeroDivisionError


def away(*_: object) -> NoReturn:
    raise TemporaryError("S3 is away", reason="store")


@pytest.fixture
def archived(store: MemoryStore) -> MemoryStore:
    store.put_octets(KEY, OVER)
    return store


def test_copy_that_cannot_be_claimed_is_a_failure_for_the_next_sweep(
    archived: MemoryStore, outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_json = archived.create_json

    def claims_away(key: str, value: object) -> str | None:
        return away() if key == claim_key(KEY) else create_json(key, value)

    monkeypatch.setattr(archived, "create_json", claims_away)
    result = run(archived, outbox, tmp_path)
    assert [(it.key, it.reason) for it in result.failed] == [(KEY, "S3 is away")]
    assert result.unsettled == [archived.now]
    assert outbox.sent == []


def test_copy_in_the_hands_of_another_sweep_is_looked_at_by_the_next(
    archived: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    Claims(archived, "host-2", LEASE).take(KEY)
    result = run(archived, outbox, tmp_path)
    assert (result.in_progress, result.unsettled) == (1, [archived.now])


def test_copy_that_another_sweep_took_over_is_looked_at_by_the_next(
    archived: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    came, replace_json = archived.now, archived.replace_json

    def overtaken(key: str, value: object, etag: str) -> str | None:
        if key == claim_key(KEY):
            monkeypatch.undo()
            archived.advance(LEASE)
            assert Claims(archived, "host-2", LEASE).take(KEY)
        return replace_json(key, value, etag)

    monkeypatch.setattr(archived, "replace_json", overtaken)
    transport = Transport()
    result = run(archived, mailer(transport), tmp_path)
    assert (result.in_progress, result.unsettled) == (1, [came])
    assert transport.recipients == []


@pytest.mark.parametrize("ledger", [BrokenLedger(), None], ids=["in the JSON", "in the claim"])
def test_notice_that_is_sent_and_cannot_be_recorded_is_told_as_sent_and_looked_at_again(
    ledger: BrokenLedger | None,
    archived: MemoryStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    events: pytest.LogCaptureFixture,
) -> None:
    def break_claims() -> None:
        if ledger is None:
            monkeypatch.setattr(archived, "replace_json", away)

    transport = Transport(meanwhile=break_claims)
    result = run(archived, mailer(transport), tmp_path, ledger=ledger)
    assert (result.notified, result.failed, result.unsettled) == (1, [], [archived.now])
    assert ("not-recorded" if ledger is None else "crashed answer=notified ") in events.text
    assert transport.recipients == ["recipient@example.org"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [(TemporaryError("the relay is down", reason="mail"), "mail"), (ZeroDivisionError(), "internal")],
)
def test_notice_that_fails_is_told_to_the_log_by_its_id_and_reason(
    error: Exception,
    reason: str,
    archived: MemoryStore,
    outbox: Outbox,
    tmp_path: Path,
    events: pytest.LogCaptureFixture,
) -> None:
    outbox.error = error
    run(archived, outbox, tmp_path)
    assert [it for it in events.messages if "not-notified" in it] == [
        f"-: not-notified id={woomera_id(KEY)} reason={reason}"
    ]
    assert ("crashed answer=failed error=ZeroDivisionError" in events.text) == (reason == "internal")


def test_what_is_done_is_settled(archived: MemoryStore, outbox: Outbox, tmp_path: Path) -> None:
    assert run(archived, outbox, tmp_path).unsettled == []
    claim = json.loads(archived.objects[claim_key(KEY)].octets)
    assert claim["mail"]["from"] == "Sandra Sender <sender@example.com>"
    assert set(claim["mail"]) == {"id", "from", "subject", "date"}


def test_sidecar_tells_that_a_sweep_announced_the_message_and_when_it_was_kept(
    archived: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    archived.put_octets(KEY.replace(".eml", ".json"), record("a@example.org"))
    run(archived, outbox, tmp_path)
    [sidecar] = [
        json.loads(found.octets)
        for key, found in archived.objects.items()
        if key.startswith("messages/") and key.endswith(".json")
    ]
    assert (sidecar["source"], sidecar["queue_id"]) == ("sweep", "")
    assert sidecar["received_at"] == "2026-11-24T09:00:00Z"
    assert sidecar["recipients"] == ["a@example.org"]


def test_subject_of_a_notice_has_the_prefix(archived: MemoryStore, outbox: Outbox, tmp_path: Path) -> None:
    run(archived, outbox, tmp_path, notice={"subject_prefix": "[large] "})
    [(_, _, octets)] = outbox.sent
    assert b"\r\nSubject: [large] " in octets


def test_copy_leaves_no_file_open_in_the_spool(archived: MemoryStore, outbox: Outbox, tmp_path: Path) -> None:
    run(archived, outbox, tmp_path)
    assert open_files_below(tmp_path) == 0
