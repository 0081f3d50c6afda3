"""The notice tells the truth, to readers of either of its parts, and is safe for SES."""

import re
from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from tests.unit.notice.notice_cases import (
    BOTH_LINKS,
    COMPOSER,
    EXPIRES_AT,
    MB,
    MESSAGE_LINK,
    NO_PAGE,
    ORIGINAL,
    PAGE_LINK,
    SESSION_TOKEN_LINK,
    Page,
    assert_links_stand_alone,
    assert_safe_for_ses,
    linked,
    parts,
)
from woomera_milter import config
from woomera_milter.message.mime.protection import Protection
from woomera_milter.notice.notice import MAX_HEADER_BYTES, Composer
from woomera_milter.notice.original import Links


@pytest.mark.parametrize("links", [BOTH_LINKS, NO_PAGE], ids=["with a page", "without a page"])
@pytest.mark.parametrize("header_bytes", [400, MAX_HEADER_BYTES], ids=["small headers", "64 KB of headers"])
def test_notice_is_safe_for_ses_and_its_links_stand_alone(links: Links, header_bytes: int) -> None:
    notice = COMPOSER.compose(ORIGINAL, links, EXPIRES_AT, header_bytes)
    assert_safe_for_ses(notice, header_bytes)
    assert_links_stand_alone(parts(notice)[0], links)


def test_link_longer_than_a_header_line_may_be_stays_whole() -> None:
    links = Links(message=SESSION_TOKEN_LINK, page=None)
    text, html = parts(COMPOSER.compose(ORIGINAL, links, EXPIRES_AT, 400))
    assert SESSION_TOKEN_LINK in text.splitlines()
    assert SESSION_TOKEN_LINK in Page(html).targets


def test_html_leads_to_the_page_first_and_to_the_message_always() -> None:
    targets = Page(parts(COMPOSER.compose(ORIGINAL, BOTH_LINKS, EXPIRES_AT, 400))[1]).targets
    assert targets[:2] == [PAGE_LINK, MESSAGE_LINK]
    assert Page(parts(COMPOSER.compose(ORIGINAL, NO_PAGE, EXPIRES_AT, 400))[1]).targets[0] == MESSAGE_LINK


@pytest.mark.parametrize("links", [BOTH_LINKS, NO_PAGE])
def test_ses_is_told_to_track_no_link_of_ours(links: Links) -> None:
    """It would rewrite them by way of its own host, and write them into its events (SES Developer Guide)."""
    html = parts(COMPOSER.compose(ORIGINAL, links, EXPIRES_AT, 400))[1]
    anchors = re.findall(r"<a [^>]*https:[^>]*>", html)
    assert len(anchors) == len(Page(html).targets) - html.count("mailto:")
    assert [it for it in anchors if "ses:no-track" not in it] == []


@pytest.mark.parametrize(
    "promised",
    [
        "Jörg Müller <joerg@example.com>",
        "24.3 MB",
        "10 MB",
        "Tuesday 1 December 2026, 05:24 UTC",
        "Plans for the building",
        "Tuesday 24 November 2026, 05:24 +0000",
        "Plan, second draft.pdf",
        "PDF document, 18 MB",
        "Baustelle Süd.jpg",
        "picture, 700 KB",
        "too large",
        "Nothing is lost",
        "Outlook",
        "Apple Mail",
        "Thunderbird",
        "iPhone",
        "Android",
        "Example Ltd",
        "postmaster@example.com",
        "here are the plans.",
    ],
)
@pytest.mark.parametrize("links", [BOTH_LINKS, NO_PAGE], ids=["with a page", "without a page"])
def test_both_parts_tell_a_recipient(promised: str, links: Links) -> None:
    text, html = parts(COMPOSER.compose(ORIGINAL, links, EXPIRES_AT, 400))
    assert promised in text
    assert promised in Page(html).text


def test_end_of_links_is_told_in_utc_whatever_zone_it_comes_in() -> None:
    east = EXPIRES_AT.astimezone(timezone(timedelta(hours=14)))
    assert COMPOSER.compose(ORIGINAL, NO_PAGE, east) == COMPOSER.compose(ORIGINAL, NO_PAGE, EXPIRES_AT)


def test_same_facts_make_the_same_notice() -> None:
    assert COMPOSER.compose(ORIGINAL, BOTH_LINKS, EXPIRES_AT) == COMPOSER.compose(
        ORIGINAL, BOTH_LINKS, EXPIRES_AT
    )


@pytest.mark.parametrize(
    ("size_bytes", "told"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1023 bytes"),
        (1024, "1 KB"),
        (1024 * 1024 - 1, "1 MB"),
        (10_485_760, "10 MB"),
        (25_480_000, "24.3 MB"),
        (1024**3 - 1, "1 GB"),
        (150 * 1024**3, "150 GB"),
    ],
)
def test_sizes_are_told_as_ses_counts_them(size_bytes: int, told: str) -> None:
    original = replace(ORIGINAL, attachments=[linked("data.bin", "application/x-data", size_bytes)])
    text, _ = parts(COMPOSER.compose(original, NO_PAGE, EXPIRES_AT))
    assert f"data.bin (file, {told})" in text


def test_what_else_is_to_be_known_of_an_attachment_stands_beside_its_kind_and_makes_no_link() -> None:
    note = "lies at https://files.example.com/x.pdf"
    original = replace(ORIGINAL, attachments=[linked("x.pdf", "application/pdf", 3, note=note)])
    text, html = parts(COMPOSER.compose(original, NO_PAGE, EXPIRES_AT))
    told = "PDF document: lies at https:// files.example.com/x.pdf, 3 bytes"
    assert f"- x.pdf ({told})" in text
    assert told in Page(html).text


def test_message_one_byte_over_the_limit_is_said_to_be_just_over_it() -> None:
    original = replace(ORIGINAL, size_bytes=10 * MB + 1)
    for part in parts(COMPOSER.compose(original, NO_PAGE, EXPIRES_AT)):
        assert "10 MB, just over the limit" in part.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("protection", "named"),
    [
        (Protection.SIGNED, "digitally signed"),
        (Protection.ENCRYPTED, "is encrypted"),
        (Protection.SMIME, "S/MIME"),
    ],
)
def test_protected_original_is_named_as_such(protection: Protection, named: str) -> None:
    plain, html = parts(COMPOSER.compose(replace(ORIGINAL, protection=protection), NO_PAGE, EXPIRES_AT))
    assert named in plain
    assert named in Page(html).text
    unprotected = "".join(parts(COMPOSER.compose(ORIGINAL, NO_PAGE, EXPIRES_AT)))
    assert named not in unprotected


def test_text_that_goes_on_in_the_message_is_said_to_do_so() -> None:
    cut, whole = (
        parts(
            COMPOSER.compose(
                replace(ORIGINAL, text=replace(ORIGINAL.text, truncated=truncated)), NO_PAGE, EXPIRES_AT
            )
        )
        for truncated in (True, False)
    )
    assert "The rest is in the downloaded message." in cut[0]
    assert "The rest is in the downloaded message" in cut[1]
    assert not any("rest is in the downloaded" in part for part in whole)


def test_notice_names_nobody_to_ask_where_the_config_names_nobody() -> None:
    text, html = parts(Composer(config.Notice()).compose(ORIGINAL, NO_PAGE, EXPIRES_AT))
    assert "Questions?" not in text + html


def test_sizes_do_not_break_between_number_and_unit_where_html_breaks_lines() -> None:
    text, html = parts(COMPOSER.compose(ORIGINAL, BOTH_LINKS, EXPIRES_AT, 400))
    assert "24.3\u00a0MB" in html
    assert "\u00a0" not in text


def test_what_the_sender_wrote_comes_before_how_to_open_a_file() -> None:
    for part in parts(COMPOSER.compose(ORIGINAL, BOTH_LINKS, EXPIRES_AT, 400)):
        assert part.upper().index("TEXT OF THE MESSAGE") < part.upper().index("HOW TO OPEN THE .EML FILE")
