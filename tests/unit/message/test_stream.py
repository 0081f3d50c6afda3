"""What is stored is read as a stream, again from its beginning, and never beyond its deadline."""

import io
import os
from pathlib import Path

import pytest

from tests.unit.message.messages_in_files import message_in_file
from woomera_milter.clock import Deadline
from woomera_milter.errors import DeadlineError
from woomera_milter.message.spool import SpooledMessage
from woomera_milter.message.wire import Form


def test_two_readers_of_one_message_do_not_disturb_each_other(tmp_path: Path) -> None:
    message = SpooledMessage(tmp_path)
    message.write(b"0123456789")
    one, two = (message.open(Deadline(60)) for _ in range(2))
    assert one.read(4) == b"0123"
    assert two.read() == b"0123456789"
    assert one.read() == b"456789"
    assert (one.seek(0), one.read()) == (0, b"0123456789")
    message.close()


def test_reader_stops_at_the_deadline(tmp_path: Path) -> None:
    message = SpooledMessage(tmp_path)
    message.write(b"0123456789")
    with pytest.raises(DeadlineError):
        message.open(Deadline(0)).read(1)
    message.close()


def test_stream_can_be_sent_again_from_its_beginning(tmp_path: Path) -> None:
    with (
        message_in_file(tmp_path, b"text\n" * 100_000, Form.LOCAL) as message,
        message.open(Deadline(60)) as body,
    ):
        first = body.read(1000)
        assert body.tell() == 1000
        body.seek(0)
        whole = body.read()

    assert whole == b"text\r\n" * 100_000
    assert whole.startswith(first)


def test_stream_goes_nowhere_else(tmp_path: Path) -> None:
    with (
        message_in_file(tmp_path, b"text\n", Form.LOCAL) as message,
        message.open(Deadline(60)) as body,
        pytest.raises(io.UnsupportedOperation, match="back to its beginning only"),
    ):
        body.seek(-1, os.SEEK_END)


def test_stream_ends_with_its_deadline(tmp_path: Path) -> None:
    with (
        message_in_file(tmp_path, b"text\n", Form.LOCAL) as message,
        message.open(Deadline(0, "the time of this test")) as body,
        pytest.raises(DeadlineError, match="longer than the time of this test"),
    ):
        body.read()
