"""Promise 4: a notice reaches those that the message names, and nobody whom it does not name."""

import time
from email.headerregistry import Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rig.fuzz.fragments import ADDRESS_PIECES
from rig.fuzz.headers import check_addresses
from woomera_milter.message.addresses import MAX_ADDRESS_LENGTH, address_of, recipients_of
from woomera_milter.message.fields import HeaderField, parse_header_block

READABLE = {
    "one": (b" a@x.example", ["a@x.example"]),
    "several": (b"a@x.example,b@y.example ,\tc@z.example", ["a@x.example", "b@y.example", "c@z.example"]),
    "in angle brackets": (b"<a@x.example>", ["a@x.example"]),
    "a name": (b"Ann Example <a@x.example>", ["a@x.example"]),
    "a quoted name with specials": (b'"Doe, John; <j@wrong.example>" <j@x.example>', ["j@x.example"]),
    "a quoted name with quoted pairs": (b'"a \\" <b@wrong.example>, \\\\" <a@x.example>', ["a@x.example"]),
    "a name with a dot": (b"John Q. Public <j@x.example>", ["j@x.example"]),
    "an address as the name": (b"old@x.example <new@x.example>", ["new@x.example"]),
    "an encoded name": (b"=?utf-8?q?=3Cw=40x=3E=2C?= <a@x.example>", ["a@x.example"]),
    "an 8-bit name": (
        b"J\xfcrgen \xff <j@x.example>, \xe2\x82\xac <e@x.example>",
        ["j@x.example", "e@x.example"],
    ),
    "a name in brackets": (b"[Team, A] <t@x.example>", ["t@x.example"]),
    "comments": (
        b"a@x.example (Ann, <w@x.example>), (\\) (nested)) b@x.example",
        ["a@x.example", "b@x.example"],
    ),
    "comments amid an address": (b"Ann <(1)a(2)@(3) x . example (4)> (5)", ["a@x.example"]),
    "a fold": (b"\r\n a@x.example,\r\n\tAnn\r\n Example\r\n <b@x.example>", ["a@x.example", "b@x.example"]),
    "a fold of LF alone": (b"a@x.example,\n b@x.example", ["a@x.example", "b@x.example"]),
    "trailing commas": (b", a@x.example, , b@x.example, ,", ["a@x.example", "b@x.example"]),
    "semicolons": (b"a@x.example; b@x.example;", ["a@x.example", "b@x.example"]),
    "a group": (
        b"Friends: a@x.example, B <b@x.example>;, c@x.example",
        ["a@x.example", "b@x.example", "c@x.example"],
    ),
    "a group with a quoted name": (b'"a, b: c": a@x.example;', ["a@x.example"]),
    "a group that does not end": (b"Friends: a@x.example", ["a@x.example"]),
    "undisclosed recipients": (b"undisclosed-recipients:;", []),
    "undisclosed recipients with a comment": (b"undisclosed-recipients: (none) ;", []),
    "empty": (b"", []),
    "white space": (b" \r\n ", []),
    "a route": (b"A <@a.example,@b.example:c@d.example>", ["c@d.example"]),
    "an obsolete route": (b"<, ,@a.example:c@d.example>", ["c@d.example"]),
    "a quoted local-part": (b'"a b,<\\">@c"@x.example', ['"a b,<\\">@c"@x.example']),
    "a local-part quoted in parts": (b'a."b c".d@x.example', ['a."b c".d@x.example']),
    "an address literal": (
        b"a@[192.0.2.1], <b@[IPv6:2001:db8::1]>",
        ["a@[192.0.2.1]", "b@[IPv6:2001:db8::1]"],
    ),
    "unusual atoms": (b"!#$%&'*+-/=?^_`{|}~@x.example", ["!#$%&'*+-/=?^_`{|}~@x.example"]),
    "dots of some mobile carriers": (b"a..b@x.example, .c.@x.example", ["a..b@x.example", ".c.@x.example"]),
    "spaces around dots": (b"a . b @ x . example", ["a.b@x.example"]),
    "beyond ASCII": ("j\u00fc@b\u00fccher.example".encode(), ["j\u00fc@b\u00fccher.example"]),
    "duplicates": (b"a@x.example, A <a@X.EXAMPLE>", ["a@x.example"]),
    "local-parts that differ by case": (b"a@x.example, A@x.example", ["a@x.example", "A@x.example"]),
}
UNREADABLE = {
    "no at sign": (b"root, a@x.example", ["a@x.example"], ["root"]),
    "no domain": (b"a@, b@x.example", ["b@x.example"], ["a@"]),
    "no local-part": (b"@x.example", [], ["@x.example"]),
    "two at signs": (b"a@b@x.example", [], ["a@b@x.example"]),
    "two words": (b"john smith@x.example", [], ["john smith@x.example"]),
    "two words around a comment": (b"john(a)smith@x.example", [], ["john(a)smith@x.example"]),
    "a domain that ends with a dot": (b"a@x.example.", [], ["a@x.example."]),
    "a domain with an empty label": (b"a@x..example", [], ["a@x..example"]),
    "an empty path": (b"Nobody <>", [], ["Nobody <>"]),
    "words after the address": (b"<a@x.example> b, c@x.example", ["c@x.example"], ["<a@x.example> b"]),
    "a missing comma": (b"<a@x.example> <b@x.example>", [], ["<a@x.example> <b@x.example>"]),
    "an encoded address": (b"=?utf-8?q?a=40x.example?=", [], ["a@x.example"]),
    "a route in a local-part": (b"<a@b:c@x.example>", [], ["<a@b:c@x.example>"]),
    "a group named like an address": (b"a@b: c@x.example", ["c@x.example"], ["a@b:"]),
    "a name with a comma": (b"Doe, John <j@x.example>", ["j@x.example"], ["Doe"]),
    "a bracket that never closes": (b"A <a@x.example, B <b@x.example>", ["b@x.example"], ["A <a@x.example"]),
    "a quote that never closes": (
        b'a@x.example, "B <b@x.example>, c@x.example',
        ["a@x.example"],
        ['"B <b@x.example>, c@x.example'],
    ),
    "a comment that never closes": (b"a@x.example (b, c@x.example", [], ["a@x.example (b, c@x.example"]),
    "a literal that never closes": (b"a@[192.0.2.1, b@x.example", [], ["a@[192.0.2.1, b@x.example"]),
    "a closing bracket too many": (b"a@x.example>, b@x.example", ["b@x.example"], ["a@x.example>"]),
    "a control character": (b"a\x00b@x.example, c@x.example", ["c@x.example"], ["ab@x.example"]),
    "an unseen character": ("a@x\u202e.example, b@x.example".encode(), ["b@x.example"], ["a@x.example"]),
    "a bare CR": (b"a@x.example\rRCPT TO:<b@x.example>", ["b@x.example"], ["a@x.example RCPT TO:"]),
    "a line break in quotes": (b'"a\rb"@x.example', [], ['"a b"@x.example']),
    "too long": (b"a" * MAX_ADDRESS_LENGTH + b"@x.example", [], ["a" * 200]),
}


def to(value: bytes) -> list[HeaderField]:
    return [HeaderField("To", value)]


@pytest.mark.parametrize(("value", "expected"), READABLE.values(), ids=READABLE)
def test_addresses_are_read(value: bytes, expected: list[str]) -> None:
    found = recipients_of(to(value))
    assert (list(found.addresses), found.unreadable) == (expected, ())


@pytest.mark.parametrize(("value", "expected", "unreadable"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_address_is_reported_and_not_guessed(
    value: bytes, expected: list[str], unreadable: list[str]
) -> None:
    found = recipients_of(to(value))
    assert (list(found.addresses), list(found.unreadable)) == (expected, unreadable)


def test_to_cc_and_bcc_are_read_wherever_they_stand_and_however_often() -> None:
    block = (
        b"Bcc: d@x.example\r\nFrom: f@x.example\r\nTO: a@x.example,\r\n b@x.example\r\n"
        b"Reply-To: r@x.example\r\nto: A <a@X.example>, c@x.example\r\n"
        b"Cc: e@x.example\r\n\r\nTo: body@x.example\r\n"
    )
    found = recipients_of(parse_header_block(block))
    assert found.addresses == tuple(f"{name}@x.example" for name in "dabce")


def test_a_message_without_recipients_has_none() -> None:
    found = recipients_of(parse_header_block(b"From: f@x.example\r\n\r\n"))
    assert (found.addresses, found.unreadable) == ((), ())


def test_the_last_resending_alone_says_whom_a_resent_message_is_for() -> None:
    block = (
        b"Received: by x.example\r\nResent-From: f@x.example\r\nResent-To: a@x.example\r\n"
        b"Resent-Bcc: b@x.example\r\n"
        b"Resent-From: g@x.example\r\nResent-To: earlier@x.example\r\nResent-Cc: earlier@x.example\r\n"
        b"To: first@x.example\r\nCc: first@x.example\r\n\r\n"
    )
    assert recipients_of(parse_header_block(block)).addresses == ("a@x.example", "b@x.example")


def test_a_resent_message_that_hides_its_recipients_is_not_sent_to_those_of_the_first_sending() -> None:
    block = b"Resent-From: f@x.example\r\nReceived: by x.example\r\nTo: first@x.example\r\n\r\n"
    assert recipients_of(parse_header_block(block)).addresses == ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b" Ann <a@x.example>", "a@x.example"),
        (b"Doe, John <j@x.example>", "j@x.example"),
        (b"a@x.example, b@x.example", "a@x.example"),
        (b"MAILER-DAEMON", None),
        (b"<>", None),
        (b"", None),
    ],
    ids=["a name", "a name with a comma", "two authors", "no address", "the null sender", "empty"],
)
def test_the_sender_is_the_first_address_of_from(value: bytes, expected: str | None) -> None:
    assert address_of(value) == expected


ATOM = st.text("abcXYZ019!#$%&'*+-/=?^_`{|}~\u00fc\u65e5", min_size=1, max_size=8)
ODD_LOCAL_PART = st.text("ab ,;:<>@().[]\\\"'", min_size=1, max_size=10)
LOCAL_PART = st.lists(ATOM, min_size=1, max_size=3).map(".".join) | ODD_LOCAL_PART.filter(
    lambda text: text.strip(".")  # it writes dots alone without the quotes that they need
)
DOMAIN = st.lists(st.text("abc-019", min_size=1, max_size=8), min_size=1, max_size=3).map(".".join)
NAME = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=20)


@given(st.lists(st.builds(Address, NAME, username=LOCAL_PART, domain=DOMAIN), max_size=5))
def test_what_the_standard_library_writes_is_read_as_it_was_meant(mailboxes: list[Address]) -> None:
    found = recipients_of(to(", ".join(map(str, mailboxes)).encode()))
    distinct = {(it.username, it.domain.lower()): it.addr_spec for it in reversed(mailboxes)}
    assert (set(found.addresses), found.unreadable) == (set(distinct.values()), ())


@given(st.binary(max_size=200) | st.text('a@.,;:<>()[]"\\ \r\n\t\0\u00fc', max_size=60).map(str.encode))
@example(b"<@a:" * 20)
def test_no_octets_raise_and_no_address_could_break_out_of_its_command(value: bytes) -> None:
    check_addresses(to(value))


@pytest.mark.parametrize("unit", ADDRESS_PIECES, ids=ascii)
def test_hostile_values_take_linear_time(unit: str) -> None:
    value = unit.encode("latin-1") * (100_000 // len(unit))
    started_s = time.process_time()
    recipients_of(to(value))
    assert time.process_time() - started_s < 3
