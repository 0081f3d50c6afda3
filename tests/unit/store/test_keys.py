"""Keys: where each object lies, and that its documented form is the true one."""

import inspect
import re
from datetime import UTC, date, datetime, timedelta

import pytest

from woomera_milter.config.names import OWN_FOLDERS
from woomera_milter.store import keys
from woomera_milter.store.keys import message_key, sidecar_key


def test_keys_stand_in_the_folder_of_the_utc_day() -> None:
    received_at = datetime(2026, 11, 24, 1, 30, tzinfo=UTC).astimezone(None) - timedelta(hours=2)

    assert message_key("Q-1", received_at) == "messages/2026/11/23/Q-1/message.eml"
    assert sidecar_key("Q-1", received_at) == "messages/2026/11/23/Q-1/envelope.json"


DAY = date(2026, 11, 24)
MILTER_DAY = "stats/2026-11-24/host-1-20261124T235000.000000Z.json"
SAMPLES: dict[str, object] = {
    "message_id": "4AO9",
    "received_at": datetime(2026, 11, 24, 23, 50, tzinfo=UTC),
    "archived_at": datetime(2026, 11, 24, 23, 50, tzinfo=UTC),
    "started_at": datetime(2026, 11, 24, 23, 50, tzinfo=UTC),
    "day": DAY,
    "number": 1,
    "name": "name",
    "host": "host-1",
    "prefix": "archive/",
    "sha256": b"\xff" * 32,
    "copy": "archive/2026/11/24/host-1/a.eml",
    "work": "archive/2026/11/24/host-1/a.eml",
    "claim": "processed/a.json",
}
PARTS = {"YYYY": r"\d{4}", "MM": r"\d\d", "DD": r"\d\d", "N": r"\d+", "HASH": "[0-9a-f]{64}"}
KEYS = {
    name: make for name, make in vars(keys).items() if name.endswith("_key") and not name.startswith("is_")
}


@pytest.mark.parametrize("name", KEYS)
def test_key_has_the_form_that_its_documentation_gives(name: str) -> None:
    form = re.match(r"`([^`]+)`: ", KEYS[name].__doc__ or "")
    assert form, "it begins with the key's form"
    pattern = re.sub(
        r"[A-Z]+", lambda part: PARTS.get(part[0], "[^/]+"), re.escape(form[1]).replace(r"\-", "-")
    )
    key = KEYS[name](**{it: SAMPLES[it] for it in inspect.signature(KEYS[name]).parameters})
    assert re.fullmatch(pattern, key)


def test_every_folder_of_our_own_has_keys_in_it() -> None:
    forms = " ".join(make.__doc__ or "" for make in KEYS.values())
    assert [folder for folder in OWN_FOLDERS if f"`{folder}" not in forms] == []


def test_keys_of_snapshots_tell_their_day_and_strangers_none() -> None:
    assert keys.milter_day_key(DAY, "host-1", datetime(2026, 11, 24, 23, 50, tzinfo=UTC)) == MILTER_DAY
    assert keys.archive_day_key(DAY, "a/b c") == "stats/2026-11-24/a_b_c-archive.json"
    assert keys.day_of_snapshot(MILTER_DAY) == keys.day_of_snapshot(keys.archive_day_key(DAY, "x")) == DAY
    for stranger in ("stats/2026-11-24/", "stats/x/y.json", "stats/2026-13-01/y.json", "reports/y.json"):
        assert keys.day_of_snapshot(stranger) is None


def test_keys_of_messages_tell_their_day_and_strangers_none() -> None:
    assert keys.day_of_message("messages/2026/11/24/id/envelope.json") == DAY
    for stranger in (
        "messages/check/host.txt",
        "messages/2026/02/30/id/envelope.json",
        "archive/2026/11/24/a",
    ):
        assert keys.day_of_message(stranger) is None


def test_digest_in_a_key_is_that_of_copies_that_the_archive_moved_alone() -> None:
    moved = keys.copy_key("archive/", "host-1", datetime(2026, 11, 24, 9, tzinfo=UTC), bytes(range(32)))

    assert keys.digest_in(moved) == keys.digest_digits(bytes(range(32))) == bytes(range(16)).hex()
    assert keys.digest_in("archive/2026/11/24/host-1/a.eml") is None
    assert keys.digest_in(moved.replace("-0001", "-0001ff")) is None
