"""The parts of a message, found by offsets: as the email package finds them, and true for odd messages."""

import email
import email.message
from email.mime.message import MIMEMessage
from email.mime.text import MIMEText
from email.policy import SMTP

import pytest

from tests.unit.message.mime.mime_cases import (
    ALTERNATIVE,
    FORWARDED,
    HTML,
    PDF,
    PICTURE,
    TEXT,
    crlf,
    leaves,
    multipart,
    on_disk,
    outline_of,
    types_of,
)
from woomera_milter.message.mime.transfer import decoded_chunks
from woomera_milter.message.mime.tree import MAX_DEPTH, MAX_PARTS, fields_of, outline


def inner_messages(message: email.message.Message) -> list[email.message.Message]:
    payload = message.get_payload()
    assert isinstance(payload, list)
    return [child for child in payload if isinstance(child, email.message.Message)]


def reference_leaves(message: email.message.Message) -> list[email.message.Message]:
    if message.get_content_maintype() != "multipart":
        return [message]
    return [leaf for child in inner_messages(message) for leaf in reference_leaves(child)]


SHAPES = {
    "plain text": (TEXT, "text/plain"),
    "HTML alone": (HTML, "text/html"),
    "a scanner's PDF": (PDF, "application/pdf"),
    "Gmail": (
        multipart("mixed", ALTERNATIVE, PDF),
        "mixed(alternative(text/plain text/html) application/pdf)",
    ),
    "Outlook": (
        multipart(
            "mixed",
            multipart("related", ALTERNATIVE, PICTURE, boundary="----=_NextPart_001"),
            PDF,
            boundary="----=_NextPart_000",
        ),
        "mixed(related(alternative(text/plain text/html) image/png) application/pdf)",
    ),
    "Apple Mail": (
        multipart("alternative", TEXT, multipart("mixed", HTML, PDF, HTML, PICTURE, HTML)),
        "alternative(text/plain mixed(text/html application/pdf text/html image/png text/html))",
    ),
    "forwarded as attachment": (
        multipart("mixed", TEXT, MIMEMessage(FORWARDED)),
        "mixed(text/plain message/rfc822)",
    ),
    "delivery report": (
        multipart("report", TEXT, MIMEText("Action: failed\n", "x-status"), MIMEMessage(FORWARDED)),
        "report(text/plain text/x-status message/rfc822)",
    ),
    "boundaries that begin alike": (
        multipart("mixed", multipart("alternative", TEXT, HTML, boundary="abcd"), PDF, boundary="abc"),
        "mixed(alternative(text/plain text/html) application/pdf)",
    ),
    "the inner boundary begins the outer": (
        multipart("mixed", multipart("alternative", TEXT, HTML, boundary="abc"), PDF, boundary="abcd"),
        "mixed(alternative(text/plain text/html) application/pdf)",
    ),
    "a boundary that needs quotes": (
        multipart("mixed", TEXT, PDF, boundary="a:b (c)?"),
        "mixed(text/plain application/pdf)",
    ),
}


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"], ids=["CRLF", "LF"])
@pytest.mark.parametrize(("shape", "types"), SHAPES.values(), ids=SHAPES)
def test_well_formed_messages_give_the_parts_that_the_email_package_finds(
    shape: email.message.Message, types: str, line_end: bytes
) -> None:
    message = shape.as_bytes(policy=SMTP.clone(max_line_length=None)).replace(b"\r\n", line_end)
    with on_disk(message) as fd:
        root = outline(fd, len(message))
        found = [(leaf, b"".join(decoded_chunks(fd, leaf))) for leaf in leaves(root)]
    assert types_of(root) == types
    reference = reference_leaves(email.message_from_bytes(message))
    assert [leaf.content_type for leaf, _ in found] == [part.get_content_type() for part in reference]
    for (leaf, octets), part in zip(found, reference, strict=True):
        if part.get_content_maintype() == "message":
            (inner,) = inner_messages(part)
            assert octets == inner.as_bytes(policy=inner.policy.clone(linesep=line_end.decode()))
        else:
            assert octets == part.get_payload(decode=True)
        assert leaf.name == (part.get_filename() or "")
        assert leaf.disposition == (part.get_content_disposition() or "")
        assert leaf.charset == part.get_content_charset()


def test_delimiters_are_found_wherever_a_window_ends() -> None:
    header, filler = 'Content-Type: multipart/mixed; boundary="a:b"\n\n', "x" * 60 + "\n"
    parts = [
        "",
        "Content-Type: image/png\n",
        "\n",
        "\n" + filler * 10,
        "Content-Type: image/gif\n\n" + filler,
    ]
    body = "".join("--a:b\n" + part for part in parts * 2) + "--a:b--\n"
    for offset in range(500):
        message = header + "x" * offset + "\n" + body
        with on_disk(crlf(message)) as fd:
            root = outline(fd, len(message) * 2, window_bytes=60)
            assert root == outline(fd, len(message) * 2)
        assert len(root.children) == 2 * len(parts)


@pytest.mark.parametrize("rest", [b"--b\n\n" * 1000, b"x" * 100_000], ids=["many parts", "one long part"])
def test_reading_can_be_given_up_on_the_way(rest: bytes) -> None:
    message = b"Content-Type: multipart/mixed; boundary=b\n\n" + rest
    calls = iter(range(100))
    with on_disk(message) as fd, pytest.raises(StopIteration):
        outline(fd, len(message), window_bytes=512, check=lambda: next(calls))


def test_the_line_end_before_a_delimiter_is_not_part_of_the_body() -> None:
    message = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n\r\n--b\n\ntwo\n--b--"
    bodies = [message[leaf.start : leaf.end] for leaf in leaves(outline_of(message))]
    assert bodies == [b"one\r\n", b"two"]


def test_a_message_without_mime_headers_is_plain_text() -> None:
    root = outline_of(b"Subject: x\r\n\r\nhello")
    assert (types_of(root), root.start, root.end) == ("text/plain", 14, 19)


def test_the_first_of_two_content_types_counts() -> None:
    assert outline_of(b"Content-Type: text/html\nContent-Type: text/plain\n\n").content_type == "text/html"


def test_a_content_type_after_300_kb_of_header_is_found() -> None:
    fields = b"X-Filler: " + b"x" * 90 + b"\r\n"
    assert outline_of(fields * 3000 + b"Content-Type: text/html\r\n\r\n<p>x").content_type == "text/html"


def test_parts_beyond_the_bound_stay_within_the_last_one() -> None:
    message = b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * (3 * MAX_PARTS)
    found = leaves(outline_of(message))
    assert len(found) == MAX_PARTS - 1
    assert found[-1].end == len(message)


def test_multiparts_beyond_the_depth_are_leaves() -> None:
    levels = 3 * MAX_DEPTH
    message = b"Content-Type: multipart/mixed; boundary=b0\n\n" + b"".join(
        b"--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n" % (level, level + 1)
        for level in range(levels)
    )
    part, depth = outline_of(message), 0
    while part.children:
        (part,) = part.children
        depth += 1
    assert depth == MAX_DEPTH
    assert part.content_type == "application/octet-stream"


def test_a_part_tells_where_its_content_lies_on_the_web() -> None:
    location = "Content-Location: http://example.com/=?utf-8?q?=C3=BC?=\r\n /logo.png\r\n"
    assert outline_of(location.encode() + b"\r\n").content_location == "http://example.com/ü/logo.png"


def test_other_fields_of_a_part_can_be_read_again() -> None:
    message = crlf(
        "Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\nX-One: 1\n 2\n\nX-Not: 3\n"
        "--b\n--b\n\nX-Not: 3\n"
    )
    with on_disk(message) as fd:
        root = outline(fd, len(message))
        names = [[field.name for field in fields_of(fd, part)] for part in (root, *root.children)]
    assert names == [["Subject", "Content-Type"], ["X-One"], [], []]
