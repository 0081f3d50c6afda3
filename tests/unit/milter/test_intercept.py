"""An over-limit message is in S3 before a notice takes its place, and mail that stays here is left alone."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.mail.messages import message
from tests.fakes.bucket import MemoryStore
from woomera_milter import config
from woomera_milter.clock import Deadline
from woomera_milter.message.envelope import Envelope
from woomera_milter.message.fields import parse_header_block
from woomera_milter.message.spool import SpooledMessage
from woomera_milter.milter.destinations import Destinations
from woomera_milter.milter.intercept import Interceptor
from woomera_milter.milter.session import OverLimit
from woomera_milter.notice.notice import Composer
from woomera_milter.offload.offload import Offload
from woomera_milter.store.links import Signer

WIRE = message(200_000)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def spooled(tmp_path: Path) -> Iterator[SpooledMessage]:
    message = SpooledMessage(tmp_path)
    message.write(WIRE)
    yield message
    message.close()


def over(spooled: SpooledMessage, queue_id: str = "4AO9Xk1S012345", mailer: str = "relay") -> OverLimit:
    return OverLimit(
        message=spooled,
        envelope=Envelope("sender@example.com", ("recipient@example.org",)),
        mailers=frozenset({mailer}),
        headers=parse_header_block(WIRE),
        own_names=(),
        queue_id=queue_id,
        measured_bytes=len(WIRE),
    )


def interceptor(store: MemoryStore, tmp_path: Path, **sections: dict[str, str]) -> Interceptor:
    keys = {"access_key_id": "AKIASTORAGE000000000", "secret_access_key": "s" * 40}
    storage = {"bucket": "large-mail", "region": "us-east-1"} | keys
    configuration = config.validate({"storage": storage} | sections, "config.yaml")
    ours = tmp_path / "sendmail"
    ours.write_text("#!/bin/sh\necho 'x... deliverable: mailer local, user x'\n", encoding="utf-8")
    ours.chmod(0o755)
    return Interceptor(
        configuration,
        Destinations(["relay"], ours),
        Offload(configuration, store, Signer(configuration.links, configuration.storage)),
        Composer(configuration.notice),
    )


def test_message_is_stored_whole_when_its_replacement_is_given(
    store: MemoryStore, spooled: SpooledMessage, tmp_path: Path
) -> None:
    subject = {"subject_prefix": "[large] "}
    replacement = interceptor(store, tmp_path, notice=subject).intercept(over(spooled), Deadline(60))

    assert replacement
    [key] = [key for key in store.objects if key.endswith("/message.eml")]
    assert store.objects[key].octets == WIRE
    assert re.fullmatch(r"4AO9Xk1S012345-[0-9a-f]{16}", replacement.message_id)
    assert replacement.message_id in key
    assert key.encode() in replacement.body.replace(b"=\r\n", b"")
    changes = {(change.name, change.value) for change in replacement.header_changes}
    assert ("X-Woomera-Id", f" {replacement.message_id}") in changes
    assert any(name == "Subject" and (value or "").startswith(" [large] ") for name, value in changes)
    assert replacement.queue_id == "4AO9Xk1S012345"
    assert replacement.measured_bytes == len(WIRE)
    assert 0 <= replacement.store_s < 60


def test_messages_of_one_queue_id_or_of_none_have_places_of_their_own(
    store: MemoryStore, spooled: SpooledMessage, tmp_path: Path
) -> None:
    ours = interceptor(store, tmp_path)
    ids = set()
    for queue_id in ("", "", "4AO9Xk1S012345", "4AO9Xk1S012345"):
        replacement = ours.intercept(over(spooled, queue_id), Deadline(60))
        assert replacement
        ids.add(replacement.message_id)
    assert len(ids) == 4
    assert sum(it.startswith("unknown-") for it in ids) == 2


def test_message_for_mailboxes_of_this_host_is_not_stored(
    store: MemoryStore, spooled: SpooledMessage, tmp_path: Path
) -> None:
    assert interceptor(store, tmp_path).intercept(over(spooled, mailer="local"), Deadline(60)) is None
    assert store.objects == {}
