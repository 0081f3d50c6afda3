"""Of a header section of more than 64 KB, what a recipient needs stays longest."""

import email
import email.policy
from email.utils import getaddresses

import pytest

from tests.unit.notice.header_edit_cases import NEEDED, fields, theirs, wire
from woomera_milter.message.fields import HeaderField
from woomera_milter.message.rewriting import most_added_bytes
from woomera_milter.notice.header_edits import HeaderEdits


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
    to = section[0].value.replace(b"\r\n", b"").decode()
    kept = [address for _, address in getaddresses([to]) if address]
    assert to.endswith(f", and {3000 - len(kept)} more:;")
    assert kept == [f"user{number}@example.com" for number in range(len(kept))]
    assert 62 * 1024 < len(wire(section)) + most_added_bytes(section) <= 64 * 1024


def test_giant_group_is_still_closed_after_a_cut() -> None:
    members = ",\r\n ".join(f"user{number}@example.com" for number in range(5000))
    (to,) = [field for field in theirs(fields(f"To: team: {members};")) if field.name == "To"]
    message = email.message_from_bytes(wire([to]) + b"\r\n", policy=email.policy.default)
    team, others = message["To"].groups
    assert others.display_name == f"and {5000 - len(team.addresses)} more"
    assert not others.addresses
    assert not message["To"].defects


LONG_NAME = f"{'h' * 60}.{'k' * 60}.{'m' * 60}.example.org"


@pytest.mark.parametrize(
    "to",
    [
        b",".join(b"user%d" % number for number in range(3000)),
        b",".join(b"u%d@example.org" % number for number in range(3000)),
        b", ".join("Jörg Müller <joerg%d@example.org>".encode() % number for number in range(1000)),
        b" ".join(b"user%d" % number for number in range(3000)),
        b"team:" + b",".join(b"user%d" % number for number in range(3000)) + b";",
        b'"' + b",".join(b"user%d" % number for number in range(3000)),
    ],
    ids=["local names", "no spaces", "8 bits", "blanks between", "a group", "an open quote"],
)
@pytest.mark.parametrize("own_names", [(), (LONG_NAME,), ("x" * 255, "example.com")])
def test_what_sendmail_makes_of_long_address_fields_fits_too(to: bytes, own_names: tuple[str, ...]) -> None:
    headers = [*NEEDED[:1], HeaderField("To", b" " + to), HeaderField("Cc", b" " + to), *NEEDED[3:]]
    edits = HeaderEdits(headers, "", own_names)
    relayed_bytes = len(wire(edits.kept)) + most_added_bytes(edits.kept, own_names)
    assert relayed_bytes == edits.relayed_bytes <= 64 * 1024
    assert [field for field in edits.kept if field in NEEDED] == [*NEEDED[:1], *NEEDED[3:]]


def test_the_senders_fields_are_shortened_last() -> None:
    many = b",".join(b"user%d" % number for number in range(1000))
    headers = [HeaderField(name, b" " + many) for name in ("From", "Reply-To", "To", "Cc")]
    kept = {field.name: field.value for field in HeaderEdits(headers, "", ("h" * 30,)).kept}
    assert b"user999" in kept["From"]
    assert b" more:;" in kept["To"]
    assert b" more:;" in kept["Cc"]


def test_senders_that_do_not_fit_are_not_counted_in_a_group() -> None:
    many = b",".join(b"user%d@example.com" % number for number in range(5000))
    (field,) = theirs([HeaderField("From", b" " + many)])
    assert b":" not in field.value


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
