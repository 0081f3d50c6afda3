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


PDF_MAGIC, PNG_MAGIC = "%PDF-1.4\n", "\x89PNG\r\n\x1a\n"
# Header fields, the beginning of the body, the name, and the type under which it is told and served.
TOLD = {
    "no extension": ('Content-Type: application/pdf; name="Scan 1"', "", "Scan 1.pdf", "application/pdf"),
    "a dot, but no extension": ("Content-Type: application/pdf; name=v2.0 final", "", "v2.0 final.pdf", None),
    "a number for an extension": (
        "Content-Type: application/pdf; name=2026.01.15",
        "",
        "2026.01.15.pdf",
        None,
    ),
    "the name of a host": ("Content-Type: image/png; name=www.example.com", "", "www.example.com.png", None),
    "a picture's other name": ("Content-Type: image/pjpeg; name=photo", "", "photo.jpg", "image/jpeg"),
    "no extension, text": ("Content-Type: text/plain; name=README", "", "README.txt", "text/plain"),
    "an unknown extension": ("Content-Type: text/plain; name=a.py", "", "a.py", "text/plain"),
    "of no kind": (
        "Content-Type: application/octet-stream; name=blob",
        "x",
        "blob",
        "application/octet-stream",
    ),
    "a PDF that nobody says is one": (
        "Content-Type: application/octet-stream; name=Scan",
        PDF_MAGIC,
        "Scan.pdf",
        "application/pdf",
    ),
    "a nameless PDF": ("Content-Type: application/octet-stream", PDF_MAGIC, "attachment.pdf", None),
    "a type that is downloaded": (
        "Content-Type: application/force-download; name=a.PDF",
        "",
        "a.PDF",
        "application/pdf",
    ),
    "a picture called octets": (
        "Content-Type: application/octet-stream; name=logo",
        PNG_MAGIC,
        "logo.png",
        "image/png",
    ),
    "a picture of another type": ("Content-Type: image/jpeg; name=a.jpg", PNG_MAGIC, "a.jpg", "image/png"),
    "type missing": ("Content-Disposition: attachment; filename=a.zip", "", "a.zip", "application/zip"),
    "type missing, extension unknown": (
        "Content-Disposition: attachment; filename=a.xyz",
        "",
        "a.xyz",
        "application/octet-stream",
    ),
    "half a type": ("Content-Type: application; name=half.pdf", "", "half.pdf", "application/pdf"),
    "an extension for a type": ("Content-Type: .pdf; name=dot.pdf", "", "dot.pdf", "application/pdf"),
    "plain text by name a picture": ("Content-Type: text/plain; name=a.gif", "", "a.gif", "image/gif"),
    "a table that Excel made": (
        "Content-Type: application/vnd.ms-excel; name=a.csv",
        "",
        "a.csv",
        "text/csv",
    ),
    "a valid type stays": ("Content-Type: text/html; name=a.txt", "", "a.txt", "text/html"),
    "SVG is no picture to show": ("Content-Type: image/svg; name=a", "", "a.svg", "image/svg+xml"),
    "resource fork": (
        "Content-Type: application/applefile; name=a.pdf",
        "",
        "_a.pdf",
        "application/applefile",
    ),
    "nameless TNEF": ("Content-Type: application/ms-tnef", "", "winmail.dat", "application/ms-tnef"),
    "nameless delivery status": ("Content-Type: message/delivery-status", "", "delivery report.txt", None),
}


@pytest.mark.parametrize(("header", "body", "name", "content_type"), TOLD.values(), ids=TOLD)
def test_an_attachment_is_told_by_its_type_its_name_and_its_first_octets(
    header: str, body: str, name: str, content_type: str | None
) -> None:
    (found,) = attachments_of(crlf(header + "\n\n") + body.encode("latin-1") + bytes(40))
    assert found.name == name
    assert content_type in (None, found.content_type)


NOTES = {
    "a piece": ("Content-Type: message/partial; id=x; number=2; total=3", "piece 2 of 3 of a message"),
    "a piece of nobody knows how many": (
        "Content-Type: message/partial; id=x; number=2",
        "piece 2 of a message",
    ),
    "an absurd piece": ("Content-Type: message/partial; number=99999999999", "one piece of a message"),
    "a URL in pieces": (
        'Content-Type: message/external-body; access-type=URL;\n URL="https://example.com/\n draft.pdf"',
        "lies at https://example.com/draft.pdf",
    ),
    "a file on a server": (
        'Content-Type: message/external-body; access-type=anon-ftp; site="ftp.example.com";\n'
        ' directory="/pub"; name="a.ps"',
        "lies at ftp.example.com/pub/a.ps (anon-ftp)",
    ),
    "by mail": (
        'Content-Type: message/external-body; access-type=mail-server; server="list@example.com"',
        "by mail from list@example.com",
    ),
    "elsewhere": (
        "Content-Type: message/external-body; access-type=content-id",
        "not in this message",
    ),
    "hostile": ('Content-Type: message/external-body; URL="a\u202eb"', "lies at ab"),
    "an invitation": ("Content-Type: text/calendar; method=REQUEST", "invitation"),
    "TNEF": ("Content-Type: application/octet-stream; name=WINMAIL.DAT", "Outlook"),
    "an ordinary file": ("Content-Type: application/pdf", ""),
}


@pytest.mark.parametrize(("header", "note"), NOTES.values(), ids=NOTES)
def test_what_else_is_to_be_known_of_an_odd_part_is_noted(header: str, note: str) -> None:
    (found,) = attachments_of(crlf(header + "\n\nContent-Type: a/b\n\n"))
    assert note in str(found.note or "")
    assert bool(note) == bool(found.note)
    assert len(str(found.note)) <= 400
