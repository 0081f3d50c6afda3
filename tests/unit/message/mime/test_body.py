"""What notices show of a message's text: readable, bounded, and what a reader would see first."""

import copy
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
    on_disk,
    text_in,
)
from woomera_milter.message.mime.body import Body, BodyText, body
from woomera_milter.message.mime.tree import outline


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


def body_in(message: bytes, max_bytes: int = 10_000) -> Body:
    with on_disk(message) as fd:
        return body(fd, outline(fd, len(message)), max_bytes)


def inline(part: email.message.Message, name: str = "") -> email.message.Message:
    found = copy.deepcopy(part)
    del found["Content-Disposition"]
    parameters = {"filename": name} if name else {}
    found.add_header("Content-Disposition", "inline", **parameters)
    return found


BLANK, FOOTER, AMP = MIMEText("\n \n"), MIMEText("footer\n"), MIMEText("<p>amp", "x-amp-html")
SHAPES = {
    "around a file": (multipart("mixed", HTML, PDF, FOOTER), "Grüße\n\nfooter", "html plain"),
    "around a picture": (
        multipart("mixed", TEXT, inline(PICTURE, "a.png"), FOOTER),
        "Grüße\n\n[a.png]\n\nfooter",
        "plain picture plain",
    ),
    "after a banner": (multipart("mixed", FOOTER, ALTERNATIVE), "footer\n\nGrüße", "plain html"),
    "a blank text before it": (multipart("mixed", BLANK, HTML), "Grüße", "html"),
    "blank HTML beside it": (
        multipart("alternative", TEXT, MIMEText("<p>&nbsp;</p>", "html")),
        "Grüße",
        "plain",
    ),
    "only pictures in HTML": (
        multipart("alternative", TEXT, MIMEText('<img src="cid:a">', "html")),
        "Grüße",
        "html",
    ),
    "the last of like alternatives": (multipart("alternative", FOOTER, TEXT), "Grüße", "plain"),
    "no rendition for few devices": (multipart("alternative", TEXT, AMP), "Grüße", "plain"),
    "a rendition for few devices alone": (AMP, "amp", "html"),
    "with a name, and nothing else": (multipart("mixed", inline(TEXT, "a.txt"), PDF), "Grüße", "plain"),
    "enriched": (
        MIMEText("<bold>Hello</bold>\nRita, <<x>\n\nAnn", "enriched"),
        "Hello Rita, <x>\nAnn",
        "plain",
    ),
    "of a kind nobody knows": (MIMEText("words", "x-unknown"), "words", "plain"),
    "in a multipart nobody knows": (multipart("x-unknown", TEXT, FOOTER), "Grüße\n\nfooter", "plain plain"),
    "signed": (multipart("signed", TEXT, PDF), "Grüße", "plain"),
    "a calendar alone": (MIMEText("BEGIN:VCALENDAR", "calendar"), "BEGIN:VCALENDAR", "plain"),
    "beside related parts without one": (multipart("related", PICTURE, TEXT), "Grüße", "plain picture"),
}


@pytest.mark.parametrize(("shape", "text", "forms"), SHAPES.values(), ids=SHAPES)
def test_the_text_is_all_of_it_in_its_order(shape: email.message.Message, text: str, forms: str) -> None:
    octets = shape.as_bytes(policy=SMTP)
    assert text_in(octets) == BodyText(text, truncated=False)
    assert " ".join(it.form for it in body_in(octets).pieces) == forms


def test_the_root_of_related_parts_is_the_one_they_name() -> None:
    related = multipart("related", FOOTER, TEXT)
    related.set_param("start", "<root@example.com>")
    root = copy.deepcopy(TEXT)
    root["Content-ID"] = "<root@example.com>"
    related.set_payload([FOOTER, root])
    assert text_in(related.as_bytes(policy=SMTP)).text == "Grüße"


def test_an_alternative_that_is_not_shown_makes_nothing_more_of_it() -> None:
    shape = multipart("alternative", MIMEText("word " * 10_000), HTML)
    assert not body_in(shape.as_bytes(policy=SMTP), 1000).truncated


def test_ten_thousand_leaves_are_read_as_far_as_two() -> None:
    message = multipart("mixed", *[MIMEText("word " * 100)] * 9_000).as_bytes(policy=SMTP)
    found = body_in(message, 2_000)
    assert found.truncated
    assert sum(len(it.text) for it in found.pieces) <= 2 * 2 * 2_000


@pytest.mark.parametrize(
    ("delsp", "text"), [("yes", "これは一行です。\nend"), ("no", "これは 一行です。\nend")]
)
def test_lines_that_a_mailer_broke_are_whole_again(delsp: str, text: str) -> None:
    fields = f"Content-Type: text/plain; charset=utf-8; format=Flowed; delsp={delsp}\n\n"
    assert text_in(crlf(fields + "これは \n一行です。\nend\n")).text == text


@pytest.mark.parametrize("count", [1, 50])
def test_pictures_within_the_markup_take_no_room_from_the_text(count: int) -> None:
    picture = '<img src="data:image/png;base64,' + "iVBORw0K" * (400_000 // count) + '">'
    message = crlf("Content-Type: text/html\n\n" + f"<p>before{picture}" * count + "<p>the end")
    assert text_in(message, 8_000).text.endswith("the end")
    (piece,) = body_in(message, 100_000).pieces
    assert piece.is_complete
    assert piece.text.endswith("the end")


def test_markup_that_only_looks_like_pictures_is_cut_where_the_room_ends() -> None:
    message = crlf("Content-Type: text/html\n\n" + "data:image/png;base64,AAAA <p>word " * 100_000)
    assert body_in(message, 1_000).truncated
