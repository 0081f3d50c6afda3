"""Promise 4: a message that archive-milter kept twice, since its client had no 250, is announced once."""

from pathlib import Path

import pytest

from rig.mail.messages import CRLF
from tests.fakes.bucket import MemoryStore
from tests.fakes.outbox import Outbox
from tests.unit.sweep.sweeps import LEASE, OVER, record, run
from woomera_milter.store.claims import Claims
from woomera_milter.sweep.processed_mail import ProcessedMail

FOLDER = "archive/2026/11/24/host-1/"
FIRST, SECOND = (f"{FOLDER}{name}.eml" for name in ("a", "b"))
TO = ("a@example.org", "b@example.org")


def keep(store: MemoryStore, key: str, octets: bytes = OVER, envelope: bytes = record(*TO)) -> None:
    store.put_octets(f"{key.removesuffix('eml')}json", envelope)
    store.put_octets(key, octets)


def sweep_twice(store: MemoryStore, outbox: Outbox, folder: Path, *, single_host: bool = False) -> int:
    """Return how many notices there are."""
    for _ in range(2):
        assert not run(store, outbox, folder, single_host=single_host).failed
    return len(outbox.sent)


@pytest.mark.parametrize("single_host", [True, False])
def test_a_message_kept_twice_is_announced_once(
    store: MemoryStore, outbox: Outbox, tmp_path: Path, *, single_host: bool
) -> None:
    keep(store, FIRST)
    keep(store, SECOND, OVER, record(*reversed(TO)))  # a client may name them in another order
    assert sweep_twice(store, outbox, tmp_path, single_host=single_host) == 1
    assert run(store, outbox, tmp_path).already_done == 2


def test_the_second_copy_of_what_a_sweep_announced_is_done(
    store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    keep(store, FIRST)
    run(store, outbox, tmp_path)
    keep(store, SECOND)
    assert run(store, outbox, tmp_path).already_done == 2
    assert len(outbox.sent) == 1


def test_whichever_copy_is_announced_the_notice_has_the_same_id(outbox: Outbox, tmp_path: Path) -> None:
    for key in (FIRST, SECOND):
        store = MemoryStore()
        keep(store, key)
        run(store, outbox, tmp_path)
    ids = {
        tuple(
            line for line in octets.split(CRLF) if line.lower().startswith((b"x-woomera-id", b"message-id"))
        )
        for _, _, octets in outbox.sent
    }
    assert len(ids) == 1
    assert len(*ids) == 2


ANOTHER = {
    "octets": (OVER.replace(b"Quarterly", b"Quarterli"), record(*TO)),
    "recipients": (OVER, record(TO[0])),
    "sender": (OVER, record(*TO, envelope_sender="other@example.com")),
    "imported": (OVER, record(*TO, source="import")),
}


@pytest.mark.parametrize("name", ANOTHER)
def test_another_message_has_a_notice_of_its_own(
    name: str, store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    keep(store, FIRST)
    keep(store, SECOND, *ANOTHER[name])
    assert sweep_twice(store, outbox, tmp_path) == 2


def test_without_a_message_id_nobody_can_tell_so_both_are_announced(
    store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    anonymous = OVER.replace(b"Message-ID:", b"X-Remark:")
    for key in (FIRST, SECOND):
        keep(store, key, anonymous)
    assert sweep_twice(store, outbox, tmp_path) == 2


@pytest.mark.parametrize("is_done", [True, False])
def test_a_claim_that_an_earlier_version_made_by_the_key_counts(
    is_done: bool, store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    claims = Claims(store, "host-1", LEASE)
    claim = claims.take(FIRST)
    assert claim
    claim = claims.hand_over(claim, ["a@example.org"])
    if is_done:
        claims.finish(claim, list(TO), {})
    else:
        claims.fail(claim, ["a@example.org"], "the relay was away")
    keep(store, FIRST)
    run(store, outbox, tmp_path)
    assert outbox.recipients == ([] if is_done else ["b@example.org"])


def test_the_json_of_processed_mail_names_both_copies(
    store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    for key in (FIRST, SECOND):
        keep(store, key)
    for _ in range(2):
        ledger = ProcessedMail(store, "processed.json")
        run(store, outbox, tmp_path, ledger=ledger)
        ledger.save()
    assert sorted(store.json("processed.json")) == [FIRST, SECOND]


def test_once_a_sweep_knows_that_both_are_done_none_reads_them_again(
    store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    for key in (FIRST, SECOND):
        keep(store, key)
    assert sweep_twice(store, outbox, tmp_path) == 1
    store.restart()
    assert run(store, outbox, tmp_path).already_done == 2
    assert not {key for what, key in store.operations if what == "get"} & {FIRST, SECOND}
