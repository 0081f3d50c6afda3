"""Wire form, made of files with other line ends while they are read, and its digests."""

import hashlib
from pathlib import Path

import pytest

from tests.unit.message.messages_in_files import message_in_file
from woomera_milter.message.stream import WINDOW_BYTES
from woomera_milter.message.wire import Form, wire_form


def converted(folder: Path, content: bytes, form: Form, before: bytes = b"") -> bytes:
    with message_in_file(folder, content, form, before) as message:
        return b"".join(message.chunks())


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"a\nb\n", b"a\r\nb\r\n", id="LF"),
        pytest.param(b"a\r\nb\r\n", b"a\r\nb\r\n", id="CRLF"),
        pytest.param(b"a\r\nb\n", b"a\r\nb\r\n", id="both"),
        pytest.param(b"a\rb\r\rc\n", b"a\rb\r\rc\r\n", id="bare CR"),
        pytest.param(b"a\n\r\n", b"a\r\n\r\n", id="LF CR LF"),
        pytest.param(b"a", b"a\r\n", id="no final line end"),
        pytest.param(b"a\r", b"a\r\r\n", id="final CR"),
        pytest.param(b"", b"", id="nothing"),
        pytest.param(b">From a\n", b">From a\r\n", id="quoted From, which only mboxes have"),
    ],
)
def test_local_line_ends_become_crlf(tmp_path: Path, content: bytes, expected: bytes) -> None:
    assert converted(tmp_path, content, Form.LOCAL) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"a\n>From b\n", b"a\r\nFrom b\r\n", id="quoted"),
        pytest.param(b">From a\n", b"From a\r\n", id="at the beginning"),
        pytest.param(b"a\n>>From b\n", b"a\r\n>>From b\r\n", id="quoted by the sender"),
        pytest.param(b"a\n>From\n> From\n", b"a\r\n>From\r\n> From\r\n", id="no quoting"),
        pytest.param(b"a >From b\n", b"a >From b\r\n", id="amid a line"),
        pytest.param(b"a\r\n>From b\r\n", b"a\r\nFrom b\r\n", id="CRLF"),
    ],
)
def test_quoting_of_mboxes_is_taken_back(tmp_path: Path, content: bytes, expected: bytes) -> None:
    assert converted(tmp_path, content, Form.MBOX) == expected


@pytest.mark.parametrize("length", range(WINDOW_BYTES - 10, WINDOW_BYTES + 3))
def test_edges_of_windows_leave_no_trace(tmp_path: Path, length: int) -> None:
    content = b"x" * length + b"\r\n>From a\r\ny\n" + b"z" * WINDOW_BYTES + b"\n>From b\n"
    expected = b"x" * length + b"\r\nFrom a\r\ny\r\n" + b"z" * WINDOW_BYTES + b"\r\nFrom b\r\n"

    assert converted(tmp_path, content, Form.MBOX, before=b"12345\n") == expected


@pytest.mark.parametrize("form", Form)
def test_digests_and_size_are_those_of_the_wire_form(tmp_path: Path, form: Form) -> None:
    with message_in_file(tmp_path, b"Subject: x\n\n" + b"text\n" * 100_000, form) as message:
        octets = b"".join(message.chunks())
        md5 = message.md5()

    assert message.size_bytes == len(octets)
    assert message.sha256 == hashlib.sha256(octets).digest()
    assert md5 == hashlib.md5(octets, usedforsecurity=False).digest()


@pytest.mark.parametrize("cut", [1, 2, 3, 7])
def test_line_ends_become_crlf_wherever_the_chunks_are_cut(cut: int) -> None:
    octets = b"a\nb\r\nc\r\r\n\n\r\nd\re\n"
    chunks = [octets[start : start + cut] for start in range(0, len(octets), cut)]
    assert b"".join(wire_form(chunks)) == b"a\r\nb\r\nc\r\r\n\r\n\r\nd\re\r\n"
