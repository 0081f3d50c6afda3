"""HTML gives the text that a person would read, in linear time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from woomera_milter.text.html import from_html

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


@given(st.text())
def test_any_markup_becomes_text(markup: str) -> None:
    assert not set(from_html(markup)) & set("\x00\x1d\x1e\r\u202e")
