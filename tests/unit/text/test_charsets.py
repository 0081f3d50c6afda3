"""Octets in any charset, named or not, give text that a person can read."""

from encodings.aliases import aliases

import pytest

from woomera_milter.text.charsets import decode


@pytest.mark.parametrize(
    ("octets", "charset", "text"),
    [
        ("Grüße".encode(), "utf-8", "Grüße"),
        ("Grüße".encode(), "", "Grüße"),
        ("Grüße".encode(), "no-such-charset", "Grüße"),
        ("Grüße".encode(), "us-ascii", "Grüße"),
        ("Grüße".encode("cp1252"), "UTF-8", "Grüße"),
        ("Grüße".encode("cp1252"), "", "Grüße"),
        ("“Grüße”".encode("cp1252"), "ISO-8859-1", "“Grüße”"),
        ("Привет".encode("koi8-r"), "KOI8-R", "Привет"),
        ("日本".encode("cp932"), "Shift_JIS", "日本"),
        ("Grüße aus Köln, später mehr".encode() + b"\xff", "utf-8", "Grüße aus Köln, später mehr\ufffd"),
        ("Grüße".encode("utf-16"), "utf-16", "Grüße"),
        ("Grüße".encode("utf-16-le"), "utf-16", "Grüße"),
        (b"abc", "hex", "abc"),
        (b"abc", "idna", "abc"),
        (b"abc", "\x00", "abc"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_any_charset_right_or_wrong_gives_readable_text(octets: bytes, charset: str, text: str) -> None:
    assert decode(octets, charset) == text


@pytest.mark.parametrize("complete", [True, False])
def test_no_charset_that_python_knows_can_raise(complete: bool) -> None:
    for charset in {*aliases, *aliases.values()}:
        text = decode(bytes(range(256)) * 3 + b"+2AA\x1b$B~{\xff", charset, complete=complete)
        assert text.encode().decode() == text


def test_a_character_cut_off_at_the_end_is_left_out() -> None:
    assert decode("aü".encode()[:-1], "utf-8", complete=False) == "a"
