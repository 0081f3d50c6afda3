"""mbox files: split as Python's own `mailbox.mbox` splits them, and better where that is wrong."""

import mailbox
import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.fuzz.fragments import FROM_LINE as FROM
from rig.fuzz.fragments import MBOX_PIECES
from woomera_milter.archive import mbox

HEADER = b"Subject: hello\n\n"

HOSTILE = {
    "one message": FROM + HEADER + b"text\n\n",
    "two messages": (FROM + HEADER + b"text\n\n") * 2,
    "empty file": b"",
    "only empty lines": b"\n\n\n",
    "empty lines first": b"\n\n" + FROM + HEADER + b"text\n\n",
    "no empty line between": FROM + HEADER + b"text\n" + FROM + HEADER + b"text\n\n",
    "several empty lines between": FROM + HEADER + b"text\n\n\n\n" + FROM + HEADER + b"text\n\n",
    "no final empty line": FROM + HEADER + b"text\n",
    "no final line end": FROM + HEADER + b"text",
    "ends behind a From_ line": FROM + HEADER + b"text\n\n" + FROM,
    "From_ lines alone": FROM * 3,
    "From_ line and an empty line": (FROM + b"\n") * 2,
    "headers alone": FROM + b"Subject: x\n" + FROM + b"Subject: y\n",
    "quoted From": FROM + HEADER + b">From a@example.com Tue Nov 24 06:00:00 2026\n>>From x\n\n",
    "From amid a line": FROM + HEADER + b"x From a@example.com Tue Nov 24 06:00:00 2026\n\n",
    "From with a colon": FROM + b"From: a@example.com\n\nFrom: x\n\n",
    "From and a tab": FROM + HEADER + b"From\ta@example.com Tue Nov 24 06:00:00 2026\n\n",
    "lower case from": FROM + HEADER + b"from a@example.com Tue Nov 24 06:00:00 2026\n\n",
    "longest lines": FROM + HEADER + b"x" * 300_000 + b"\n\n" + FROM + HEADER + b"y" * 300_000 + b"\n\n",
    "NUL and 8-bit": FROM + HEADER + bytes(range(256)) * 3 + b"\n\n" + FROM + HEADER + b"\xff\n\n",
    "bare CR": FROM + HEADER + b"a\rFrom b Tue Nov 24 06:00:00 2026\r\n\n" + FROM + HEADER,
    "an mbox in a message": FROM + HEADER + b"\n" + FROM + HEADER + b"inner\n\n" + FROM + HEADER + b"x\n\n",
    "Content-Length too long": FROM + b"Content-Length: 999999\n\ntext\n\n" + FROM + HEADER,
    "Content-Length too short": FROM + b"Content-Length: 1\n\ntext\n\n" + FROM + HEADER,
    "Content-Length absurd": FROM + b"Content-Length: 99999999999999999999\n\nx\n\n" + FROM + HEADER,
    "Content-Length of the next message": FROM * 2 + b"Content-Length: 5\n\ntext\n\n" + FROM + HEADER,
    "Content-Length negative": FROM + b"Content-Length: -5\n\nx\n\n" + FROM + HEADER,
    "Content-Length in the body": FROM + HEADER + b"Content-Length: 5\n\nx\n\n" + FROM + HEADER + b"yyyyy",
    "Content-Length amid a line": FROM + b"Content-Length: 3\n\nab\n\nx" + FROM + HEADER + b"y\n\n",
    "Content-Length of nothing": FROM + b"Content-Length: 0\n\n\n" + FROM + HEADER + b"y\n\n",
    "Content-Length doubled": FROM + b"Content-Length: 4\nContent-Length: 5\n\nx\n\n" + FROM + HEADER,
    "headers without end": FROM + b"X: y\n" * 20_000 + FROM + HEADER + b"text\n\n",
}

DATES = {
    "asctime": b"From a@example.com Tue Nov 24 06:00:00 2026",
    "day of one digit": b"From a@example.com Wed Nov  4 06:00:00 2026",
    "without seconds": b"From a@example.com Tue Nov 24 06:00 2026",
    "zone before the year": b"From a@example.com Tue Nov 24 06:00:00 CET 2026",
    "offset behind the year": b"From a@example.com Tue Nov 24 06:00:00 2026 +0100",
    "Mozilla": b"From - Tue Nov 24 06:00:00 2026",
    "null sender": b"From MAILER-DAEMON Tue Nov 24 06:00:00 2026",
    "angle brackets": b"From <a@example.com> Tue Nov 24 06:00:00 2026",
    "quoted local part": b'From "a b"@example.com Tue Nov 24 06:00:00 2026',
    "UUCP": b"From a!b!c  Tue Nov 24 06:00:00 2026 remote from d",
    "CRLF": b"From a@example.com Tue Nov 24 06:00:00 2026\r",
}

NO_FROM_LINES = {
    "prose": b"From the beginning it went wrong.",
    "prose with a time": b"From Monday at 06:00 we met.",
    "no date": b"From a@example.com",
    "half of a From_ line": b"From a@exam",
    "impossible date": b"From a@example.com Tue Feb 31 06:00:00 2026",
    "impossible time": b"From a@example.com Tue Nov 24 26:00:00 2026",
    "endless": b"From " + b"x" * 2000 + b" Tue Nov 24 06:00:00 2026",
}


@contextmanager
def opened(path: Path) -> Iterator[tuple[int, int]]:
    fd = os.open(path, os.O_RDONLY)
    try:
        yield fd, os.fstat(fd).st_size
    finally:
        os.close(fd)


def split(path: Path, content: bytes, window_bytes: int = mbox.WINDOW_BYTES) -> list[bytes]:
    path.write_bytes(content)
    with opened(path) as (fd, size_bytes):
        return [content[it.start : it.end] for it in mbox.messages(fd, size_bytes, window_bytes)]


def split_by_python(path: Path, content: bytes) -> list[bytes]:
    path.write_bytes(content)
    with closing(mailbox.mbox(path, create=False)) as box:
        return [box.get_bytes(key) for key in box.keys()]  # noqa: SIM118 - a mailbox iterates over messages


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("window_bytes", [64, 1000, mbox.WINDOW_BYTES])
def test_hostile_mbox_is_split_as_python_splits_it(tmp_path: Path, name: str, window_bytes: int) -> None:
    content = HOSTILE[name]

    assert split(tmp_path / "a", content, window_bytes) == split_by_python(tmp_path / "b", content)


@given(st.lists(st.sampled_from(MBOX_PIECES), max_size=30), st.integers(8, 200))
def test_any_mbox_is_split_as_python_splits_it(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], window_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("mbox")
    content = FROM + b"".join(pieces)

    # Where they may differ: "From " without a date, here made by pieces that meet.
    content = content.replace(b"From \n", b"from \n").replace(b"From  ", b"from  ")
    python = split_by_python(folder / "b", content)
    if all(line == FROM or not line.startswith(b"From ") for line in content.splitlines(keepends=True)):
        assert split(folder / "a", content, window_bytes) == python


@pytest.mark.parametrize("line", DATES.values(), ids=DATES)
def test_dated_from_line_begins_a_message(tmp_path: Path, line: bytes) -> None:
    assert len(split(tmp_path / "a", FROM + HEADER + b"text\n\n" + line + b"\n" + HEADER)) == 2


@pytest.mark.parametrize("line", NO_FROM_LINES.values(), ids=NO_FROM_LINES)
def test_from_without_a_date_is_text_that_python_takes_for_a_message(tmp_path: Path, line: bytes) -> None:
    content = FROM + HEADER + b"text\n\n" + line + b"\nmore\n\n"

    assert split(tmp_path / "a", content) == [content[len(FROM) : -1]]
    assert len(split_by_python(tmp_path / "b", content)) == 2


def test_first_line_needs_no_date(tmp_path: Path) -> None:
    assert split(tmp_path / "a", b"From nobody\n" + HEADER + b"text\n\n") == [HEADER + b"text\n"]


def test_file_that_begins_with_anything_else_has_no_messages(tmp_path: Path) -> None:
    assert split(tmp_path / "a", HEADER + b"text\n\n" + FROM + HEADER) == []


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("separator", [b"", b"\n"], ids=["directly", "after an empty line"])
def test_content_length_that_leads_to_the_next_message_covers_unquoted_from_lines(
    tmp_path: Path, line_end: bytes, separator: bytes
) -> None:
    body = (b"text\n\n" + FROM + b"\nmore\n\n").replace(b"\n", line_end)
    header = b"Content-Length: %d\n\n".replace(b"\n", line_end) % len(body)
    begin, separator = (it.replace(b"\n", line_end) for it in (FROM, separator))

    assert (
        split(tmp_path / "a", begin + header + body + separator + begin + header + body)
        == [header + body] * 2
    )


def test_from_lines_alone_take_no_more_time_than_text_does(tmp_path: Path) -> None:
    began_s = time.process_time()
    assert len(split(tmp_path / "a", FROM * 10_000)) == 10_000
    assert time.process_time() - began_s < 2


def test_content_length_beyond_all_windows_is_followed(tmp_path: Path) -> None:
    body = FROM * 5000
    message = b"Content-Length: %d\n\n" % len(body) + body

    assert split(tmp_path / "a", (FROM + message + b"\n") * 2, window_bytes=500) == [message] * 2


@pytest.mark.parametrize(
    ("line", "sender"),
    [
        (DATES["asctime"], "a@example.com"),
        (DATES["angle brackets"], "a@example.com"),
        (DATES["null sender"], ""),
        (DATES["Mozilla"], ""),
        (b"From \xff\xfe@example.com Tue Nov 24 06:00:00 2026", "��@example.com"),
        (b"From nobody", ""),
    ],
)
def test_from_line_tells_the_sender(tmp_path: Path, line: bytes, sender: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(line + b"\n" + HEADER)

    with opened(path) as (fd, size_bytes):
        (message,) = mbox.messages(fd, size_bytes)

    assert message.envelope_sender == sender


def test_date_of_the_from_line_is_taken_for_utc(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(FROM + HEADER)

    with opened(path) as (fd, size_bytes):
        (message,) = mbox.messages(fd, size_bytes)

    assert message.delivered_at == datetime(2026, 11, 24, 6, tzinfo=UTC)
