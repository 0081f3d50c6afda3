"""What notices show of a message's text: readable, bounded, and what a reader would see first."""

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
    attachments_of,
    crlf,
    multipart,
    text_in,
)
from woomera_milter.message.mime.body import BodyText


def test_text_with_a_file_name_is_an_attachment_and_not_the_message_s_text() -> None:
    log = MIMEText("log\n")
    log.add_header("Content-Disposition", "inline", filename="a.log")
    message = multipart("mixed", log, TEXT).as_bytes()
    assert [each.name for each in attachments_of(message)] == ["a.log"]
    assert text_in(message).text == "Grüße"


TEXTS = {
    "plain": (TEXT, "Grüße"),
    "HTML": (HTML, "Grüße"),
    "plain before HTML": (multipart("alternative", MIMEText("<p>x", "html"), MIMEText("plain")), "plain"),
    "HTML where the plain text is blank": (multipart("alternative", MIMEText(" \n"), HTML), "Grüße"),
    "within related within mixed": (
        multipart("mixed", multipart("related", ALTERNATIVE, PICTURE), PDF),
        "Grüße",
    ),
    "none": (multipart("mixed", PDF), ""),
    "not that of a forwarded message": (multipart("mixed", MIMEMessage(FORWARDED)), ""),
}


@pytest.mark.parametrize(("shape", "text"), TEXTS.values(), ids=TEXTS)
def test_the_text_is_what_a_reader_would_see_first(shape: email.message.Message, text: str) -> None:
    assert text_in(shape.as_bytes(policy=SMTP)) == BodyText(text, truncated=False)


@pytest.mark.parametrize("content_type", ["text/plain", "text/html"])
@pytest.mark.parametrize("max_bytes", [0, 10, 1000, 32768])
def test_text_is_bounded_in_utf_8_and_says_that_there_is_more(content_type: str, max_bytes: int) -> None:
    message = crlf(f"Content-Type: {content_type}; charset=utf-8\n\n" + "Grüße an alle. " * 100_000)
    beginning = text_in(message, max_bytes)
    assert beginning.truncated
    assert max_bytes / 2 <= len(beginning.text.encode()) <= max_bytes
    assert "\ufffd" not in beginning.text


def test_text_is_without_control_characters() -> None:
    assert text_in(b"\na\x00b\x1b[2J\xe2\x80\xae\r\nc").text == "ab[2J\nc"


def test_a_message_whose_boundary_never_comes_is_shown_as_text() -> None:
    assert text_in(b"Content-Type: multipart/mixed; boundary=b\n\n--c\n\nhello").text == "--c\n\nhello"
