"""Promise 5 in every language: sentences keep their values, dates and sizes are those of the language."""

import re
import sys
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from babel.messages.pofile import read_po

from rig import catalogues
from woomera_milter.config.names import LANGUAGES
from woomera_milter.text.language import CATALOGUES, Language

MOMENT = datetime(2026, 12, 1, 5, 24, tzinfo=UTC)
TRANSLATED = [it for it in LANGUAGES if it != "en"]
_PLACE = re.compile(r"%\((\w+)\)s|%(?!\()")
_MOST_BUTTON_CHARS = 34  # so many stand on one line of a phone's 320 px


class Sentence(NamedTuple):
    english: str
    forms: tuple[str, ...]
    is_plural: bool


def sentences(tag: str) -> Iterator[Sentence]:
    with catalogues.path_of(tag).open("rb") as file:
        catalogue = read_po(file)
    for message in catalogue:
        if message.id:
            is_plural = isinstance(message.id, tuple)
            forms = message.string if isinstance(message.string, tuple) else (message.string,)
            assert not is_plural or len(forms) == catalogue.num_plurals
            yield Sentence(message.id[1] if is_plural else str(message.id), forms, is_plural)


def test_catalogues_are_up_to_date() -> None:
    stale = [path for path, octets in catalogues.files() if path.read_bytes() != octets]
    assert not stale, "run make catalogues"


def test_there_is_a_catalogue_for_each_language_of_the_configuration_and_no_other() -> None:
    there = {it.name.replace("_", "-") for it in CATALOGUES.iterdir() if it.is_dir()}
    assert there == set(TRANSLATED)


@pytest.mark.parametrize("tag", TRANSLATED)
def test_catalogue_is_whole_and_keeps_every_value(tag: str) -> None:
    for sentence in sentences(tag):
        values = set(_PLACE.findall(sentence.english))
        for form in sentence.forms:
            assert form.strip(), sentence.english
            assert "\n" not in form
            found = _PLACE.findall(form)
            # "one file", in the form for one, needs no number
            assert set(found) == values or (sentence.is_plural and set(found) <= values), form
            assert len(found) == len(set(found)), form


@pytest.mark.parametrize("tag", TRANSLATED)
def test_buttons_fit_on_a_line_of_a_phone(tag: str) -> None:
    speaks = Language(tag)
    for button in ("Read the message", "Download the message", "Download the whole message"):
        assert len(speaks.text(button)) <= _MOST_BUTTON_CHARS


@pytest.mark.parametrize("tag", TRANSLATED)
def test_catalogue_says_that_no_native_has_read_it_until_one_has(tag: str) -> None:
    """Who read it removes the line, and adds the language here."""
    read_by_natives: set[str] = set()
    head = catalogues.path_of(tag).read_text(encoding="utf-8").splitlines()[0]
    assert (head == f"# {catalogues.UNREAD}") == (tag not in read_by_natives)


@pytest.mark.parametrize(
    ("tag", "moment", "size"),
    [
        ("en", "Tuesday 1 December 2026, 05:24 UTC", "24.3 MB"),
        ("de", "Dienstag, 1. Dezember 2026, 05:24 UTC", "24,3 MB"),
        ("fr", "mardi 1 décembre 2026, 05:24 UTC", "24,3 Mo"),
        ("ja", "2026年12月1日火曜日 05:24 UTC", "24.3 MB"),
        ("ko", "2026년 12월 1일 화요일 05:24 UTC", "24.3MB"),
        ("ar", "الثلاثاء، 1 ديسمبر 2026، 05:24 UTC", "\u206824.3 م.ب\u2069"),
        ("he", "יום שלישי, 1 בדצמבר 2026, 05:24 UTC", "\u206824.3 MB\u2069"),
    ],
)
def test_moments_and_sizes_are_written_as_the_language_writes_them(tag: str, moment: str, size: str) -> None:
    speaks = Language(tag)
    assert speaks.moment(MOMENT) == moment
    assert speaks.size(round(24.3 * 1024**2)).replace("\u00a0", " ") == size


@pytest.mark.parametrize("tag", LANGUAGES)
def test_every_moment_tells_day_year_and_time(tag: str) -> None:
    text = Language(tag).moment(MOMENT)
    assert all(it in text for it in ("2026", "1", "05", "24", "UTC"))
    assert "{" not in text


@pytest.mark.parametrize(
    ("tag", "size_bytes", "told"), [("de", 1, "1 Byte"), ("pl", 3, "3 bajty"), ("pl", 5, "5 bajtów")]
)
def test_bytes_are_counted_as_the_language_counts(tag: str, size_bytes: int, told: str) -> None:
    assert Language(tag).size(size_bytes).replace("\u00a0", " ") == told


def test_names_from_right_to_left_are_set_apart_and_others_left_alone() -> None:
    english, arabic = Language("en"), Language("ar")
    assert english.isolated("Jane <jane@example.com>") == "Jane <jane@example.com>"
    assert english.isolated("سلم") == "\u2068سلم\u2069"
    assert arabic.isolated("Jane") == "\u2068Jane\u2069"
    assert arabic.isolated("") == ""
    for number in range(sys.maxunicode + 1):
        if unicodedata.bidirectional(chr(number)) in ("R", "AL", "AN"):
            assert english.isolated(chr(number)) != chr(number)


@pytest.mark.parametrize("tag", ["ar", "he"])
def test_dot_and_sign_stay_in_front_amid_words_from_right_to_left(tag: str) -> None:
    speaks = Language(tag)
    for english in ("How to open the .eml file", "Android: open it with a mail app that reads .eml files."):
        assert speaks.text(english).count(".eml") == speaks.text(english).count("\u2068.eml\u2069") == 1
    assert speaks.sent("Tue, 24 Nov 2026 05:24:00 +0100").endswith("05:24\u00a0\u200e+0100")
    assert Language("en").sent("Tue, 24 Nov 2026 05:24:00 +0100").endswith("05:24\u00a0+0100")


def test_directions_are_those_of_the_scripts() -> None:
    assert {it for it in LANGUAGES if Language(it).direction == "rtl"} == {"ar", "he"}


HOSTILE_DATES = [
    "Tue, 24 Nov 0001 09:00:00 +2359",
    "Fri, 31 Dec 9999 23:59:59 -2359",
    "Tue, 24 Nov 2026 09:00:00 +9999",
    "Tue, 24 Nov 2026 09:00:60 -0000",
    "Thu, 1 Jan 100 24:00:00 EST",
    "\0" * 100,
    "",
]


@pytest.mark.parametrize("tag", LANGUAGES)
def test_no_date_of_a_sender_keeps_a_notice_from_being_made(tag: str) -> None:
    """Promise 6."""
    for date in HOSTILE_DATES:
        assert "\n" not in Language(tag).sent(date)
