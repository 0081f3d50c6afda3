"""Header values and parameters read as their sender meant them, whatever program wrote them."""

import pytest

from woomera_milter.message.decoding import base64_octets, header_summary, text_of
from woomera_milter.message.fields import parse_header_block

READINGS = {
    "plain": (b" Quarterly figures", "Quarterly figures"),
    "folded": (b" Quarterly\r\n figures", "Quarterly figures"),
    "folded with a tab": (b" Quarterly\r\n\tfigures", "Quarterly figures"),
    "folded with LF": (b" Quarterly\n figures", "Quarterly figures"),
    "inner spaces stay": (b" a  b", "a  b"),
    "base64 word": (b" =?UTF-8?B?R3LDvMOfZQ==?=", "Grüße"),
    "base64 word without padding": (b" =?UTF-8?B?R3LDvMOfZQ?=", "Grüße"),
    "quoted word": (b" =?iso-8859-1?Q?Gr=FC=DFe_aus_K=F6ln?=", "Grüße aus Köln"),
    "word within text": (b" Re: =?utf-8?q?caf=C3=A9?= today", "Re: café today"),
    "adjacent words join": (b" =?utf-8?q?caf=C3=A9?=\r\n =?utf-8?q?_noir?=", "café noir"),
    "a character split between words": (
        b" =?utf-8?B?w7w=?= =?utf-8?b?w58=?= =?UTF-8?Q?=C3?= =?utf-8?Q?=BC?=",
        "üßü",
    ),
    "adjacent words of two charsets": (b" =?utf-8?q?=C3=BC?= =?iso-8859-1?q?=DF?=", "üß"),
    "language tag": (b" =?utf-8*de?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
    "chinese as gb2312 that is gbk": (b" =?gb2312?B?lkZhYWE=?=", "朏aaa"),
    "japanese": (b" =?ISO-2022-JP?B?GyRCRnxLXBsoQg==?=", "日本"),
    "unknown charset is guessed": (b" =?x-nonsense?q?caf=C3=A9?=", "café"),
    "smart quotes called latin-1": (b" =?iso-8859-1?q?=93yes=94?=", "“yes”"),
    "address with a name": (b" =?utf-8?q?J=C3=BCrgen?= <j@example.com>", "Jürgen <j@example.com>"),
    "raw UTF-8": ("Grüße".encode(), "Grüße"),
    "raw windows-1252": (b" Gr\xfc\xdfe \x80 5", "Grüße € 5"),
    "broken word is shown as it is": (b" =?utf-8?x?abc?= =?utf-8?q?abc", "=?utf-8?x?abc?= =?utf-8?q?abc"),
    "question marks within": (b" =?utf-8?Q?what is this??= =?utf-8?Q?_really???=", "what is this? really??"),
    "a question mark before an octet": (b" =?utf-8?Q?caf=C3=A9?=C3=A9?= x", "café?é x"),
    "a question mark, and an unclosed word": (b" =?utf-8?q?a? =?utf-8?q?b?=", "=?utf-8?q?a? b"),
    "words without a gap": (b" =?utf-8?q?a?==?utf-8?q?b?=", "ab"),
    "an empty word": (b" =?utf-8?q??= x =?utf-8?b??=", " x".strip()),
    "a word within quotes": (b' "=?utf-8?q?J=C3=BCrgen?=" <j@example.com>', '"Jürgen" <j@example.com>'),
    "a word within a word": (b" a=?utf-8?q?=C3=BC?=b", "aüb"),
    "vendors' rows": (b" =?ISO-2022-JP?B?GyRCQmgtITJzGyhC?=", "第①回"),
    "raw JIS": (b" \x1b$BF|K\\\x1b(B", "日本"),
    "empty": (b"", ""),
    "encoded line breaks become spaces": (b" =?utf-8?q?a=0D=0ABcc:_b@example.com?=", "a  Bcc: b@example.com"),
    "NUL and escapes go": (b" a\x00b\x1b[31mc\x7f", "ab[31mc"),
    "reordering marks go": ("exe.\u202egpj\u2066\u200f".encode(), "exe.gpj"),
    "a surrogate out of UTF-7 is harmless": (b" =?utf-7?q?+2AA-x?=", "\ufffdx"),
    "python's own codecs are no charsets": (
        b" =?unicode_escape?q?=5Cq?= =?rot13?q?abc?= =?hex?q?41?=",
        "\\qabc41",
    ),
}


@pytest.mark.parametrize(("value", "text"), READINGS.values(), ids=READINGS)
def test_a_header_value_reads_as_its_sender_meant_it(value: bytes, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize(
    "value",
    [
        b"=?a?q?" * 150_000,
        b"=?" * 500_000,
        b"=?a?q?b?= " * 100_000,
        b"=?a?b?=?=" * 100_000,
        b"\r\n " * 300_000,
        b"=?a?q?" + b"?=" * 500_000,
        b"=?a?q?" + b"? " * 500_000,
        b"=?a?q?" + b"?=AB" * 250_000,
        b"=?a?q?"
        + b"=?aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" * 12_000,
        b"=?a?q?" + b"x" * 1_000_000,
        b"=?iso-2022-jp?b?GyRC?=\x1b$B" * 40_000,
    ],
    ids=[
        *("unclosed words", "openings", "words", "empty words", "folds", "ends", "question marks"),
        *("octets behind question marks", "charsets without an end", "one unclosed word", "JIS escapes"),
    ],
)
def test_a_megabyte_of_hostile_header_is_decoded_in_linear_time(value: bytes) -> None:
    # Quadratic time would be minutes here, and the run would not end.
    assert isinstance(text_of(value), str)


def test_facts_are_decoded_and_empty_where_a_field_is_missing() -> None:
    facts = header_summary(
        parse_header_block(
            b"From: =?utf-8?q?J=C3=BC?= <a@example.com>\r\nTO: b@example.com,\r\n c@example.com\r\n"
            b"Subject: x\r\nMessage-Id: <1@example.com>\r\n"
        )
    )
    assert facts.header_from == "Jü <a@example.com>"
    assert facts.to == "b@example.com, c@example.com"
    assert facts.subject == "x"
    assert facts.message_id == "<1@example.com>"
    assert (facts.cc, facts.reply_to, facts.date) == ("", "", "")


@pytest.mark.parametrize(
    ("characters", "octets"),
    [(b"", b""), (b"Q", b""), (b"QQ", b"A"), (b"QUI", b"AB"), (b"QUJD", b"ABC"), (b"QUJDQ", b"ABC")],
)
def test_base64_without_padding_gives_every_whole_octet(characters: bytes, octets: bytes) -> None:
    assert base64_octets(characters) == octets


def test_raw_8_bit_is_in_the_fallback_charset_unless_it_is_utf_8() -> None:
    assert text_of("Десятка лучших".encode("koi8-r"), "koi8-r") == "Десятка лучших"
    assert text_of("見積書".encode("cp932"), "Shift_JIS") == "見積書"
    assert text_of("Grüße".encode(), "koi8-r") == "Grüße"
    assert text_of("Grüße".encode("cp1252"), "utf-8") == "Grüße"
    assert text_of(b"=?utf-8?q?=C3=BC?= \xd0", "koi8-r") == "ü п"
