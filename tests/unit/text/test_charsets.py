"""Octets in any charset, named or not, give text that a person can read."""

import time
from encodings.aliases import aliases

import pytest

from woomera_milter.text.charsets import decode, decode_html


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


VENDOR_ROWS = {
    "JIS: NEC's row": (b"\x1b$B-!-j-(\x1b(B", "iso-2022-jp", "①㈱⑧"),
    "JIS: IBM's rows": (b"\x1b$B|b66\x1b(B", "iso-2022-jp", "髙橋"),
    "JIS: katakana by escape": (b"\x1b(I6E6\x1b(B x", "iso-2022-jp", "ｶﾅｶ x"),
    "JIS: katakana by shift": (b"\x0e6E6\x0f x", "iso-2022-jp", "ｶﾅｶ x"),
    "JIS: of 1978, 1990, supplementary": (
        b'\x1b$@F|\x1b&@\x1b$BK\\\x1b$(D"/\x1b(J.',
        "iso-2022-jp",
        "日本˘.",
    ),
    "JIS: a wave as Windows has it": (b"\x1b$B!A\x1b(B", "iso-2022-jp", "\uff5e"),
    "JIS: UTF-8 below": (b"\x1b$BF|\x1b(B\n" + "— Füße".encode(), "iso-2022-jp", "日\n— Füße"),
    "JIS: Shift_JIS within": (b"\x1b$BF|\x1b(B \x83e\x83X\x83g", "iso-2022-jp", "日 テスト"),
    "JIS: katakana in 8 bits": (b"\xb6\xc5\xb6 x", "iso-2022-jp", "ｶﾅｶ x"),
    "JIS without a label": (b"\x1b$BF|K\\\x1b(B", "", "日本"),
    "JIS called ASCII": (b"\x1b$BF|K\\\x1b(B", "us-ascii", "日本"),
    "EUC-JP: vendors' rows": (b"\xad\xa1\xad\xea \xfc\xe2\xb6\xb6", "euc-jp", "①㈱ 髙橋"),
    "EUC-JP: supplementary": (b"\x8f\xa2\xaf\x8e\xb6", "x-euc-jp", "˘ｶ"),
    "Big5: ETEN and the euro": (b"\xf9\xd8 \xa3\xe1 \xf9\xd6\xc6\xa1", "big5", "裏 € 碁①"),
    "Big5: Hong Kong": ("咗啲嘢喺".encode("big5hkscs"), "Big5-HKSCS", "咗啲嘢喺"),
    "Big5: a dot in a name": (b"\xa1\x45", "big5", "‧"),
    "GBK: the euro": (b"\x80 100 \xc4\xe3", "gb2312", "€ 100 你"),
}


@pytest.mark.parametrize(("octets", "charset", "text"), VENDOR_ROWS.values(), ids=VENDOR_ROWS)
def test_characters_that_vendors_added_are_read(octets: bytes, charset: str, text: str) -> None:
    assert decode(octets, charset) == text


IN_DISGUISE = {
    "iso-2022-jp": "こんにちは。見積書を送ります。",
    "euc-jp": "こんにちは。見積書を送ります。",
    "shift_jis": "こんにちは。見積書を送ります。",
    "big5": "附件在裡面、謝謝。",
    "gb2312": "附件在里面、谢谢。",
    "euc-kr": "안녕하세요. 견적서입니다.",
    "us-ascii": "Grüße",
    "iso-8859-1": "Здравствуйте, мир",
    "windows-1252": "“Grüße” — wie gesagt",
    "iso-8859-2": "Zażółć gęślą jaźń",
    "windows-1255": "שלום לכם, הקובץ מצורף",
    "utf-7": "Grüße",
    "utf-16": "Grüße aus Köln\r\n",
    "x-user-defined": "Grüße",
    "unknown-8bit": "Grüße",
}


@pytest.mark.parametrize("label", IN_DISGUISE)
def test_utf_8_under_a_label_by_which_it_cannot_be_read_is_utf_8(label: str) -> None:
    text = IN_DISGUISE[label]
    assert decode(text.encode(), label) == text
    assert decode(b"\xef\xbb\xbf" + text.encode(), label) == text
    cut = decode(text.encode()[:-1], label, complete=False)
    assert text.startswith(cut) or label in ("utf-16", "gb2312")  # without its last octet it is in GBK, too


def test_ascii_called_utf_16_is_ascii() -> None:
    assert decode(b"Dear Tom,\r\nplease pay.\r\n", "utf-16") == "Dear Tom,\r\nplease pay.\r\n"


def test_what_is_not_utf_8_is_in_the_fallback_charset_first() -> None:
    for text in "отчёт", "моё", "Десятка лучших":
        assert decode(text.encode("koi8-r"), fallback_charset="koi8-r") == text
    assert decode("Grüße".encode(), fallback_charset="koi8-r") == "Grüße"
    assert decode("Grüße".encode("cp1252"), fallback_charset="utf-8") == "Grüße"
    assert decode("Grüße".encode("cp1252"), fallback_charset="utf-16") == "Grüße"
    assert decode("Grüße".encode("cp1252"), fallback_charset="x-nonsense") == "Grüße"
    assert decode("Grüße aus Köln, später mehr".encode()[:-1] + b"\xff", fallback_charset="koi8-r")[0] == "G"


CYRILLIC = "<p>Здравствуйте</p>".encode("cp1251")
HTML = {
    "meta charset": (b"<meta charset='windows-1251'>" + CYRILLIC, ""),
    "meta charset, bare and closed": (b"<META CharSet=windows-1251/>" + CYRILLIC, ""),
    "meta http-equiv": (
        b'<meta http-equiv=Content-Type content="text/html; charset=windows-1251">' + CYRILLIC,
        "",
    ),
    "content first": (
        b"<meta content='text/html;charset = windows-1251' http-equiv='content-type'>" + CYRILLIC,
        "",
    ),
    "a meta of another kind first": (
        b'<meta name=viewport content="width=1"><meta charset=windows-1251>' + CYRILLIC,
        "",
    ),
    "an XML declaration": (b'<?xml version="1.0" encoding="windows-1251"?>' + CYRILLIC, ""),
    "the parameter comes first": (b"<meta charset=koi8-r>" + CYRILLIC, "windows-1251"),
    "an unknown parameter": (b"<meta charset=windows-1251>" + CYRILLIC, "x-nonsense"),
    "ASCII says nothing": (b"<meta charset=windows-1251>" + CYRILLIC, "us-ascii"),
    "UTF-8 that is not": (b"<meta charset=windows-1251>" + CYRILLIC, "utf-8"),
    "a comment": (b"<!-- <meta charset=koi8-r> --><meta charset=windows-1251>" + CYRILLIC, ""),
    "UTF-16 that is not": ("<meta charset=utf-16><p>Здравствуйте</p>".encode(), ""),
    "a mark before all": (b"\xef\xbb\xbf" + "<meta charset=koi8-r><p>Здравствуйте</p>".encode(), "koi8-r"),
    "a mark of UTF-16": ("\ufeff<p>Здравствуйте</p>".encode("utf-16-be"), "windows-1252"),
}


@pytest.mark.parametrize(("octets", "charset"), HTML.values(), ids=HTML)
def test_html_is_read_by_its_mark_then_its_parameter_then_its_meta(octets: bytes, charset: str) -> None:
    assert decode_html(octets, charset).endswith("<p>Здравствуйте</p>")


def test_a_meta_is_looked_for_in_the_beginning_alone() -> None:
    assert decode_html(b" " * 1024 + b"<meta charset=koi8-r>\xe4") == " " * 1024 + "<meta charset=koi8-r>ä"


HOSTILE = {
    "escapes": (b"\x1b(B", "iso-2022-jp"),
    "escapes and characters": (b"\x1b$B-!\x1b(B", "iso-2022-jp"),
    "escapes and 8-bit": (b"\xff\x1b$B", "iso-2022-jp"),
    "half escapes": (b"\x1b$", "iso-2022-jp-ms"),
    "shifts": (b"\x0e!\x0f", "iso-2022-jp"),
    "a vendor's character in two": (b"\xad\xa1\xa4\xa2", "euc-jp"),
    "leads": (b"\xff", "euc-jp"),
    "supplementary leads": (b"\x8f", "euc-jp"),
    "euros in Big5": (b"\xa3\xe1", "big5"),
    "no Big5": (b"\xff", "big5"),
    "euros in GBK": (b"\x80", "gbk"),
    "UTF-8 in disguise": ("ё".encode(), "latin1"),
    "half UTF-8": (b"\xc3\xe4", ""),
    "metas": (b"<meta ", ""),
    "comments": (b"<!--", ""),
    "blanks": (b" ", "utf-16"),
}


@pytest.mark.parametrize(("piece", "charset"), HOSTILE.values(), ids=HOSTILE)
def test_a_megabyte_of_hostile_octets_is_decoded_in_linear_time(piece: bytes, charset: str) -> None:
    octets = piece * (1_000_000 // len(piece))
    started_at = time.process_time()
    decode(octets, charset, fallback_charset="koi8-r").encode()
    decode_html(octets, charset, complete=False).encode()
    assert time.process_time() - started_at < 4  # quadratic time would be minutes
