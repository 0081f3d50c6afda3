"""The page on which a message can be read: it shows, and does nothing else."""

import re
from collections.abc import Hashable, Iterator
from functools import cache
from html import unescape

from rig.fuzz.notices import EXPIRES_AT, FILE_LINK, MESSAGE_LINK, configuration
from rig.promises.notices import require
from woomera_milter.message.decoding import header_summary
from woomera_milter.message.fields import parse_header_block
from woomera_milter.message.mime.attachments import Attachment
from woomera_milter.message.mime.body import Body, BodyText, Piece, PieceForm
from woomera_milter.message.mime.tree import Part
from woomera_milter.notice.letter import letter_of
from woomera_milter.notice.original import Letter, Linked, Original
from woomera_milter.notice.page import Pages
from woomera_milter.text.charsets import decode
from woomera_milter.text.markup.safe import Picture

# Whatever has the form of a tag in what browsers are given; attributes are in double quotes there.
_TAG = re.compile(r'<(?P<end>/?)(?P<name>[a-z][a-z0-9]*)(?P<attributes>(?: [a-z-]+(?:="[^"]*")?)*)>')
_ATTRIBUTE = re.compile(r' ([a-z-]+)(?:="([^"]*)")?')
_VOID = frozenset({"br", "hr", "img", "wbr", "meta", "link"})
_LETTER = re.findall(
    r"\S+",
    """
    a address b blockquote br caption cite code dd del div dl dt em h3 hr i img ins kbd li mark ol p pre q s
    samp small strong sub sup table tbody td tfoot th thead tr u ul wbr
    """,
)
_LETTER_ATTRIBUTES = {
    *((tag, "dir") for tag in _LETTER),
    *(("a", "href"), ("a", "rel"), ("img", "src"), ("img", "alt"), ("li", "value")),
    *(("ol", "start"), ("ol", "type"), ("ol", "reversed")),
    *((tag, span) for tag in ("td", "th") for span in ("colspan", "rowspan")),
}
_DATA_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}")
_METAS = 7
_PICTURE = Picture(FILE_LINK, 'logo".png')


def _page(letter: Letter, text: str, *, has_picture: bool = False) -> str:
    """Return a page on which `text` stands wherever a sender writes, beside the letter."""
    part = Part(text, None, "", "inline", text, "", 0, 1)
    attachments = [Linked(Attachment(part, text, text, 1), link=FILE_LINK)]
    if has_picture:
        attachments.append(Linked(Attachment(part, _PICTURE.name, "image/png", 1), link=FILE_LINK))
    original = Original(
        id="id",
        envelope_sender=text,
        headers=header_summary(parse_header_block(f"Subject: {text}\nFrom: {text}\nTo: {text}\n".encode())),
        size_bytes=1,
        limit_bytes=1,
        attachments=attachments,
        text=BodyText("", truncated=False),
        protection=None,
    )
    return _pages().render(original, letter, MESSAGE_LINK, EXPIRES_AT).decode()


@cache
def _pages() -> Pages:
    return Pages(configuration().notice)


@cache
def _own_tags() -> frozenset[tuple[str, str]]:
    """The tags and attributes of a page on which nobody wrote anything."""
    letter = _letter(PieceForm.PLAIN, "text http://example.com/", truncated=True)
    return frozenset(_tags_of(_page(letter, "x", has_picture=True), {FILE_LINK, MESSAGE_LINK}))


def _letter(form: PieceForm, text: str, *, truncated: bool = False) -> Letter:
    part = Part(f"text/{form}", None, "", "", "", "", 0, 0)
    picture = Part("image/png", None, "", "", "", "logo@example.com", 1, 1)
    attachments = [Linked(Attachment(picture, _PICTURE.name, "image/png", 1), link=FILE_LINK)]
    return letter_of(Body((Piece(part, form, text),), truncated), attachments)


def check_letter(data: bytes) -> set[Hashable]:
    """Hold the page of a letter with this markup, and of one with this text, to showing it alone."""
    markup = decode(data)
    safe = _letter(PieceForm.HTML, markup)
    require(not safe.shown - {FILE_LINK}, f"pictures are shown that are not there: {safe.shown}")
    tags = set(_tags(safe.html, {FILE_LINK}))
    surplus = tags - {(it, "") for it in _LETTER} - _LETTER_ATTRIBUTES
    require(not surplus, f"the letter has {surplus}")
    check_page(_page(safe, markup[:300], has_picture=True), {FILE_LINK, MESSAGE_LINK})
    check_page(_page(_letter(PieceForm.PLAIN, markup), markup[-300:]), {FILE_LINK, MESSAGE_LINK})
    return {
        *tags,
        ("html", safe.remote_pictures, safe.truncated, bool(safe.shown), bool(safe.html)),
        ("tags", safe.html.count("<").bit_length()),
    }


def check_balance(html: str) -> None:
    """Hold HTML without links to tags that are closed in their order."""
    list(_tags(html, set()))


def check_page(page: str, own_links: set[str]) -> None:
    """Hold a page to balanced tags that only show, and load nothing but `own_links`."""
    surplus = set(_tags_of(page, own_links)) - _own_tags() - {(it, "") for it in _LETTER} - _LETTER_ATTRIBUTES
    require(not surplus, f"the page has {surplus}")


def _tags_of(page: str, own_links: set[str]) -> Iterator[tuple[str, str]]:
    head, mark, body = page.partition("</head>\n<body>\n")
    once = [head.count(it) for it in ("<style>", "</style>", "<title>", "Content-Security-Policy")]
    require(once == [1, 1, 1, 1] and head.count("<meta ") == _METAS, f"the head of the page is {head!r}")
    before, _, after = head.removeprefix("<!DOCTYPE html>\n").partition("<style>")
    return _tags(before + after.partition("</style>")[2] + mark + body, own_links)


def _tags(markup: str, own_links: set[str]) -> Iterator[tuple[str, str]]:
    """Yield each tag with "", and with each of its attributes."""
    is_open: list[str] = []
    at = 0
    while (at := markup.find("<", at)) >= 0:
        tag = _TAG.match(markup, at)
        require(tag is not None, f"this has no form of a tag: {markup[at : at + 80]!r}")
        assert tag is not None
        at = tag.end()
        if tag["end"]:
            last = is_open.pop() if is_open else ""
            require(last == tag["name"], f"<{last}> is ended by </{tag['name']}>")
            continue
        if tag["name"] not in _VOID:
            is_open.append(tag["name"])
        yield tag["name"], ""
        for name, value in _ATTRIBUTE.findall(tag["attributes"]):
            yield tag["name"], name
            _check_target(tag["name"], name, unescape(value), own_links)
    require(not is_open, f"these are never ended: {is_open}")


def _check_target(tag: str, name: str, value: str, own_links: set[str]) -> None:
    if name == "src":
        is_within = tag == "img" and _DATA_PICTURE.fullmatch(value) is not None
        require(value in own_links or is_within, f"<{tag}> loads {value!r}")
    if name == "href" and (tag, value) not in (("link", "data:,"), ("a", "#files")):
        is_address = re.match(r"(?:https?://|mailto:|tel:)[^\s]", value, re.IGNORECASE)
        require(tag == "a" and is_address is not None, f"<{tag}> leads to {value!r}")
