"""The notice's header section is the original's, as far as SES takes it; a sender can add nothing to it."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rig.fuzz.fragments import FIELD_BREAKS, FIELD_ODDITIES, FIELD_SYNTAX
from rig.fuzz.headers import ID, NOTICE, OURS, applied
from tests.unit.notice.header_edit_cases import (
    NEEDED,
    ONCE_IN_SES,
    assert_safe_for_ses,
    fields,
    settled,
    theirs,
    value_of,
)
from woomera_milter.message.decoding import text_of
from woomera_milter.message.fields import HeaderField
from woomera_milter.notice.header_edits import HeaderEdits
from woomera_milter.notice.header_room import relayed_bytes

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
    assert {change.name for change in HeaderEdits(ORDINARY, "").changes(NOTICE, ID)} == {
        "MIME-Version",
        "Content-Type",
        "Content-Transfer-Encoding",
        "X-Woomera-Id",
    }


def test_values_carry_the_space_that_the_milter_has_to_supply() -> None:
    for change in HeaderEdits(ORDINARY, "[large] ").changes(NOTICE, ID):
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
    changes = HeaderEdits(headers, "").changes(NOTICE, ID)
    section = applied(headers, changes, deleted_count=deleted_count)
    assert_safe_for_ses(section)
    assert sorted(field.name.lower() for field in section) == sorted([*OURS, "subject"])


def test_changes_of_one_name_go_from_the_last_to_the_first() -> None:
    headers = fields("Subject: a", "Content-Type: x", "Subject: b", "Content-Type: y", "Content-Type: z")
    changes = [
        (change.name, change.index, change.value is None)
        for change in HeaderEdits(headers, "").changes(NOTICE, ID)
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
PIECES = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=30).map(str.encode),
    st.sampled_from([*FIELD_SYNTAX, *FIELD_ODDITIES, *FIELD_BREAKS]),
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
    changes = HeaderEdits(headers, subject_prefix).changes(NOTICE, ID)
    section = applied(headers, changes)
    assert section == applied(headers, changes, deleted_count=False)
    assert_safe_for_ses(section)
    names = {field.name.lower() for field in headers}
    assert {field.name.lower() for field in section} <= names | set(OURS) | {"subject"}
    kept = [field for field in section if field.name.lower() not in OURS]
    if "subject" in names or not subject_prefix:
        assert HeaderEdits(headers, subject_prefix).relayed_bytes == relayed_bytes(kept, ())
    assert HeaderEdits(section, "").changes(NOTICE, ID) == []


@settings(deadline=None, max_examples=20)
@given(
    st.lists(REPEATED, min_size=3, max_size=8).map(b"".join), st.sampled_from(["To", "Subject", "References"])
)
def test_giants_are_brought_below_64_kb(piece: bytes, name: str) -> None:
    headers = [HeaderField(name, piece[:20_000] * 4), *NEEDED, HeaderField("X-Junk", piece[:30_000])]
    section = settled(headers)
    assert_safe_for_ses(section)
    assert any(field.name == "From" for field in section)
