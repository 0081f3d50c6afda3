"""Header sections, what an MTA makes of them by our changes, and what SES asks of the outcome."""

import re
from collections import Counter
from collections.abc import Sequence

from rig.fuzz.headers import ID, NOTICE, OURS, applied
from woomera_milter.message.fields import HeaderField
from woomera_milter.notice.header_edits import HeaderEdits

# docs.aws.amazon.com/ses/latest/dg/header-fields.html
ONCE_IN_SES = re.findall(
    r"\S+",
    """
    Accept-Language acceptLanguage Archived-At Auto-Submitted Bounces-to Comments Content-Alternative
    Content-Base Content-Class Content-Description Content-Disposition Content-Duration Content-ID
    Content-Language Content-Length Content-Location Content-MD5 Content-Transfer-Encoding Content-Type Date
    Delivered-To Disposition-Notification-Options Disposition-Notification-To DKIM-Signature
    DomainKey-Signature Errors-To From Importance In-Reply-To Keywords List-Archive List-Help List-Id
    List-Owner List-Post List-Subscribe List-Unsubscribe List-Unsubscribe-Post Message-Context Message-ID
    MIME-Version Organization Original-From Original-Message-ID Original-Recipient Original-Subject
    Precedence Priority References Reply-To Return-Path Return-Receipt-To Sender Solicitation Sensitivity
    Subject Thread-Index Thread-Topic User-Agent VBR-Info
    """,
)


def fields(*lines: str | bytes) -> list[HeaderField]:
    octets = [line.encode() if isinstance(line, str) else line for line in lines]
    return [HeaderField(name.decode(), value) for name, _, value in (line.partition(b":") for line in octets)]


def settled(headers: Sequence[HeaderField], subject_prefix: str = "") -> list[HeaderField]:
    return applied(headers, HeaderEdits(headers, subject_prefix).changes(NOTICE, ID))


def theirs(headers: Sequence[HeaderField], subject_prefix: str = "") -> list[HeaderField]:
    """The fields of the original that stay, as they stay."""
    return [field for field in settled(headers, subject_prefix) if field.name.lower() not in OURS]


def value_of(line: str | bytes, subject_prefix: str = "") -> bytes:
    (field,) = theirs(fields(line), subject_prefix)
    return field.value


def wire(headers: Sequence[HeaderField]) -> bytes:
    return b"".join(b"%s:%s\r\n" % (field.name.encode(), field.value) for field in headers)


def assert_safe_for_ses(section: Sequence[HeaderField]) -> None:
    octets = wire(section)
    assert octets.isascii()
    assert all(0 < len(line) < 998 for line in octets.removesuffix(b"\r\n").split(b"\r\n"))
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", octets)
    assert octets.count(b"\r") == octets.count(b"\n") == octets.count(b"\r\n")
    assert len(octets) < 66 * 1024
    counts = Counter(field.name.lower() for field in section)
    assert not [name for name in ONCE_IN_SES if counts[name.lower()] > 1]
    assert {field.name.lower(): field.value for field in section if field.name.lower() in OURS} == OURS
    assert counts["x-woomera-id"] == 1


NEEDED = fields(
    "From: joerg@example.com",
    "To: anna@example.org",
    "Cc: bob@example.org",
    "Subject: hello",
    "Date: Tue, 24 Nov 2026 05:24:00 +0000",
    "Message-ID: <1@example.com>",
    "Reply-To: reply@example.com",
    "Sender: sender@example.com",
    "In-Reply-To: <0@example.com>",
    "References: <0@example.com>",
    "Auto-Submitted: no",
    "List-Id: <list.example.com>",
    "Comments: as you were",
    "X-SES-CONFIGURATION-SET: marketing",
)
