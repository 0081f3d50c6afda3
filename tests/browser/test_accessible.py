"""Promise 5 for everyone: notice and page in three scripts, light, dark, zoomed, by keyboard, by ear."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.browser.browser import DESK, PHONE, ZOOMED, Browser
from tests.unit.notice.notice_cases import (
    BOTH_LINKS,
    EXPIRES_AT,
    KB,
    MESSAGE_LINK,
    ORIGINAL,
    PHOTO,
    linked,
    parts,
)
from woomera_milter import config
from woomera_milter.config.names import LANGUAGES
from woomera_milter.message.mime.protection import Protection
from woomera_milter.notice.notice import Composer
from woomera_milter.notice.original import Letter, Linked, Original
from woomera_milter.notice.page import Pages

NAMES = ("תמונות מהאתר.zip", "تقرير نهائي (2).docx", "完全な報告書.pdf", "a" * 120 + ".bin")
FILES = [linked(name, "application/pdf", 9 * KB, f"https://files.example/{name}") for name in NAMES]
PICTURES = [linked(f"{it}.png", "image/png", 9 * KB, f"https://files.example/{it}.png") for it in range(5)]
INLINE = linked("map.png", "image/png", 9 * KB, "https://files.example/map.png", disposition="inline")
PLAIN = Letter(
    '<div class="text" dir="auto">Dear Anna,<br>all is well.</div>', frozenset(), False, False, True
)
HTML = Letter(
    '<h3>The survey</h3><p>See <a href="https://example.com/map">the map</a>.</p>'
    "<blockquote>שלום (1).</blockquote><ul><li>one</li></ul>"
    "<table><tr><th>Stretch</th><td>2.4 km</td></tr></table><pre>a    b</pre>",
    frozenset(),
    remote_pictures=False,
    truncated=False,
    is_plain=False,
)
STATES: dict[str, tuple[Letter, Original]] = {
    "plain text": (PLAIN, ORIGINAL),
    "letter": (HTML, replace(ORIGINAL, attachments=FILES)),
    "no text": (replace(PLAIN, html=""), replace(ORIGINAL, attachments=[])),
    "cut": (replace(PLAIN, truncated=True), ORIGINAL),
    "not readable": (replace(PLAIN, html="", truncated=True), ORIGINAL),
    "signed": (PLAIN, replace(ORIGINAL, protection=Protection.SIGNED)),
    "many attachments": (PLAIN, replace(ORIGINAL, attachments=[*FILES * 20, linked("x", "x/y", 1)])),
    "pictures": (HTML, replace(ORIGINAL, attachments=[*PICTURES, INLINE, PHOTO])),
    "remote pictures": (replace(HTML, remote_pictures=True), ORIGINAL),
}
# A mail lies within the main part of its client's page, and may not have one of its own.
OF_THE_CLIENT = ("landmark-one-main", "region")
WHERE = "it => it.href || it.tagName"


def settings_for(*languages: str) -> config.Notice:
    return config.Notice(organization="Example Ltd.", contact="help@example.com", languages=languages)


@pytest.fixture
def page(tmp_path: Path) -> str:
    """The address of the page with everything, in three languages."""
    everything: list[Linked] = [*FILES, *PICTURES, INLINE, linked("x.pdf", "application/pdf", 3)]
    letter = replace(HTML, truncated=True, remote_pictures=True)
    original = replace(ORIGINAL, attachments=everything, protection=Protection.SIGNED)
    rendered = Pages(settings_for("en", "ar", "ja")).render(original, letter, MESSAGE_LINK, EXPIRES_AT)
    return written(tmp_path, rendered)


def written(folder: Path, html: str | bytes) -> str:
    path = folder / "index.html"
    path.write_bytes(html.encode() if isinstance(html, str) else html)
    return path.as_uri()


@pytest.mark.parametrize("tag", ["en", "ar", "ja"])
def test_page_has_no_fault_in_any_state_light_or_dark_at_400_percent(
    tag: str, tmp_path: Path, browser: Browser
) -> None:
    pages = Pages(settings_for(tag))
    for state, (letter, original) in STATES.items():
        url = written(tmp_path, pages.render(original, letter, MESSAGE_LINK, EXPIRES_AT))
        for dark in (False, True):
            browser.open(url, size=ZOOMED, dark=dark)
            assert browser.accessibility_violations() == [], state
            assert browser.run("return document.documentElement.scrollWidth <= innerWidth"), state


@pytest.mark.parametrize("tag", ["en", "ar", "ja"])
def test_notice_has_no_fault_light_or_dark(tag: str, tmp_path: Path, browser: Browser) -> None:
    original = replace(ORIGINAL, attachments=FILES, letter=HTML, protection=Protection.SIGNED)
    _, html = parts(Composer(settings_for(tag, "he")).compose(original, BOTH_LINKS, EXPIRES_AT))
    for dark in (False, True):
        browser.open(written(tmp_path, html), size=ZOOMED, dark=dark)
        found = [it for it in browser.accessibility_violations() if not it.startswith(OF_THE_CLIENT)]
        assert found == []
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth")


def test_notice_in_every_language_keeps_all_words_in_sight_at_twice_the_size(
    tmp_path: Path, browser: Browser
) -> None:
    """On a phone, with only the text made larger, as mail programs do (WCAG 2.2, 1.4.4 and 1.4.12)."""
    original = replace(ORIGINAL, attachments=FILES, protection=Protection.SIGNED)
    cut = """
        for (const it of document.querySelectorAll('[style*="font-size"]'))
            it.style.fontSize = 2 * parseFloat(it.style.fontSize) + 'px';
        const all = [...document.querySelectorAll('html, td')];
        return all.filter(it => it.scrollWidth > it.clientWidth).map(it => it.innerText.slice(0, 40));
    """
    for tag in LANGUAGES:
        _, html = parts(Composer(settings_for(tag)).compose(original, BOTH_LINKS, EXPIRES_AT))
        browser.open(written(tmp_path, html), size=PHONE)
        assert browser.run(cut) == [], tag


@pytest.mark.parametrize(("tag", "side"), [("en", "left"), ("ar", "right"), ("he", "right")])
def test_all_but_the_letter_begins_on_the_side_of_the_language(
    tag: str, side: str, tmp_path: Path, browser: Browser
) -> None:
    """Whatever the script of a name, a subject or a file."""
    original = replace(ORIGINAL, attachments=FILES[:3], protection=Protection.SIGNED)
    _, notice = parts(Composer(settings_for(tag)).compose(original, BOTH_LINKS, EXPIRES_AT))
    rendered = Pages(settings_for(tag)).render(original, HTML, MESSAGE_LINK, EXPIRES_AT)
    strays = """
        const [side, blocks] = arguments, strays = [];
        for (const block of document.querySelectorAll(blocks)) {
            if (block.closest('.letter, .q') || block.querySelector('table, p')) continue;
            const style = getComputedStyle(block), range = document.createRange();
            range.selectNodeContents(block);
            const sign = side == 'right' ? 1 : -1, padding = parseFloat(style['padding-' + side]);
            const edge = block.getBoundingClientRect()[side] - sign * padding;
            if (Math.abs(edge - range.getBoundingClientRect()[side]) > 4) strays.push(block.innerText);
        }
        return strays;
    """
    for html, blocks in (
        (notice, "h1, h2, p, td.v, td.m, li"),
        (rendered, "h1, h2, p, dd, dt, .name, .about"),
    ):
        browser.open(written(tmp_path, html), size=DESK)
        assert browser.run(strays, side, blocks) == []


def test_keyboard_alone_reaches_every_link_in_the_order_of_the_page_and_is_seen_there(
    page: str, browser: Browser
) -> None:
    browser.open(page, size=DESK)
    stops = browser.run(f"return [...document.querySelectorAll('a[href], [tabindex]')].map({WHERE})")
    reached, tops, outlined = [], [], []
    for _ in stops:
        browser.press_tab()
        reached.append(browser.run(f"return ({WHERE})(document.activeElement)"))
        tops.append(browser.run("return document.activeElement.getBoundingClientRect().top + scrollY"))
        outlined.append(browser.run("return getComputedStyle(document.activeElement).outlineStyle"))

    assert reached == stops
    assert tops == sorted(tops)
    assert set(outlined) == {"solid"}
    assert reached.count("SECTION") == 1  # the letter, which may be wider than the window


def test_screen_reader_is_given_landmarks_headings_and_names(
    page: str, browser: Browser, tmp_path: Path
) -> None:
    browser.open(page)
    tree = browser.accessibility_tree()
    (tmp_path / "accessibility_tree.txt").write_text(tree, encoding="utf-8")

    assert re.findall(r"heading (\d) '(.*)'", tree) == [
        ("1", "Plans for the building"),
        ("2", "Message"),
        ("3", "The survey"),
        ("2", "11 attachments"),
        ("2", "The whole message"),
    ]
    assert re.findall(r"(main|contentinfo|region)(?: '(.*)')?$", tree, re.MULTILINE) == [
        ("main", ""),
        ("region", "Message"),
        ("region", "11 attachments"),
        ("region", "The whole message"),
        ("contentinfo", ""),
    ]
