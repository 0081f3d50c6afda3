"""An over-limit message is in S3 before a notice takes its place, and mail that stays here is left alone."""

import json
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
from woomera_milter.milter.intercept import Interceptor, copy_for
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
    assert replacement.copy_to is None
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


# notice.copy_to_sender.


def test_notice_is_for_the_sender_too_where_that_is_wanted_and_the_sidecar_has_the_messages_recipients(
    store: MemoryStore, spooled: SpooledMessage, tmp_path: Path
) -> None:
    ours = interceptor(store, tmp_path, notice={"copy_to_sender": "true"})

    replacement = ours.intercept(over(spooled), Deadline(60))

    assert replacement
    assert replacement.copy_to == "sender@example.com"
    [sidecar] = [it.octets for key, it in store.objects.items() if key.endswith("/envelope.json")]
    assert json.loads(sidecar)["recipients"] == ["recipient@example.org"]


@pytest.mark.parametrize("sender", ["", "owner-list@example.com", "no-reply@example.com"])
def test_nobody_is_written_to_who_would_not_read_it(sender: str) -> None:
    assert copy_for(Envelope(sender, ("recipient@example.org",)), []) is None


def test_automatic_mail_is_copied_to_nobody() -> None:
    headers = parse_header_block(b"Auto-Submitted: auto-generated\r\n")
    assert copy_for(Envelope("sender@example.com", ("recipient@example.org",)), headers) is None


@pytest.mark.parametrize(
    ("sender", "recipient"),
    [
        ("sender@example.com", "sender@example.com"),
        ("sender@example.com", "Sender@EXAMPLE.com"),
        ("root", "root"),
        ("sender@b\u00fccher.example", "sender@xn--bcher-kva.example"),
    ],
)
def test_sender_who_is_a_recipient_gets_one_notice(sender: str, recipient: str) -> None:
    assert copy_for(Envelope(sender, ("other@example.org", recipient)), []) is None


@pytest.mark.parametrize(
    "sender", ["root", "sender@example.com", "first.last+tag@example.com", "j\u00f6rg@b\u00fccher.example"]
)
def test_sender_gets_the_notice_at_the_address_that_he_wrote_from(sender: str) -> None:
    assert copy_for(Envelope(sender, ("recipient@example.org",)), []) == sender


@pytest.mark.parametrize(
    "sender",
    [
        "|/bin/sh",
        "/etc/passwd",
        ":include:/etc/passwd@example.com",
        "\\root",
        "-v",
        '"a,b"@example.com',
        "a,b@example.com",
        "a b@example.com",
        "a@example.com>,<b@example.com",
        "a%example.org@example.com",
        "example.org!a@example.com",
        "@example.org:a@example.com",
        "a@b@example.com",
        "a@example.com\n",
        "a@[127.0.0.1]",
        "\ufffd@example.com",
        "x" * 65 + "@example.com",
    ],
)
def test_sender_that_sendmail_could_take_for_more_than_an_address_is_added_to_no_message(sender: str) -> None:
    assert copy_for(Envelope(sender, ("recipient@example.org",)), []) is None
