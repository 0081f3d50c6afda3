"""What notices list: every attachment, by the name that its sender gave it, with a size that is true."""

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
    attachments_of,
    crlf,
    multipart,
)

NAMED = {
    "both headers": (
        'Content-Type: application/pdf; name="type.pdf"\nContent-Disposition: attachment; filename="x.pdf"',
        "x.pdf",
    ),
    "the type's name alone": ('Content-Type: application/pdf; name="type.pdf"', "type.pdf"),
    "RFC 2231": ("Content-Disposition: attachment;\n filename*=utf-8''%e2%82%ac%20rates.pdf", "€ rates.pdf"),
    "RFC 2231 in pieces": (
        "Content-Disposition: inline;\n filename*0*=iso-8859-1''%FC;\n filename*1*=%DF;\n filename*2=.pdf",
        "üß.pdf",
    ),
    "RFC 2047 within quotes": ('Content-Type: a/b; name="=?utf-8?B?w7wucGRm?="', "ü.pdf"),
    "RFC 2047 in pieces": ('Content-Type: a/b;\n name="=?utf-8?Q?=C3?=\n =?utf-8?Q?=BC.pdf?="', "ü.pdf"),
    "raw UTF-8": ('Content-Disposition: attachment; filename="ü.pdf"', "ü.pdf"),
    "hostile": ('Content-Disposition: attachment; filename="../../\u202efdp.exe"', "fdp.exe"),
    "hostile RFC 2231": (
        "Content-Disposition: attachment; filename*=utf-8''a%0D%0AX%3A%20y%2F.pdf",
        "a X_ y_.pdf",
    ),
    "nameless picture": ("Content-Type: image/png", "image.png"),
    "nameless photograph": ("Content-Type: image/jpeg", "image.jpg"),
    "nameless PDF": ("Content-Type: application/pdf", "attachment.pdf"),
    "nameless text": ("Content-Type: text/plain\nContent-Disposition: attachment", "attachment.txt"),
    "nameless invitation": ("Content-Type: text/calendar", "attachment.ics"),
    "nameless and unknown": ("Content-Type: application/x-none", "attachment.bin"),
    "forwarded message": ("Content-Type: message/rfc822", "Plan für 2026_27.eml"),
    "forwarded message with a name": ("Content-Type: message/rfc822; name=mail.eml", "mail.eml"),
}


@pytest.mark.parametrize(("header", "name"), NAMED.values(), ids=NAMED)
def test_an_attachment_is_named_as_its_sender_named_it(header: str, name: str) -> None:
    body = "Subject: =?utf-8?q?Plan_f=C3=BCr_?=\n 2026/27\n\nhello\n"
    (attachment,) = attachments_of(crlf(f"{header}\n\n{body}"))
    assert attachment.name == name


def test_a_name_in_raw_windows_1252_is_read() -> None:
    (attachment,) = attachments_of(b'Content-Disposition: attachment; filename="Gr\xfc\xdfe.pdf"\n\n')
    assert attachment.name == "Grüße.pdf"


def test_a_forwarded_message_without_a_subject_is_named_all_the_same() -> None:
    assert [each.name for each in attachments_of(b"Content-Type: message/rfc822\n\n\n")] == ["message.eml"]


def test_equal_names_are_made_distinct_whatever_their_case() -> None:
    names = ["a.pdf", "A.PDF", "a (2).pdf", "a.pdf", "b", "b"]
    message = "Content-Type: multipart/mixed; boundary=b\n\n" + "".join(
        f'--b\nContent-Disposition: attachment; filename="{name}"\n\n' for name in names
    )
    found = [each.name for each in attachments_of(crlf(message))]
    assert found == ["a.pdf", "A (2).PDF", "a (2) (2).pdf", "a (3).pdf", "b", "b (2)"]


LISTED = {
    "the text is no attachment": (TEXT, []),
    "nor are its alternatives": (ALTERNATIVE, []),
    "inline pictures are": (multipart("related", HTML, PICTURE), ["image.png"]),
    "a calendar among the alternatives is": (
        multipart("alternative", TEXT, HTML, MIMEText("BEGIN:VCALENDAR", "calendar")),
        ["attachment.ics"],
    ),
    "nor is what follows a file": (multipart("mixed", TEXT, PDF, TEXT), ["offer.pdf"]),
    "beside the root of related parts": (multipart("related", HTML, TEXT), ["attachment.txt"]),
    "a report's parts": (
        multipart("report", TEXT, MIMEMessage(FORWARDED)),
        ["Plan für 2026.eml"],
    ),
}


@pytest.mark.parametrize(("shape", "names"), LISTED.values(), ids=LISTED)
def test_every_leaf_but_the_message_s_text_is_listed(shape: email.message.Message, names: list[str]) -> None:
    assert [each.name for each in attachments_of(shape.as_bytes(policy=SMTP))] == names
