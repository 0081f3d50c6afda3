"""File names that a hostile sender wrote: harmless on every system, and still recognisable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from woomera_milter.text.file_names import MAX_FILE_NAME_BYTES, safe_file_name

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


@given(st.one_of(st.text(max_size=400), st.text("./\\: con\u202e\x00a", max_size=20)))
def test_any_name_becomes_one_that_file_systems_take(name: str) -> None:
    safe = safe_file_name(name, "attachment.bin")
    assert safe == safe_file_name(safe, "attachment.bin")
    assert 0 < len(safe.encode()) <= MAX_FILE_NAME_BYTES
    assert not set(safe) & set('/\\:*?"<>|\x00\n\u202e')
    assert safe[0] not in ". "
    assert safe[-1] not in ". "
