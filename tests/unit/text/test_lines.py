"""Text and file names that a hostile sender wrote: harmless for whoever sees them, and still recognisable."""

from encodings.aliases import aliases

import pytest

from woomera_milter.text.charsets import decode
from woomera_milter.text.file_names import MAX_FILE_NAME_BYTES, safe_file_name
from woomera_milter.text.html import from_html
from woomera_milter.text.lines import cut, line_for_people, lines_for_people


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


def test_lines_for_people_hold_no_control_or_reordering_characters() -> None:
    assert lines_for_people("a\r\nb\rc\x00\x08\u202e\u2067\u200ed\te") == "a\nb\ncd\te"


def test_a_line_for_people_is_one_line() -> None:
    assert line_for_people(" a\r\nb\u2028c\x85d ") == "a  b c d"


@pytest.mark.parametrize(
    ("text", "max_bytes", "expected"),
    [
        ("short", 5, ("short", False)),
        ("one two three four", 15, ("one two three", True)),
        ("line one\nline two\nline three", 20, ("line one\nline two", True)),
        ("unbreakable", 4, ("unbr", True)),
        ("ääää", 5, ("ää", True)),
        ("text", 0, ("", True)),
        ("", 0, ("", False)),
    ],
    ids=[
        "fits",
        "ends with a word",
        "ends with a line",
        "one long word",
        "whole characters",
        "none",
        "nothing",
    ],
)
def test_text_is_cut_where_it_reads_well(text: str, max_bytes: int, expected: tuple[str, bool]) -> None:
    assert cut(text, max_bytes) == expected


DOCUMENTS = {
    "paragraphs": ("<p>One</p>\r\n<p>Two</p>", "One\n\nTwo"),
    "breaks": ("One<br>Two<BR/>Three", "One\nTwo\nThree"),
    "divs as lines": ("<div>One</div><div><br></div><div>Two</div><div>Three</div>", "One\n\nTwo\nThree"),
    "white space": ("  One \r\n\t two&nbsp;three ", "One two three"),
    "list": ("Do:<ul><li>one</li><li>two</li></ul>End", "Do:\n\n- one\n- two\n\nEnd"),
    "table": ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
    "entities": ("a &lt;b&gt; &amp; &#8364; &eacute; &#x20AC;", "a <b> & € é €"),
    "links lose their target": ('<a href="https://evil.example/">our bank</a>', "our bank"),
    "script, style and title": ("<title>t</title><style>p{}</style>a<script>alert('</p>')</script >b", "ab"),
    "comments": ("a<!-- <p>x</p> -->b<!--[if mso]>word<![endif]-->c<!DOCTYPE html><?xml ?>", "abc"),
    "greater-than in an attribute": ("<img alt='a > b' src=\"x>y\">text", "text"),
    "not a tag": ("1 < 2 and 3 <4", "1 < 2 and 3 <4"),
    "office tags": ("<o:p>a</o:p><v:shape>b</v:shape>", "ab"),
    "unclosed tag at the end": ("text<a href=", "text"),
    "controls": ("a\x00b\x1d\x1ec&#0;&#30;&#x202e;d", "abc\ufffdd"),
    "absurd references": (f"a&#{'9' * 5000};&#x{'f' * 5000};b", "a\ufffd\ufffdb"),
    "empty": ("", ""),
}


@pytest.mark.parametrize(("markup", "text"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_html_becomes_the_text_that_a_person_would_read(markup: str, text: str) -> None:
    assert from_html(markup) == text


@pytest.mark.parametrize(
    "piece", ["<a ", "<a b='", "<!--", "<div>", "<style>", "<a =", "&#9", "<p><b x>", "<", "<br> "]
)
def test_a_megabyte_of_hostile_html_is_read_in_linear_time(piece: str) -> None:
    # Quadratic time, or a tree of it, would not end within a run.
    assert isinstance(from_html(piece * (1_000_000 // len(piece))), str)


HOSTILE_NAMES = {
    "ordinary": ("Report 2026.pdf", "Report 2026.pdf"),
    "other scripts": ("Überweisung, 報告.pdf", "Überweisung, 報告.pdf"),
    "unix path": ("/etc/passwd", "passwd"),
    "climbing path": ("../../x/evil.sh", "evil.sh"),
    "windows path": (r"C:\Users\me\plan.docx", "plan.docx"),
    "network path": (r"\\server\share\plan.docx", "plan.docx"),
    "drive letter": ("c:plan.docx", "plan.docx"),
    "slash as a word": ("Invoice 11/2026.pdf", "Invoice 11_2026.pdf"),
    "characters that Windows forbids": ('a<b>:"c"|?*.pdf', "a_b___c____.pdf"),
    "line breaks": ("a\r\nX-Evil: 1.pdf", "a X-Evil_ 1.pdf"),
    "NUL": ("a.pdf\x00.exe", "a.pdf.exe"),
    "right-to-left override": ("invoice\u202efdp.exe", "invoicefdp.exe"),
    "isolates and marks": ("\u2066a\u2069\u200e\u200f.pdf", "a.pdf"),
    "leading dots": ("...htaccess", "htaccess"),
    "trailing dots and spaces": ("a.pdf. . ", "a.pdf"),
    "hidden extension": ("a.pdf" + " " * 100 + ".exe", "a.pdf.exe"),
    "reserved": ("con", "_con"),
    "reserved with an extension": ("LPT1.txt", "_LPT1.txt"),
    "nearly reserved": ("console.txt", "console.txt"),
    "empty": ("", "attachment.bin"),
    "only dots": ("..", "attachment.bin"),
    "only a separator": ("///", "attachment.bin"),
    "only controls": ("\x01\u202e", "attachment.bin"),
}


@pytest.mark.parametrize(("name", "safe"), HOSTILE_NAMES.values(), ids=HOSTILE_NAMES)
def test_a_hostile_file_name_is_made_safe_and_stays_recognisable(name: str, safe: str) -> None:
    assert safe_file_name(name, "attachment.bin") == safe


@pytest.mark.parametrize("letter", ["a", "ü", "報", "😀"])
def test_a_long_name_is_cut_but_keeps_its_extension(letter: str) -> None:
    name = safe_file_name(letter * 300 + ".pdf", "x")
    assert name.endswith(letter + ".pdf")
    assert MAX_FILE_NAME_BYTES - 4 < len(name.encode()) <= MAX_FILE_NAME_BYTES


def test_a_long_name_without_a_real_extension_is_cut() -> None:
    assert safe_file_name("a." + "b" * 300, "x") == "a." + "b" * (MAX_FILE_NAME_BYTES - 2)
