"""Promises 2 and 5: the message is stored whatever becomes of attachments and page, and links are true."""

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rig.mail.kinds import of_kind
from rig.mail.messages import entity, file_part, header_section, multipart
from tests.fakes.bucket import MemoryStore
from woomera_milter import config
from woomera_milter.clock import Deadline
from woomera_milter.errors import DeadlineError, PermanentError, TemporaryError
from woomera_milter.message.envelope import Envelope
from woomera_milter.message.fields import parse_header_block
from woomera_milter.message.spool import SpooledMessage
from woomera_milter.offload.offload import Offload
from woomera_milter.offload.source import Offloaded, Origin
from woomera_milter.store.links import Signer

PDF, LOGO = b"%PDF-1.7\r\n" * 1000, b"\x89PNG not really"
FOLDER = "messages/2026/11/24/Q-1/"
RECEIVED_AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def read(message: SpooledMessage) -> bytes:
    return os.pread(message.fileno(), message.size_bytes, 0)


@pytest.fixture
def shelf() -> MemoryStore:
    return MemoryStore()


def refuse(shelf: MemoryStore, what: str, failure: Exception) -> None:
    """Whatever is stored under a key that ends so is refused."""

    def fail(_: str, key: str) -> None:
        if key.endswith(what):
            raise failure

    shelf.on_step = fail


@pytest.fixture
def log_lines(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    logger = logging.getLogger("woomera_milter")
    was = logger.propagate
    logger.propagate = True
    yield caplog
    logger.propagate = was


def letter(*names: str) -> bytes:
    """A message with HTML that shows LOGO, and a PDF for each name."""
    html = entity("text/html; charset=utf-8", b'<p>Hello <img src="cid:logo@x"></p>\r\n')
    logo = file_part(
        LOGO, content_type="image/png", disposition=b"inline; filename=logo.png\r\nContent-ID: <logo@x>"
    )
    files = [
        file_part(
            PDF, content_type="application/pdf", disposition=b'attachment; filename="%b"' % name.encode()
        )
        for name in names
    ]
    related = multipart("related", html, logo, boundary="=_related")
    return header_section() + b"MIME-Version: 1.0\r\n" + multipart("mixed", related, *files)


def offload(
    message: bytes,
    shelf: MemoryStore,
    folder: Path,
    deadline_s: float = 30,
    spooled: Callable[[], object] = lambda: None,
    notice: dict[str, Any] | None = None,
    **links: Any,
) -> Offloaded:
    """Offload a message; `spooled` is called once it lies in the spool."""
    storage = {"bucket": "large-mail", "region": "us-east-1"}
    keys = {"access_key_id": "AKIAEXAMPLE000000000", "secret_access_key": "s" * 40}
    section = {"storage": storage | keys, "links": links, "milter": {"spool": str(folder)}}
    configuration = config.validate(section | {"notice": notice or {}}, "config.yaml")
    in_hand = SpooledMessage(folder)
    in_hand.write(message)
    spooled()
    one = Offload(configuration, shelf, Signer(configuration.links, configuration.storage))
    try:
        return one.run(
            "Q-1",
            in_hand,
            Envelope("sender@example.com", ("hidden@example.org",)),
            parse_header_block(message),
            Origin("milter", "host", "Q", RECEIVED_AT),
            Deadline(deadline_s),
        )
    finally:
        in_hand.close()


def links_of(offloaded: Offloaded) -> list[str | None]:
    return [it.link for it in offloaded.original.attachments]


def test_each_attachment_is_stored_decoded_under_its_own_name_and_linked(
    shelf: MemoryStore, tmp_path: Path
) -> None:
    done = offload(letter("plan.pdf", "Plan (2).pdf"), shelf, tmp_path)

    assert shelf.objects[f"{FOLDER}1/logo.png"].octets == LOGO
    assert shelf.objects[f"{FOLDER}2/plan.pdf"].octets == PDF
    assert shelf.objects[f"{FOLDER}2/plan.pdf"].content_type == "application/pdf"
    sidecar = shelf.json(f"{FOLDER}envelope.json")
    keys = [attachment["key"] for attachment in sidecar["attachments"]]
    assert keys == [f"{FOLDER}1/logo.png", f"{FOLDER}2/plan.pdf", f"{FOLDER}3/Plan (2).pdf"]
    for link, name in zip(links_of(done), ("1/logo.png", "2/plan.pdf", "3/Plan%20%282%29.pdf"), strict=True):
        assert link is not None
        assert f"/{FOLDER}{name}?" in link


def test_page_shows_the_message_and_no_envelope_recipient(shelf: MemoryStore, tmp_path: Path) -> None:
    done = offload(letter("plan.pdf"), shelf, tmp_path)

    page = shelf.objects[f"{FOLDER}index.html"].octets.decode()
    assert done.links.page is not None
    assert f"/{FOLDER}index.html?" in done.links.page
    assert "recipient@example.org" in page
    assert "hidden@example.org" not in page
    assert '<p>Hello <img src="https://large-mail.' in page


def test_signed_message_can_be_read_and_taken_apart_like_any_other(
    shelf: MemoryStore, tmp_path: Path
) -> None:
    done = offload(of_kind("signed"), shelf, tmp_path)

    assert shelf.json(f"{FOLDER}envelope.json")["protection"] == "signed"
    assert done.links.page is not None
    assert None not in links_of(done)
    assert b"Its signature can be checked in this file alone" in shelf.objects[f"{FOLDER}index.html"].octets


@pytest.mark.parametrize("kind", ["encrypted", "S/MIME"])
def test_protected_message_stays_whole(kind: str, shelf: MemoryStore, tmp_path: Path) -> None:
    done = offload(of_kind(kind), shelf, tmp_path)

    assert sorted(shelf.objects) == [f"{FOLDER}envelope.json", f"{FOLDER}message.eml"]
    assert done.links.page is None
    assert set(links_of(done)) <= {None}


@pytest.mark.parametrize(
    ("links", "stored"),
    [
        pytest.param({"attachments": False}, {"index.html"}, id="no attachments"),
        pytest.param({"page": False}, {"1/logo.png", "2/a.pdf", "3/b.pdf"}, id="no page"),
        pytest.param({"attachments": False, "page": False}, set(), id="neither"),
        pytest.param({"max_attachments": 2}, {"1/logo.png", "2/a.pdf", "index.html"}, id="two at most"),
    ],
)
def test_what_is_stored_is_what_the_configuration_asks_for(
    links: dict[str, Any], stored: set[str], shelf: MemoryStore, tmp_path: Path
) -> None:
    offload(letter("a.pdf", "b.pdf"), shelf, tmp_path, **links)

    assert set(shelf.objects) == {FOLDER + name for name in stored | {"message.eml", "envelope.json"}}


@pytest.mark.parametrize(
    "failure", [TemporaryError("S3 is down"), PermanentError("no right"), ValueError("odd")], ids=repr
)
@pytest.mark.parametrize("what", ["2/a.pdf", "index.html"])
def test_failure_of_an_extra_is_logged_and_the_rest_is_delivered(
    what: str, failure: Exception, shelf: MemoryStore, tmp_path: Path, log_lines: pytest.LogCaptureFixture
) -> None:
    refuse(shelf, what, failure)

    done = offload(letter("a.pdf", "b.pdf"), shelf, tmp_path)

    assert FOLDER + "message.eml" in shelf.objects
    linked = [link is not None for link in (*links_of(done), done.links.page)]
    assert linked == ([True, False, True, True] if what == "2/a.pdf" else [True, True, True, False])
    assert "degraded" in log_lines.text
    assert "a.pdf" not in log_lines.text


def test_attachments_that_find_no_room_in_the_spool_are_named_without_links(
    shelf: MemoryStore, tmp_path: Path, log_lines: pytest.LogCaptureFixture
) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()

    done = offload(letter("a.pdf"), shelf, spool, spooled=spool.rmdir)

    assert [(it.attachment.name, it.link) for it in done.original.attachments] == [
        ("logo.png", None),
        ("a.pdf", None),
    ]
    assert done.original.attachments[1].attachment.size_bytes == len(PDF)
    assert done.links.page is not None
    assert "cannot hold the message" in log_lines.text


@pytest.mark.parametrize("what", ["2/a.pdf", "index.html"])
def test_extra_that_hangs_is_given_up_while_there_is_time_for_the_message(
    what: str, shelf: MemoryStore, tmp_path: Path, log_lines: pytest.LogCaptureFixture
) -> None:
    held = threading.Event()
    shelf.on_step = lambda _, key: held.wait(30) if key.endswith(what) else None
    deadline = Deadline(3)

    try:
        done = offload(letter("a.pdf"), shelf, tmp_path, deadline_s=3)
        assert deadline.remaining_s > 0
    finally:
        held.set()

    assert [link is None for link in (links_of(done)[1], done.links.page)].count(True) >= 1
    assert "there was no time left for it" in log_lines.text


def test_last_third_of_the_deadline_belongs_to_the_message() -> None:
    assert Deadline(30).for_extras().remaining_s == pytest.approx(20, abs=1)
    with pytest.raises(DeadlineError, match=r"waiting took longer than sweep\.lease; "):
        Deadline(0, "sweep.lease").for_extras().check("waiting")


def test_message_that_cannot_be_stored_is_an_error_whatever_its_attachments(
    shelf: MemoryStore, tmp_path: Path
) -> None:
    refuse(shelf, "message.eml", TemporaryError("S3 is down"))

    with pytest.raises(TemporaryError, match="S3 is down"):
        offload(letter("a.pdf"), shelf, tmp_path)


def test_all_links_end_at_the_earliest_end_of_what_they_lead_to(shelf: MemoryStore, tmp_path: Path) -> None:
    shelf.ends["plan.pdf"] = datetime.now(UTC) + timedelta(days=2)

    done = offload(letter("plan.pdf"), shelf, tmp_path)

    assert done.links_expire_at == shelf.ends["plan.pdf"].replace(microsecond=0)
    assert done.links.page is not None


def test_attachments_that_the_lifecycle_takes_too_soon_do_not_hold_the_message_back(
    shelf: MemoryStore, tmp_path: Path, log_lines: pytest.LogCaptureFixture
) -> None:
    shelf.ends["a.pdf"] = datetime.now(UTC) + timedelta(hours=3)

    offloaded = offload(letter("a.pdf"), shelf, tmp_path, minimum="1d")

    assert [link is None for link in links_of(offloaded)] == [False, True]
    assert shelf.json(FOLDER + "envelope.json")["attachments"][1]["key"] is None
    assert offloaded.links_expire_at > datetime.now(UTC) + timedelta(days=6)
    assert "links.minimum" in log_lines.text


def test_message_that_the_lifecycle_takes_too_soon_is_an_error(shelf: MemoryStore, tmp_path: Path) -> None:
    shelf.ends["message.eml"] = datetime.now(UTC) + timedelta(hours=3)

    with pytest.raises(PermanentError, match=r"sooner than links\.minimum"):
        offload(letter("a.pdf"), shelf, tmp_path, minimum="1d")


def test_page_that_ends_before_its_links_is_not_offered(shelf: MemoryStore, tmp_path: Path) -> None:
    shelf.ends["index.html"] = datetime.now(UTC) + timedelta(days=2)

    done = offload(letter("plan.pdf"), shelf, tmp_path)

    assert done.links.page is None
    assert links_of(done)[1] is not None


def test_unreadable_html_becomes_text_on_the_page(shelf: MemoryStore, tmp_path: Path) -> None:
    html = "<html><style>p{}</style>" + "<b><i>" * 20_000 + "The words.</html>"
    message = header_section() + b"MIME-Version: 1.0\r\n" + entity("text/html", html.encode())

    offload(message, shelf, tmp_path)

    assert b"The words." in shelf.objects[f"{FOLDER}index.html"].octets


def test_spool_is_empty_when_all_is_done(shelf: MemoryStore, tmp_path: Path) -> None:
    offload(letter("a.pdf", "b.pdf"), shelf, tmp_path)

    assert list(tmp_path.iterdir()) == []


def marking(sidecar: bytes) -> MemoryStore:
    """A bucket with this sidecar, once it has been marked as never announced."""
    store = MemoryStore()
    store.put_octets(f"{FOLDER}envelope.json", sidecar)
    configuration = config.validate({"storage": {"bucket": "example-large-mail"}}, "config.yaml")
    offload = Offload(configuration, store, Signer(configuration.links, configuration.storage))
    offload.mark_unannounced("Q-1", RECEIVED_AT)
    return store


def test_a_message_that_nobody_was_told_of_says_so_and_keeps_the_rest_of_its_sidecar() -> None:
    sidecar = {
        "id": "Q-1",
        "received_at": "2026-11-24T09:00:00Z",
        "envelope_sender": "s@example.com",
        "recipients": ["a@example.org"],
        "header_from": "s@example.com",
        "subject": "Figures",
        "size_bytes": 20,
        "a later version's": 1,
    }
    found = marking(json.dumps(sidecar).encode()).get_json(f"{FOLDER}envelope.json")
    assert found is not None
    assert found.value == sidecar | {"announced": False}


@pytest.mark.parametrize("sidecar", [b"{", b"{}"])
def test_a_mark_that_cannot_be_made_is_told_to_the_log(
    sidecar: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    store = marking(sidecar)
    assert "not-recorded id=Q-1" in caplog.text
    assert store.objects[f"{FOLDER}envelope.json"].octets == sidecar
