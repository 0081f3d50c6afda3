"""Of a header section of more than 64 KB, what a recipient needs stays longest."""

import email
import email.policy
from email.utils import getaddresses

import pytest

from tests.unit.notice.header_edit_cases import NEEDED, fields, theirs, wire
from woomera_milter.message.fields import HeaderField


@pytest.mark.parametrize(
    "lines",
    [
        [f"X-Junk-{number}: {'j' * 900}" for number in range(100)],
        [f"Received: from a by b; {'r' * 900}" for _ in range(100)],
        [f"ARC-Seal: {'s' * 900}" for _ in range(100)],
        [f"Authentication-Results: {'a' * 900}" for _ in range(100)],
    ],
    ids=["X-", "Received", "ARC", "Authentication-Results"],
)
def test_trace_and_x_fields_go_first_from_more_than_64_kb(lines: list[str]) -> None:
    headers = fields(*lines[:50]) + NEEDED + fields(*lines[50:])
    section = theirs(headers)
    assert [field for field in section if field in NEEDED] == NEEDED
    assert 62 * 1024 < len(wire(section)) <= 64 * 1024


def test_received_fields_stay_as_long_as_other_trace_can_go() -> None:
    headers = fields(*["Received: from a by b; c"] * 20, *[f"X-Junk: {'j' * 900}"] * 80) + NEEDED
    assert [field.name for field in theirs(headers)].count("Received") == 20


def test_giant_to_loses_its_last_addresses_and_stays_valid() -> None:
    addresses = [f'"User, {number}" <user{number}@example.com>' for number in range(3000)]
    headers = [HeaderField("To", (" " + ",\r\n ".join(addresses)).encode()), *NEEDED]
    section = theirs(headers)
    assert section[1:] == NEEDED
    kept = [address for _, address in getaddresses([section[0].value.replace(b"\r\n", b"").decode()])]
    assert kept == [f"user{number}@example.com" for number in range(len(kept))]
    assert 58 * 1024 < len(wire(section)) <= 64 * 1024


def test_giant_group_is_still_closed_after_a_cut() -> None:
    members = ",\r\n ".join(f"user{number}@example.com" for number in range(5000))
    (to,) = [field for field in theirs(fields(f"To: team: {members};")) if field.name == "To"]
    message = email.message_from_bytes(wire([to]) + b"\r\n", policy=email.policy.default)
    assert len(message["To"].groups) == 1
    assert not message["To"].defects


def test_giant_references_lose_their_oldest_ids() -> None:
    references = b"".join(b"\r\n <%d@example.com>" % number for number in range(5000))
    (field,) = theirs([HeaderField("References", references)])
    assert field.value.split()[-1] == b"<4999@example.com>"
    assert field.value.split()[0] != b"<0@example.com>"


def test_giant_name_of_a_sender_is_cut_rather_than_the_address() -> None:
    name = b'"' + b"x" * 70_000 + b'"'
    (field,) = theirs([HeaderField("From", b" %s <joerg@example.com>" % name)])
    assert field.value.strip() == b"<joerg@example.com>"


def test_sender_and_recipients_stay_longest() -> None:
    headers = NEEDED + fields(*[f"Other-{number}: {'o' * 900}" for number in range(100)])
    assert [field for field in theirs(headers) if field in NEEDED] == NEEDED
    many_to = fields(*[f"To: {'t' * 900}@example.com" for _ in range(100)])
    section = theirs(NEEDED + many_to)
    assert section[0] == NEEDED[0]
    assert {field.name for field in section} == {"From", "To"}


def test_name_too_long_to_share_a_line_goes_with_a_value_that_is_not_safe() -> None:
    assert theirs(fields("X-" + "n" * 995 + ": value")) == []
