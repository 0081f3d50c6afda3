"""Promises 6 and 7: the letter shows all of a message's text and its pictures, and nothing of it acts."""

import re
from dataclasses import replace
from html import escape

import pytest

from tests.unit.notice.notice_cases import (
    BOTH_LINKS,
    COMPOSER,
    EXPIRES_AT,
    ORIGINAL,
    assert_safe_for_ses,
    linked,
    parts,
)
from woomera_milter.message.mime.body import Body, BodyText, Piece, PieceForm
from woomera_milter.message.mime.tree import Part
from woomera_milter.notice.letter import letter_of
from woomera_milter.notice.notice import MAX_HEADER_BYTES, Composer
from woomera_milter.notice.original import Letter, Linked

LINK = "https://files.example/1"
LINK_OF_MESSAGE = escape(BOTH_LINKS.message)


def part(content_type: str, start: int = 0, **fields: str) -> Part:
    known = {"charset": None, "transfer_encoding": "", "disposition": "", "name": "", "content_id": ""}
    return Part(content_type=content_type, start=start, end=start, **known | fields)  # type: ignore[arg-type]


def html(text: str) -> Piece:
    return Piece(part("text/html"), PieceForm.HTML, text)


def plain(text: str) -> Piece:
    return Piece(part("text/plain"), PieceForm.PLAIN, text)


def picture(start: int = 7, link: str | None = LINK, **fields: str) -> Linked:
    found = linked("north.png", "image/png", 9, link)
    leaf = part("image/png", start, **{"name": "north.png", **fields})
    return replace(found, attachment=replace(found.attachment, part=leaf))


def letter(*pieces: Piece, attachments: tuple[Linked, ...] = ()) -> Letter:
    return letter_of(Body(pieces, truncated=False), attachments)


def test_texts_and_pictures_stand_in_their_order() -> None:
    north = picture()
    found = letter(
        plain("before"),
        Piece(north.attachment.part, PieceForm.PICTURE),
        html("<p>after"),
        attachments=(north,),
    )
    assert re.findall(r"before|north\.png(?=\")|after", found.html) == ["before", "north.png", "after"]
    assert found.shown == {LINK}
    assert not found.is_plain


def test_a_picture_is_shown_once_where_the_text_refers_to_it() -> None:
    north = picture(content_id="n")
    found = letter(
        Piece(north.attachment.part, PieceForm.PICTURE), html('<img src="cid:n">'), attachments=(north,)
    )
    assert found.html.count(LINK) == 1


@pytest.mark.parametrize("reference", ["content_id", "content_location", "name"])
def test_a_picture_is_found_by_whatever_the_text_calls_it(reference: str) -> None:
    north = picture(**{reference: "http://fax.example/1.png"})
    found = letter(html('<img src="http://fax.example/1.png">'), attachments=(north,))
    assert found.shown == {LINK}
    assert not found.remote_pictures


def test_a_picture_without_a_link_is_told_by_its_name() -> None:
    north = picture(link=None, content_id="n")
    found = letter(
        Piece(north.attachment.part, PieceForm.PICTURE), html('<img src="cid:n">'), attachments=(north,)
    )
    assert found.html.count("[north.png]") == 2
    assert "<img" not in found.html


def test_lines_of_plain_text_stay_lines_and_no_markup_comes_of_them() -> None:
    assert "a<br>&lt;b&gt;" in letter(plain("a\n<b>")).html


def in_notice(shown: Letter | None, composer: Composer = COMPOSER, header_bytes: int = 2_000) -> str:
    original = replace(ORIGINAL, text=BodyText("the words", truncated=False), letter=shown)
    notice = composer.compose(original, BOTH_LINKS, EXPIRES_AT, header_bytes)
    assert_safe_for_ses(notice, header_bytes)
    return parts(notice)[1]


def test_notice_shows_tables_and_emphasis_below_its_own_lines() -> None:
    shown = letter(html("<table><tr><td><b>sum</b><td>12</table>"))
    found = in_notice(shown)
    assert shown.html in found
    assert "the words" not in found
    assert max(map(found.index, ("Available until", LINK_OF_MESSAGE))) < found.index(shown.html)


def test_notice_without_a_letter_has_the_plain_text() -> None:
    assert "the words" in in_notice(None)


@pytest.mark.parametrize("words", ["word ", "字", "&amp;", "<i>x</i>"])
@pytest.mark.parametrize("header_bytes", [2_000, MAX_HEADER_BYTES])
def test_notice_shows_as_much_of_a_letter_as_fits_and_says_that_there_is_more(
    words: str, header_bytes: int
) -> None:
    shown = letter(html("<p>" + words * 100_000))
    found = in_notice(shown, header_bytes=header_bytes)
    assert "The rest is on the page" in found
    assert len(found) > (10_000 if header_bytes == 2_000 else 0)
