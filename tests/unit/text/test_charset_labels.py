"""Each label of WHATWG's Encoding Standard is read as the standard reads it, and text in its own charset."""

import pytest
from webencodings import labels

from woomera_milter.text.charset_labels import codec_of
from woomera_milter.text.charsets import decode

# What each encoding of the standard is written by, and a text in it that people would write.
ENCODINGS = {
    "utf-8": ("utf-8", "Grüße, 日本"),
    "ibm866": ("cp866", "Привет ░"),
    "iso-8859-2": ("iso8859-2", "Zażółć gęślą jaźń"),
    "iso-8859-3": ("iso8859-3", "Ċetta ħġieġ"),
    "iso-8859-4": ("iso8859-4", "Ķeizars ēd"),
    "iso-8859-5": ("iso8859-5", "Здравствуйте"),
    "iso-8859-6": ("iso8859-6", "مرحبا"),
    "iso-8859-7": ("iso8859-7", "Καλημέρα"),
    "iso-8859-8": ("iso8859-8", "שלום"),
    "iso-8859-8-i": ("iso8859-8", "שלום"),
    "iso-8859-10": ("iso8859-10", "Þór ŋ"),
    "iso-8859-13": ("iso8859-13", "Ačiū už žodį"),
    "iso-8859-14": ("iso8859-14", "ŵyneb ŷd"),
    "iso-8859-15": ("iso8859-15", "cœur à 5 €"),
    "iso-8859-16": ("iso8859-16", "știință"),
    "koi8-r": ("koi8-r", "Дежурный ёж"),
    "koi8-u": ("koi8-u", "Ґанок їжака"),
    "macintosh": ("mac-roman", "Grüße “élan”"),
    "windows-874": ("cp874", "สวัสดี “ครับ”"),
    "windows-1250": ("cp1250", "Příliš žluťoučký kůň"),
    "windows-1251": ("cp1251", "Здравствуйте"),
    "windows-1252": ("cp1252", "“Grüße” für 5 €"),
    "windows-1253": ("cp1253", "Καλημέρα"),
    "windows-1254": ("cp1254", "İstanbul\u2019da güneş"),
    "windows-1255": ("cp1255", "שָׁלוֹם"),
    "windows-1256": ("cp1256", "سلام پدر"),
    "windows-1257": ("cp1257", "Ačiū už žodį"),
    "windows-1258": ("cp1258", "Tôi đi"),
    "x-mac-cyrillic": ("mac-cyrillic", "Договор"),
    "gbk": ("gb18030", "你好、镕基"),
    "gb18030": ("gb18030", "你好、镕基 𠀀"),
    "big5": ("big5hkscs", "附件在裏面、咗啲嘢 ①"),
    "euc-jp": ("euc_jp", "日本語ｶﾅ"),
    "iso-2022-jp": ("iso2022_jp_ext", "日本語ｶﾅ"),
    "shift_jis": ("cp932", "①髙橋ｶﾅ"),
    "euc-kr": ("cp949", "견적서 똠방"),
    "utf-16be": ("utf-16-be", "Grüße, 日本"),
    "utf-16le": ("utf-16-le", "Grüße, 日本"),
}
# The standard reads nothing in these, for the sake of scripts in web pages.
UNREAD = {"replacement", "x-user-defined"}


@pytest.mark.parametrize("label", sorted(labels.LABELS))
def test_each_label_of_the_standard_reads_as_its_encoding(label: str) -> None:
    encoding = labels.LABELS[label]
    if encoding in UNREAD:
        assert decode("Grüße".encode(), label) == "Grüße"
        return
    codec, text = ENCODINGS[encoding]
    if codec_of(label) == "ascii":  # the standard says windows-1252, and so do we, of what is not UTF-8
        assert decode("Grüße".encode(), label) == "Grüße"
    assert decode(text.encode(codec), label) == text
    assert decode(text.encode(codec), f" '{label.upper()}' ") == text


def test_every_encoding_of_the_standard_is_held_against_it() -> None:
    assert set(labels.LABELS.values()) == set(ENCODINGS) | UNREAD


MAIL_LABELS = {
    "ks_c_5601-1987": ("똠방", "cp949"),
    "x-windows-949": ("똠방", "cp949"),
    "x-gbk": ("镕", "gb18030"),
    "win-1251": ("Смета", "cp1251"),
    "koi8-t": ("ҳаво", "koi8_t"),
    "x-unicode-2-0-utf-7": ("Größe", "utf-7"),
    "cp-850": ("Größe", "cp850"),
    "IBM850": ("Größe", "cp850"),
    "cp437": ("Größe", "cp437"),
    "cp936": ("镕", "gb18030"),
    "x-windows-950": ("裏", "cp950"),
    "Windows 1252": ("“Größe”", "cp1252"),
    "x-iso-8859-2": ("łódź", "iso8859-2"),
    "iso_8859-15": ("5 €", "iso8859-15"),
    "latin-2": ("łódź", "iso8859-2"),
    "utf8mb4": ("Größe", "utf-8"),
    "'utf-8'": ("Größe", "utf-8"),
    "unicode-1-1-utf-7": ("Größe", "utf-7"),
    "utf-7": ("Größe", "utf-7"),
    "hz-gb-2312": ("你好", "hz"),
    "iso-2022-kr": ("안녕", "iso2022_kr"),
    "x-mac-ce": ("žluť", "mac_latin2"),
    "cp50221": ("日本", "iso2022_jp"),
    "eucJP-ms": ("日本", "euc_jp"),
    "MS_Kanji": ("日本", "cp932"),
    "windows-31j": ("①", "cp932"),
    "utf-32": ("Größe", "utf-32"),
    "utf-16": ("Hello there\n", "utf-16-be"),
    "johab": ("한글", "johab"),
}


@pytest.mark.parametrize("label", MAIL_LABELS)
def test_labels_that_mail_has_besides_are_read(label: str) -> None:
    text, codec = MAIL_LABELS[label]
    assert decode(text.encode(codec), label) == text


@pytest.mark.parametrize(
    "label", ["", "-", "x", "hex", "idna", "rot13", "punycode", "unicode_escape", "zip", "\xfc", "cp99999"]
)
def test_a_label_outside_of_the_list_is_nobody_s(label: str) -> None:
    assert codec_of(label) == ""


# Short words, of which some look like UTF-8, and long texts, in the charsets that programs still send.
RIGHTLY_LABELLED = [
    ("iso-8859-2", "SPÓŁKA", "iso8859-2"),
    ("iso-8859-2", "SPÓŁKA Z O.O. Kraków, wrzesień " * 20, "iso8859-2"),
    ("windows-1250", "Žluťoučký kůň", "cp1250"),
    ("windows-1252", "CAFÉ®", "cp1252"),
    ("windows-1252", "CAFÉ™ «NOËL»", "cp1252"),
    ("iso-8859-1", "Ã©", "cp1252"),
    ("iso-8859-15", "œuvre à 10 €", "iso8859-15"),
    ("koi8-r", "её", "koi8-r"),
    ("koi8-r", "отчёт моё", "koi8-r"),
    ("koi8-u", "ґрунт", "koi8-u"),
    ("windows-1251", "Ёлка", "cp1251"),
    ("iso-8859-5", "Привет", "iso8859-5"),
    ("windows-1253", "Ά έ", "cp1253"),
    ("windows-1254", "İyi günler ğ", "cp1254"),
    ("windows-1255", "שלום", "cp1255"),
    ("iso-8859-8-i", "שלום", "iso8859-8"),
    ("windows-1256", "اپ گچ", "cp1256"),
    ("iso-8859-6", "مرحبا", "iso8859-6"),
    ("windows-1257", "Šķiņķis", "cp1257"),
    ("windows-1258", "đường".replace("ờ", "ơ\u0300"), "cp1258"),
    ("tis-620", "เกม", "cp874"),
    ("shift_jis", "ﾃｽﾄ", "cp932"),
    ("shift_jis", "見積書を送ります。", "cp932"),
    ("euc-jp", "見積書", "euc_jp"),
    ("iso-2022-jp", "見積書を送ります。", "iso2022_jp"),
    ("gb2312", "中文", "gb2312"),
    ("gbk", "鎴戜滑", "gbk"),  # 我们 in UTF-8 is the same octets
    ("big5", "中文", "big5"),
    ("euc-kr", "한국", "euc-kr"),
    ("euc-kr", "제안서 검토 부탁드립니다. " * 20, "euc-kr"),
    ("utf-16", "上", "utf-16-le"),
    ("utf-16", "一上中", "utf-16-le"),
    ("utf-16be", "上下", "utf-16-be"),
    ("macintosh", "Ärger über \uf8ff", "mac-roman"),
]


@pytest.mark.parametrize(("label", "text", "codec"), RIGHTLY_LABELLED)
def test_text_in_the_charset_that_it_names_stays_in_it(label: str, text: str, codec: str) -> None:
    octets = text.encode(codec)
    assert decode(octets, label) == text
    for end in range(len(octets)):
        beginning = decode(octets[:end], label, complete=False)
        assert text.startswith(beginning) or codec == "cp1258" or len(text) < 3, (end, beginning)
