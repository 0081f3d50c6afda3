"""However little room there is, a notice is safe for SES, keeps its promises and says what is missing."""

from dataclasses import replace

import pytest

from tests.unit.notice.notice_cases import (
    BOTH_LINKS,
    COMPOSER,
    EXPIRES_AT,
    KB,
    NO_PAGE,
    ORIGINAL,
    PHOTO,
    SESSION_TOKEN_LINK,
    assert_links_stand_alone,
    assert_safe_for_ses,
    linked,
    parts,
)
from woomera_milter import config
from woomera_milter.config.names import LANGUAGES
from woomera_milter.message.decoding import HeaderSummary
from woomera_milter.message.mime.body import BodyText
from woomera_milter.message.mime.protection import Protection
from woomera_milter.notice.notice import MAX_HEADER_BYTES, Composer
from woomera_milter.notice.original import Links

LOREM = BodyText("Lorem ipsum dolor sit amet. " * 2000, truncated=False)


def test_short_room_costs_the_text_first_and_says_so() -> None:
    original = replace(ORIGINAL, text=LOREM)
    notice = COMPOSER.compose(original, BOTH_LINKS, EXPIRES_AT, MAX_HEADER_BYTES)
    text, html = parts(notice)
    assert_safe_for_ses(notice, MAX_HEADER_BYTES)
    assert "Lorem ipsum dolor sit amet. Lorem" in text
    assert "The rest is on the page." in text
    assert "Baustelle Süd.jpg" in text
    assert "more, which do not fit" not in text + html


@pytest.mark.parametrize("count", [200, 50_000])
def test_shorter_room_costs_the_end_of_the_list_of_attachments(count: int) -> None:
    photos = [linked(f"photo {number}.jpg", "image/jpeg", 700 * KB, PHOTO.link) for number in range(count)]
    original = replace(ORIGINAL, attachments=photos, text=LOREM)
    notice = COMPOSER.compose(original, BOTH_LINKS, EXPIRES_AT, MAX_HEADER_BYTES)
    text, html = parts(notice)
    assert_safe_for_ses(notice, MAX_HEADER_BYTES)
    assert_links_stand_alone(text, BOTH_LINKS)
    shown = text.count("- photo ")
    assert 10 < shown < 200
    assert f"({count})" in text
    for part in (text, html):
        assert f"and {count - shown} more" in part
        assert "did not fit into this notice" in part


def test_smallest_notice_keeps_all_that_it_promises_beside_64_kb_of_headers() -> None:
    links = Links(message=SESSION_TOKEN_LINK, page=SESSION_TOKEN_LINK.replace("message.eml", "index.html"))
    hostile = "\U0001f600" * 5000
    original = replace(
        ORIGINAL,
        headers=HeaderSummary(*[hostile] * 7),
        text=BodyText(hostile, truncated=False),
        attachments=[linked(hostile, hostile, 1, SESSION_TOKEN_LINK)] * 300,
        protection=Protection.SMIME,
    )
    notice = COMPOSER.compose(original, links, EXPIRES_AT, MAX_HEADER_BYTES)
    text, _ = parts(notice)
    assert_safe_for_ses(notice, MAX_HEADER_BYTES)
    assert {links.page, links.message} <= set(text.splitlines())
    assert "\U0001f600" in text
    assert "24.3 MB" in text
    assert "Tuesday 1 December 2026, 05:24 UTC" in text


def test_three_languages_and_two_hundred_attachments_fit() -> None:
    speaks = Composer(config.Notice(languages=("de", "ar", "ja"), organization="Example Ltd"))
    photos = [linked(f"photo {number}.jpg", "image/jpeg", 700 * KB, PHOTO.link) for number in range(200)]
    original = replace(ORIGINAL, attachments=photos, text=LOREM)
    notice = speaks.compose(original, BOTH_LINKS, EXPIRES_AT, MAX_HEADER_BYTES)
    assert_safe_for_ses(notice, MAX_HEADER_BYTES)
    text, html = parts(notice)
    assert "Dienstag, 1. Dezember 2026, 05:24 UTC" in text
    for tag, direction in (("ar", "rtl"), ("ja", "ltr")):
        assert f'<div lang="{tag}" dir="{direction}"' in html
    assert_links_stand_alone(text, BOTH_LINKS)


@pytest.mark.parametrize("tag", LANGUAGES)
@pytest.mark.parametrize("protection", [None, *Protection])
def test_each_language_makes_a_notice_that_is_safe_for_ses(tag: str, protection: Protection | None) -> None:
    speaks = Composer(config.Notice(languages=(tag,), organization="Example Ltd", contact="a@example.com"))
    original = replace(ORIGINAL, protection=protection)
    for links in (BOTH_LINKS, NO_PAGE):
        notice = speaks.compose(original, links, EXPIRES_AT, MAX_HEADER_BYTES)
        assert_safe_for_ses(notice, MAX_HEADER_BYTES)
        assert_links_stand_alone(parts(notice)[0], links)
