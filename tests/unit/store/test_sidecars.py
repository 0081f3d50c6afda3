"""Sidecars that others may have touched."""

import json
from typing import NoReturn

import pytest

from tests.fakes.bucket import MemoryStore
from woomera_milter.errors import PermanentError
from woomera_milter.store import sidecars
from woomera_milter.store.documents import written

KEY = "messages/2026/11/24/id/envelope.json"


SIDECAR = {
    "id": "id",
    "queue_id": "4AO9",
    "received_at": "2026-11-24T09:00:00Z",
    "envelope_sender": "s@example.com",
    "recipients": ["a@example.org"],
    "header_from": "s@example.com",
    "subject": "Figures",
    "size_bytes": 20,
    "notice_headers": [["From", " s@example.com"]],
    "resent": [],
}


def raised(error: PermanentError) -> NoReturn:
    raise AssertionError(f"nothing is damaged here: {error}")


DAMAGES = {"received_at": "yesterday", "size_bytes": "20", "recipients": "a", "notice_headers": [["From"]]}


def test_sidecar_with_all_that_is_relied_on_is_found() -> None:
    store = MemoryStore()
    store.put_octets(KEY, json.dumps(SIDECAR).encode())
    assert written(sidecars.find(store, "id").sidecar) == SIDECAR
    assert [written(it.sidecar) for it in sidecars.newest_first(store, None, raised)] == [SIDECAR]


@pytest.mark.parametrize(
    "octets",
    [b"null", b"{}", *(json.dumps(SIDECAR | {key: it}).encode() for key, it in DAMAGES.items())],
    ids=["null", "empty", *DAMAGES],
)
def test_damaged_sidecar_is_named(octets: bytes) -> None:
    store = MemoryStore()
    store.put_octets(KEY, octets)
    with pytest.raises(PermanentError, match=f"{KEY}: .* is not what it should be"):
        sidecars.find(store, "id")


def test_damaged_sidecar_is_named_and_keeps_none_from_being_listed() -> None:
    store = MemoryStore()
    for day in (22, 23, 24):
        sidecar = SIDECAR | {"received_at": f"2026-11-{day}T09:00:00Z"}
        store.put_octets(f"messages/2026/11/{day}/id/envelope.json", json.dumps(sidecar).encode())
    store.put_octets("messages/2026/11/23/damaged/envelope.json", b"{}")
    damaged: list[PermanentError] = []
    found = [it.sidecar.received_at.day for it in sidecars.newest_first(store, None, damaged.append)]
    assert found == [24, 23, 22]
    [error] = damaged
    assert "messages/2026/11/23/damaged/envelope.json: " in str(error)


def test_bucket_that_cannot_be_read_is_no_damaged_sidecar() -> None:
    def refuse_to_get(what: str, key: str) -> None:
        if what == "get":
            raise PermanentError(f"reading {key} was refused", reason="store")

    store = MemoryStore()
    store.on_step = refuse_to_get
    store.put_octets(KEY, json.dumps(SIDECAR).encode())
    with pytest.raises(PermanentError, match="was refused"):
        list(sidecars.newest_first(store, None, raised))
