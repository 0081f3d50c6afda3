"""Sidecars that others may have touched."""

import json

import pytest

from rig.memory_store import MemoryStore
from woomera_milter import stored
from woomera_milter.errors import PermanentError

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
DAMAGES = {"received_at": "yesterday", "size_bytes": "20", "recipients": "a", "notice_headers": [["From"]]}


def test_sidecar_with_all_that_is_relied_on_is_found() -> None:
    store = MemoryStore()
    store.put_octets(KEY, json.dumps(SIDECAR).encode())
    assert stored.find(store, "id").value == SIDECAR
    assert [it.value for it in stored.newest_first(store, None)] == [SIDECAR]


@pytest.mark.parametrize(
    "octets",
    [b"null", b"{}", *(json.dumps(SIDECAR | {key: it}).encode() for key, it in DAMAGES.items())],
    ids=["null", "empty", *DAMAGES],
)
def test_damaged_sidecar_is_named(octets: bytes) -> None:
    store = MemoryStore()
    store.put_octets(KEY, octets)
    with pytest.raises(PermanentError, match=f"{KEY}: .* is not what it should be"):
        stored.find(store, "id")
    with pytest.raises(PermanentError, match=f"{KEY}: .* is not what it should be"):
        list(stored.newest_first(store, None))
