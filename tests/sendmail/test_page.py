"""The page and the attachments of a message that went the whole way, through sendmail and the milter."""

import email
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.lab import Lab
from rig.mail.messages import file_part, header_section, message, multipart, random_data, text_part
from rig.mta.smtp import SmtpClient
from rig.servers.s3 import Juicefs

MB = 1024 * 1024
RECIPIENT = "recipient@example.org"


@pytest.fixture(scope="module")
def page_lab(s3: Juicefs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    configuration = {"limit": "1MB", "archive": {"min_size": 0}}
    with Lab(tmp_path_factory.mktemp("page-lab"), s3, configuration=configuration) as lab:
        yield lab


def notice_text(lab: Lab, octets: bytes) -> str:
    """The plain text of the notice that SES got for this message."""
    lab.ses.clear()
    with SmtpClient(lab.sendmail.smtp_port) as client:
        assert client.send(octets, sender="sender@example.com", recipients=[RECIPIENT]).ok
    [transaction] = lab.ses.accepted
    assert len(transaction.message) < 100 * 1024
    parts = email.message_from_bytes(transaction.message).walk()
    decoded = next(part for part in parts if part.get_content_type() == "text/plain").get_payload(decode=True)
    assert isinstance(decoded, bytes)
    return decoded.decode()


def links_of(text: str) -> list[str]:
    return re.findall(r"^https?://\S+$", text.replace("\r", ""), re.MULTILINE)


def fetched(link: str) -> bytes:
    with urllib.request.urlopen(link) as response:
        octets: bytes = response.read()
        return octets


def test_notice_leads_to_the_page_the_message_and_each_attachment(page_lab: Lab, tmp_path: Path) -> None:
    files = [random_data(600_000, seed) for seed in (1, 2)]
    parts = [
        file_part(data, disposition=b"attachment; filename=%d.bin" % it) for it, data in enumerate(files)
    ]
    sent = message(content=multipart("mixed", text_part(), *parts))

    text = notice_text(page_lab, sent)

    page, whole, *attachments = links_of(text)
    assert b"<title>Quarterly figures</title>" in fetched(page)
    assert fetched(whole) == sent
    assert [fetched(link) for link in attachments] == files


def test_notice_of_two_hundred_attachments_stays_small_and_sends_people_to_the_page(page_lab: Lab) -> None:
    parts = [
        file_part(b"x" * 6000, disposition=b'attachment; filename="report of the %03d. week.txt"' % number)
        for number in range(200)
    ]

    text = notice_text(
        page_lab, header_section() + b"MIME-Version: 1.0\r\n" + multipart("mixed", text_part(), *parts)
    )

    assert re.search(r"and \d+ more, on the page", text)
    assert "Only 100 of the 200 attachments can be downloaded alone." in text
    page = fetched(links_of(text)[0]).decode()
    assert page.count('<a class="file"') == 100
    assert page.count("in the whole message</span>") == 100


def test_notice_of_an_encrypted_message_has_the_one_link_and_says_why(page_lab: Lab) -> None:
    content = multipart("encrypted", text_part(), file_part(random_data(MB)))

    text = notice_text(page_lab, message(content=content))

    assert len(links_of(text)) == 1
    assert "This message is encrypted" in text
    assert "one file" in " ".join(text.split())


def test_notice_of_a_signed_message_has_all_links_and_says_where_its_signature_can_be_checked(
    page_lab: Lab,
) -> None:
    content = multipart("signed", text_part(), file_part(random_data(MB)))

    text = notice_text(page_lab, message(content=content))

    assert len(links_of(text)) == 3
    assert "This message is digitally signed" in text
    assert "can be checked in the whole message alone" in " ".join(text.split())
