"""Promises 5 and 6 for the notice as a new message: known as the original's, and nobody's tool."""

from datetime import UTC, datetime
from typing import Any

import pytest

from woomera_milter.errors import PermanentError
from woomera_milter.message.encoding import wire
from woomera_milter.message.fields import HeaderField, first, parse_header_block
from woomera_milter.message.rewriting import most_added_bytes
from woomera_milter.notice.new_message import Heading, heading, kept_of, message
from woomera_milter.notice.notice import Notice

NOTICE = Notice('multipart/alternative; boundary="=_b"', b"--=_b--\r\n")
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


def made(section: bytes, **changes: Any) -> Heading:
    settings: dict[str, Any] = {
        "woomera_id": "swept-1",
        "envelope_sender": "bounces@example.com",
        "sender": None,
        "subject_prefix": "",
        "now": NOW,
    }
    return heading(kept_of(parse_header_block(section)), **(settings | changes))


def value(heading: Heading, name: str) -> bytes | None:
    found = first(heading.fields, name)
    return None if found is None else found.strip()


def test_only_what_people_know_the_original_by_is_kept() -> None:
    section = b"Received: x\r\nFrom: a@example.com\r\nTo: b@example.org\r\nBcc: c@example.org\r\nX-Y: z\r\n"
    names = [field.name for field in made(section).fields]
    assert names == [
        *("From", "To", "Date", "Message-ID", "Auto-Submitted", "X-Woomera-Id", "MIME-Version"),
        "Content-Transfer-Encoding",
    ]


def test_the_message_id_is_the_same_each_time_and_of_the_senders_domain() -> None:
    ids = {value(made(b"From: a@example.com\r\n", now=now), "Message-ID") for now in (NOW, datetime.now(UTC))}
    assert ids == {b"<swept-1.woomera@example.com>"}


def test_a_resent_notice_has_a_message_id_of_its_own() -> None:
    assert (
        value(made(b"From: a@example.com\r\n", serial=2), "Message-ID") == b"<swept-1.2.woomera@example.com>"
    )


def test_references_lead_to_the_original() -> None:
    assert value(made(b"From: a@example.com\r\nMessage-ID:\r\n <1@x>\r\n"), "References") == b"<1@x>"


@pytest.mark.parametrize(
    ("section", "reply_to"),
    [
        (b"From: A <a@example.com>\r\n", b"A <a@example.com>"),
        (b"From: A <a@example.com>\r\nReply-To: desk@example.com\r\n", b"desk@example.com"),
    ],
)
def test_replies_go_to_the_original_sender_when_the_sweep_signs(section: bytes, reply_to: bytes) -> None:
    signed = made(section, sender="woomera@example.com")
    assert (value(signed, "From"), value(signed, "Reply-To")) == (b"<woomera@example.com>", reply_to)


@pytest.mark.parametrize("section", [b"", b"From: nobody at all\r\n"])
def test_a_message_without_an_author_is_its_envelope_senders(section: bytes) -> None:
    assert value(made(section), "From") == b"<bounces@example.com>"
    with pytest.raises(PermanentError, match=r"sweep\.sender"):
        made(section, envelope_sender="")


def test_a_missing_subject_stays_missing_but_for_a_prefix() -> None:
    assert value(made(b"From: a@example.com\r\n"), "Subject") is None
    prefixed = made(b"From: a@example.com\r\n", subject_prefix="[large] ")
    assert (value(prefixed, "Subject") or b"").startswith(b"[large]")


def test_hostile_and_8_bit_fields_become_safe_ones() -> None:
    kept = [
        HeaderField("From", "Zoë\r\nBcc: x@evil.example <a@example.com>".encode()),
        HeaderField("To", b"b@example.org, " * 2000),
        HeaderField("Subject", "Größer\r\n\r\nals\x00".encode() + b"y" * 3000),
    ]
    octets = message(
        heading(
            kept_of(kept),
            woomera_id="swept-1",
            envelope_sender="e@example.com",
            sender=None,
            subject_prefix="",
            now=NOW,
        ),
        NOTICE,
    )
    section, _, body = octets.partition(b"\r\n\r\n")
    assert body == NOTICE.body
    assert section.isascii()
    assert max(map(len, section.split(b"\r\n"))) < 998
    assert not [line for line in section.split(b"\r\n") if line.lower().startswith(b"bcc")]


@pytest.mark.parametrize("entry", [b"user%d", b"J\xc3\xbcrgen <user%d@example.org>"], ids=["local", "8 bits"])
def test_what_any_sendmail_makes_of_many_recipients_leaves_room_for_the_notice(entry: bytes) -> None:
    many = b",".join(entry % number for number in range(3000))
    new = made(b"From: a@example.com\r\nTo: " + many + b"\r\nCc: " + many + b"\r\n")
    assert new.relayed_bytes == sum(len(wire(it)) for it in new.fields) + most_added_bytes(
        new.fields, ["x" * 255]
    )
    assert new.relayed_bytes < 65 * 1024
    assert b" more:;" in (value(new, "To") or b"")
