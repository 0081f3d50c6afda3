"""Header fields and names in raw 8-bit are in the charset of the message's text, wherever they are told."""

from pathlib import Path

import pytest

from tests.unit.message.mime.mime_cases import on_disk
from woomera_milter.message.decoding import header_summary, text_of
from woomera_milter.message.fields import HeaderField, first, parse_header_block
from woomera_milter.message.mime.raw_fields import in_utf_8
from woomera_milter.message.mime.tree import outline
from woomera_milter.message.spool import SpooledMessage
from woomera_milter.notice.header_edits import HeaderEdits
from woomera_milter.notice.new_message import kept_of

PLAIN = "Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n"
MULTIPART = (
    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    '--b\r\nContent-Type: application/pdf; name="{text}.pdf"\r\n\r\nx\r\n--b\r\n'
) + PLAIN
CASES = [
    ("koi8-r", "koi8-r", "Десятка лучших отчётов"),
    ("windows-1251", "cp1251", "Здравствуйте"),
    ("Shift_JIS", "cp932", "見積書①の表"),
    ("big5", "big5hkscs", "附件許功蓋"),
    ("gb2312", "gb18030", "报价单"),
    ("euc-kr", "cp949", "견적서 똠방"),
    ("iso-8859-2", "iso8859-2", "Zażółć gęślą"),
    ("iso-8859-7", "iso8859-7", "Προσφορά"),
    ("iso-8859-1", "cp1252", "Grüße"),
    ("utf-8", "utf-8", "Grüße"),
    ("utf-8", "cp1252", "Grüße"),
    ("iso-2022-jp", "iso2022_jp", "見積書"),
]


@pytest.mark.parametrize("body", [PLAIN, MULTIPART], ids=["plain", "multipart"])
@pytest.mark.parametrize(("charset", "codec", "text"), CASES)
def test_subject_sender_and_file_name_are_in_the_charset_of_the_text(
    tmp_path: Path, charset: str, codec: str, text: str, body: str
) -> None:
    head = "Subject: {text}\r\n x\r\nFrom: {text} <s@example.com>\r\nTo: r@example.org\r\n"
    octets = (head + body).format(charset=charset, text=text).encode(codec)
    message = SpooledMessage(tmp_path)
    message.write(octets)
    headers = in_utf_8(parse_header_block(octets), message)
    message.close()
    summary = header_summary(headers)
    assert (summary.subject, summary.header_from) == (f"{text} x", f"{text} <s@example.com>")
    for kept in HeaderEdits(headers, "").kept, HeaderEdits(headers, "[large] ").kept, kept_of(headers):
        subject, author = first(kept, "Subject") or b"", first(kept, "From") or b""
        assert subject.isascii()
        assert text_of(subject).removeprefix("[large] ") == f"{text} x"
        assert text_of(author) == f"{text} <s@example.com>"
    changes = {change.name: change.value for change in HeaderEdits(headers, "")._originals_changes()}
    assert text in text_of((changes["Subject"] or "").encode())
    with on_disk(octets) as fd:
        root = outline(fd, len(octets))
    assert [part.name for part in root.children] == ([f"{text}.pdf", ""] if body is MULTIPART else [])


@pytest.mark.parametrize("charset", ["utf-7", "utf-16", "cp037", "hz", "x-nonsense", "iso-2022-kr", "utf-32"])
def test_no_charset_makes_a_new_field_of_a_value(tmp_path: Path, charset: str) -> None:
    octets = (
        b"Subject: \xe4+AA0ACgBCAGMAYw-: x\x25\x0d\x00\x0a~\r\n y\r\n"
        + PLAIN.format(charset=charset, text="x").encode()
    )
    message = SpooledMessage(tmp_path)
    message.write(octets)
    headers = parse_header_block(octets)
    section = b"".join(b"%s:%s\r\n" % (f.name.encode(), f.value) for f in in_utf_8(headers, message))
    message.close()
    assert [field.name for field in parse_header_block(section)] == [field.name for field in headers]


def test_fields_in_ascii_and_utf_8_are_left_alone_and_the_message_unread(tmp_path: Path) -> None:
    headers = [HeaderField("Subject", " Grüße".encode()), HeaderField("X", b" y")]
    message = SpooledMessage(tmp_path)
    message.close()
    assert in_utf_8(headers, message) is headers
