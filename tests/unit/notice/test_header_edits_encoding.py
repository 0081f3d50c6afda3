"""8-bit text, control characters and long lines of a header become what SES takes, and say the same."""

import email
import email.policy
import re
from email.utils import getaddresses

import pytest

from tests.unit.notice.header_edit_cases import fields, theirs, value_of
from woomera_milter.message.decoding import text_of

# ---- 8-bit ----


@pytest.mark.parametrize(
    ("line", "decoded"),
    [
        ("Subject: Grüße aus Köln", "Grüße aus Köln"),
        ("Subject: Grüße".encode("windows-1252"), "Grüße"),
        ("Subject: =?iso-8859-1?q?Gr=FC=DFe?= aus Köln", "Grüße aus Köln"),
        ("Subject: " + "日本語の件名" * 60, "日本語の件名" * 60),
        ("X-Team: Bäckerei", "Bäckerei"),
        ("Comments: ü\r\n ö", "ü ö"),
        ("Subject: Grüße\r\n\t=?utf-8?b?8J+YgA==?=", "Grüße \U0001f600"),
    ],
)
def test_eight_bit_text_becomes_encoded_words_that_say_the_same(line: str | bytes, decoded: str) -> None:
    value = value_of(line)
    assert value.isascii()
    assert text_of(value) == decoded
    assert max(len(line) for line in value.split(b"\r\n")) <= 76


@pytest.mark.parametrize(
    ("value", "mailboxes"),
    [
        ("Jörg Müller <joerg@example.com>", [("Jörg Müller", "joerg@example.com")]),
        ('"Müller, Jörg" <joerg@example.com>', [("Müller, Jörg", "joerg@example.com")]),
        ('"Jörg \\"JM\\" M." <joerg@example.com>', [('Jörg "JM" M.', "joerg@example.com")]),
        ("Jörg<joerg@example.com>", [("Jörg", "joerg@example.com")]),
        ("joerg@example.com (Jörg Müller)", [("Jörg Müller", "joerg@example.com")]),
        (
            "Ann <a@example.com>, Jörg <j@example.com>,Bäh <b@example.com>",
            [("Ann", "a@example.com"), ("Jörg", "j@example.com"), ("Bäh", "b@example.com")],
        ),
        ("Jörg =?utf-8?q?M=C3=BCller?= <j@example.com>", [("Jörg Müller", "j@example.com")]),
        ("Jörg <jörg@bücher.example>", None),
        ("Jo <jo@bücher.example>", [("Jo", "jo@xn--bcher-kva.example")]),
        ("jo@bücher.example", [("", "jo@xn--bcher-kva.example")]),
        ("Jo <j@straße.de>", [("Jo", "j@xn--strae-oqa.de")]),  # strasse.de is another's domain
        ("j@Straße.DE", [("", "j@xn--strae-oqa.de")]),
        ('Jörg <"odd, name"@example.com>', [("Jörg", '"odd, name"@example.com')]),
        ('"Jörg <joerg@example.com>', None),
        ("Jörg (unclosed <joerg@example.com>", None),
        ("Jörg <joerg@example.com", None),
    ],
)
@pytest.mark.parametrize("name", ["From", "To", "Cc", "Reply-To", "Sender", "Resent-To"])
def test_eight_bit_names_are_encoded_and_addresses_kept(
    name: str, value: str, mailboxes: list[tuple[str, str]] | None
) -> None:
    safe = value_of(f"{name}: {value}")
    assert safe.isascii()
    if mailboxes is None:  # not valid as it came in, or in need of SMTPUTF8: ASCII, and nothing is lost
        for address in re.findall(r"[a-z]+@example\.com", value):
            assert address in safe.decode()
        assert "Jörg" in text_of(safe)
    else:
        parsed = getaddresses([safe.replace(b"\r\n", b"").decode()])
        assert [(text_of(shown.encode()), address) for shown, address in parsed] == mailboxes


def test_address_that_ascii_cannot_hold_becomes_an_empty_group() -> None:
    safe = value_of("To: José <josé@example.com>, ann@example.com")
    message = email.message_from_bytes(b"To:" + safe + b"\r\n\r\n", policy=email.policy.default)
    (group, ann) = message["To"].groups
    assert "josé@example.com" in group.display_name
    assert group.addresses == ()
    assert ann.addresses[0].addr_spec == "ann@example.com"


def test_full_width_brackets_make_no_second_address() -> None:
    safe = value_of("From: A <a@b.example\uff1e\uff1cevil\uff20evil.example>")
    assert b"evil@evil" not in safe
    assert b"><" not in safe


def test_encoded_word_with_a_comma_makes_no_second_address() -> None:
    safe = value_of("From: =?utf-8?q?evil=40evil=2Eexample=2C?= Jörg <joerg@example.com>")
    assert [address for _, address in getaddresses([safe.decode()])] == ["joerg@example.com"]


def test_eight_bit_comment_of_a_date_leaves_the_date_readable() -> None:
    safe = value_of("Date: Tue, 24 Nov 2026 06:24:00 +0100 (Mitteleuropäische Zeit)")
    assert safe.startswith(b" Tue, 24 Nov 2026 06:24:00 +0100\r\n (=?utf-8?")
    assert text_of(safe).endswith("(Mitteleuropäische Zeit)")


def test_eight_bit_message_id_leaves_the_others_alone() -> None:
    safe = value_of("References: <1@example.com> <ü@example.com> <3@example.com>")
    assert safe.split()[0] == b"<1@example.com>"
    assert safe.split()[-1] == b"<3@example.com>"
    assert "<ü@example.com>" in text_of(safe)


# ---- control characters and long lines ----


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b"Subject: a\x00b\x07c\x7fd", b" a b c d"),
        (b"Subject: a\rBcc: victim@example.com", b" a Bcc: victim@example.com"),
        (b"Subject: a\nBcc: victim@example.com", b" a Bcc: victim@example.com"),
        (b"Subject: a\r\nBcc: victim@example.com", b" a  Bcc: victim@example.com"),
        (b"Subject: a\r\n\r\nbody", b" a    body"),
        (b"Subject: a\n b", b" a  b"),
        (b"From: a\x00b <a@example.com>", b" a b <a@example.com>"),
        (b"Subject: \x00", b" "),
    ],
)
def test_control_characters_become_spaces_and_inject_nothing(line: bytes, value: bytes) -> None:
    assert value_of(line) == value


def test_tab_and_folds_are_no_reason_to_touch_a_field() -> None:
    headers = fields("Subject: a\tb\r\n\tc\r\n d")
    assert theirs(headers) == headers


@pytest.mark.parametrize("name", ["Subject", "X-Note", "To", "References", "Received"])
def test_long_line_is_folded_at_white_space(name: str) -> None:
    words = b" " + b" ".join(b"<%d@example.com>," % number for number in range(200))
    safe = value_of(name.encode() + b":" + words)
    assert safe.replace(b"\r\n", b"") == words
    assert all(line.startswith(b" ") for line in safe.split(b"\r\n"))
    assert max(len(line) for line in safe.split(b"\r\n")) <= 78


def test_line_of_just_990_octets_stays_and_one_of_991_is_folded() -> None:
    short, long = (fields(b"Subject: " + b"ab " * 320 + b"c" * (length - 969)) for length in (990, 991))
    assert theirs(short) == short
    assert theirs(long) != long


def test_long_text_without_white_space_becomes_encoded_words() -> None:
    safe = value_of(b"Subject: " + b"x" * 30_000)
    assert text_of(safe) == "x" * 30_000
    assert max(len(line) for line in safe.split(b"\r\n")) <= 76


def test_addresses_without_white_space_are_folded_after_commas() -> None:
    addresses = [f"user{number}@example.com" for number in range(300)]
    safe = value_of("To: " + ",".join(addresses))
    assert [address for _, address in getaddresses([safe.replace(b"\r\n", b"").decode()])] == addresses
    assert max(len(line) for line in safe.split(b"\r\n")) <= 78


def test_references_run_together_are_folded_between_ids() -> None:
    safe = value_of("References: " + "".join(f"<{number}@example.com>" for number in range(300)))
    assert safe.split() == [b"<%d@example.com>" % number for number in range(300)]


def test_giant_display_name_leaves_the_address() -> None:
    safe = value_of('From: "' + "x" * 5000 + '" <joerg@example.com>')
    ((name, address),) = getaddresses([safe.replace(b"\r\n", b"").decode()])
    assert (text_of(name.encode()), address) == ("x" * 5000, "joerg@example.com")
