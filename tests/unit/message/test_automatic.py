"""Mail to which nobody should write back, as those tell it apart who answer mail."""

import pytest

from woomera_milter.message.automatic import is_automatic
from woomera_milter.message.fields import parse_header_block

SENDER = "sender@example.com"


@pytest.mark.parametrize(
    "sender",
    [
        "",
        "owner-list@example.com",
        "list-owner@example.com",
        "List-Request@example.com",
        "list-bounces@example.com",
        "list-bounces+user=example.org@example.com",
        "bounces+123-abc-user=example.org@example.com",
        "bounce-123@example.com",
        "list-return-12-user=example.org@example.com",
        "MAILER-DAEMON",
        "MAILER-DAEMON@example.com",
        "listserv@example.com",
        "majordomo@example.com",
        "no-reply@example.com",
        "noreply+tag@example.com",
        "Do-Not-Reply@example.com",
    ],
)
def test_sender_whom_no_person_reads_is_told_by_its_name(sender: str) -> None:
    assert is_automatic(sender, [])


@pytest.mark.parametrize(
    "sender",
    [SENDER, "root", "bouncer@example.com", "owner@example.com", "a-list@example.com", "reply@x.org"],
)
def test_other_senders_are_people(sender: str) -> None:
    assert not is_automatic(sender, [])


@pytest.mark.parametrize(
    "field",
    [
        "Auto-Submitted: auto-generated",
        "auto-submitted: Auto-Replied; owner-email=x@example.com",
        "Auto-Submitted: (no) auto-notified",
        "Auto-Submitted:",
        "Auto-Submitted: no\r\nAuto-Submitted: auto-generated",
        "Precedence: bulk",
        "Precedence:\r\n\tList (of people)",
        "PRECEDENCE: junk",
        "List-Id: <list.example.com>",
        "List-Unsubscribe: <https://example.com/>",
        "X-Auto-Response-Suppress: All",
        "X-Auto-Response-Suppress: DR, OOF, AutoReply",
        "X-Autoreply: yes",
        "Feedback-ID: campaign:example",
    ],
)
def test_automatic_mail_and_that_of_lists_is_told_by_its_fields(field: str) -> None:
    assert is_automatic(SENDER, parse_header_block(field.encode() + b"\r\nSubject: x\r\n"))


@pytest.mark.parametrize(
    "field",
    [
        "Subject: Precedence: bulk",
        "Auto-Submitted: no",
        "Auto-Submitted: (a person) NO ; x=y",
        "Precedence: first-class",
        "X-Auto-Response-Suppress: DR, RN",
        "X-Auto-Response-Suppress: None",
        "Listing: 3",
    ],
)
def test_other_fields_say_nothing(field: str) -> None:
    assert not is_automatic(SENDER, parse_header_block(field.encode() + b"\r\n"))


@pytest.mark.parametrize("value", [b"(" * 100_000, b"\xff" * 100_000, b"no(" * 50_000, b"=?x?q?" * 20_000])
def test_hostile_values_cost_little_and_raise_nothing(value: bytes) -> None:
    is_automatic("-" * 2000, parse_header_block(b"Auto-Submitted: " + value + b"\r\n"))
