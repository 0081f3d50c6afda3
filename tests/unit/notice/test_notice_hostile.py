"""Nothing that a sender wrote can act in a notice, or pass there for a link of ours."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.fuzz.fragments import ACTING
from tests.unit.notice.notice_cases import (
    BOTH_LINKS,
    COMPOSER,
    EXPIRES_AT,
    MB,
    NO_PAGE,
    ORIGINAL,
    PHOTO,
    Page,
    assert_links_stand_alone,
    assert_safe_for_ses,
    linked,
    parts,
)
from woomera_milter.message.decoding import HeaderSummary
from woomera_milter.message.mime.body import BodyText
from woomera_milter.message.mime.protection import Protection
from woomera_milter.notice.notice import MAX_HEADER_BYTES
from woomera_milter.notice.original import Links, Original

ANY_CHARACTER = st.characters(exclude_categories=["Cs"])  # decoded text holds no surrogates
HOSTILE = st.lists(
    st.one_of(
        st.text(ANY_CHARACTER, max_size=40),
        st.sampled_from(ACTING),
    ),
    max_size=6,
).map("".join)


@settings(deadline=None, max_examples=150)
@given(
    original=st.builds(
        Original,
        id=st.just("id"),
        envelope_sender=HOSTILE,
        headers=st.builds(HeaderSummary, *[HOSTILE] * 7),
        size_bytes=st.integers(0, 2**40),
        limit_bytes=st.just(10 * MB),
        attachments=st.lists(
            st.builds(linked, HOSTILE, HOSTILE, st.integers(0, 2**40), st.sampled_from([None, PHOTO.link])),
            max_size=4,
        ),
        text=st.builds(BodyText, HOSTILE, st.booleans()),
        protection=st.sampled_from([None, *Protection]),
    ),
    links=st.sampled_from([BOTH_LINKS, NO_PAGE]),
    header_bytes=st.integers(0, MAX_HEADER_BYTES),
)
def test_nothing_that_a_sender_writes_acts_or_passes_for_a_link(
    original: Original, links: Links, header_bytes: int
) -> None:
    notice = COMPOSER.compose(original, links, EXPIRES_AT, header_bytes)
    assert_safe_for_ses(notice, header_bytes)
    text, html = parts(notice)
    assert_links_stand_alone(text, links)
    harmless = Page(
        parts(COMPOSER.compose(replace(ORIGINAL, protection=Protection.SIGNED), links, EXPIRES_AT))[1]
    )
    page = Page(html)
    assert page.tags <= harmless.tags
    assert page.attributes <= harmless.attributes
    assert set(page.targets) <= {links.message, links.page, PHOTO.link, "mailto:postmaster@example.com"}


@pytest.mark.parametrize("width", range(60, 80))
def test_white_space_at_the_end_of_a_line_makes_no_line_too_long(width: int) -> None:
    text = f"{'x' * width} \n{'x' * width}\t\n{'x' * width}\u00fc \t\n"
    assert_safe_for_ses(
        COMPOSER.compose(replace(ORIGINAL, text=BodyText(text, truncated=False)), BOTH_LINKS, EXPIRES_AT, 0),
        0,
    )


def test_html_loads_nothing_from_outside_and_runs_nothing() -> None:
    page = Page(parts(COMPOSER.compose(ORIGINAL, BOTH_LINKS, EXPIRES_AT))[1])
    assert not page.tags & {"script", "img", "link", "iframe", "object", "form", "base", "svg"}
    assert not any(name.startswith("on") for name in page.attributes)
    assert "url(" not in page.text
