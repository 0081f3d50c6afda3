"""HTML gives the text that a person would read, in linear time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from woomera_milter.text.markup.words import from_html

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
    "greater-than in an attribute": ("<p title='a > b' lang=\"x>y\">text", "text"),
    "not a tag": ("1 < 2 and 3 <4", "1 < 2 and 3 <4"),
    "office tags": ("<o:p>a</o:p><v:shape>b</v:shape>", "ab"),
    "unclosed tag at the end": ("text<a href=", "text"),
    "controls": ("a\x00b\x1d\x1ec&#0;&#30;&#x202e;d", "abc\ufffdd"),
    "absurd references": (f"a&#{'9' * 5000};&#x{'f' * 5000};b", "a\ufffd\ufffdb"),
    "empty": ("", ""),
    "an item of nothing": ("<ol><li></ol><li", ""),
    "quotes that never close": ('<p class=\'a>One</p> <a href="x">two</a>', "One\n\ntwo"),
    "quotes that close where nobody meant": ('<p class="a>One</p><p class="b">two</p>', "two"),
    "a style without an end": ("<head><style>p{} <p>x</head><body>One", "One"),
    "elements closed at once": ("<title/><style /><script/>One", "One"),
    "odd ends of comments": ("a<!-->b<!--->c<!-- x --!>d<!-- > -- x -->e<!-- <b>", "abcde"),
    "conditional comments": ("<!--[if mso]>x<![endif]-->a<!--[if !mso]><!-- -->b<!--<![endif]-->c", "abc"),
    "Word's numbers": ("<![if !supportLists]>1.&nbsp;<![endif]>One<o:p></o:p><xml>Normal 0</xml>", "1. One"),
    "declarations": ("<![CDATA[x]]>a<?xml version='1'?>b", "ab"),
    "numbers": (
        "<ol start=2><li>a<li>b</ol><ol type=a><li>c<li value=27>d</ol>",
        "2. a\n3. b\n\na. c\naa. d",
    ),
    "numbers that go down": (
        "<ol reversed><li>a<li>b</ol><ol type=I start=9><li>c</ol>",
        "2. a\n1. b\n\nIX. c",
    ),
    "lists within lists": ("<ul><li><p>a</p><ol><li>b<li>c</ol><li>d</ul>", "- a\n\n  1. b\n  2. c\n- d"),
    "raised and struck": (
        "10<sup>6</sup> H<sub>2</sub>O <s>so</s> <del>x</del>y<sup></sup>",
        "10^6 H2O ~so~ ~x~y",
    ),
    "styles of words": (
        "<p style='text-decoration:line-through'>a</p>1<span style='vertical-align:super'>st</span>",
        "~a~\n\n1^st",
    ),
    "line breaks that are kept": (
        "<pre>\n a\n  b</pre><p style='white-space:pre-wrap'>c\n\n  d</p>"
        "<p style='white-space:pre-line'>e\n  f",
        " a\n  b\n\nc\n\n  d\n\ne\nf",
    ),
    "hidden": (
        "<div style='display:none!important'>x</div><p hidden>x</p><b style='visibility:hidden'>x</b>a"
        "<div style='max-height:0px; overflow:hidden'>x<div>x</div></div><i style='opacity:0'>x</i>"
        "<p style='font-size:0'>x<p>b<template>x</template>",
        "a\n\nb",
    ),
    "shown within what is not": (
        "<div style='font-size:0px'><p style='font-size:13px'>a</p><p style='font-size:2em'>x</p></div>"
        "<div style='visibility:hidden'>x<b style='visibility:visible'>b</b></div>",
        "a\n\nb",
    ),
    "hidden from Outlook alone": ("<a style='mso-hide:all' href='https://e.example'>Pay</a>", "Pay"),
    "all of it hidden": ("<div style='display:none'>words</div><img src='https://e.example/1.gif'>", "words"),
    "raw text": ("<xmp><b>&amp;</xmp><textarea>c\n<i></textarea><iframe>x</iframe>", "<b>&amp;\n\nc\n<i>"),
    "nothing runs": ("<noscript>a</noscript>", "a"),
    "pictures": ("<img alt=Logo><img src=data:,x><img alt=😀><img>", "[Logo][picture]😀"),
    "an address that nobody escaped": ("Ask <a@example.com>, <https://e.example/>", None),
}


@pytest.mark.parametrize(("markup", "text"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_html_becomes_the_text_that_a_person_would_read(markup: str, text: str) -> None:
    assert from_html(markup) == (markup if text is None else text)


@pytest.mark.parametrize(
    "piece",
    [
        "<a ",
        "<a b='",
        "<!--",
        "<div>",
        "<style>",
        "<a =",
        "&#9",
        "<p><b x>",
        "<",
        "<br> ",
        "<ol><li>",
        "<pre>\n",
    ]
    + ["<ol reversed><li>", "<!-->", "<sup>", "<textarea>", "<p style='display:none'>x", "<img src=data:,a>"]
    + ["<p style='" + it * 4_000 + "'>" for it in ("a", " ", "/*", "color:red;", "0")],
)
def test_a_megabyte_of_hostile_html_is_read_in_linear_time(piece: str) -> None:
    # Quadratic time, or a tree of it, would not end within a run.
    assert isinstance(from_html(piece * (1_000_000 // len(piece))), str)


@given(st.text())
def test_any_markup_becomes_text(markup: str) -> None:
    assert not set(from_html(markup)) & set("\x00\x1d\x1e\r\u202e")
