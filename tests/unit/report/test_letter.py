"""How the report reads: the same in text and HTML, safe for SES, and nobody's tool."""

import re
from datetime import date, datetime
from email import message_from_bytes
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rig.jobs import text_of
from tests.fakes.bucket import MemoryStore
from tests.unit.report.documents import (
    DAY,
    NOW,
    UTC_ZONE,
    as_mail,
    busy,
    gathered,
    leave,
    leave_snapshot,
    sidecar,
    snapshot,
    tally,
)
from woomera_milter.report import letter, view


@pytest.mark.parametrize("text", ["Plans", "見" * 400, "\U0001f600" * 400, "<&>" * 400, "=" * 400])
def test_the_mail_is_safe_for_ses_however_busy_the_day_was(text: str, bucket: MemoryStore) -> None:
    octets = as_mail(busy(bucket, text))
    assert len(octets) < 100 * 1024
    assert octets.isascii()
    head, _, body = octets.partition(b"\r\n\r\n")
    assert max(len(line) for line in body.split(b"\r\n")) <= 76
    assert max(len(line) for line in head.split(b"\r\n")) < 998
    assert b"\n" not in octets.replace(b"\r\n", b"")
    mail = message_from_bytes(octets)
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    assert mail["Auto-Submitted"] == "auto-generated"


def test_the_message_id_is_the_same_for_the_same_period(bucket: MemoryStore) -> None:
    first = message_from_bytes(as_mail(busy(bucket)))
    second = message_from_bytes(as_mail(busy(MemoryStore())))
    assert first["Message-ID"] == second["Message-ID"] == "<day-2026-11-23.report.woomera@example.com>"


class Words(HTMLParser):
    """The words of an HTML document, and what it would load or run."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: set[str] = set()
        self._unseen = False
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self._unseen = tag in ("style", "title")

    def handle_endtag(self, tag: str) -> None:
        self._unseen = False

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.words += data.split()


def test_both_alternatives_tell_the_same_numbers(bucket: MemoryStore) -> None:
    made = view.bulletin(busy(bucket), UTC_ZONE, NOW)
    text, words = letter.as_text(made), Words(letter.as_html(made)).words
    said = " ".join(words)
    for figure in made.figures:
        assert f"{figure.name}: {figure.value}" in text
        assert f"{figure.name} {figure.value}" in said
    for matter in made.attention:
        assert matter.text in text
        assert " ".join(matter.text.split()) in said
    for table in made.tables:
        for row in table.rows:
            assert row[0].split("\n")[0] in text
            assert " ".join(row[0].split()) in said


def test_the_html_loads_nothing_and_runs_nothing(bucket: MemoryStore) -> None:
    text = '<script>alert(1)</script><img src="http://evil.example/x">'
    markup = letter.as_html(view.bulletin(busy(bucket, text), UTC_ZONE, NOW))
    assert not Words(markup).tags & {"script", "img", "link", "svg", "a", "iframe", "object"}
    assert "http" not in markup.replace("http:// ", "")


def test_what_a_stranger_wrote_cannot_begin_a_line(bucket: MemoryStore) -> None:
    made = view.bulletin(busy(bucket, "x\nALL IS WELL: nothing\r\n.\u2028http://evil.example"), UTC_ZONE, NOW)
    text = letter.as_text(made)
    assert not re.search(r"^(ALL IS WELL|\.|http)", text, re.MULTILINE)
    assert "http://evil" not in text


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        ("2026-10-25T00:30:00Z", "25 Oct 02:30 CEST"),
        ("2026-10-25T01:30:00Z", "25 Oct 02:30 CET"),
        ("2026-03-29T00:59:00Z", "29 Mar 01:59 CET"),
        ("2026-03-29T01:00:00Z", "29 Mar 03:00 CEST"),
    ],
)
def test_times_are_those_of_the_zone_through_its_changes(
    moment: str, shown: str, bucket: MemoryStore
) -> None:
    day = date.fromisoformat(moment[:10])
    leave(
        bucket,
        f"messages/{day:%Y/%m/%d}/id/envelope.json",
        sidecar(received_at=moment, links_expire_at=f"{day + 7 * DAY}T23:00:00Z"),
        datetime.fromisoformat(moment),
    )
    statistics = gathered(bucket, until=day + DAY)
    made = view.bulletin(statistics, ZoneInfo("Europe/Berlin"), NOW)
    assert f"jane@example.com, {shown}" in letter.as_text(made)


def test_a_quiet_day_says_so_in_a_line(bucket: MemoryStore) -> None:
    made = view.bulletin(gathered(bucket), UTC_ZONE, NOW)
    assert "ALL IS WELL: nothing needs attention." in letter.as_text(made)
    assert made.subject == "[SES Woomera] Monday 23 November 2026: 0 intercepted, all is well"


@pytest.mark.parametrize(
    ("buckets", "half"), [({"1": 3}, "1 s at most"), ({"more": 3}, "more than 60 s"), ({}, "")]
)
def test_times_to_store_are_told_by_their_buckets(
    buckets: dict[str, int], half: str, bucket: MemoryStore
) -> None:
    counts = tally()
    counts.store_seconds.update(buckets)
    leave_snapshot(bucket, snapshot(counts=counts))
    note = view.bulletin(gathered(bucket), UTC_ZONE, NOW).figures_note
    assert (f"took {half} for half" in note) if half else note == ""


def test_the_mail_is_addressed_to_all_and_its_text_is_the_report(bucket: MemoryStore) -> None:
    mail = message_from_bytes(as_mail(busy(bucket)))
    assert mail["To"] == "postmaster@example.com, second@example.org"
    assert mail["From"] == "woomera@example.com"
    assert text_of(mail).startswith("SES Woomera, Monday 23 November 2026\n")
