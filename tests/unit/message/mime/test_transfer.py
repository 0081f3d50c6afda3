"""Base64 and quoted-printable give the octets that readers decode, wherever windows end."""

import base64
import email
import email.message

import pytest

from rig.mail.attachments import attachments
from tests.unit.message.mime.mime_cases import (
    PNG,
    attachments_of,
    on_disk,
)
from woomera_milter.message.mime.transfer import decoded_chunks
from woomera_milter.message.mime.tree import outline

ENCODED_BODIES = {
    "base64": ("base64", base64.encodebytes(PNG)),
    "base64 on CRLF lines": ("base64", base64.encodebytes(PNG).replace(b"\n", b"\r\n")),
    "base64, quanta across lines": ("base64", b"QUJ\r\nDQU\r\nJDQ\r\nUJD\r\nQUJD\r\n"),
    "base64 on one line": ("BASE64 ", base64.b64encode(PNG)),
    "base64, padding missing": ("base64", b"QUJDRA"),
    "base64, padding too long": ("base64", b"QUI======"),
    "base64, one lone padding": ("base64", b"QQ=QUJD=="),
    "base64, padding first": ("base64", b"==QUJD"),
    "base64, padding where none can be": ("base64", b"QUJD====QUJD"),
    "base64, padding after one character": ("base64", b"Q===UJD"),
    "base64 with rubbish": ("base64", b"Q-U\x00J\xffD\r\n!\r\nQUJD"),
    "base64, empty": ("base64", b"\r\n"),
    "quoted-printable": ("Quoted-Printable", b"a=3D=\r\nb =C3=BC\r\n"),
    "quoted-printable, broken": ("quoted-printable", b"a=\r\n=ZZ=4"),
    "quoted-printable, equals signs": ("quoted-printable", b"===4===41==\r\n=\r\n==A=="),
    "quoted-printable, doubled equals signs": ("quoted-printable", b"a==41=3D===41=="),
    "quoted-printable, a bare CR in a line break": ("quoted-printable", b"a==\rb=\rc=41\r\nd=\re"),
    "8bit": ("8bit", b"a\xff=41\r\nb"),
    "unknown": ("x-none", b"a=41\r\n"),
    "not said": ("", b"a=41\r\n"),
}


@pytest.mark.parametrize(("encoding", "body"), ENCODED_BODIES.values(), ids=ENCODED_BODIES)
def test_sizes_are_those_of_what_readers_decode(encoding: str, body: bytes) -> None:
    message = f"Content-Type: image/png\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body
    with on_disk(message) as fd:
        root = outline(fd, len(message))
        octets = b"".join(decoded_chunks(fd, root))
        for window_bytes in range(1, 30):
            assert b"".join(decoded_chunks(fd, root, window_bytes=window_bytes)) == octets
        (attachment,) = attachments(fd, root)
    assert attachment.size_bytes == len(octets)
    assert octets == email.message_from_bytes(message.replace(b"BASE64 ", b"base64")).get_payload(decode=True)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b"QUJD\r\nQUJD\r\nQQ==\r\nQUJD\r\n", b"ABCABCAABC", id="amid lines"),
        pytest.param(b"QQ==QUJD", b"AABC", id="amid a line"),
        pytest.param(b"QUI=QQ==QUJD\nQUI\n=\nQQ", b"ABAABCABA", id="many"),
        pytest.param(b"QUI=\n\nQUI=\n", b"ABAB", id="an empty line between"),
        pytest.param(b"QUI====\nQUI=", b"ABAB", id="too much padding between"),
        pytest.param(b"QQ==\n-- \nlist footer\n", b"A", id="a footer"),
        pytest.param(b"QQ==\nQUJD\nQUJ-D\nQUJD\n", b"AABC", id="a footer after the second"),
        pytest.param(b"QQ==QUJD, QUJD\nQUJD", b"A", id="a footer on the line itself"),
        pytest.param(b"Q-Q==\n\nQUJD\n\n____\nQUJD\n", b"AABC", id="rubbish before, a footer after"),
        pytest.param(b"QQ==\nQUJ\n-D\n", b"AAB", id="a footer amid a quantum"),
        pytest.param(b"QUJD\n\n____\nlist footer\n", b"ABC", id="a footer where no padding was needed"),
        pytest.param(b"QUJD\nQUJD!\n QUJD\n", b"ABCABCABC", id="a line that a relay has broken"),
        pytest.param(b">QUJD\n>QUJD\n", b"ABCABC", id="lines that somebody has quoted"),
        pytest.param(b"It is not encoded.\nQUJD", b"It is not encoded.\nQUJD", id="none"),
        pytest.param(b"<p>Not encoded", b"<p>Not encoded", id="HTML"),
    ],
)
def test_base64_goes_on_after_padding_up_to_what_is_none(body: bytes, expected: bytes) -> None:
    # The email package ends there, or reads on and makes rubbish of what follows, by Python's version.
    message = b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n" + body
    with on_disk(message) as fd:
        root = outline(fd, len(message))
        for window_bytes in range(1, 30):
            assert b"".join(decoded_chunks(fd, root, window_bytes=window_bytes)) == expected
        (attachment,) = attachments(fd, root)
    assert attachment.size_bytes == len(expected)


def test_an_encoded_octet_is_decoded_whole_wherever_a_chunk_ends() -> None:
    message = b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=C3=BC" * 50
    with on_disk(message) as fd:
        root = outline(fd, len(message))
        for window_bytes in range(3, 30):
            assert b"".join(decoded_chunks(fd, root, window_bytes=window_bytes)) == "ü".encode() * 50


def test_a_lone_base64_character_at_the_end_is_dropped() -> None:
    (attachment,) = attachments_of(b"Content-Type: image/png\nContent-Transfer-Encoding: base64\n\nQUJDQ")
    assert attachment.size_bytes == 3


@pytest.mark.parametrize(
    "encoding",
    ["base64;", "base64 (a comment)", "(a comment) base64", '"base64"', "Base-64", "base 64", "base64, x"],
)
def test_base64_is_known_however_it_is_written(encoding: str) -> None:
    (attachment,) = attachments_of(
        f"Content-Type: image/png\nContent-Transfer-Encoding: {encoding}\n\nQUJD".encode()
    )
    assert attachment.size_bytes == 3


@pytest.mark.parametrize(
    "encoding", ["quoted-printable;", "quoted printable", "Quoted_Printable", "QuotedPrintable"]
)
def test_quoted_printable_is_known_however_it_is_written(encoding: str) -> None:
    (attachment,) = attachments_of(
        f"Content-Type: image/png\nContent-Transfer-Encoding: {encoding}\n\n=41".encode()
    )
    assert attachment.size_bytes == 1


@pytest.mark.parametrize("encoding", ["7bit", "8bit;", "7-bit", "binary (x)", "8 bit", "none", "utf-8", ""])
def test_other_transfer_encodings_leave_the_octets_as_they_are(encoding: str) -> None:
    (attachment,) = attachments_of(
        f"Content-Type: image/png\nContent-Transfer-Encoding: {encoding}\n\n=41=".encode()
    )
    assert attachment.size_bytes == 4


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"], ids=["CRLF", "LF"])
def test_white_space_after_a_soft_line_break_is_no_part_of_the_text(line_end: bytes) -> None:
    message = b"Content-Transfer-Encoding: quoted-printable\n\na= \nb=c3=bc=\t  \nc =\n= d\n=".replace(
        b"\n", line_end
    )
    with on_disk(message) as fd:
        root = outline(fd, len(message))
        for window_bytes in range(1, 30):
            chunks = decoded_chunks(fd, root, window_bytes=window_bytes)
            assert b"".join(chunks) == "abüc = d\n".encode().replace(b"\n", line_end)
