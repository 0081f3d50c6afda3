"""Fresh links to a message that has lain in S3: what they lead to is there, and all end at one moment."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.fakes.bucket import MemoryStore
from tests.unit.offload.test_offload import FOLDER, PDF, RECEIVED_AT, letter
from woomera_milter import config
from woomera_milter.clock import Deadline
from woomera_milter.message.decoding import header_summary
from woomera_milter.message.fields import parse_header_block
from woomera_milter.message.spool import SpooledMessage
from woomera_milter.offload.offload import Offload
from woomera_milter.offload.source import Offloaded, Source
from woomera_milter.store.links import Signer
from woomera_milter.store.objects import StoredObject

KEY = f"{FOLDER}message.eml"
STORAGE = {
    "bucket": "large-mail",
    "region": "us-east-1",
    "access_key_id": "AKIAEXAMPLE000000000",
    "secret_access_key": "s" * 40,
}


@pytest.fixture
def shelf() -> MemoryStore:
    return MemoryStore()


def renew(octets: bytes, ends_at: datetime, shelf: MemoryStore, folder: Path) -> Offloaded:
    configuration = config.validate({"storage": STORAGE}, "config.yaml")
    message = SpooledMessage(folder)
    message.write(octets)
    facts = header_summary(parse_header_block(octets))
    source = Source("Q-1", "Q", RECEIVED_AT, "sender@example.com", message, facts)
    offload = Offload(configuration, shelf, Signer(configuration.links, configuration.storage))
    try:
        return offload.renew(source, StoredObject(KEY, ends_at), Deadline(30))
    finally:
        message.close()


def test_message_keeps_its_place_while_attachments_and_page_are_stored_anew(
    shelf: MemoryStore, tmp_path: Path
) -> None:
    done = renew(letter("a.pdf"), datetime.now(UTC) + timedelta(days=20), shelf, tmp_path)

    assert sorted(shelf.objects) == [FOLDER + name for name in ("1/logo.png", "2/a.pdf", "index.html")]
    assert shelf.objects[f"{FOLDER}2/a.pdf"].octets == PDF
    assert f"/{KEY}?" in done.links.message
    assert f"/{FOLDER}index.html?" in (done.links.page or "")
    assert None not in [it.link for it in done.original.attachments]


def test_fresh_links_end_with_the_message_that_they_lead_to(shelf: MemoryStore, tmp_path: Path) -> None:
    ends_at = datetime.now(UTC) + timedelta(days=2)

    done = renew(letter("a.pdf"), ends_at, shelf, tmp_path)

    assert done.links_expire_at == ends_at.replace(microsecond=0)
