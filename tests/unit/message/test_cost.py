"""However large or hostile a message is, reading it takes little time and memory."""

import base64
import email
import time
import tracemalloc

import pytest

from rig.mail.attachments import attachments
from tests.unit.message.mime.mime_cases import attachments_of, on_disk
from woomera_milter.message.mime.body import body, body_text
from woomera_milter.message.mime.transfer import decoded_chunks
from woomera_milter.message.mime.tree import outline
from woomera_milter.notice.letter import letter_of

HOSTILE_BODIES = {
    "lines that begin like delimiters": b"--bx\r\n",
    "delimiters": b"--b\n",
    "empty lines": b"\n",
    "fields": b"--b\ncontent-id:x\ncontent-id:x\n",
    "long names": b"--b\nContent-Type: a/b; name=" + b"x;" * 5000 + b"\n\n",
    "multiparts": b"--b\nContent-Type: multipart/mixed; boundary=b\n\n",
    "multiparts that end": b"--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n--b--\n",
    "multiparts without a boundary": b"--b\nContent-Type: multipart/mixed\n\n" + b"\n--c" * 1000 + b"\n",
    "closing delimiters": b"--b--\n",
    "closing delimiters, and parts after them": b"--b\n--b--\n",
}


BOUNDARIES = {
    "a letter": b"b",
    "like a header field": b"a:b",
    "with a blank": b"a b",
    "with an equals sign": b"=_b",
    "of 70 octets": b"b" * 70,
}


@pytest.mark.parametrize("boundary", BOUNDARIES.values(), ids=BOUNDARIES)
@pytest.mark.parametrize("piece", HOSTILE_BODIES.values(), ids=HOSTILE_BODIES)
def test_hostile_bodies_take_linear_time(piece: bytes, boundary: bytes) -> None:
    """10,000 delimiters like header fields, each scanned as the start of a long section, took 43 s."""
    size_bytes = 4_000_000
    piece = piece.replace(b"--b", b"--" + boundary)
    body = piece * (size_bytes // len(piece))
    started_at = time.process_time()
    attachments_of(b'Content-Type: multipart/mixed; boundary="' + boundary + b'"\n\n' + body)
    assert time.process_time() - started_at < 5


@pytest.mark.parametrize(
    ("encoding", "piece"),
    [
        pytest.param("base64", b"QQ==", id="padded pieces"),
        pytest.param("base64", b"QQ==\n-\n", id="padded pieces, and lines that are none"),
        pytest.param("base64", b"Q=", id="lone padding"),
        pytest.param("x-uuencode", b"begin 644 a\n", id="uuencoded files without lines"),
        pytest.param("x-uuencode", b"begin 644 a\n!  \n", id="uuencoded files without an end"),
        pytest.param("x-uuencode", b"begin 644 a\nM\nM\n", id="uuencoded lines of nothing"),
        pytest.param("7bit", b"begin 644 a\n", id="texts that mention uuencode"),
        pytest.param("7bit", b"begin 644 a\n#86)C\n", id="uuencoded files in a text without an end"),
        pytest.param("7bit", b"begin 644 a\n#86)C\n`\nend\n", id="uuencoded files in a text"),
        pytest.param("7bit", b"begin-base64 644 a\nQUJD\n", id="base64 files in a text without an end"),
        pytest.param("quoted-printable", b"= ", id="soft line breaks that are none"),
        pytest.param("quoted-printable", b"=" + b" " * 100, id="white space after equals signs"),
    ],
)
def test_hostile_encodings_take_linear_time(encoding: str, piece: bytes) -> None:
    body = piece * (2_000_000 // len(piece))
    content_type = "text/plain" if encoding == "7bit" else "a/b"
    header = f"Content-Type: {content_type}\nContent-Transfer-Encoding: {encoding}\n\n"
    message = header.encode() + body
    with on_disk(message) as fd:
        started_at = time.process_time()
        for attachment in attachments(fd, outline(fd, len(message))):
            assert sum(map(len, decoded_chunks(fd, attachment.part))) == attachment.size_bytes
        assert time.process_time() - started_at < 5


def test_a_large_message_is_outlined_in_little_memory_and_a_tenth_of_the_email_package_s_time() -> None:
    line = base64.b64encode(bytes(57)) + b"\r\n"
    count = 200_000
    message = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n"
        b"--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    ) + line * count
    with on_disk(message) as fd:
        started_at = time.process_time()
        outline(fd, len(message))
        own_time_s = time.process_time() - started_at
        started_at = time.process_time()
        email.message_from_bytes(message)
        assert own_time_s < (time.process_time() - started_at) / 10

        tracemalloc.start()
        try:
            root = outline(fd, len(message))
            (attachment,) = attachments(fd, root)
            body_text(fd, root, 32_768)
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert attachment.size_bytes == 57 * count
    assert peak_bytes < 6_000_000


HOSTILE_TEXTS = {
    "texts": b"--b\n\nword\n",
    "blank texts": b"--b\n\n \n",
    "named texts": b"--b\nContent-Type: text/plain; name=a\n\nword\n",
    "HTML": b"--b\nContent-Type: text/html\n\n<table><tr><td>word\n",
    "HTML without a word": b"--b\nContent-Type: text/html\n\n" + b"<p>" * 100 + b"\n",
    "pictures in HTML": b"--b\nContent-Type: text/html\n\n" + b"data:image/png;base64,AA " * 90_000,
    "pictures": b"--b\nContent-Type: image/png; name=a\nContent-Disposition: inline\n\nx\n",
    "alternatives in alternatives": b"--b\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\nword\n",
    "related parts in related parts": b"--b\nContent-Type: multipart/related; boundary=b; start=x\n\n--b\n\n",
}


@pytest.mark.parametrize("piece", HOSTILE_TEXTS.values(), ids=HOSTILE_TEXTS)
def test_a_text_in_ever_so_many_pieces_takes_linear_time(piece: bytes) -> None:
    message = b"Content-Type: multipart/mixed; boundary=b\n\n" + piece * (6_000_000 // len(piece))
    with on_disk(message) as fd:
        root = outline(fd, len(message))
        started_at = time.process_time()
        letter_of(body(fd, root, 512 * 1024), [])
        body_text(fd, root, 32 * 1024)
    assert time.process_time() - started_at < 5
