"""Promises 5 and 6: the page says what is true, and what a sender wrote is shown on it, never obeyed."""

import base64
import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.unit.notice.notice_cases import MB, ORIGINAL, linked, listed_names
from woomera_milter import config
from woomera_milter.errors import ConfigError
from woomera_milter.message.decoding import HeaderSummary
from woomera_milter.message.mime.body import Body, Piece, PieceForm
from woomera_milter.message.mime.tree import Part
from woomera_milter.notice.letter import letter_of
from woomera_milter.notice.original import Letter, Linked, Original
from woomera_milter.notice.page import Pages

EXPIRES_AT = datetime(2026, 12, 1, 5, 24, tzinfo=UTC)
PAGES = Pages(config.Notice(organization="Example Ltd", contact="postmaster@example.com"))
HEADERS = HeaderSummary(
    header_from="Jane Field <jane@example.com>",
    to="Tom Harbour <tom@example.org>",
    cc="Ann Ridge <ann@example.net>",
    reply_to="",
    subject="Plans",
    date="Tue, 24 Nov 2026 05:24:00 +0000",
    message_id="<plans@example.com>",
)
PLAN = linked("plan.pdf", "application/pdf", 3 * MB, "https://files.example/1")
MESSAGE = replace(ORIGINAL, headers=HEADERS, size_bytes=25 * MB, attachments=[PLAN])
LEAF = Part("text/plain", None, "", "", "", "", 0, 0)


def plain(text: str, *, truncated: bool = False) -> Letter:
    pieces = (Piece(LEAF, PieceForm.PLAIN, text),) if text else ()
    return letter_of(Body(pieces, truncated), [])


TEXT = plain("Dear Tom,\nhere are the plans.")
RICH = Letter("<p>a</p>", frozenset(), remote_pictures=True, truncated=False, is_plain=False)
MESSAGE_LINK = "https://files.example/message.eml?Signature=a&Expires=1"
HOSTILE = "\"'><script>alert(1)</script>{{ 7 * 7 }}<img src=x onerror=alert(1)>"


def rendered(letter: Letter = TEXT, original: Original = MESSAGE) -> str:
    """The page, with the spaces of its sizes as they are searched for."""
    page = PAGES.render(original, letter, MESSAGE_LINK, EXPIRES_AT)
    return page.decode().replace("\u00a0", " ")


def test_page_names_people_times_sizes_and_links() -> None:
    html = rendered()

    for words in (
        "Jane Field &lt;jane@example.com&gt;",
        "Tom Harbour &lt;tom@example.org&gt;",
        "Ann Ridge &lt;ann@example.net&gt;",
        "Tuesday 24 November 2026, 05:24 +0000",
        "Tuesday 1 December 2026, 05:24 UTC",
        "PDF document, 3 MB",
        "25 MB",
        'href="https://files.example/1"',
        'href="https://files.example/message.eml?Signature=a&amp;Expires=1"',
        "postmaster@example.com",
    ):
        assert words in html


def test_policy_allows_the_pages_own_style_and_pictures_of_its_own_host_alone() -> None:
    html = rendered()

    style = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    assert len(style) == 1
    assert (
        f"default-src &#39;none&#39;; style-src &#39;sha256-{digest}&#39;; "
        "img-src https://files.example data:; base-uri &#39;none&#39;; form-action &#39;none&#39;" in html
    )
    assert html.index("Content-Security-Policy") < html.index("<style>")
    assert '<meta name="referrer" content="no-referrer">' in html
    assert " style=" not in html
    assert "<script" not in html


def test_nothing_a_sender_wrote_becomes_markup() -> None:
    attachment = linked(HOSTILE, f"x/{HOSTILE}", 3 * MB, "https://files.example/1")
    picture = linked(HOSTILE, "image/png", 9, "https://files.example/2", disposition="inline")
    headers = HeaderSummary(*([HOSTILE] * 7))

    html = rendered(
        plain(HOSTILE),
        replace(MESSAGE, headers=headers, attachments=[attachment, picture]),
    )

    assert html.count("https://files.example/2") == 2  # in the list, and as a picture
    assert "<script" not in html
    assert "<img src=x" not in html
    assert "{{ 7 * 7 }}" in html


def test_web_address_in_plain_text_can_be_followed() -> None:
    html = rendered(plain('See https://example.com/a?b=1&c="2". <http://x.example>'))

    rel = 'rel="noopener noreferrer nofollow"'
    assert f'<a href="https://example.com/a?b=1&amp;c=" {rel}>https://example.com/a?b=1&amp;c=</a>' in html
    assert f'&lt;<a href="http://x.example" {rel}>http://x.example</a>&gt;' in html


def test_plain_text_of_web_addresses_and_full_stops_is_no_work() -> None:
    text = "http://" + "." * 60_000 + "http://" * 8_000

    assert len(rendered(plain(text))) > 100_000


@pytest.mark.parametrize(
    ("letter", "words"),
    [
        pytest.param(plain(""), "This message has no text.", id="no text"),
        pytest.param(plain("a", truncated=True), "There is more of this text", id="cut"),
        pytest.param(plain("", truncated=True), "cannot be shown here", id="not readable"),
        pytest.param(
            RICH,
            "would tell the sender that you have read this",
            id="remote pictures",
        ),
    ],
)
def test_what_is_missing_from_the_text_is_said_plainly(letter: Letter, words: str) -> None:
    assert words in rendered(letter)


def test_what_else_is_to_be_known_of_an_attachment_is_told_with_addresses_whole_but_no_links() -> None:
    attachment = linked("x.pdf", "application/pdf", 3, note="lies at https://files.example.com/<x>.pdf")
    html = rendered(original=replace(MESSAGE, attachments=[attachment]))

    assert "PDF document: lies at https://files.example.com/&lt;x&gt;.pdf, 3 bytes" in html
    assert 'href="https://files.example.com' not in html


def test_attachments_without_a_link_of_their_own_are_said_to_be_in_the_message() -> None:
    html = rendered(original=replace(MESSAGE, attachments=[PLAN, linked("b.pdf", "application/pdf", 3 * MB)]))

    assert "PDF document, 3 MB, in the whole message" in html
    assert "Only 1 of the 2 attachments can be downloaded alone" in html


def test_page_of_ten_thousand_attachments_lists_a_thousand_and_counts_the_rest() -> None:
    html = rendered(original=replace(MESSAGE, attachments=[PLAN] * 10_000))

    assert "10000 attachments" in html
    assert "And 9000 more" in html


def test_pictures_of_the_message_are_said_to_be_shown_where_they_are() -> None:
    def picture(number: int, content_id: str, disposition: str, content_type: str = "image/png") -> Linked:
        link = f"https://files.example/{number}"
        return linked(f"{number}.png", content_type, 9, link, disposition=disposition, content_id=content_id)

    letter = replace(RICH, shown=frozenset({"https://files.example/1"}))
    pictures = [
        picture(1, "in-text", "inline"),
        picture(2, "nowhere", "inline"),
        picture(3, "", "attachment"),
        picture(4, "", "inline", "image/tiff"),
        replace(picture(5, "", "inline"), link=None),
    ]

    html = rendered(letter, replace(MESSAGE, attachments=pictures))

    assert re.findall(r'<img src="([^"]*)"', html) == ["https://files.example/2"]
    files = re.findall(r'"name" dir="auto">([^<]*)</span> <span class="about">([^<]*)<', html)
    assert [name for name, about in files if "shown above" in about] == ["1.png", "2.png"]


def test_template_of_ones_own_may_use_the_names_that_ours_lists(tmp_path: Path) -> None:
    known = listed_names("index.html")
    assert {"sender", "is_cut", "contact", "policy"} <= set(known)
    template = tmp_path / "index.html"
    template.write_text(
        "".join(f"{{% set _ = {name} %}}" for name in known)
        + "{% for it in attachments %}\n{{ it.name }}|{{ it.kind }}|{{ it.size }}|{{ it.link }}|"
        "{{ it.is_shown }}\n{% endfor %}\n"
        "{{ to }}|{{ cc }}|{{ size }}|{{ attachment_count }}|{{ linked_count }}"
    )

    page = Pages(config.Notice(templates=tmp_path)).render(MESSAGE, TEXT, MESSAGE_LINK, EXPIRES_AT)

    assert page.decode().replace("\u00a0", " ").splitlines() == [
        "plan.pdf|PDF document|3 MB|https://files.example/1|False",
        "Tom Harbour &lt;tom@example.org&gt;|Ann Ridge &lt;ann@example.net&gt;|25 MB|1|1",
    ]


def test_template_of_ones_own_wins_and_a_broken_one_shows_at_start(tmp_path: Path) -> None:
    template = tmp_path / "index.html"
    template.write_text("<title>{{ subject }}</title>{{ letter }}")
    assert b"<title>Plans</title>" in Pages(config.Notice(templates=tmp_path)).render(
        MESSAGE, TEXT, MESSAGE_LINK, EXPIRES_AT
    )

    template.write_text("{{ subjcet }}")
    with pytest.raises(ConfigError, match=r"notice\.templates.*index\.html.*subjcet"):
        Pages(config.Notice(templates=tmp_path))


@pytest.mark.parametrize(
    ("date", "shown"),
    [
        ("Tue, 24 Nov 2026 05:24:00 +0100", "Tuesday 24 November 2026, 05:24 +0100"),
        ("24 Nov 2026 05:24:00 -0000", "Tuesday 24 November 2026, 05:24"),
        ("yesterday", "yesterday"),
        ("Tue, 99 Nov 2026 05:24:00 +9999999999", "Tue, 99 Nov 2026 05:24:00 +9999999999"),
    ],
)
def test_moment_of_sending_is_told_in_words_where_it_is_one(date: str, shown: str) -> None:
    assert f">{shown}<" in rendered(original=replace(MESSAGE, headers=replace(HEADERS, date=date)))
