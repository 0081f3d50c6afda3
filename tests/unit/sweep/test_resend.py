"""A notice that is sent again: who has it is told, whatever becomes of the others and of the record."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.fakes.bucket import MemoryStore
from tests.fakes.outbox import Outbox
from tests.unit.sweep.sweeps import KEY, OVER, record, run, settings
from woomera_milter.errors import PermanentError, TemporaryError
from woomera_milter.notice.notice import Composer
from woomera_milter.store.links import Signer
from woomera_milter.submission.mailer import Delivery, Refusal, UnknownOutcomeError, UnsentError
from woomera_milter.sweep.resend import Resend, Resent

ANN, BOB, CAT = RECIPIENTS = ("ann@example.org", "bob@example.org", "cat@example.org")


def resend(
    store: MemoryStore,
    outbox: Outbox,
    folder: Path,
    *,
    only_to: str | None = None,
    force: bool = False,
    **changes: object,
) -> Resent:
    """Let a sweep store a message for all, change its sidecar, and send its notice again by `outbox`."""
    store.put_octets(KEY, OVER)
    store.put_octets(f"{KEY.removesuffix('eml')}json", record(*RECIPIENTS))
    run(store, Outbox(), folder)
    [key] = [it for it in store.objects if it.endswith("/envelope.json")]
    store.put_octets(key, json.dumps(sidecar_of(store) | changes).encode())
    configuration = settings(milter={"spool": str(folder)})
    signer = Signer(configuration.links, configuration.storage)
    job = Resend(configuration, store, signer, Composer(configuration.notice), outbox)
    return job.run(sidecar_of(store)["id"], only_to, force=force)


def sidecar_of(store: MemoryStore) -> dict[str, str]:
    [octets] = [it.octets for key, it in store.objects.items() if key.endswith("/envelope.json")]
    sidecar: dict[str, str] = json.loads(octets)
    return sidecar


def recorded(store: MemoryStore) -> Sequence[str]:
    return [it for resent in sidecar_of(store)["resent"] for it in resent["to"]]


def test_where_some_are_put_off_it_is_told_who_has_it_and_who_has_not(tmp_path: Path) -> None:
    served = Delivery(accepted=(ANN,), refused=(Refusal(BOB, "550 no such user"),))
    outbox = Outbox(error=UnsentError("localhost:25 puts mail off", served, remedy="wait"))
    store = MemoryStore()
    resent = resend(store, outbox, tmp_path)
    assert resent.accepted == (ANN,)
    put_off = Refusal(CAT, "not sent, since localhost:25 puts mail off")
    assert resent.refused == (Refusal(BOB, "550 no such user"), put_off)
    assert recorded(store) == [ANN]


def test_where_the_relay_did_not_reply_those_who_may_have_it_are_told_apart(tmp_path: Path) -> None:
    served = Delivery(accepted=(ANN,), unsure=(BOB,))
    outbox = Outbox(
        error=UnknownOutcomeError("localhost:25 did not reply", served, remedy="they may have it")
    )
    resent = resend(MemoryStore(), outbox, tmp_path)
    assert [(it.recipient, it.reason) for it in resent.refused] == [
        (BOB, "localhost:25 did not reply; they may have it"),
        (CAT, "not sent, since localhost:25 did not reply"),
    ]


def test_where_nobody_has_it_that_is_an_error_to_try_again_after(tmp_path: Path) -> None:
    outbox = Outbox(error=UnsentError("localhost:25 puts mail off", Delivery(), remedy="wait"))
    with pytest.raises(UnsentError):
        resend(MemoryStore(), outbox, tmp_path)


def test_a_notice_that_is_sent_and_cannot_be_recorded_is_told_of_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse_to_replace_a_sidecar(what: str, key: str) -> None:
        if what == "replace" and key.endswith("envelope.json"):
            raise TemporaryError("S3 is down", reason="store")

    store, outbox = MemoryStore(), Outbox()
    store.on_step = refuse_to_replace_a_sidecar
    resent = resend(store, outbox, tmp_path)
    assert (resent.accepted, resent.is_recorded) == (RECIPIENTS, False)
    assert outbox.recipients == list(RECIPIENTS)
    assert f'not-recorded id={resent.id} reason=store problem="S3 is down"' in caplog.text


def test_where_a_recipient_was_refused_one_has_to_be_named(tmp_path: Path) -> None:
    store, outbox = MemoryStore(), Outbox()
    with pytest.raises(
        PermanentError, match=r"1 of the 3 recipients .* give --to and one of ann@example\.org"
    ):
        resend(store, outbox, tmp_path, recipients_refused=1)
    assert not outbox.sent
    assert resend(MemoryStore(), outbox, tmp_path, only_to=ANN, recipients_refused=1).accepted == (ANN,)


def test_a_message_that_was_never_announced_is_sent_by_force_alone_and_then_is(tmp_path: Path) -> None:
    store, outbox = MemoryStore(), Outbox()
    with pytest.raises(PermanentError, match=r"never announced.*--force"):
        resend(store, outbox, tmp_path, announced=False)
    assert not outbox.sent
    forced = MemoryStore()
    assert resend(forced, outbox, tmp_path, force=True, announced=False).accepted == RECIPIENTS
    assert sidecar_of(forced)["announced"] is True
