"""The language in which notice and page speak: catalogues of gettext, and CLDR's forms of dates and sizes.

The report, the log and the commands are in English.
"""

import gettext
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Literal

from babel import Locale
from babel.dates import format_date, format_time, get_datetime_format
from babel.units import format_unit

from woomera_milter.text import wording

CATALOGUES = Path(__file__).parents[1] / "locale"
DOMAIN = "woomera"
ENGLISH = "en"
# Marks that set apart what runs in a direction of its own (UAX #9 sections 2.4 and 2.6).
_LEFT_TO_RIGHT_MARK = "\u200e"
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"
# The blocks of the scripts that run so (UAX #44, DerivedBidiClass.txt).
_RIGHT_TO_LEFT = re.compile(
    "[\u0590-\u08ff\u200f\ufb1d-\ufdff\ufe70-\ufeff\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_UNITS = {"kilobyte": 1024, "megabyte": 1024**2, "gigabyte": 1024**3}


class _RightToLeft(gettext.GNUTranslations):
    """Sentences in which the dot of `.eml`, which has no direction, stays in front of it."""

    def gettext(self, message: str) -> str:
        return super().gettext(message).replace(".eml", _apart(".eml"))


class Language:
    """One language; `tag` and `direction` ("ltr", "rtl") are as HTML wants them."""

    def __init__(self, tag: str) -> None:
        """Raise OSError where there is no such catalogue."""
        self.tag = tag
        self._locale = Locale.parse(tag, sep="-")
        self.direction = self._locale.text_direction
        self._is_english = tag == ENGLISH
        self._mark = _LEFT_TO_RIGHT_MARK if self.direction == "rtl" else ""
        kind = _RightToLeft if self._mark else gettext.GNUTranslations
        self.translations = (
            gettext.NullTranslations()
            if self._is_english
            else gettext.translation(DOMAIN, CATALOGUES, [tag.replace("-", "_")], kind)
        )

    def text(self, english: str, **values: object) -> str:
        """The sentence in this language, with its values in their places."""
        return self.translations.gettext(english) % values

    def isolated(self, text: str) -> str:
        """`text` amid words of ours, so that it does not reorder them, nor they it."""
        is_mixed = self.direction == "rtl" or _RIGHT_TO_LEFT.search(text) is not None
        return _apart(text) if text and is_mixed else text

    def size(self, size_bytes: int) -> str:
        """In units of 1024, as SES counts; no line breaks between number and unit."""
        if self._is_english:
            return wording.size(size_bytes)
        if size_bytes < 1024:
            return self._unit(size_bytes, "byte", "long")
        unit = next((it for it in _UNITS if round(size_bytes / _UNITS[it], 1) < 1024), "gigabyte")
        return self._unit(round(size_bytes / _UNITS[unit], 1), unit, "short")

    def _unit(self, number: float, unit: str, length: Literal["short", "long"]) -> str:
        shown = int(number) if number == int(number) else number
        text = format_unit(shown, f"digital-{unit}", length, locale=self._locale)
        text = re.sub(r"\s", wording.NO_BREAK_SPACE, text)
        return _apart(text) if self.direction == "rtl" else text

    def moment(self, moment: datetime) -> str:
        """To the minute, with the day of the week, in UTC: readers live in many time zones."""
        return f"{self._day_and_time(moment.astimezone(UTC))} UTC"

    def sent(self, date: str) -> str:
        """The moment in a Date field, in the sender's time zone; what the field says where that is none."""
        try:
            moment = parsedate_to_datetime(date)
        except (IndexError, OverflowError, TypeError, ValueError):
            return wording.one_line(date)
        zone = f"{wording.NO_BREAK_SPACE}{self._mark}{moment:%z}" if moment.tzinfo else ""
        return self._day_and_time(moment) + zone

    def _day_and_time(self, moment: datetime) -> str:
        time = format_time(moment, "HH:mm", locale=self._locale)
        if self._is_english:  # not as in the United States alone
            return f"{moment:%A} {moment.day} {moment:%B %Y}, {time}"
        day = format_date(moment, "full", locale=self._locale)
        pattern = str(get_datetime_format("full", locale=self._locale))
        return pattern.replace("'", "").replace("{0}", time).replace("{1}", day)


@cache
def language(tag: str) -> Language:
    """The language of this tag, read once. Raise OSError where there is no catalogue."""
    return Language(tag)


def _apart(text: str) -> str:
    return f"{_FIRST_STRONG_ISOLATE}{text}{_POP_ISOLATE}"
