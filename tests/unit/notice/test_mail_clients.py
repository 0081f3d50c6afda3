"""At least 90 % of mail clients understand what the notice is made of, or show it as well without.

rig/mail_clients.py tells where tests/mail_clients.json has that from.
"""

import json
import re
from pathlib import Path

import pytest

from tests.unit.notice.rendered import STATES, Element, notice_of, rules_of

_DATA = Path(__file__).parents[2] / "mail_clients.json"
SHARES: dict[str, list[int]] = json.loads(_DATA.read_text())["features"]
LEAST = 90
DARK, PHONE = "@media (prefers-color-scheme: dark)", "@media (max-width: 480px)"

# Elements and attributes as old as HTML, and properties that caniemail has no page for.
UNTESTED = (
    {"html", "head", "a", "title", "meta", "br", "tr", "td", "li", "h3"}
    | {"class=", "href=", "border=", "bgcolor=", "nowrap=", "charset=", "name=", "content="}
    | {"ses:no-track="}  # SES takes it away (SES Developer Guide)
    | {"color", "font-family", "border-color", "unicode-bidi"}
)
# Partial in what the notice does not use: 90 % and more support what it does.
PARTLY = {
    "css-background": "colours alone; images are what is missing",
    "css-display": "inline-block alone; flex and grid are what is missing",
    "css-font-size": "in px; rem and relative sizes are what is missing",
    "css-font-weight": "bold; numbers are what is missing",
    "css-margin": "of blocks, not negative; auto and negative values are what is missing",
    "css-text-align": "left and right; start stands in the letter alone, where the cell's own is as good",
    "css-text-decoration": "none alone, on the button; multiple values are what is missing",
    "css-white-space": "nowrap and pre-wrap; pre is what is missing",
    "css-sytem-ui": "the first of a list of families, and skipped by those who do not know it",
    "html-dir": "on html, body and div; tables and links are what is missing",
    "html-lists": "ul alone; reversed and value are what is missing",
    "html-mailto-links": "with an address alone; cc and bcc are what is missing",
}
FALLBACK = {
    "css-at-media": "the style element is an extra: without it the notice is light, with wider edges",
    "css-at-media-prefers-color-scheme": "as css-at-media",
    "css-important": "as css-at-media",
    "css-color-scheme": "as css-at-media",
    "css-selector-class": "as css-at-media",
    "css-selector-descendant": "as css-at-media",
    "css-selector-grouping": "as css-at-media",
    "css-selector-type": "as css-at-media",
    "html-style": "as css-at-media",
    "html-meta-color-scheme": "as css-at-media",
    "css-border-radius": "the corners are square",
    "css-overflow-wrap": "a name without a blank runs on in its line; table-layout keeps the rest",
    "css-table-layout": "the table is as wide as its longest name",
    "html-doctype": "each table has sizes and colours anew, which quirks mode makes it forget",
    "html-body": "its style is on the cell within, its language and direction on the div within",
    "html-lang": "the words are read in the voice of the client's language",
    "html-role": "a screen reader names the tables, and reads their cells in the same order",
}


def used(notice: Element) -> set[str]:
    """The features by their names in the data, or, where it has none, as UNTESTED names them."""
    found = {"html-doctype"}
    for element in notice.all():
        if element.name:
            found |= {_named(f"html-{element.name}", element.name)}
            found |= {_named(f"html-{it}", f"{it}=") for it in element.attributes if it != "style"}
            found |= _of_style(element.style)
            found |= (
                {"html-mailto-links"} if element.attributes.get("href", "").startswith("mailto:") else set()
            )
            found |= {"html-meta-color-scheme"} if element.attributes.get("name") == "color-scheme" else set()
    for medium in ("", DARK, PHONE):
        for selector, declared in rules_of(notice, medium):
            found |= _of_style(declared) | _of_selector(selector)
    [sheet] = notice.all("style")
    assert re.findall("^@.*(?= {)", sheet.text, re.MULTILINE) == [DARK, PHONE]
    return found | {
        "css-at-media",
        "css-at-media-prefers-color-scheme",
        "css-important",
        "css-selector-grouping",
    }


def _named(slug: str, otherwise: str) -> str:
    grouped = {"html-h1": "html-h1-h6", "html-h2": "html-h1-h6", "html-ul": "html-lists"}
    slug = grouped.get(slug, slug)
    return slug if slug in SHARES else otherwise


def _of_style(style: dict[str, str]) -> set[str]:
    whole = {it: re.sub(r"^(border|padding|margin)-(left|right|top|bottom)$", r"\1", it) for it in style}
    found = {_named(f"css-{name}", it) for it, name in whole.items()}
    values = " ".join(style.values())
    found |= {"css-unit-px"} if re.search(r"\dpx", values) else set()
    found |= {"css-unit-percent"} if "%" in values else set()
    found |= {"css-sytem-ui"} if "system-ui" in values else set()
    others = set(re.findall(r"\d([a-z]+)\b|\b([a-z-]+)\(", re.sub("#[0-9a-f]+", "", values))) - {("px", "")}
    assert not others, f"units or functions that are not looked up: {others}"
    return found


def _of_selector(selector: str) -> set[str]:
    assert re.fullmatch(r":root|(\.?[a-z]+)( \.?[a-z]+)?", selector), f"{selector}: not looked up"
    found = {"css-selector-descendant"} if " " in selector else set()
    found |= {"css-selector-class"} if "." in selector else set()
    return found | ({"css-selector-type"} if re.search(r"(?:^| )[a-z]", selector) else set())


ALL_USED = set[str]().union(*(used(notice_of(state, ("en", "ar"))) for state in STATES))


@pytest.mark.parametrize("feature", sorted(ALL_USED))
def test_mail_clients_understand_it_or_lose_nothing_that_counts(feature: str) -> None:
    if feature not in SHARES:
        assert feature in UNTESTED
        return
    whole, partly = SHARES[feature]
    assert whole >= LEAST or (feature in PARTLY and partly >= LEAST) or feature in FALLBACK


def test_each_exception_is_used_and_is_one() -> None:
    assert set(PARTLY) | set(FALLBACK) | UNTESTED <= ALL_USED
    assert not [it for it in (*PARTLY, *FALLBACK) if SHARES[it][0] >= LEAST]
    assert not set(PARTLY) & set(FALLBACK)
