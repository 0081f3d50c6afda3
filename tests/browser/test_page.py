"""Promises 5 and 6 in a browser: the page works for a stranger, and nothing of a sender's can act on it."""

import base64
import urllib.request
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from rig.mail.messages import entity, file_part, header_section, multipart
from rig.servers.s3 import Juicefs
from tests.browser.browser import DESK, PHONE, Browser
from woomera_milter.offload.source import Offloaded

Keep = Callable[[bytes], Offloaded]

PDF = b"%PDF-1.7\n" + bytes(range(256)) * 500
PICTURE = base64.b64decode(  # one red dot
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" onload="document.title=\'run\'">'
    b'<script>document.title="run"</script></svg>'
)
LETTER = """\
<h1>The survey</h1><p>Dear Tom,</p><p>see <a href="https://example.com/map">the map</a>:</p>
<p><img src="cid:dawn@x"> <img src="https://tracker.example/1.gif"></p>
<ul><li>one<li>two</ul><table><tr><th>Stretch<td>2.4 km</table><blockquote>Could you?</blockquote>
"""
NAMES = ("Übersicht, 完全な報告書.pdf", "תמונות.zip", "a'b&c#d+e%41 (1).pdf", "page.html")

XSS = [
    "<script>document.title='run'</script>",
    "<img src=x onerror=\"document.title='run'\">",
    '"><svg onload="document.title=\'run\'">',
    "'><iframe srcdoc=\"<script>parent.document.title='run'</script>\"></iframe>",
    "</title></style></textarea><script>document.title='run'</script>",
    "<a href=\"javascript:document.title='run'\">click</a>",
    "<math><mtext><table><mglyph><style><!--</style>"
    "<img title=\"--&gt;&lt;img src=1 onerror=document.title='run'&gt;\">",
    "<form action='https://evil.example'><button autofocus onfocus=\"document.title='run'\">x</button>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<base href=https://evil.example/><link rel=stylesheet href=x.css><link rel=prefetch href=//e.example>",
    "<style>*{background:url(https://evil.example/)}</style><p style='background:url(https://evil.example/)'>x",
    "<video src=https://evil.example/v poster=//evil.example/p autoplay></video><audio src=//e.example/a>",
    "<img srcset='https://evil.example/ 2x' src='https://evil.example/'><object data=https://evil.example/>",
    "<img src='cid:dawn@x\" onerror=\"document.title=1'><img src='cid:drawing@x'><img src='cid:'>",
    "{{ 7 * 7 }}{% include 'notice.txt' %}${7*7}",
]


def encoded(text: str) -> str:
    """An RFC 2047 encoded word, in which any octet can stand."""
    return f"=?utf-8?b?{base64.b64encode(text.encode()).decode()}?="


def attached(data: bytes, name: str, content_type: str, content_id: str = "") -> bytes:
    disposition = f'{"inline" if content_id else "attachment"}; filename="{encoded(name)}"'
    extra = f"\r\nContent-ID: <{content_id}>" if content_id else ""
    return file_part(data, content_type=content_type, disposition=(disposition + extra).encode())


def message(html: str, *files: bytes, subject: str = "Survey", sender: str = "Jane Field") -> bytes:
    headers = header_section(subject=encoded(subject)).replace(b"Sandra Sender", encoded(sender).encode())
    body = entity("text/html; charset=utf-8", html.replace("\n", "\r\n").encode())
    return headers + b"MIME-Version: 1.0\r\n" + multipart("mixed", body, *files)


@pytest.fixture
def survey(keep: Keep) -> Offloaded:
    picture = attached(PICTURE, "dawn.png", "image/png", "dawn@x")
    return keep(message(LETTER, picture, *(attached(PDF, name, "application/pdf") for name in NAMES)))


def page_of(offloaded: Offloaded) -> str:
    assert offloaded.links.page is not None
    return offloaded.links.page


def test_page_opens_from_its_link_and_asks_no_other_host(
    survey: Offloaded, browser: Browser, s3: Juicefs
) -> None:
    browser.open(page_of(survey))

    for words in ("Survey", "Jane Field", "recipient@example.org", "Dear Tom", *NAMES):
        assert words in browser.text
    assert "hidden@example.org" not in browser.text
    assert browser.requested_hosts() == {urlsplit(s3.endpoint_url).netloc}
    assert browser.complaints() == []


def test_picture_of_the_message_is_seen_in_its_place(survey: Offloaded, browser: Browser) -> None:
    browser.open(page_of(survey))

    assert browser.run("return [...document.images].map(it => [it.alt, it.naturalWidth])") == [
        ["dawn.png", 1]
    ]
    assert "would tell the sender that you have read this" in browser.text


def test_each_link_downloads_the_attachment_and_is_never_shown(survey: Offloaded, browser: Browser) -> None:
    browser.open(page_of(survey))
    links = [link for link in browser.links if "/messages/" in link and not urlsplit(link).fragment]

    contents = []
    for link in links:
        with urllib.request.urlopen(link) as response:
            contents.append(response.read())
            assert response.headers["Content-Disposition"].startswith("attachment; ")
            assert response.headers["Content-Type"] in ("application/pdf", "image/png", "message/rfc822")

    assert contents[:-1] == [PICTURE, *[PDF] * len(NAMES)]
    assert contents[-1].startswith(b"From: ")


@pytest.mark.parametrize("payload", XSS)
def test_nothing_of_a_hostile_message_runs_or_loads(
    payload: str, keep: Keep, browser: Browser, s3: Juicefs
) -> None:
    files = (
        attached(PICTURE, "dawn.png", "image/png", "dawn@x"),
        attached(SVG, "drawing.svg", "image/svg+xml", "drawing@x"),
        attached(PDF, payload, "application/pdf"),
    )
    html = f"<p>Hello</p>{payload}<p>the end</p>"
    kept = keep(message(html, *files, subject=payload, sender=payload.replace('"', "'")))

    browser.open(page_of(kept))
    browser.run(
        "document.querySelectorAll('main *').forEach(it => { it.click && it.tagName != 'A' && it.click() })"
    )

    assert browser.run("return document.title") != "run"
    assert browser.run("return location.href") == page_of(kept)
    assert browser.requested_hosts() == {urlsplit(s3.endpoint_url).netloc}
    assert (
        browser.run(
            "return document.querySelectorAll('main :is(script,style,svg,iframe,form,[style])').length"
        )
        == 0
    )
    targets = [link for link in browser.links if urlsplit(link).scheme not in ("http", "https", "mailto")]
    assert targets == []


@pytest.mark.parametrize("name", ["page.html", "drawing.svg", "feed.xml", "code.js"])
def test_attachment_that_could_run_is_served_as_plain_octets(name: str, keep: Keep) -> None:
    content_type = {"html": "text/html", "svg": "image/svg+xml", "xml": "text/xml", "js": "text/javascript"}
    kept = keep(message("<p>x</p>", attached(SVG, name, content_type[name.rpartition(".")[2]])))

    [attachment] = kept.original.attachments
    assert attachment.link is not None
    with urllib.request.urlopen(attachment.link) as response:
        assert response.headers["Content-Type"] == "application/octet-stream"
        assert response.headers["Content-Disposition"].startswith("attachment; ")
        assert response.read() == SVG


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_page_is_accessible_and_fits_its_window(
    size: tuple[int, int], dark: bool, survey: Offloaded, browser: Browser
) -> None:
    browser.open(page_of(survey), size=size, dark=dark)

    assert browser.accessibility_violations() == []
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    small = (
        "return [...document.querySelectorAll('a.file, .button')].filter(it => it.offsetHeight < 44).length"
    )
    assert browser.run(small) == 0


def test_each_paragraph_runs_in_the_direction_of_its_script(keep: Keep, browser: Browser) -> None:
    plain = entity(
        "text/plain; charset=utf-8", "שלום משה\r\n\r\nHello Moshe\r\n\r\n完全な報告書\r\n".encode()
    )
    browser.open(page_of(keep(header_section(subject=encoded("שלום")) + b"MIME-Version: 1.0\r\n" + plain)))

    edges = browser.run(
        """
        const box = document.querySelector('.text');
        const lines = [...box.childNodes].filter(node => node.data);
        const range = document.createRange();
        const edge = line => {
            range.setStart(line, 0); range.setEnd(line, 1);
            return range.getBoundingClientRect();
        };
        const bounds = box.getBoundingClientRect();
        return [bounds.right - edge(lines[0]).right, edge(lines[1]).left - bounds.left];
        """
    )
    assert max(edges) < 4
    assert "完全な報告書" in browser.text


@pytest.mark.parametrize(
    "charset", ["utf-8", "no-such-charset", "us-ascii", "", "iso-8859-1"], ids=lambda name: name or "none"
)
def test_wrong_or_missing_charset_still_reads(charset: str, keep: Keep, browser: Browser) -> None:
    octets = "<p>Größe</p>".encode("utf-8" if charset != "iso-8859-1" else charset)
    kind = f"text/html; charset={charset}" if charset else "text/html"
    browser.open(page_of(keep(header_section() + b"MIME-Version: 1.0\r\n" + entity(kind, octets))))

    assert "Größe" in browser.text
