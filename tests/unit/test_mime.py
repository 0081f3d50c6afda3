"""What notices say of a message: parts found by offsets, names and sizes that are true, readable text."""

import base64
import email
import email.message
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from email.mime.application import MIMEApplication
from email.mime.image import MIMEImage
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import SMTP

import pytest

from woomera_milter.mime import (
    Attachment,
    BodyText,
    Part,
    Protection,
    attachments,
    body_text,
    decoded_chunks,
    outline,
    protection,
)
from woomera_milter.mime_outline import MAX_DEPTH, MAX_PARTS


@contextmanager
def on_disk(message: bytes) -> Iterator[int]:
    with tempfile.TemporaryFile() as file:
        file.write(message)
        file.flush()
        yield file.fileno()


def outline_of(message: bytes) -> Part:
    with on_disk(message) as fd:
        return outline(fd, len(message))


def attachments_of(message: bytes) -> list[Attachment]:
    with on_disk(message) as fd:
        return attachments(fd, outline(fd, len(message)))


def text_in(message: bytes, max_bytes: int = 1000) -> BodyText:
    with on_disk(message) as fd:
        return body_text(fd, outline(fd, len(message)), max_bytes)


def types_of(part: Part) -> str:
    """The tree in one line: mixed(text/plain image/png)."""
    if not part.is_multipart:
        return part.content_type
    subtype = part.content_type.removeprefix("multipart/")
    return f"{subtype}({' '.join(types_of(child) for child in part.children)})"


def leaves(part: Part) -> list[Part]:
    below = [leaf for child in part.children for leaf in leaves(child)]
    return below if part.is_multipart else [part]


def inner_messages(message: email.message.Message) -> list[email.message.Message]:
    payload = message.get_payload()
    assert isinstance(payload, list)
    return [child for child in payload if isinstance(child, email.message.Message)]


def reference_leaves(message: email.message.Message) -> list[email.message.Message]:
    if message.get_content_maintype() != "multipart":
        return [message]
    return [leaf for child in inner_messages(message) for leaf in reference_leaves(child)]


def crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


PNG = bytes(range(256)) * 5
TEXT = MIMEText("Grüße\n", "plain", "utf-8")
HTML = MIMEText("<p>Grüße</p>\n", "html", "iso-8859-1")
PDF = MIMEApplication(b"%PDF-1.7\r\n" * 50, "pdf", name="offer.pdf")
PDF.add_header("Content-Disposition", "attachment", filename="offer.pdf")
PICTURE = MIMEImage(PNG, "png")
PICTURE.add_header("Content-ID", "<logo@example.com>")
FORWARDED = MIMEText("The original.\n")
FORWARDED["Subject"] = "=?utf-8?q?Plan_f=C3=BCr_2026?="


def multipart(subtype: str, *children: email.message.Message, boundary: str | None = None) -> MIMEMultipart:
    return MIMEMultipart(subtype, boundary, children)


ALTERNATIVE = multipart("alternative", TEXT, HTML)
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


IRREGULAR = {
    "no closing delimiter": ("--b\n\none\n--b\n\ntwo", "mixed(text/plain text/plain)"),
    "nothing after the last delimiter": ("--b\n\none\n--b", "mixed(text/plain text/plain)"),
    "closed without a line end": ("--b\n\none\n--b--", "mixed(text/plain)"),
    "preamble and epilogue": ("pre\n--b\n\none\n--b--\nepilogue\n--b\n\ntwo\n", "mixed(text/plain)"),
    "white space after the boundary": ("--b \t\n\none\n--b--  \n", "mixed(text/plain)"),
    "text that only begins like a delimiter": ("--b\n\n--bc\n--b-\n --b\n-b\n--b--\n", "mixed(text/plain)"),
    "more padding than any mailer adds": ("--b" + " " * 150, "text/plain"),
    "more padding than any mailer adds, and a line end": ("--b" + " " * 150 + "\n", "text/plain"),
    "closed without any part": ("--b--\n", "mixed()"),
    "no delimiter at all": ("just text\n", "text/plain"),
    "empty body": ("", "mixed()"),
    "parts without header or body": ("--b\n--b\n--b--\n", "mixed(text/plain text/plain)"),
    "a header without a body": ("--b\nContent-Type: image/png\n--b--\n", "mixed(image/png)"),
    "no blank line before the text": ("--b\nhello\n--b--\n", "mixed(text/plain)"),
    "an outer delimiter closes the inner": (
        "--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\none\n--b\n\ntwo\n--b--\n",
        "mixed(alternative(text/plain) text/plain)",
    ),
    "an inner one after that is only text": (
        "--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\none\n--b\n\n--c\n--b--\n",
        "mixed(alternative(text/plain) text/plain)",
    ),
    "both use one boundary": (
        "--b\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\none\n--b--\n",
        "mixed(alternative() text/plain)",
    ),
    "the inner boundary is the outer's close": (
        "--b\nContent-Type: multipart/alternative; boundary=b--\n\n--b--\n",
        "mixed(alternative())",
    ),
    "digest": (
        "--b\nContent-Type: multipart/digest; boundary=c\n\n--c\n\nSubject: x\n\none\n--c--\n--b--\n",
        "mixed(digest(message/rfc822))",
    ),
    "no boundary": ("--b\nContent-Type: multipart/alternative\n\none\n--b--\n", "mixed(text/plain)"),
    "absurd content types": (
        "--b\nContent-Type: text\n\n--b\nContent-Type: ;;=\n\n--b\nContent-Type:\n\n"
        "--b\nCONTENT-TYPE: IMAGE/PNG (x)\n\n",
        "mixed(text/plain text/plain text/plain image/png)",
    ),
}


@pytest.mark.parametrize(("body", "types"), IRREGULAR.values(), ids=IRREGULAR)
@pytest.mark.parametrize("line_end", ["\r\n", "\n"], ids=["CRLF", "LF"])
def test_irregular_messages_give_a_tree_that_is_true(body: str, types: str, line_end: str) -> None:
    message = f"Content-Type: multipart/mixed;\n boundary=b\n\n{body}".replace("\n", line_end)
    assert types_of(outline_of(message.encode())) == types


def test_a_delimiter_that_looks_like_a_header_field_ends_the_header() -> None:
    message = crlf(
        'Content-Type: multipart/mixed; boundary="a:b"\n\n'
        "--a:b\nContent-Type: image/png\n--a:b\n\ntext\n--a:b--\n"
    )
    assert types_of(outline_of(message)) == "mixed(image/png text/plain)"


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


ENCODED_BODIES = {
    "base64": ("base64", base64.encodebytes(PNG)),
    "base64 on CRLF lines": ("base64", base64.encodebytes(PNG).replace(b"\n", b"\r\n")),
    "base64, quanta across lines": ("base64", b"QUJ\r\nDQU\r\nJDQ\r\nUJD\r\nQUJD\r\n"),
    "base64, padding amid lines": ("base64", b"QUJD\r\nQUJD\r\nQQ==\r\nQUJD\r\n"),
    "base64 on one line": ("BASE64 ", base64.b64encode(PNG)),
    "base64, padding missing": ("base64", b"QUJDRA"),
    "base64, padding too long": ("base64", b"QUI======"),
    "base64 after the padding": ("base64", b"QQ==QUJD"),
    "base64, one lone padding": ("base64", b"QQ=QUJD=="),
    "base64, padding first": ("base64", b"==QUJD"),
    "base64, padding where none can be": ("base64", b"QUJD====QUJD"),
    "base64, padding after one character": ("base64", b"Q===UJD"),
    "base64 with rubbish": ("base64", b"Q-U\x00J\xffD\r\n!\r\nQUJD"),
    "base64, empty": ("base64", b"\r\n"),
    "quoted-printable": ("Quoted-Printable", b"a=3D=\r\nb =C3=BC\r\n"),
    "quoted-printable, broken": ("quoted-printable", b"a=\r\n=ZZ=4"),
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


def test_an_encoded_octet_is_decoded_whole_wherever_a_chunk_ends() -> None:
    message = b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=C3=BC" * 50
    with on_disk(message) as fd:
        root = outline(fd, len(message))
        for window_bytes in range(3, 30):
            assert b"".join(decoded_chunks(fd, root, window_bytes=window_bytes)) == "ü".encode() * 50


def test_a_lone_base64_character_at_the_end_is_dropped() -> None:
    (attachment,) = attachments_of(b"Content-Type: image/png\nContent-Transfer-Encoding: base64\n\nQUJDQ")
    assert attachment.size_bytes == 3


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
    "text after the first": (multipart("mixed", TEXT, PDF, TEXT), ["offer.pdf", "attachment.txt"]),
    "a report's parts": (
        multipart("report", TEXT, MIMEMessage(FORWARDED)),
        ["Plan für 2026.eml"],
    ),
}


@pytest.mark.parametrize(("shape", "names"), LISTED.values(), ids=LISTED)
def test_every_leaf_but_the_message_s_text_is_listed(shape: email.message.Message, names: list[str]) -> None:
    assert [each.name for each in attachments_of(shape.as_bytes(policy=SMTP))] == names


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


PROTECTED = {
    "PGP/MIME signed": (
        "multipart/signed; protocol=application/pgp-signature; boundary=b",
        Protection.SIGNED,
    ),
    "S/MIME signed": (
        "multipart/signed; protocol=application/pkcs7-signature; boundary=b",
        Protection.SIGNED,
    ),
    "PGP/MIME encrypted": ("multipart/encrypted; boundary=b", Protection.ENCRYPTED),
    "S/MIME": ("application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", Protection.SMIME),
    "S/MIME signed-data": ("application/pkcs7-mime; smime-type=signed-data", Protection.SMIME),
    "S/MIME of old": ("application/x-pkcs7-mime", Protection.SMIME),
    "S/MIME by its name": ("application/octet-stream; name=SMIME.P7M", Protection.SMIME),
    "within a mailing list's frame": (
        "multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/signed; boundary=c",
        Protection.SIGNED,
    ),
    "none": ("multipart/mixed; boundary=b", None),
    "a signature file alone": ("application/pkcs7-signature; name=smime.p7s", None),
}


@pytest.mark.parametrize(("content_type", "expected"), PROTECTED.values(), ids=PROTECTED)
def test_protected_originals_are_recognised(content_type: str, expected: Protection | None) -> None:
    assert protection(outline_of(crlf(f"Content-Type: {content_type}\n\n--b\n\nx\n--b--\n"))) is expected


def test_bare_pgp_in_the_text_counts_as_encrypted() -> None:
    message = b"\n-----BEGIN PGP MESSAGE-----\n\nhQ==\n-----END PGP MESSAGE-----\n"
    assert protection(outline_of(message), text_in(message).text) is Protection.ENCRYPTED


HOSTILE_BODIES = {
    "lines that begin like delimiters": b"--bx\r\n",
    "delimiters": b"--b\n",
    "empty lines": b"\n",
    "fields": b"--b\ncontent-id:x\ncontent-id:x\n",
    "long names": b"--b\nContent-Type: a/b; name=" + b"x;" * 5000 + b"\n\n",
    "multiparts": b"--b\nContent-Type: multipart/mixed; boundary=b\n\n",
}


@pytest.mark.parametrize("piece", HOSTILE_BODIES.values(), ids=HOSTILE_BODIES)
def test_hostile_bodies_take_linear_time(piece: bytes) -> None:
    size_bytes = 4_000_000
    message = b"Content-Type: multipart/mixed; boundary=b\n\n" + piece * (size_bytes // len(piece))
    started_at = time.process_time()
    attachments_of(message)
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
