"""The notice's header section is the original's, as far as SES takes it; a sender can add nothing to it."""

import email
import email.policy
import re
from collections import Counter
from collections.abc import Sequence
from email.utils import getaddresses

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from woomera_milter.headers import HeaderField, text_of
from woomera_milter.notice import Notice
from woomera_milter.ses_headers import HeaderChange, header_changes, remaining_bytes

ID = "4AO5OuKt012345-Zk3v9qXw"
NOTICE = Notice(content_type='multipart/alternative; boundary="=_woomera_0123456789abcdef"', body=b"")
OURS = {
    "mime-version": b" 1.0",
    "content-type": b" " + NOTICE.content_type.encode(),
    "content-transfer-encoding": b" 7bit",
    "x-woomera-id": b" " + ID.encode(),
}
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


def applied(
    headers: Sequence[HeaderField], changes: Sequence[HeaderChange], *, deleted_count: bool = True
) -> list[HeaderField]:
    """What an MTA makes of the changes: sendmail still counts fields that were deleted, Postfix does not."""
    section: list[tuple[str, bytes | None]] = [(field.name, field.value) for field in headers]
    for change in changes:
        value = None if change.value is None else change.value.encode("ascii").replace(b"\n", b"\r\n")
        matches = [
            position
            for position, (name, current) in enumerate(section)
            if name.lower() == change.name.lower() and (deleted_count or current is not None)
        ]
        if change.index <= len(matches):
            section[matches[change.index - 1]] = (section[matches[change.index - 1]][0], value)
        elif value is not None:
            section.append((change.name, value))
    return [HeaderField(name, value) for name, value in section if value is not None]


def settled(headers: Sequence[HeaderField], subject_prefix: str = "") -> list[HeaderField]:
    return applied(headers, header_changes(headers, NOTICE, ID, subject_prefix))


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


ORDINARY = fields(
    "Received: from client.example.com by mx.example.com;\r\n\tTue, 24 Nov 2026 05:24:00 +0000",
    "From: =?utf-8?q?J=C3=B6rg?= <joerg@example.com>",
    'To: anna@example.org, "Doe, John" <john@example.org>',
    "Subject:no space before this",
    "X-Empty:",
    "References: <1@example.com>\r\n <2@example.com>",
)


def test_field_that_is_safe_already_stays_untouched() -> None:
    assert theirs(ORDINARY) == ORDINARY
    assert {change.name for change in header_changes(ORDINARY, NOTICE, ID, "")} == {
        "MIME-Version",
        "Content-Type",
        "Content-Transfer-Encoding",
        "X-Woomera-Id",
    }


def test_values_carry_the_space_that_the_milter_has_to_supply() -> None:
    for change in header_changes(ORDINARY, NOTICE, ID, "[large] "):
        assert change.value is not None
        assert change.value.startswith(" ")
        assert "\r" not in change.value


@pytest.mark.parametrize("deleted_count", [True, False], ids=["deleted ones count", "deleted ones do not"])
def test_mime_fields_are_replaced_and_signatures_removed_whatever_the_mta_counts(deleted_count: bool) -> None:
    headers = fields(
        "MIME-Version: 1.0",
        "content-type: text/plain",
        "DKIM-Signature: v=1; a",
        "Content-Type: multipart/mixed; boundary=x",
        "Content-Disposition: attachment",
        "dkim-signature: v=1; b",
        "Content-Language: de",
        "Content-Type: text/html",
        "Content-Transfer-Encoding: base64",
        "mime-version: 2.0",
        "Subject: hello",
        "X-Woomera-Id: forged",
        "x-woomera-id: forged too",
    )
    changes = header_changes(headers, NOTICE, ID, "")
    section = applied(headers, changes, deleted_count=deleted_count)
    assert_safe_for_ses(section)
    assert sorted(field.name.lower() for field in section) == sorted([*OURS, "subject"])


def test_changes_of_one_name_go_from_the_last_to_the_first() -> None:
    headers = fields("Subject: a", "Content-Type: x", "Subject: b", "Content-Type: y", "Content-Type: z")
    changes = [
        (change.name, change.index, change.value is None)
        for change in header_changes(headers, NOTICE, ID, "")
    ]
    assert changes[:3] == [("Content-Type", 3, True), ("Content-Type", 2, True), ("Subject", 2, True)]
    assert ("Content-Type", 1, False) in changes


@pytest.mark.parametrize("name", ONCE_IN_SES)
def test_field_that_ses_allows_once_is_there_once_and_is_the_first(name: str) -> None:
    headers = fields(f"{name}: first", f"{name.upper()}: second", f"{name}: third", "X-Other: stays")
    section = settled(headers)
    assert_safe_for_ses(section)
    kept = [field for field in section if field.name.lower() == name.lower()]
    if name.lower().startswith(("content-", "mime-", "dkim-")):
        assert kept == [field for field in kept if field.name.lower() in OURS]
    else:
        assert kept == headers[:1]


def test_doubled_to_and_cc_stay() -> None:
    headers = fields("To: a@example.com", "To: b@example.com", "Cc: c@example.com", "Cc: d@example.com")
    assert theirs(headers) == headers


# ---- 8-bit ----


@pytest.mark.parametrize(
    ("line", "decoded"),
    [
        ("Subject: Grüße aus Köln", "Grüße aus Köln"),
        ("Subject: Grüße".encode("windows-1252"), "Grüße"),
        ("Subject: =?iso-8859-1?q?Gr=FC=DFe?= aus Köln", "Grüße aus Köln"),
        ("Subject: " + "日本語の件名" * 60, "日本語の件名" * 60),
        ("X-Team: Bäckerei", "Bäckerei"),
        ("Comments: ü\r\n ö", "ü ö"),
        ("Subject: Grüße\r\n\t=?utf-8?b?8J+YgA==?=", "Grüße \U0001f600"),
    ],
)
def test_eight_bit_text_becomes_encoded_words_that_say_the_same(line: str | bytes, decoded: str) -> None:
    value = value_of(line)
    assert value.isascii()
    assert text_of(value) == decoded
    assert max(len(line) for line in value.split(b"\r\n")) <= 76


@pytest.mark.parametrize(
    ("value", "mailboxes"),
    [
        ("Jörg Müller <joerg@example.com>", [("Jörg Müller", "joerg@example.com")]),
        ('"Müller, Jörg" <joerg@example.com>', [("Müller, Jörg", "joerg@example.com")]),
        ('"Jörg \\"JM\\" M." <joerg@example.com>', [('Jörg "JM" M.', "joerg@example.com")]),
        ("Jörg<joerg@example.com>", [("Jörg", "joerg@example.com")]),
        ("joerg@example.com (Jörg Müller)", [("Jörg Müller", "joerg@example.com")]),
        (
            "Ann <a@example.com>, Jörg <j@example.com>,Bäh <b@example.com>",
            [("Ann", "a@example.com"), ("Jörg", "j@example.com"), ("Bäh", "b@example.com")],
        ),
        ("Jörg =?utf-8?q?M=C3=BCller?= <j@example.com>", [("Jörg Müller", "j@example.com")]),
        ("Jörg <jörg@bücher.example>", None),
        ("Jo <jo@bücher.example>", [("Jo", "jo@xn--bcher-kva.example")]),
        ("jo@bücher.example", [("", "jo@xn--bcher-kva.example")]),
        ('Jörg <"odd, name"@example.com>', [("Jörg", '"odd, name"@example.com')]),
        ('"Jörg <joerg@example.com>', None),
        ("Jörg (unclosed <joerg@example.com>", None),
        ("Jörg <joerg@example.com", None),
    ],
)
@pytest.mark.parametrize("name", ["From", "To", "Cc", "Reply-To", "Sender", "Resent-To"])
def test_eight_bit_names_are_encoded_and_addresses_kept(
    name: str, value: str, mailboxes: list[tuple[str, str]] | None
) -> None:
    safe = value_of(f"{name}: {value}")
    assert safe.isascii()
    if mailboxes is None:  # not valid as it came in, or in need of SMTPUTF8: ASCII, and nothing is lost
        for address in re.findall(r"[a-z]+@example\.com", value):
            assert address in safe.decode()
        assert "Jörg" in text_of(safe)
    else:
        parsed = getaddresses([safe.replace(b"\r\n", b"").decode()])
        assert [(text_of(shown.encode()), address) for shown, address in parsed] == mailboxes


def test_address_that_ascii_cannot_hold_becomes_an_empty_group() -> None:
    safe = value_of("To: José <josé@example.com>, ann@example.com")
    message = email.message_from_bytes(b"To:" + safe + b"\r\n\r\n", policy=email.policy.default)
    (group, ann) = message["To"].groups
    assert "josé@example.com" in group.display_name
    assert group.addresses == ()
    assert ann.addresses[0].addr_spec == "ann@example.com"


def test_full_width_brackets_make_no_second_address() -> None:
    safe = value_of("From: A <a@b.example\uff1e\uff1cevil\uff20evil.example>")
    assert b"evil@evil" not in safe
    assert b"><" not in safe


def test_encoded_word_with_a_comma_makes_no_second_address() -> None:
    safe = value_of("From: =?utf-8?q?evil=40evil=2Eexample=2C?= Jörg <joerg@example.com>")
    assert [address for _, address in getaddresses([safe.decode()])] == ["joerg@example.com"]


def test_eight_bit_comment_of_a_date_leaves_the_date_readable() -> None:
    safe = value_of("Date: Tue, 24 Nov 2026 06:24:00 +0100 (Mitteleuropäische Zeit)")
    assert safe.startswith(b" Tue, 24 Nov 2026 06:24:00 +0100\r\n (=?utf-8?")
    assert text_of(safe).endswith("(Mitteleuropäische Zeit)")


def test_eight_bit_message_id_leaves_the_others_alone() -> None:
    safe = value_of("References: <1@example.com> <ü@example.com> <3@example.com>")
    assert safe.split()[0] == b"<1@example.com>"
    assert safe.split()[-1] == b"<3@example.com>"
    assert "<ü@example.com>" in text_of(safe)


# ---- control characters and long lines ----


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b"Subject: a\x00b\x07c\x7fd", b" a b c d"),
        (b"Subject: a\rBcc: victim@example.com", b" a Bcc: victim@example.com"),
        (b"Subject: a\nBcc: victim@example.com", b" a Bcc: victim@example.com"),
        (b"Subject: a\r\nBcc: victim@example.com", b" a  Bcc: victim@example.com"),
        (b"Subject: a\r\n\r\nbody", b" a    body"),
        (b"Subject: a\n b", b" a  b"),
        (b"From: a\x00b <a@example.com>", b" a b <a@example.com>"),
        (b"Subject: \x00", b" "),
    ],
)
def test_control_characters_become_spaces_and_inject_nothing(line: bytes, value: bytes) -> None:
    assert value_of(line) == value


def test_tab_and_folds_are_no_reason_to_touch_a_field() -> None:
    headers = fields("Subject: a\tb\r\n\tc\r\n d")
    assert theirs(headers) == headers


@pytest.mark.parametrize("name", ["Subject", "X-Note", "To", "References", "Received"])
def test_long_line_is_folded_at_white_space(name: str) -> None:
    words = b" " + b" ".join(b"<%d@example.com>," % number for number in range(200))
    safe = value_of(name.encode() + b":" + words)
    assert safe.replace(b"\r\n", b"") == words
    assert all(line.startswith(b" ") for line in safe.split(b"\r\n"))
    assert max(len(line) for line in safe.split(b"\r\n")) <= 78


def test_line_of_just_990_octets_stays_and_one_of_991_is_folded() -> None:
    short, long = (fields(b"Subject: " + b"ab " * 320 + b"c" * (length - 969)) for length in (990, 991))
    assert theirs(short) == short
    assert theirs(long) != long


def test_long_text_without_white_space_becomes_encoded_words() -> None:
    safe = value_of(b"Subject: " + b"x" * 30_000)
    assert text_of(safe) == "x" * 30_000
    assert max(len(line) for line in safe.split(b"\r\n")) <= 76


def test_addresses_without_white_space_are_folded_after_commas() -> None:
    addresses = [f"user{number}@example.com" for number in range(300)]
    safe = value_of("To: " + ",".join(addresses))
    assert [address for _, address in getaddresses([safe.replace(b"\r\n", b"").decode()])] == addresses
    assert max(len(line) for line in safe.split(b"\r\n")) <= 78


def test_references_run_together_are_folded_between_ids() -> None:
    safe = value_of("References: " + "".join(f"<{number}@example.com>" for number in range(300)))
    assert safe.split() == [b"<%d@example.com>" % number for number in range(300)]


def test_giant_display_name_leaves_the_address() -> None:
    safe = value_of('From: "' + "x" * 5000 + '" <joerg@example.com>')
    ((name, address),) = getaddresses([safe.replace(b"\r\n", b"").decode()])
    assert (text_of(name.encode()), address) == ("x" * 5000, "joerg@example.com")


# ---- more than 64 KB ----

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


@pytest.mark.parametrize(
    "lines",
    [
        [f"X-Junk-{number}: {'j' * 900}" for number in range(100)],
        [f"Received: from a by b; {'r' * 900}" for _ in range(100)],
        [f"ARC-Seal: {'s' * 900}" for _ in range(100)],
        [f"Authentication-Results: {'a' * 900}" for _ in range(100)],
    ],
    ids=["X-", "Received", "ARC", "Authentication-Results"],
)
def test_trace_and_x_fields_go_first_from_more_than_64_kb(lines: list[str]) -> None:
    headers = fields(*lines[:50]) + NEEDED + fields(*lines[50:])
    section = theirs(headers)
    assert [field for field in section if field in NEEDED] == NEEDED
    assert 62 * 1024 < len(wire(section)) <= 64 * 1024


def test_received_fields_stay_as_long_as_other_trace_can_go() -> None:
    headers = fields(*["Received: from a by b; c"] * 20, *[f"X-Junk: {'j' * 900}"] * 80) + NEEDED
    assert [field.name for field in theirs(headers)].count("Received") == 20


def test_giant_to_loses_its_last_addresses_and_stays_valid() -> None:
    addresses = [f'"User, {number}" <user{number}@example.com>' for number in range(3000)]
    headers = [HeaderField("To", (" " + ",\r\n ".join(addresses)).encode()), *NEEDED]
    section = theirs(headers)
    assert section[1:] == NEEDED
    kept = [address for _, address in getaddresses([section[0].value.replace(b"\r\n", b"").decode()])]
    assert kept == [f"user{number}@example.com" for number in range(len(kept))]
    assert 58 * 1024 < len(wire(section)) <= 64 * 1024


def test_giant_group_is_still_closed_after_a_cut() -> None:
    members = ",\r\n ".join(f"user{number}@example.com" for number in range(5000))
    (to,) = [field for field in theirs(fields(f"To: team: {members};")) if field.name == "To"]
    message = email.message_from_bytes(wire([to]) + b"\r\n", policy=email.policy.default)
    assert len(message["To"].groups) == 1
    assert not message["To"].defects


def test_giant_references_lose_their_oldest_ids() -> None:
    references = b"".join(b"\r\n <%d@example.com>" % number for number in range(5000))
    (field,) = theirs([HeaderField("References", references)])
    assert field.value.split()[-1] == b"<4999@example.com>"
    assert field.value.split()[0] != b"<0@example.com>"


def test_giant_name_of_a_sender_is_cut_rather_than_the_address() -> None:
    name = b'"' + b"x" * 70_000 + b'"'
    (field,) = theirs([HeaderField("From", b" %s <joerg@example.com>" % name)])
    assert field.value.strip() == b"<joerg@example.com>"


def test_sender_and_recipients_stay_longest() -> None:
    headers = NEEDED + fields(*[f"Other-{number}: {'o' * 900}" for number in range(100)])
    assert [field for field in theirs(headers) if field in NEEDED] == NEEDED
    many_to = fields(*[f"To: {'t' * 900}@example.com" for _ in range(100)])
    section = theirs(NEEDED + many_to)
    assert section[0] == NEEDED[0]
    assert {field.name for field in section} == {"From", "To"}


def test_name_too_long_to_share_a_line_goes_with_a_value_that_is_not_safe() -> None:
    assert theirs(fields("X-" + "n" * 995 + ": value")) == []


# ---- the subject's prefix ----


@pytest.mark.parametrize(
    ("line", "prefix", "subject"),
    [
        ("Subject: hello", "[large] ", "[large] hello"),
        ("Subject:hello", "[large] ", "[large] hello"),
        ("Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=", "[large] ", "[large] Grüße"),
        ("Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=", "[large]", "[large]Grüße"),
        ("Subject: =?iso-2022-jp?b?GyRCN29MPhsoQg==?=", "[large] ", "[large] 件名"),
        ("Subject: Grüße", "[groß] ", "[groß] Grüße"),
        ("Subject: hello", "[groß] ", "[groß] hello"),
        ("Subject:", "[large] ", "[large]"),
        ("Subject: " + "word " * 400 + "end", "[large] ", "[large] " + "word " * 400 + "end"),
        ("Subject: " + "x" * 2000, "[large] ", "[large] " + "x" * 2000),
    ],
)
def test_prefix_stands_before_the_subject(line: str, prefix: str, subject: str) -> None:
    value = value_of(line, prefix)
    assert value.isascii()
    assert text_of(value) == subject


def test_prefix_alone_is_the_subject_of_a_message_without_one() -> None:
    (subject,) = theirs(fields("From: a@example.com"), "[groß] ")[1:]
    assert (subject.name, text_of(subject.value)) == ("Subject", "[groß]")


def test_only_the_first_subject_gets_the_prefix() -> None:
    assert theirs(fields("Subject: a", "Subject: b"), "[large] ") == fields("Subject: [large] a")


# ---- anything at all ----

NAMES = st.one_of(
    st.sampled_from(
        [*ONCE_IN_SES, "To", "Cc", "Resent-From", "Received", "ARC-Seal", "X-Woomera-Id", "X-Junk"]
    ),
    st.text(
        st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=":"), min_size=1, max_size=30
    ),
)
SYNTAX = rb"""< > ( ) [ ] " \ , ; : @ =?utf-8?q?=C3?= =?utf-8?b?w7w?= <a@example.com>""".split()
ODDITIES = [
    b" ",
    b"\x00",
    b"\xff",
    b"\xc3\xbc",
    b"<\xc3\xbc@example.com>",
    b"a@b\xc3\xbccher.example",
    b"\xef\xbc\x9e",
]
BREAKS = [b"\r\n ", b"\r\n", b"\n\t", b"\r", b"\r\nX-Injected: 1"]
PIECES = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=30).map(str.encode),
    st.sampled_from([*SYNTAX, *ODDITIES, *BREAKS]),
)
REPEATED = st.builds(lambda piece, count: piece * count, PIECES, st.sampled_from([1, 1, 1, 1, 1, 1, 5, 700]))
VALUES = st.lists(REPEATED, max_size=8).map(b"".join)


@settings(deadline=None, max_examples=200)
@example([HeaderField("To", b"<a@b><c@d>" * 500)], "")
@example([HeaderField("To", "<a@ü><c@ö>".encode() * 500)], "")
@example([HeaderField("To", b":;,:" * 500)], "")
@example([HeaderField("To", b'"\\"' * 9000)], "")
@example([HeaderField("To", b"(" * 30_000 + b"\xff")], "")
@example([HeaderField("To", b"<" * 30_000 + b"\xff")], "")
@example([HeaderField("To", b"a" + b" " * 5000 + b"b")], "")
@example([HeaderField("Subject", b"\x00" * 5000)], "\u00df")
@given(
    st.lists(st.builds(HeaderField, NAMES, VALUES), max_size=12), st.sampled_from(["", "[large] ", "[groß]"])
)
def test_any_headers_at_all_become_safe_for_ses(headers: list[HeaderField], subject_prefix: str) -> None:
    changes = header_changes(headers, NOTICE, ID, subject_prefix)
    section = applied(headers, changes)
    assert section == applied(headers, changes, deleted_count=False)
    assert_safe_for_ses(section)
    names = {field.name.lower() for field in headers}
    assert {field.name.lower() for field in section} <= names | set(OURS) | {"subject"}
    kept = [field for field in section if field.name.lower() not in OURS]
    if "subject" in names or not subject_prefix:
        assert remaining_bytes(headers, subject_prefix) == len(wire(kept))
    assert header_changes(section, NOTICE, ID, "") == []


@settings(deadline=None, max_examples=20)
@given(
    st.lists(REPEATED, min_size=3, max_size=8).map(b"".join), st.sampled_from(["To", "Subject", "References"])
)
def test_giants_are_brought_below_64_kb(piece: bytes, name: str) -> None:
    headers = [HeaderField(name, piece[:20_000] * 4), *NEEDED, HeaderField("X-Junk", piece[:30_000])]
    section = settled(headers)
    assert_safe_for_ses(section)
    assert any(field.name == "From" for field in section)
