"""Mail to administrators: figures, matters that need a hand, a picture of the last days, tables.

Pure. What stands in it was partly written by strangers (subjects, addresses): it is shown on one line, cut,
escaped, and never made a link of.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache
from itertools import zip_longest

import jinja2

from woomera_milter.errors import PermanentError, Reason
from woomera_milter.report.matters import Matter
from woomera_milter.text import wording

MAX_MESSAGE_BYTES = 100 * 1024 - 1  # SES-safe is under 100 KB
_ROW_COUNTS = (20, 10, 5, 2)  # of each table, tried in this order until the message fits
_MAX_LINE_OCTETS = 76  # RFC 2045 section 6.7
_MAX_CELL_CHARS = 80
_MAX_DETAIL_CHARS = 300
_TEXT_BAR_CHARS = 30
_HTML_BAR_PIXELS = 96
_LEAST_SCALE = 5  # so that a single message does not look like a flood


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and its name; `before` is that of the period before, "" where there is nothing to compare."""

    name: str
    value: str
    size: str = ""
    before: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """One day of the picture, in three parts that stand on each other."""

    label: str
    intercepted: int
    swept: int
    failed: int

    @property
    def total(self) -> int:
        """The height of it."""
        return self.intercepted + self.swept + self.failed


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text, as many cells as there are headings; `numbers`: which columns stand to the right.

    Of a cell with several lines the first is what matters.
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int] = frozenset()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Bulletin:
    """What a mail tells, in this order; `figures_first` puts the figures before what needs attention."""

    subject: str
    title: str
    subtitle: str
    attention: Sequence[Matter]
    figures: Sequence[Figure]
    figures_note: str = ""
    figures_first: bool = False
    bars: Sequence[Bar] = ()
    tables: Sequence[Table] = ()
    footer: str = ""


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("woomera_milter.report", "templates"),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "lines": _cell_lines,
        "detail": lambda text: wording.one_line(text, _MAX_DETAIL_CHARS),
        "compact": _compact,
    }
    environment.globals |= {"text_bar": _text_bar, "pixels": _pixels, "text_table": _text_table}
    return environment


def as_text(bulletin: Bulletin) -> str:
    """Return the plain text."""
    return _environment().get_template("report.txt").render(_shown(bulletin))


def as_html(bulletin: Bulletin) -> str:
    """Return the HTML document."""
    return _environment().get_template("report.html").render(_shown(bulletin))


def as_message(
    bulletin: Bulletin, *, sender: str, recipients: Sequence[str], message_id: str, now: datetime
) -> bytes:
    """Return the mail in wire form: multipart/alternative, 7-bit, under 100 KB.

    Where room is short, tables lose rows from their ends. `message_id` has no angle brackets. Raise
    PermanentError where even then it is too large.
    """
    for count in _ROW_COUNTS:
        octets = _message(_with_rows(bulletin, count), sender, recipients, message_id, now)
        if len(octets) <= MAX_MESSAGE_BYTES:
            return octets
    raise PermanentError(
        f"the mail has {len(octets)} bytes where {MAX_MESSAGE_BYTES} fit",
        remedy="write fewer addresses into report.to",
        reason=Reason.REPORT,
    )


def _message(
    bulletin: Bulletin, sender: str, recipients: Sequence[str], message_id: str, now: datetime
) -> bytes:
    message = EmailMessage(policy=SMTP.clone(max_line_length=_MAX_LINE_OCTETS))
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Subject"] = bulletin.subject
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{message_id}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834 section 5
    message.set_content(as_text(bulletin), cte="quoted-printable")
    message.add_alternative(as_html(bulletin), subtype="html", cte="quoted-printable")
    message.set_boundary("=_woomera_report")  # "=_" stands in no quoted-printable (RFC 2045 section 6.7)
    return message.as_bytes()


def _with_rows(bulletin: Bulletin, count: int) -> Bulletin:
    tables = [
        table
        if len(table.rows) <= count
        else replace(
            table, rows=table.rows[:count], note=f"and {len(table.rows) - count:,} more. {table.note}".strip()
        )
        for table in bulletin.tables
    ]
    return replace(bulletin, tables=tables)


def _shown(bulletin: Bulletin) -> dict[str, object]:
    return {"it": bulletin, "most": max([_LEAST_SCALE, *(bar.total for bar in bulletin.bars)])}


def _compact(number: int) -> str:
    """A number in at most four characters, for where there is no more room."""
    for unit, size in (("M", 1_000_000), ("k", 1000)):
        if number >= 10 * size:
            return f"{number // size}{unit}"
        if number >= size:
            return f"{number / size:.1f}{unit}"
    return str(number)


def _scaled(parts: Sequence[int], most: int, length: int) -> list[int]:
    """Return how long each part is, where `most` has `length`; what is not nothing has at least 1."""
    return [max(1, round(part * length / most)) if part else 0 for part in parts]


def _text_bar(bar: Bar, most: int) -> str:
    lengths = _scaled((bar.intercepted, bar.swept, bar.failed), most, _TEXT_BAR_CHARS)
    return "".join(mark * length for mark, length in zip("#+!", lengths, strict=True))


def _pixels(bar: Bar, most: int) -> Sequence[tuple[str, int]]:
    """Return the parts of a bar from the top: the name of each, and its height; without those of none."""
    parts = ("failed", bar.failed), ("swept", bar.swept), ("intercepted", bar.intercepted)
    heights = _scaled([number for _, number in parts], most, _HTML_BAR_PIXELS)
    return [(name, height) for (name, _), height in zip(parts, heights, strict=True) if height]


def _text_table(table: Table) -> Iterator[str]:
    rows = [[_cell_lines(it) for it in row] for row in (table.headings, *table.rows)]
    widths = [max(len(line) for lines in column for line in lines) for column in zip(*rows, strict=True)]
    for row in rows:
        for line in zip_longest(*row, fillvalue=""):
            shown = (
                cell.rjust(width) if number in table.numbers else cell.ljust(width)
                for number, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            yield "  ".join(shown).rstrip()


def _cell_lines(text: str) -> list[str]:
    return [wording.one_line(line, _MAX_CELL_CHARS) for line in text.split("\n")]
