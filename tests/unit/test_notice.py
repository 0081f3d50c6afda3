"""The notice tells the truth, is safe for SES, and nothing of a sender's can act in it."""

import email
import email.policy
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from woomera_milter import config
from woomera_milter.errors import ConfigError, PermanentError
from woomera_milter.mime import Protection
from woomera_milter.notice import MAX_HEADER_BYTES, AttachmentFact, Composer, Facts, Links, Notice

KB = 1024
MB = 1024 * 1024
SIGNATURE = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=" + "0123456789abcdef" * 4
MESSAGE_LINK = f"https://example-large-mail.s3.us-east-1.amazonaws.com/messages/id/message.eml?{SIGNATURE}"
PAGE_LINK = f"https://example-large-mail.s3.us-east-1.amazonaws.com/messages/id/index.html?{SIGNATURE}"
SESSION_TOKEN_LINK = f"{MESSAGE_LINK}&X-Amz-Security-Token={'t' * 1200}"
BOTH_LINKS = Links(message=MESSAGE_LINK, page=PAGE_LINK)
NO_PAGE = Links(message=MESSAGE_LINK, page=None)
EXPIRES_AT = datetime(2026, 12, 1, 5, 24, 59, tzinfo=UTC)

COMPOSER = Composer(config.Notice(organization="Example Ltd", contact="postmaster@example.com"))
PLAN = AttachmentFact("Plan, second draft.pdf", "application/pdf", 18 * MB, None)
PHOTO = AttachmentFact(
    "Baustelle Süd.jpg", "image/jpeg", 700 * KB, f"https://example.com/1/p.jpg?{SIGNATURE}"
)
FACTS = Facts(
    id="4AO5OuKt012345-Zk3v9qXw",
    header_from="Jörg Müller <joerg@example.com>",
    subject="Plans for the building",
    date="Tue, 24 Nov 2026 05:24:00 +0000",
    size_bytes=24 * MB + 300 * KB,
    limit_bytes=10 * MB,
    attachments=[PLAN, PHOTO],
    text="Dear Anna,\nhere are the plans.\n\nJörg",
    text_truncated=False,
    protection=None,
)


def parsed(notice: Notice) -> EmailMessage:
    head = f"MIME-Version: 1.0\r\nContent-Type: {notice.content_type}\r\n\r\n"
    message = email.message_from_bytes(head.encode("ascii") + notice.body, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def parts(notice: Notice) -> tuple[str, str]:
    """The decoded text and HTML."""
    plain, html = parsed(notice).iter_parts()
    assert isinstance(plain, EmailMessage)
    assert isinstance(html, EmailMessage)
    return plain.get_content(), html.get_content()


class Page(HTMLParser):
    """What a browser would make of the HTML: its tags, attributes, link targets and visible text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.targets: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.targets.extend(str(value) for name, value in attrs if name in {"href", "src", "background"})

    def handle_data(self, data: str) -> None:
        self.text += data.replace("\u00a0", " ")


def assert_safe_for_ses(notice: Notice, header_bytes: int) -> None:
    assert header_bytes + len(notice.body) < 100 * KB
    assert notice.body.isascii()
    assert notice.content_type.isascii()
    assert notice.body.count(b"\n") == notice.body.count(b"\r") == notice.body.count(b"\r\n")
    assert max(len(line) for line in notice.body.split(b"\r\n")) <= 76
    message = parsed(notice)
    assert not message.defects
    assert message.get_content_type() == "multipart/alternative"
    plain, html = message.iter_parts()
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    for part in (plain, html):
        assert not part.defects
        assert part.get_content_charset() == "utf-8"
        assert part["Content-Transfer-Encoding"] in {"quoted-printable", "base64"}


def assert_links_stand_alone(text: str, links: Links) -> None:
    """Each of ours is a whole line, and no other line begins as a link would."""
    lines = text.splitlines()
    ours = [line for line in lines if line.lstrip().lower().startswith(("http", "www.", "mailto:"))]
    assert ours[0] == (links.page or links.message)
    assert links.message in ours
    assert set(ours) <= {links.message, links.page, PHOTO.link}


@pytest.mark.parametrize("links", [BOTH_LINKS, NO_PAGE], ids=["with a page", "without a page"])
@pytest.mark.parametrize("header_bytes", [400, MAX_HEADER_BYTES], ids=["small headers", "64 KB of headers"])
def test_notice_is_safe_for_ses_and_its_links_stand_alone(links: Links, header_bytes: int) -> None:
    notice = COMPOSER.compose(FACTS, links, EXPIRES_AT, header_bytes)
    assert_safe_for_ses(notice, header_bytes)
    assert_links_stand_alone(parts(notice)[0], links)


def test_link_longer_than_a_header_line_may_be_stays_whole() -> None:
    links = Links(message=SESSION_TOKEN_LINK, page=None)
    text, html = parts(COMPOSER.compose(FACTS, links, EXPIRES_AT, 400))
    assert SESSION_TOKEN_LINK in text.splitlines()
    assert SESSION_TOKEN_LINK in Page(html).targets


def test_html_leads_to_the_page_first_and_to_the_message_always() -> None:
    targets = Page(parts(COMPOSER.compose(FACTS, BOTH_LINKS, EXPIRES_AT, 400))[1]).targets
    assert targets[:2] == [PAGE_LINK, MESSAGE_LINK]
    assert Page(parts(COMPOSER.compose(FACTS, NO_PAGE, EXPIRES_AT, 400))[1]).targets[0] == MESSAGE_LINK


@pytest.mark.parametrize(
    "promised",
    [
        "Jörg Müller <joerg@example.com>",
        "24.3 MB",
        "10 MB",
        "Tuesday 1 December 2026, 05:24 UTC",
        "Plans for the building",
        "Tuesday 24 November 2026, 05:24 +0000",
        "Plan, second draft.pdf",
        "PDF document, 18 MB",
        "Baustelle Süd.jpg",
        "picture, 700 KB",
        "too large",
        "Nothing is lost",
        "Outlook",
        "Apple Mail",
        "Thunderbird",
        "iPhone",
        "Android",
        "Example Ltd",
        "postmaster@example.com",
        "here are the plans.",
    ],
)
@pytest.mark.parametrize("links", [BOTH_LINKS, NO_PAGE], ids=["with a page", "without a page"])
def test_both_parts_tell_a_recipient(promised: str, links: Links) -> None:
    text, html = parts(COMPOSER.compose(FACTS, links, EXPIRES_AT, 400))
    assert promised in text
    assert promised in Page(html).text


def test_end_of_links_is_told_in_utc_whatever_zone_it_comes_in() -> None:
    east = EXPIRES_AT.astimezone(timezone(timedelta(hours=14)))
    assert COMPOSER.compose(FACTS, NO_PAGE, east) == COMPOSER.compose(FACTS, NO_PAGE, EXPIRES_AT)


def test_same_facts_make_the_same_notice() -> None:
    assert COMPOSER.compose(FACTS, BOTH_LINKS, EXPIRES_AT) == COMPOSER.compose(FACTS, BOTH_LINKS, EXPIRES_AT)


@pytest.mark.parametrize(
    ("size_bytes", "told"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KB"),
        (1024 * 1024 - 1, "1 MB"),
        (10_485_760, "10 MB"),
        (25_480_000, "24.3 MB"),
        (1024**3 - 1, "1 GB"),
        (150 * 1024**3, "150 GB"),
    ],
)
def test_sizes_are_told_as_ses_counts_them(size_bytes: int, told: str) -> None:
    facts = replace(FACTS, attachments=[AttachmentFact("data.bin", "application/x-data", size_bytes, None)])
    text, _ = parts(COMPOSER.compose(facts, NO_PAGE, EXPIRES_AT))
    assert f"data.bin (application/x-data, {told})" in text


def test_message_one_byte_over_the_limit_is_said_to_be_just_over_it() -> None:
    facts = replace(FACTS, size_bytes=10 * MB + 1)
    for part in parts(COMPOSER.compose(facts, NO_PAGE, EXPIRES_AT)):
        assert "10 MB, just over the limit" in part.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("protection", "named"),
    [
        (Protection.SIGNED, "digitally signed"),
        (Protection.ENCRYPTED, "is encrypted"),
        (Protection.SMIME, "S/MIME"),
    ],
)
def test_protected_original_is_named_as_such(protection: Protection, named: str) -> None:
    plain, html = parts(COMPOSER.compose(replace(FACTS, protection=protection), NO_PAGE, EXPIRES_AT))
    assert named in plain
    assert named in Page(html).text
    unprotected = "".join(parts(COMPOSER.compose(FACTS, NO_PAGE, EXPIRES_AT)))
    assert named not in unprotected


def test_text_that_goes_on_in_the_message_is_said_to_do_so() -> None:
    cut, whole = (
        parts(COMPOSER.compose(replace(FACTS, text_truncated=truncated), NO_PAGE, EXPIRES_AT))
        for truncated in (True, False)
    )
    assert "the rest is in the downloaded message" in cut[0]
    assert "The rest is in the downloaded message" in cut[1]
    assert not any("rest is in the downloaded" in part for part in whole)


def test_short_room_costs_the_text_first_and_says_so() -> None:
    facts = replace(FACTS, text="Lorem ipsum dolor sit amet. " * 2000)
    notice = COMPOSER.compose(facts, BOTH_LINKS, EXPIRES_AT, MAX_HEADER_BYTES)
    text, html = parts(notice)
    assert_safe_for_ses(notice, MAX_HEADER_BYTES)
    assert "Lorem ipsum dolor sit amet. Lorem" in text
    assert "the rest is in the downloaded message" in text
    assert "Baustelle Süd.jpg" in text
    assert "more, which do not fit" not in text + html


@pytest.mark.parametrize("count", [200, 50_000])
def test_shorter_room_costs_the_end_of_the_list_of_attachments(count: int) -> None:
    photos = [replace(PHOTO, name=f"photo {number}.jpg") for number in range(count)]
    facts = replace(FACTS, attachments=photos, text="Lorem ipsum dolor sit amet. " * 2000)
    notice = COMPOSER.compose(facts, BOTH_LINKS, EXPIRES_AT, MAX_HEADER_BYTES)
    text, html = parts(notice)
    assert_safe_for_ses(notice, MAX_HEADER_BYTES)
    assert_links_stand_alone(text, BOTH_LINKS)
    shown = text.count("- photo ")
    assert 10 < shown < 200
    assert f"({count})" in text
    for part in (text, html):
        assert f"and {count - shown} more" in part
        assert "did not fit into this notice" in part


def test_smallest_notice_keeps_all_that_it_promises_beside_64_kb_of_headers() -> None:
    links = Links(message=SESSION_TOKEN_LINK, page=SESSION_TOKEN_LINK.replace("message.eml", "index.html"))
    hostile = "\U0001f600" * 5000
    facts = replace(
        FACTS,
        header_from=hostile,
        subject=hostile,
        date=hostile,
        text=hostile,
        attachments=[AttachmentFact(hostile, hostile, 1, SESSION_TOKEN_LINK)] * 300,
        protection=Protection.SMIME,
    )
    notice = COMPOSER.compose(facts, links, EXPIRES_AT, MAX_HEADER_BYTES)
    text, _ = parts(notice)
    assert_safe_for_ses(notice, MAX_HEADER_BYTES)
    assert {links.page, links.message} <= set(text.splitlines())
    assert "\U0001f600" in text
    assert "24.3 MB" in text
    assert "Tuesday 1 December 2026, 05:24 UTC" in text


ANY_CHARACTER = st.characters(exclude_categories=["Cs"])  # decoded text holds no surrogates
HOSTILE = st.lists(
    st.one_of(
        st.text(ANY_CHARACTER, max_size=40),
        st.sampled_from(
            [
                "https://evil.example/",
                "\nhttps://evil.example/\n",
                "\r\n.\r\nBcc: victim@example.com\r\n\r\n",
                "\u2028https://evil.example",
                "\x85www.evil.example",
                "<script>alert(1)</script>",
                '"><img src=x onerror=alert(1)>',
                "javascript:alert(1)",
                "</style></title></td><style>*{display:none}",
                "{{ 7 * 7 }}{% raw %}",
                "--=_woomera_",
                "\u202egpj.exe",
                "]]>&lt;b&gt;&#x3c;",
            ]
        ),
    ),
    max_size=6,
).map("".join)


@settings(deadline=None, max_examples=150)
@given(
    facts=st.builds(
        Facts,
        id=st.just("id"),
        header_from=HOSTILE,
        subject=HOSTILE,
        date=HOSTILE,
        size_bytes=st.integers(0, 2**40),
        limit_bytes=st.just(10 * MB),
        attachments=st.lists(
            st.builds(
                AttachmentFact, HOSTILE, HOSTILE, st.integers(0, 2**40), st.sampled_from([None, PHOTO.link])
            ),
            max_size=4,
        ),
        text=HOSTILE,
        text_truncated=st.booleans(),
        protection=st.sampled_from([None, *Protection]),
    ),
    links=st.sampled_from([BOTH_LINKS, NO_PAGE]),
    header_bytes=st.integers(0, MAX_HEADER_BYTES),
)
def test_nothing_that_a_sender_writes_acts_or_passes_for_a_link(
    facts: Facts, links: Links, header_bytes: int
) -> None:
    notice = COMPOSER.compose(facts, links, EXPIRES_AT, header_bytes)
    assert_safe_for_ses(notice, header_bytes)
    text, html = parts(notice)
    assert_links_stand_alone(text, links)
    harmless = Page(
        parts(COMPOSER.compose(replace(FACTS, protection=Protection.SIGNED), links, EXPIRES_AT))[1]
    )
    page = Page(html)
    assert page.tags <= harmless.tags
    assert page.attributes <= harmless.attributes
    assert set(page.targets) <= {links.message, links.page, PHOTO.link, "mailto:postmaster@example.com"}


def test_html_loads_nothing_from_outside_and_runs_nothing() -> None:
    page = Page(parts(COMPOSER.compose(FACTS, BOTH_LINKS, EXPIRES_AT))[1])
    assert not page.tags & {"script", "img", "link", "iframe", "object", "form", "base", "svg"}
    assert not any(name.startswith("on") for name in page.attributes)
    assert "url(" not in page.text


def test_notice_names_nobody_to_ask_where_the_config_names_nobody() -> None:
    text, html = parts(Composer(config.Notice()).compose(FACTS, NO_PAGE, EXPIRES_AT))
    assert "Questions?" not in text + html


def test_template_of_the_user_wins_over_ours(tmp_path: Path) -> None:
    (tmp_path / "notice.txt").write_text(
        "Nachricht, groß: {{ size }}\n{{ links.message }}\n", encoding="utf-8"
    )
    with pytest.raises(ConfigError, match=r"notice\.txt has to show links\.page, then links\.message"):
        Composer(config.Notice(templates=tmp_path))
    (tmp_path / "notice.txt").write_text(
        "Groß: {{ size }}\n{% if links.page %}\n{{ links.page }}\n{% endif %}\n{{ links.message }}",
        encoding="utf-8",
    )
    text, html = parts(Composer(config.Notice(templates=tmp_path)).compose(FACTS, BOTH_LINKS, EXPIRES_AT))
    assert text.splitlines() == ["Groß: 24.3 MB", PAGE_LINK, MESSAGE_LINK]
    assert "<html" in html


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("notice.html", b"{% if %}", "line 1"),
        ("notice.html", b"{{ nonsense }}", "'nonsense' is undefined"),
        ("notice.html", b"\xff\xfe", "utf-8"),
        ("notice.txt", b"no links at all", "has to show links.page"),
        ("notice.txt", b"{{ links.page or links.message }}", "has to show links.page"),
    ],
    ids=["syntax", "unknown name", "not UTF-8", "no link", "no link to the message"],
)
def test_broken_template_of_the_user_is_told_at_start(
    tmp_path: Path, name: str, content: bytes, told: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        Composer(config.Notice(templates=tmp_path))
    (problem,) = raised.value.problems
    assert problem.startswith(f"notice.templates: {tmp_path}: ")
    assert told in problem
    assert "\n" not in problem


def test_template_too_long_for_any_notice_is_an_error_rather_than_an_unsafe_notice(tmp_path: Path) -> None:
    (tmp_path / "notice.html").write_text("long " * 20_000)
    composer = Composer(config.Notice(templates=tmp_path))
    with pytest.raises(PermanentError, match=r"notice\.templates"):
        composer.compose(FACTS, BOTH_LINKS, EXPIRES_AT)


def test_sizes_do_not_break_between_number_and_unit_where_html_breaks_lines() -> None:
    text, html = parts(COMPOSER.compose(FACTS, BOTH_LINKS, EXPIRES_AT, 400))
    assert "24.3\u00a0MB" in html
    assert "\u00a0" not in text


def test_what_the_sender_wrote_comes_before_how_to_open_a_file() -> None:
    for part in parts(COMPOSER.compose(FACTS, BOTH_LINKS, EXPIRES_AT, 400)):
        assert part.upper().index("TEXT OF THE MESSAGE") < part.upper().index("HOW TO OPEN THE .EML FILE")
