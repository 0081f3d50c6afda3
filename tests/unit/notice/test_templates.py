"""Templates of the user win over ours, unless a notice by them could not keep its promises."""

from pathlib import Path

import pytest

from tests.unit.notice.notice_cases import (
    BOTH_LINKS,
    EXPIRES_AT,
    MESSAGE_LINK,
    ORIGINAL,
    PAGE_LINK,
    PHOTO,
    listed_names,
    parts,
)
from woomera_milter import config
from woomera_milter.errors import ConfigError, PermanentError
from woomera_milter.notice.notice import Composer


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
    text, html = parts(Composer(config.Notice(templates=tmp_path)).compose(ORIGINAL, BOTH_LINKS, EXPIRES_AT))
    assert text.splitlines() == ["Groß: 24.3 MB", PAGE_LINK, MESSAGE_LINK]
    assert "<html" in html


def test_template_of_the_user_may_use_the_names_that_ours_lists(tmp_path: Path) -> None:
    known = listed_names("notice.txt")
    assert {"sender", "links.page", "text_is_cut", "id"} <= set(known)
    (tmp_path / "notice.txt").write_text(
        "".join(f"{{% set _ = {name} %}}" for name in known)
        + "{% for url in (links.page, links.message) if url %}\n{{ url }}\n{% endfor %}\n"
        "{{ sender }}|{{ subject }}|{{ sent }}|{{ size }}|{{ limit }}|{{ expires }}|{{ protection }}\n"
        "{% for it in attachments %}\n{{ it.name }}|{{ it.kind }}|{{ it.size }}|{{ it.link }}\n{% endfor %}\n"
        "{{ attachment_count }}|{{ linked_count }}|{{ attachments | map(attribute='name') | join }}\n"
        "{{ text_lines | last }}|{{ text_is_cut }}|{{ organization }}|{{ contact }}|{{ id }}\n"
    )
    settings = config.Notice(templates=tmp_path, organization="Example Ltd")
    text, _ = parts(Composer(settings).compose(ORIGINAL, BOTH_LINKS, EXPIRES_AT))
    assert text.splitlines() == [
        PAGE_LINK,
        MESSAGE_LINK,
        "Jörg Müller <joerg@example.com>|Plans for the building|Tuesday 24 November 2026, 05:24 +0000"
        "|24.3 MB|10 MB|Tuesday 1 December 2026, 05:24 UTC|None",
        "Plan, second draft.pdf|PDF document|18 MB|None",
        f"Baustelle Süd.jpg|picture|700 KB|{PHOTO.link}",
        "2|1|Plan, second draft.pdfBaustelle Süd.jpg",
        f"Jörg|False|Example Ltd|None|{ORIGINAL.id}",
    ]


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
        composer.compose(ORIGINAL, BOTH_LINKS, EXPIRES_AT)
