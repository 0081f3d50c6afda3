"""HTML that is cut stays whole, in as much room as it was given."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.fuzz.fragments import TAGS, XSS
from rig.fuzz.pages import check_balance
from woomera_milter.text.markup.beginning import beginning_of_html
from woomera_milter.text.markup.safe import safe_html

LETTER = "<p>one two</p><ul><li>three <b>four &amp; five</b></li><li>six</li></ul>"


@pytest.mark.parametrize(
    ("max_bytes", "beginning"),
    [
        (len(LETTER), LETTER),
        (len(LETTER) - 3, "<p>one two</p><ul><li>three <b>four &amp; five</b></li></ul>"),
        (53, "<p>one two</p><ul><li>three <b>four</b></li></ul>"),
        (20, "<p>one two</p>"),
        (12, "<p>one</p>"),
        (8, "<p>o</p>"),
        (7, ""),
        (0, ""),
    ],
)
def test_beginning_of_a_letter_ends_with_a_word_and_closes_what_is_open(
    max_bytes: int, beginning: str
) -> None:
    assert beginning_of_html(LETTER, max_bytes) == (beginning, beginning != LETTER)


def test_long_word_is_cut_but_no_character_and_no_reference() -> None:
    assert beginning_of_html("<p>äöü&amp;&amp;&amp;</p>", 22) == ("<p>äöü&amp;</p>", True)
    assert beginning_of_html("<p>äöü</p>", 10) == ("<p>ä</p>", True)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.sampled_from([*XSS, *TAGS]), st.text(max_size=9))), st.integers(0, 300))
def test_beginning_of_any_letter_is_balanced_and_fits(pieces: list[str], max_bytes: int) -> None:
    beginning, _ = beginning_of_html(safe_html("".join(pieces), {}).html, max_bytes)

    assert len(beginning.encode()) <= max_bytes
    check_balance(beginning)


def test_beginning_of_the_longest_letter_is_no_work() -> None:
    html = "<b></b>" * 100_000 + "<p>" * 100_000 + "&amp; " * 100_000 + "</p>" * 100_000

    began = time.process_time()
    beginning_of_html(html, len(html) - 1)

    assert time.process_time() - began < 2
