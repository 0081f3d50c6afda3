"""Promise 6: of a sender's HTML nothing runs and nothing loads, and it costs little, whatever it is."""

import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.fuzz.fragments import TAGS, XSS
from woomera_milter.text.markup.safe import Picture, SafeHtml, safe_html

LOGO = Picture("https://bucket.example.com/1/logo.png?a=1&b=2", "logo.png")
PICTURES = {"logo@example.com": LOGO}
ATTRIBUTES = {"href", "rel", "src", "alt", "dir", "colspan", "rowspan", "start", "type", "reversed", "value"}
PNG = "data:image/png;base64,iVBORw0KGgo="
HALF_A_MEGABYTE = 512 * 1024


def shown(markup: str) -> str:
    return safe_html(markup, PICTURES).html


class Inspector(HTMLParser):
    """Fails on whatever could run, load or lead astray."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert tag not in (
            "script",
            "style",
            "svg",
            "math",
            "iframe",
            "object",
            "form",
            "input",
            "base",
            "meta",
        )
        for name, value in attrs:
            assert name in ATTRIBUTES, f"<{tag} {name}>"
            if name == "src":
                assert value == LOGO.link or re.match(r"data:image/(png|gif|jpeg|webp);base64,", value or "")
            if name == "href":
                assert re.match(r"(?i)https?://|mailto:|tel:", value or ""), value


def inspected(safe: SafeHtml) -> list[str]:
    inspector = Inspector()
    inspector.feed(safe.html)
    inspector.close()
    return inspector.tags


@pytest.mark.parametrize(
    ("markup", "html"),
    [
        pytest.param("<p>one<p>two", "<p>one</p><p>two</p>", id="paragraphs without an end"),
        pytest.param(
            "<ul><li>a<li>b<ul><li>c</ul></ul>",
            "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>",
            id="list items without an end",
        ),
        pytest.param("<b>a<i>b</b>c</i>", "<b>a<i>b</i></b>c", id="misnested formatting"),
        pytest.param("<h1>Title</h1><h2></h2>", "<h3>Title</h3>", id="headings below the page's own"),
        pytest.param('<p style="color:red" onclick="x()" class=y>a</p>', "<p>a</p>", id="attributes go"),
        pytest.param("<style>p{}</style><script>x()</script><title>t</title>a", "a", id="code goes"),
        pytest.param("a &lt;b&gt; &amp;lt; &#x202e;c", "a &lt;b&gt; &amp;lt; c", id="text stays text"),
        pytest.param('<div dir="RTL">א</div>', '<div dir="rtl">א</div>', id="direction stays"),
        pytest.param(
            "<ol start=2 type=i><li>a<li value=7>b</ol><ol reversed start=x type=z><li value=y>c</ol>",
            '<ol start="2" type="i"><li>a</li><li value="7">b</li></ol><ol reversed=""><li>c</li></ol>',
            id="lists begin where they begin",
        ),
        pytest.param(
            '<ol style="list-style-type: lower-alpha"><li>a</ol>',
            '<ol type="a"><li>a</li></ol>',
            id="letters by style",
        ),
        pytest.param(
            '<p style="white-space:pre-wrap">a\n\n  - b</p><pre>c\n  d</pre>',
            "<p>a<br><br>&nbsp; - b</p><pre>c\n  d</pre>",
            id="kept line breaks",
        ),
        pytest.param(
            '<span style="text-decoration:line-through">a</span><span style="vertical-align:super">b</span>',
            "<s>a</s><sup>b</sup>",
            id="styles that mean an element",
        ),
        pytest.param(
            '<table><tr style="text-decoration: red line-through"><td>a<td>b</table>',
            "<table><tbody><tr><td><s>a</s></td><td><s>b</s></td></tr></tbody></table>",
            id="a row that is struck out",
        ),
        pytest.param(
            '<b style="font-weight:normal"><span style="font-weight:700">a</span>b</b>',
            "<b>a</b>b",
            id="what Google Docs puts around all",
        ),
        pytest.param(
            "<xmp><i></xmp><textarea>a\n<b></textarea><plaintext><u>",
            "<pre>&lt;i&gt;</pre><pre>a\n&lt;b&gt;</pre><pre>&lt;u&gt;</pre>",
            id="raw text",
        ),
        pytest.param("a <b@example.com>", "a &lt;b@example.com&gt;", id="an address that nobody escaped"),
        pytest.param("<span>a<div>b</span>c</div>d", "a<div>bc</div>d", id="a span that ends astray"),
        pytest.param("<table><tr><td>a</div><td>b</table>c", None, id="an end tag astray in a cell"),
    ],
)
def test_html_is_shown_as_its_sender_meant_it(markup: str, html: str | None) -> None:
    cells = "<table><tbody><tr><td>a</td><td>b</td></tr></tbody></table>c"
    assert shown(markup) == (cells if html is None else html)


def test_picture_of_the_message_is_shown_in_its_place() -> None:
    safe = safe_html('<p>a<img src="cid:logo%40example.com">b</p>', PICTURES)

    link = LOGO.link.replace("&", "&amp;")
    assert safe.html == f'<p>a<img src="{link}" alt="logo.png">b</p>'
    assert safe.shown == {LOGO.link}
    assert not safe.remote_pictures


@pytest.mark.parametrize(
    ("source", "reference"),
    [
        ("page1.png", "page1.png"),
        ("page%201.png", "page 1.png"),
        ("http://fax.example.com/2.png", "http://fax.example.com/2.png"),
        ("CID:a%2Bb@x", "a+b@x"),
        ("cid:<a@x>", "a@x"),
        ("cid:image001.png@01DB7B6A", "image001.png"),
        ("images/logo.png", "logo.png"),
        ("file:///C:\\Temp\\logo.png", "logo.png"),
    ],
)
def test_picture_is_found_by_whatever_the_markup_calls_it(source: str, reference: str) -> None:
    safe = safe_html(f'a<img src="{source}">', {reference: LOGO})

    assert safe.shown == {LOGO.link}
    assert not safe.remote_pictures


def test_picture_without_a_link_is_told_by_its_name() -> None:
    safe = safe_html('a <img src="cid:x" alt="Our logo">', {"x": Picture(None, "<logo>.png")})

    assert safe.html == "a [&lt;logo&gt;.png]"
    assert not safe.shown


@pytest.mark.parametrize(
    ("source", "link"),
    [
        (PNG, PNG),
        (PNG.replace("=", "%3D").replace("iV", "iV\n "), PNG),
        ("DATA:image/JPG;name=x;base64,AAAA", "data:image/jpeg;base64,AAAA"),
    ],
)
def test_picture_within_the_markup_is_shown(source: str, link: str) -> None:
    safe = safe_html(f'a<img alt="QR" src="{source}">', PICTURES)

    assert safe.html == f'a<img alt="QR" src="{link}">' or safe.html == f'a<img src="{link}" alt="QR">'
    assert not safe.remote_pictures
    assert not safe.shown


@pytest.mark.parametrize(
    "source",
    [
        *("data:image/svg+xml;base64,AAAA", "data:image/png,x", "data:image/png;base64,A"),
        *("data:text/html;base64,AAAA", "data:", "data:image/png;base64,"),
    ],
)
def test_picture_within_the_markup_that_is_none_is_told(source: str) -> None:
    assert shown(f'a<img src="{source}"><img src="{source}" alt="QR">') == "a[picture][QR]"


def test_pictures_within_the_markup_are_shown_as_far_as_there_is_room() -> None:
    markup = f'<img src="{PNG}"><img src="{PNG}">'

    assert safe_html(markup, {}, data_chars=len(PNG)).html == f'<img src="{PNG}" alt="">[picture]'
    assert safe_html(markup, {}, data_chars=0).html == "[picture][picture]"
    assert safe_html(f'<img src="data:image/png;base64,{"AAAA" * 100_000}">', {}).html.count("A") == 400_000


@pytest.mark.parametrize("source", ["http://tracker.example/1.gif", "https://tracker.example/1.gif"])
def test_remote_picture_is_left_out_and_said_to_be(source: str) -> None:
    safe = safe_html(f'a<img src="{source}"><img src="{source}" alt="Our shop">b', PICTURES)

    assert safe.html == "a[Our shop]b"
    assert safe.remote_pictures


@pytest.mark.parametrize(
    "target",
    [
        "javascript:alert(1)",
        " jav&#x09;ascript:alert(1)",
        "JAVASCRIPT&colon;alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "//evil.example/",
        "/index.html",
        "#message",
        "cid:logo@example.com",
        "",
    ],
)
def test_link_that_does_not_lead_to_a_web_or_mail_address_is_plain_text(target: str) -> None:
    assert shown(f'<a href="{target}">click</a>') == "click"


def test_web_and_mail_addresses_can_be_followed_and_learn_nothing_of_the_page() -> None:
    html = shown('<a href="https://example.com/?a=1&amp;b=2">click</a>')

    assert html == '<a href="https://example.com/?a=1&amp;b=2" rel="noopener noreferrer nofollow">click</a>'


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ("a=1&copy=2&region=eu&currency=EUR", "a=1&amp;copy=2&amp;region=eu&amp;currency=EUR"),
        ("q=&auml;&copy&curren;", "q=ä©¤"),
        ("q=&copy;=&nobody;&#38;", "q=©=&amp;nobody;&amp;"),
    ],
)
def test_bare_ampersand_in_an_address_is_one(query: str, parameters: str) -> None:
    assert f'"https://example.com/?{parameters}"' in shown(
        f'<a href="https://example.com/?{query}">click</a>'
    )


@pytest.mark.parametrize("payload", XSS)
def test_nothing_of_a_payload_can_act(payload: str) -> None:
    inspected(safe_html(payload, PICTURES))


PIECES = st.sampled_from([*XSS, *TAGS])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(PIECES, st.text(max_size=20)), max_size=40))
def test_nothing_of_any_mixture_of_markup_can_act(pieces: list[str]) -> None:
    inspected(safe_html("".join(pieces), PICTURES))


@pytest.mark.parametrize(
    "unit",
    [
        *("<p>x", "<b><p>", "<div>", "<dl><dt>", "<table><td>", "<table>x<p>", "<b><i><u><s><em><strong><p>"),
        *("<", "<a", "<a a=", '<a a="', "<!--", "&", "&#99999999;", '<img src="cid:logo@example.com">'),
        *(
            "<ol><li>",
            "<ol reversed><li>",
            "<span style='",
            "<img src='data:image/png;base64,",
            "<sup>",
            "<!-->",
        ),
        *("<p style='" + it * 4_000 + "'>" for it in ("a", " ", "/*", "font-size:0", "0")),
        "<p style='white-space:pre'>\n",
        "<p " + "a" * 99,
    ],
)
def test_hostile_html_is_no_work(unit: str) -> None:
    markup = (unit * (HALF_A_MEGABYTE // len(unit)))[:HALF_A_MEGABYTE]

    began = time.process_time()
    safe = safe_html(markup, PICTURES)

    assert time.process_time() - began < 3  # nh3 alone takes minutes for some, and a gigabyte
    assert len(safe.html) < 8 * HALF_A_MEGABYTE


def test_html_with_more_tags_than_a_letter_has_ends_early_and_says_so() -> None:
    safe = safe_html("<p>x" * 50_000, PICTURES)

    assert safe.truncated
    assert len(inspected(safe)) == 20_000


def test_html_without_anything_to_see_is_nothing() -> None:
    assert shown("<html><body><p> <img src='https://tracker.example/'></p></body></html>") == ""
