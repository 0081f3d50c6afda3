"""The text of a message as HTML that is safe to show, its pictures in their places, for page and notice.

Pure: what was read of the text comes in, and so do the attachments, with links or without.
"""

import html
from collections.abc import Mapping, Sequence

from woomera_milter.message.mime.body import Body, Piece, PieceForm
from woomera_milter.notice.original import Letter, Linked
from woomera_milter.text.markup.safe import DATA_CHARS, Picture, SafeHtml, safe_html
from woomera_milter.text.markup.words import from_html
from woomera_milter.text.web_addresses import linked as with_links


def letter_of(body: Body, attachments: Sequence[Linked], *, data_chars: int = DATA_CHARS) -> Letter:
    """Give a message's text; a picture among `attachments` that has no link is told by its name.

    So is one that the markup itself holds, beyond `data_chars` of them.
    """
    pictures = _by_reference(attachments)
    at = {it.attachment.part.start: it for it in attachments}
    safe = {id(it): _safe(it, pictures, data_chars) for it in body.pieces if it.form == PieceForm.HTML}
    shown = frozenset[str]().union(*(it.shown for it in safe.values()))
    made: list[str] = []
    for piece in body.pieces:
        match piece.form:
            case PieceForm.HTML:
                # A piece of HTML may be bare words, which would run into those beside it.
                made.append(
                    f"<div>{safe[id(piece)].html}</div>" if len(body.pieces) > 1 else safe[id(piece)].html
                )
            case PieceForm.PLAIN:
                made.append(_plain(piece.text))
            case PieceForm.PICTURE if found := at.get(piece.part.start):
                made.append(_picture(found, shown))
                shown |= {found.link} if found.is_picture and found.link else set()
    return Letter(
        "".join(made),
        shown,
        remote_pictures=any(it.remote_pictures for it in safe.values()),
        truncated=body.truncated or any(it.truncated for it in safe.values()),
        is_plain=not safe and bool(body.pieces),
    )


def _by_reference(attachments: Sequence[Linked]) -> Mapping[str, Picture]:
    """The attachments by what HTML may call them; of several with one name the first counts."""
    found: dict[str, Picture] = {}
    for attribute in "content_id", "content_location", "name":
        for it in attachments:
            if reference := getattr(it.attachment.part, attribute):
                picture = Picture(it.link if it.is_picture else None, it.attachment.name)
                found.setdefault(reference, picture)
    return found


def _safe(piece: Piece, pictures: Mapping[str, Picture], data_chars: int) -> SafeHtml:
    safe = safe_html(piece.text, pictures, data_chars=data_chars)
    if safe.html:
        return safe
    words = from_html(piece.text)
    return SafeHtml(_plain(words) if words else "", safe.shown, safe.remote_pictures, safe.truncated)


def _plain(text: str) -> str:
    # Outlook knows no style that keeps line ends, and pages keep the blanks by one.
    lines = with_links(text).replace("\n", "<br>")
    return f'<div class="text" dir="auto">{lines}</div>'


def _picture(linked: Linked, shown: frozenset[str]) -> str:
    if not linked.is_picture or linked.link in shown:
        return ""
    name = html.escape(linked.name)
    if not linked.link:
        return f"<p>[{name}]</p>"
    link = html.escape(linked.link)
    return (
        f'<figure><img src="{link}" alt="{name}" loading="lazy">'
        f'<figcaption dir="auto" aria-hidden="true">{name}</figcaption></figure>'
    )
