"""RFC 3676: what a mailer broke is one paragraph again, and nothing else is joined."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from woomera_milter.text.flowed import unflowed


@pytest.mark.parametrize(
    ("text", "delsp", "paragraphs"),
    [
        pytest.param("one \ntwo \nthree\nfour", False, "one two three\nfour", id="paragraphs"),
        pytest.param("折り \n返し \nた。", True, "折り返した。", id="DelSp"),
        pytest.param("one  \ntwo", True, "one two", id="DelSp keeps a blank before the break's own"),
        pytest.param("> a \n> b\n>> c \n> d\ne", False, "> a b\n>> c\n> d\ne", id="quotations"),
        pytest.param(">a \n>b", False, "> a b", id="quotations without blanks"),
        pytest.param(" From me\n > not quoted\n  two", False, "From me\n> not quoted\n two", id="stuffing"),
        pytest.param("text \n-- \nSandra", False, "text\n-- \nSandra", id="a signature ends a paragraph"),
        pytest.param("> text \n> -- \n> S", False, "> text\n> --\n> S", id="a quoted signature"),
        pytest.param("one \n\ntwo\n", False, "one\n\ntwo\n", id="empty lines"),
        pytest.param("one \n", False, "one\n", id="ends in a flowed line"),
        pytest.param("", True, "", id="nothing"),
    ],
)
def test_flowed_text_is_whole_again(text: str, delsp: bool, paragraphs: str) -> None:
    assert unflowed(text, delsp) == paragraphs


@given(st.text(alphabet="> \n-a"), st.booleans())
def test_no_word_is_lost(text: str, delsp: bool) -> None:
    assert unflowed(text, delsp).count("a") == text.count("a")


def test_a_megabyte_of_flowed_lines_is_one_paragraph() -> None:
    assert len(unflowed("a \n" * 300_000 + "a", delsp=True)) == 300_001
