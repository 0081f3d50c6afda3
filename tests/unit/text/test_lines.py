"""Text that a hostile sender wrote: harmless for whoever sees it, and cut where it reads well."""

import pytest

from woomera_milter.text.lines import cut, line_for_people, lines_for_people


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
