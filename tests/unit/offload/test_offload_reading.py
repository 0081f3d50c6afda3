"""What is told of a stored message; an oddity that cannot be read costs an extra, and no message."""

import hashlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rig.mail.kinds import of_kind
from tests.fakes.bucket import MemoryStore
from tests.unit.milter.interceptions import open_files_below
from tests.unit.offload.test_offload import FOLDER, RECEIVED_AT, letter, offload
from woomera_milter.errors import TemporaryError
from woomera_milter.notice import new_message
from woomera_milter.offload import attachments as attachments_module
from woomera_milter.offload import offload as offload_module
from woomera_milter.offload.uploads import AT_ONCE
from woomera_milter.store.keys import sidecar_key


@pytest.fixture
def shelf() -> MemoryStore:
    return MemoryStore()


def test_sidecar_tells_all_that_list_resend_and_report_ask_of_a_message(
    shelf: MemoryStore, tmp_path: Path
) -> None:
    message = letter("a.pdf")
    done = offload(message, shelf, tmp_path)

    sidecar = shelf.json(sidecar_key("Q-1", RECEIVED_AT))
    headers = sidecar.pop("notice_headers")
    assert ["Subject", " Quarterly figures"] in headers
    assert [it.pop("key") for it in sidecar["attachments"]] == [f"{FOLDER}1/logo.png", f"{FOLDER}2/a.pdf"]
    assert sidecar == {
        "id": "Q-1",
        "source": "milter",
        "host": "host",
        "queue_id": "Q",
        "received_at": "2026-11-24T09:00:00Z",
        "envelope_sender": "sender@example.com",
        "recipients": ["hidden@example.org"],
        "recipients_refused": 0,
        "header_from": "Sandra Sender <sender@example.com>",
        "subject": "Quarterly figures",
        "date": "Tue, 24 Nov 2026 09:00:00 +0000",
        "message_id": "<20261124090000.rig@example.com>",
        "size_bytes": len(message),
        "sha256": hashlib.sha256(message).hexdigest(),
        "attachments": [
            {"name": "logo.png", "content_type": "image/png", "size_bytes": 15},
            {"name": "a.pdf", "content_type": "application/pdf", "size_bytes": 10_000},
        ],
        "protection": None,
        "links_expire_at": f"{done.links_expire_at:%Y-%m-%dT%H:%M:%SZ}",
        "resent": [],
    }


def test_attachments_are_found_behind_a_header_section_of_almost_half_a_megabyte(
    shelf: MemoryStore, tmp_path: Path
) -> None:
    long_section = b"".join(b"X-Long: %s\r\n" % (b"x" * 900) for _ in range(500))

    done = offload(long_section + letter("a.pdf"), shelf, tmp_path)

    assert [it.attachment.name for it in done.original.attachments] == ["logo.png", "a.pdf"]


@pytest.mark.parametrize(
    ("notice", "is_formatted"),
    [({}, True), ({"formatted": False}, False), ({"include_text": 0}, False)],
    ids=["as shipped", "not formatted", "no text"],
)
def test_letter_of_a_notice_holds_the_text_without_its_pictures_where_it_is_asked_for(
    notice: dict[str, Any], is_formatted: bool, shelf: MemoryStore, tmp_path: Path
) -> None:
    found = offload(letter("a.pdf"), shelf, tmp_path, notice=notice).original.letter

    assert (found is not None) == is_formatted
    if found:
        assert "Hello" in found.html
        assert (found.is_plain, found.truncated, found.shown) == (False, False, frozenset())


def test_protected_message_has_no_letter(shelf: MemoryStore, tmp_path: Path) -> None:
    assert offload(of_kind("encrypted"), shelf, tmp_path).original.letter is None


def test_body_that_cannot_be_read_keeps_no_message_from_s3(
    shelf: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(offload_module, "outline", fail)

    done = offload(message := letter("a.pdf"), shelf, tmp_path)

    assert shelf.objects[f"{FOLDER}message.eml"].octets == message
    assert (done.original.text.text, done.original.text.truncated) == ("", False)
    assert (done.original.attachments, done.original.protection, done.links.page) == ([], None, None)
    assert 'degraded id=Q-1 what="attachments and text" why=ZeroDivisionError' in caplog.text


def test_letter_that_cannot_be_made_costs_the_attachments_nothing(
    shelf: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(offload_module, "letter_of", fail)

    done = offload(letter("plan.pdf"), shelf, tmp_path)

    assert done.original.letter is None
    assert all(it.link for it in done.original.attachments)
    assert 'degraded id=Q-1 what="formatted text" why=ZeroDivisionError' in caplog.text


def test_headers_that_cannot_be_kept_keep_no_message_from_its_notice(
    shelf: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(new_message, "kept_of", fail)

    assert offload(letter(), shelf, tmp_path).original.id == "Q-1"

    assert 'what="headers for resend" why=ZeroDivisionError' in caplog.text


def test_reading_that_takes_too_long_is_given_up_while_there_is_time_for_the_message(
    shelf: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def decoded_for_ever(*_: object, **__: object) -> Iterator[bytes]:
        while True:
            time.sleep(0.01)
            yield b"x"

    monkeypatch.setattr(attachments_module, "decoded_chunks", decoded_for_ever)
    began = time.monotonic()

    done = offload(letter("a.pdf", "b.pdf"), shelf, tmp_path, deadline_s=3)

    assert time.monotonic() - began < 3
    assert FOLDER + "message.eml" in shelf.objects
    assert (done.original.attachments, done.links.page) == ([], None)
    assert degraded_in(caplog) == ['what="attachments and text" why="there was no time left for it"']


def test_attachments_that_wait_for_their_turn_are_given_up_with_the_message_that_cannot_be_stored(
    shelf: MemoryStore, tmp_path: Path
) -> None:
    held = threading.Event()

    def step(_: str, key: str) -> None:
        if key.endswith("message.eml"):
            raise TemporaryError("S3 is down")
        held.wait(30)

    shelf.on_step = step
    try:
        with pytest.raises(TemporaryError, match="S3 is down"):
            offload(letter(*(f"{number}.pdf" for number in range(AT_ONCE + 8))), shelf, tmp_path)
        assert open_files_below(tmp_path) <= AT_ONCE
    finally:
        held.set()


def test_whatever_a_notice_lacks_the_log_has_one_line(
    shelf: MemoryStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: str, key: str) -> None:
        if not key.endswith((".eml", ".json")):
            raise TemporaryError("S3 is down")

    shelf.on_step = refuse

    offload(letter("a.pdf", "b.pdf"), shelf, tmp_path)

    assert degraded_in(caplog) == ['what="attachment links, page" why="S3 is down"']


def degraded_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [it.partition("id=Q-1 ")[2] for it in caplog.messages if ": degraded " in it]
