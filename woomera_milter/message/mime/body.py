"""The text of a message: a sequence of leaves, and what each says.

Mail programs put a text around files and pictures, gateways a banner before it and a footer after it: all
of them are the text. RFC 2046 section 5.1 says what a multipart means; what it leaves open is decided by
what people really send. Nothing here raises on any content, and what is read is bounded.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from woomera_milter.message.fields import first
from woomera_milter.message.mime.transfer import beginning, decoded_chunks
from woomera_milter.message.mime.tree import Part, fields_of
from woomera_milter.message.parameters import parameters
from woomera_milter.text.charsets import decode, decode_html
from woomera_milter.text.enriched import from_enriched
from woomera_milter.text.flowed import unflowed
from woomera_milter.text.lines import cut, lines_for_people
from woomera_milter.text.markup.data_urls import beginning_of_words
from woomera_milter.text.markup.tokens import texts
from woomera_milter.text.markup.words import from_html

# Texts that are made for programs. Without a name they are files all the same.
_FILE_TYPES = {
    *("text/calendar", "text/css", "text/csv", "text/directory", "text/javascript", "text/rfc822-headers"),
    *("text/rtf", "text/tab-separated-values", "text/vcard", "text/x-vcalendar", "text/x-vcard", "text/xml"),
}
_HTML = "text/html"
_ENRICHED_TYPES = frozenset({"text/enriched", "text/richtext"})
# Renditions for some devices, which stand beside one for all.
_SPECIAL_TYPES = frozenset({"text/watch-html", "text/x-amp-html"})

# HTML has far more markup than text, and much of it comes before the first word.
_OCTETS_PER_TEXT_BYTE, _HTML_OCTETS_PER_TEXT_BYTE = 4, 32
_LEAVES_READ_WHOLE = 2
_PICTURE_OCTETS = 512 * 1024  # of the pictures within HTML
_PICTURE_IN_HTML = re.compile(r"<img\b", re.IGNORECASE)
_OWN_PICTURE = re.compile(r"\bsrc\s*+=\s*+[\"']?+\s*+(?!https?:|//)", re.IGNORECASE)
_UNSEEN = re.compile("[\\s\u00ad\u034f\u200b-\u200d\u2060\ufeff]*")


class PieceForm(StrEnum):
    """What a piece of the text is made of."""

    PLAIN = "plain"
    HTML = "html"
    PICTURE = "picture"


@dataclass(frozen=True, slots=True)
class Piece:
    """A leaf as it stands in the text; `text` is decoded, markup and all, and "" of a picture.

    Whether a PICTURE can be shown, its octets tell. Of text that is not complete only the beginning was read.
    HTML of nothing but pictures that lie elsewhere is not `seen`.
    """

    part: Part
    form: PieceForm
    text: str = ""
    is_complete: bool = True
    is_seen: bool = True


@dataclass(frozen=True, slots=True)
class Body:
    """A message's text as far as it was read, in its order, and whether there is more of it."""

    pieces: tuple[Piece, ...]
    truncated: bool


@dataclass(frozen=True, slots=True)
class BodyText:
    """The beginning of a message's text, and whether there is more of it."""

    text: str
    truncated: bool


def text_leaves(fd: int, root: Part) -> list[Part]:
    """Every leaf that belongs to the text of the message, be it in one of several alternatives."""
    if not root.is_multipart:
        return [root] if _is_text(root) else []
    children = root.children
    if root.content_type == "multipart/related":
        children = (_root_of(fd, root),) if children else ()
    return [leaf for child in children for leaf in text_leaves(fd, child)]


def body(fd: int, root: Part, max_bytes: int) -> Body:
    """The text of the message, HTML where it has any, from at most `max_bytes` of each leaf."""
    reader = _Reader(
        fd, root, {PieceForm.HTML: max_bytes, PieceForm.PLAIN: max_bytes}, preferred=PieceForm.HTML
    )
    return reader.body()


def body_text(fd: int, root: Part, max_bytes: int) -> BodyText:
    """The text of the message, plain where it has any, in at most `max_bytes` of UTF-8."""
    octets = {PieceForm.HTML: _HTML_OCTETS_PER_TEXT_BYTE, PieceForm.PLAIN: _OCTETS_PER_TEXT_BYTE}
    reader = _Reader(
        fd, root, {form: it * max_bytes for form, it in octets.items()}, preferred=PieceForm.PLAIN
    )
    found = reader.body()
    shown, is_cut = cut("\n\n".join(filter(None, map(_words, found.pieces))), max_bytes)
    return BodyText(shown, is_cut or found.truncated)


def _is_text(part: Part) -> bool:
    """Whether a leaf is a text to be read where it stands, and no file."""
    return _is_inline_text(part) and not part.name and part.content_type not in _FILE_TYPES


def _is_inline_text(part: Part) -> bool:
    return part.content_type.startswith("text/") and part.disposition != "attachment"


def _root_of(fd: int, related: Part) -> Part:
    """The child of a multipart/related that the others serve (RFC 2387 section 3.2).

    Without `start` it is the first; but mailers put pictures before the HTML that refers to them.
    """
    content_id = _parameter(fd, related, "start").strip("<> ")
    named = (child for child in related.children if content_id and child.content_id == content_id)
    first = related.children[0]
    can_refer = (child for child in related.children if child.is_multipart or child.content_type == _HTML)
    return next(named, first if first.content_type.startswith("text/") else next(can_refer, first))


def _parameter(fd: int, part: Part, name: str) -> str:
    """A parameter of the Content-Type that few ask for."""
    value = first(fields_of(fd, part), "Content-Type") or b""
    return parameters(value).get(name, b"").decode("ascii", "replace")


def _form(part: Part) -> PieceForm:
    return PieceForm.HTML if part.content_type in _SPECIAL_TYPES | {_HTML} else PieceForm.PLAIN


def _words(piece: Piece) -> str:
    match piece.form:
        case PieceForm.PICTURE:
            is_named_picture = piece.part.name and piece.part.content_type.startswith("image/")
            return f"[{piece.part.name}]" if is_named_picture else ""
        case PieceForm.HTML:
            return from_html(piece.text)
        case PieceForm.PLAIN:
            return piece.text


class _Reader:
    """Reads the text of one message, of each form at most so many octets a leaf."""

    def __init__(self, fd: int, root: Part, max_octets: dict[PieceForm, int], preferred: PieceForm) -> None:
        self._fd = fd
        self._root = root
        self._max_octets = max_octets
        self._room = _LEAVES_READ_WHOLE * sum(max_octets.values())
        self._preferred = preferred
        self._blank: set[int] = set()

    def body(self) -> Body:
        pieces = self._of(self._root)
        if not any(it.text for it in pieces):
            pieces = [*self._what_else_is_text(), *pieces]
        shown = tuple(it for it in pieces if it.text or it.form == PieceForm.PICTURE)
        return Body(shown, truncated=not all(it.is_complete for it in pieces))

    def _of(self, part: Part) -> list[Piece]:
        if part.is_multipart:
            match part.content_type:
                case "multipart/alternative":
                    # RFC 2046 section 5.1.4: the last is the best.
                    return max(map(self._of, reversed(part.children)), key=self._rank, default=[])
                case "multipart/related":
                    return self._of(_root_of(self._fd, part)) if part.children else []
                case _:
                    return [piece for child in part.children for piece in self._of(child)]
        if _is_text(part):
            return self._read(part)
        is_seen = part.disposition != "attachment" and not part.content_type.startswith("text/")
        return [Piece(part, PieceForm.PICTURE)] if is_seen else []

    def _rank(self, pieces: list[Piece]) -> int:
        """How well an alternative serves."""
        texts = [it for it in pieces if it.text]
        types = {it.part.content_type for it in texts}
        if not types - _SPECIAL_TYPES - _ENRICHED_TYPES or not any(it.is_seen for it in texts):
            return 1 if types else 0
        return 3 if any(it.form == self._preferred for it in texts) else 2

    def _what_else_is_text(self) -> list[Piece]:
        """Where no leaf is the text for certain, the first that has words: one without a name, if any."""
        inline = [it for it in leaves(self._root) if _is_inline_text(it) and it.start not in self._blank]
        found = map(self._read, sorted(inline, key=lambda leaf: bool(leaf.name)))
        return next((pieces for pieces in found if pieces and pieces[0].text), [])

    def _read(self, part: Part) -> list[Piece]:
        """The piece that a leaf makes, none where it says nothing."""
        form = _form(part)
        max_octets = min(self._max_octets[form], self._room)
        if form == PieceForm.HTML:
            chunks = decoded_chunks(self._fd, part)
            octets, is_complete = beginning_of_words(chunks, max_octets, min(max_octets, _PICTURE_OCTETS))
        else:
            octets, is_complete = beginning(self._fd, part, max_octets)
        self._room -= min(len(octets), max_octets)
        decoder = decode_html if form == PieceForm.HTML else decode
        text = decoder(octets, part.charset or "", complete=is_complete)
        if form == PieceForm.PLAIN:
            text = from_enriched(text) if part.content_type in _ENRICHED_TYPES else text
            text = lines_for_people(text)
            if part.content_type == "text/plain" and _parameter(self._fd, part, "format").lower() == "flowed":
                text = unflowed(text, delsp=_parameter(self._fd, part, "delsp").lower() == "yes")
            text = text.strip("\n")
        if _is_blank(form, text):
            self._blank.add(part.start)
            text = ""
        is_seen = form == PieceForm.PLAIN or not _shows_elsewhere_alone(text)
        return [Piece(part, form, text, is_complete, is_seen)] if text or not is_complete else []


def _is_blank(form: PieceForm, text: str) -> bool:
    if form == PieceForm.PLAIN:
        return _UNSEEN.fullmatch(text) is not None
    return not _PICTURE_IN_HTML.search(text) and not _has_words(text)


def _shows_elsewhere_alone(html: str) -> bool:
    """Whether there is nothing in it but pictures that are not loaded."""
    has_pictures = _PICTURE_IN_HTML.search(html) is not None
    return has_pictures and not _OWN_PICTURE.search(html) and not _has_words(html)


def _has_words(html: str) -> bool:
    return not all(_UNSEEN.fullmatch(it) for it in texts(html))


def leaves(part: Part) -> list[Part]:
    """Every leaf, in the message's order."""
    if not part.is_multipart:
        return [part]
    return [leaf for child in part.children for leaf in leaves(child)]
