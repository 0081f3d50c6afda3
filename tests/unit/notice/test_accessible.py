"""The notice keeps what 99.88 % of mail does not: the rules of the Email Markup Consortium's report of 2026.

https://emailmarkup.org/en/reports/accessibility/2026 numbers the ten commonest failures: EMC 1 is the first
of them. It was made with https://parcel.io/docs/dev-tools/accessibility-checker, which has more rules.
Numbers such as 1.4.3 are those of WCAG 2.2.
"""

import re
from itertools import pairwise

import pytest

from tests.unit.notice.rendered import STATES, Element, notice_of, rules_of, styles_of

LANGUAGES = [("en",), ("ar",), ("ja",), ("de", "ar", "ja")]
_LEAST_PX = 14
_LEAST_LINE_HEIGHT = 1.25
_LEAST_CONTRAST = 4.5
_SAYS_NOTHING = re.compile(
    r"(click|tap|press)?\s*(here|this)|(read|learn|see)?\s*more|link|details|go|download", re.IGNORECASE
)

each_state = pytest.mark.parametrize("state", STATES)
each_language = pytest.mark.parametrize("languages", LANGUAGES, ids="-".join)


def written(element: Element) -> list[Element]:
    """What holds text of its own, within the body."""
    [body] = element.all("body")
    return [it for it in body.all() if it.own_text]


@each_language
def test_html_and_body_and_all_within_tell_language_and_direction(languages: tuple[str, ...]) -> None:
    """EMC 1, 2 and 6: clients take what html and body say away, so the body's children say it, too."""
    notice = notice_of("plain text", languages)
    [html], [body] = notice.all("html"), notice.all("body")
    children = [it for it in body.children if isinstance(it, Element)]
    direction = "rtl" if languages[0] == "ar" else "ltr"
    assert len(children) == 1
    for element in (html, body, *children):
        assert (element.attributes["lang"], element.attributes["dir"]) == (languages[0], direction)


def test_words_in_a_further_language_say_which_it_is_and_the_senders_that_it_is_not_known() -> None:
    """3.1.2; "und" is what the report has for that (EMC 2)."""
    notice = notice_of("plain text", ("de", "ar", "ja"))
    told = [
        (it.attributes["lang"], it.attributes["dir"]) for it in notice.all("div") if "lang" in it.attributes
    ]
    assert told == [("de", "ltr"), ("ar", "rtl"), ("ja", "ltr"), ("und", "auto")]
    for script, tag in ((r"[\u0600-\u06ff]", "ar"), (r"[\u3040-\u30ff]", "ja")):
        for element in written(notice):
            if re.search(script, element.own_text):
                assert (
                    next(it.attributes["lang"] for it in element.lineage() if "lang" in it.attributes) == tag
                )


@each_state
def test_tables_are_for_layout_alone_and_say_so(state: str) -> None:
    """EMC 3; nothing in them may speak of data (1.3.1)."""
    notice = notice_of(state)
    tables = [*notice.all("table")]
    assert tables
    assert {it.attributes.get("role") for it in tables} == {"presentation"}
    assert not [*notice.all("th", "caption", "thead", "tfoot")]
    assert not [it for it in notice.all() if {"summary", "scope", "headers"} & it.attributes.keys()]


@each_state
def test_one_heading_leads_and_the_others_follow_in_order(state: str) -> None:
    """EMC 4; no level is skipped (1.3.1), none is empty (2.4.6)."""
    headings = [*notice_of(state).all("h1", "h2", "h3", "h4", "h5", "h6")]
    levels = [int(it.name[1]) for it in headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))
    assert all(it.text.strip() for it in headings)


@each_language
@each_state
def test_text_of_each_link_tells_where_it_leads_and_no_two_are_the_same(
    state: str, languages: tuple[str, ...]
) -> None:
    """EMC 5 and 10 (2.4.4, 2.4.9)."""
    links = [*notice_of(state, languages).all("a")]
    texts = [it.text.strip() for it in links]
    targets = {(it.text.strip(), it.attributes["href"]) for it in links}
    assert all(texts)
    assert not [it for it in texts if _SAYS_NOTHING.fullmatch(it)]
    assert len({text for text, _ in targets}) == len(targets) == len(links)
    assert not [it for it in links if "target" in it.attributes or "title" in it.attributes]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@each_state
def test_text_and_links_stand_out_from_their_ground(state: str, dark: bool) -> None:
    """EMC 7: 4.5 to 1 (1.4.3)."""
    for element in written(notice_of(state, ("en", "ar"))):
        styles = styles_of(element, dark=dark)
        assert contrast(styles["color"], styles["background"]) >= _LEAST_CONTRAST, (element, styles)


def contrast(one: str, other: str) -> float:
    """Of two colours as #rrggbb (WCAG 2.2, "contrast ratio")."""
    dark, light = sorted(map(_luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [it / 12.92 if it <= 0.04045 else ((it + 0.055) / 1.055) ** 2.4 for it in parts]
    return sum(share * it for share, it in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_contrast_is_counted_as_wcag_counts_it() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@each_state
def test_nothing_is_told_by_a_picture(state: str) -> None:
    """EMC 8: ours has none, so none lacks its text, and none holds text (1.4.5)."""
    notice = notice_of(state)
    assert not [*notice.all("img", "svg", "video", "audio", "object", "iframe", "map")]
    assert not [it for it in notice.all() if "url(" in it.attributes.get("style", "")]


@each_language
def test_head_tells_title_charset_and_colour_scheme_and_lets_people_zoom(languages: tuple[str, ...]) -> None:
    """EMC 9; "Zooming and scaling must not be disabled" (1.4.4)."""
    notice = notice_of("plain text", languages)
    [title] = notice.all("title")
    told = {it.attributes.get("name"): it.attributes.get("content", "") for it in notice.all("meta")}
    assert title.text.strip()
    assert next(notice.all("meta")).attributes == {"charset": "utf-8"}
    assert told["color-scheme"] == "light dark"
    assert told["viewport"] == "width=device-width, initial-scale=1"


@each_state
def test_text_is_large_enough_and_its_lines_grow_with_it(state: str) -> None:
    """Lines of a fixed height cut text that people enlarge (1.4.4, 1.4.12)."""
    for element in written(notice_of(state)):
        styles = styles_of(element, dark=False)
        if element.name != "h3":  # the sender's
            assert float(styles["font-size"].removesuffix("px")) >= _LEAST_PX, element
        assert float(styles["line-height"]) >= _LEAST_LINE_HEIGHT, element
    for element in notice_of(state).all():
        assert "height" not in element.style | element.attributes
        assert "hidden" not in element.style.values()


@each_state
def test_text_is_neither_justified_nor_centred(state: str) -> None:
    """1.4.8: rivers of white and moving beginnings of lines make reading hard."""
    notice = notice_of(state)
    aligned = {it.style["text-align"] for it in notice.all() if "text-align" in it.style}
    assert aligned <= {"left", "start"}
    assert not [
        it for it in notice.all() if it.attributes.get("align") in ("justify", "center") and it.own_text
    ]
    assert all("text-align" not in it or it["text-align"] == "start" for _, it in rules_of(notice))


def test_sides_are_mirrored_where_the_language_runs_from_right_to_left() -> None:
    """What is indented, bordered or aligned on one side is so on the other."""
    for state in ("letter", "signed", "without a page"):
        english, arabic = notice_of(state), notice_of(state, ("ar",))
        for one, other in zip(english.all(), arabic.all(), strict=True):
            if one.name in ("td", "p", "div"):
                assert mirrored(one) == other.attributes.get("style", "")


def mirrored(element: Element) -> str:
    style = element.attributes.get("style", "").replace("left", "right")
    return re.sub(r"padding:(\w+) (\w+) (\w+) (\w+)", r"padding:\1 \4 \3 \2", style)


@each_state
def test_nothing_moves_or_takes_the_keyboard(state: str) -> None:
    """2.1.1, 2.2.2, 2.4.3."""
    forbidden = {"tabindex", "accesskey", "autofocus", "onclick", "aria-hidden"}
    assert not [it for it in notice_of(state).all() if forbidden & it.attributes.keys()]
    assert not [*notice_of(state).all("marquee", "blink", "script", "form", "input", "button")]
