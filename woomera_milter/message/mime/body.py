"""The text of a message: which leaves are it, and what they say.

Nothing raises on any content.
"""

from dataclasses import dataclass

from woomera_milter.message.mime.transfer import beginning
from woomera_milter.message.mime.tree import Part
from woomera_milter.text.charsets import decode
from woomera_milter.text.html import from_html
from woomera_milter.text.lines import cut, lines_for_people


@dataclass(frozen=True, slots=True)
class BodyText:
    """The beginning of a message's text, and whether there is more of it."""

    text: str
    truncated: bool


# Kinds of text that are renditions of the message itself when no file name says otherwise.
_BODY_TYPES = {
    "text/plain",
    "text/html",
    "text/enriched",
    "text/richtext",
    "text/x-amp-html",
    "text/watch-html",
}


def body_leaves(part: Part) -> list[Part]:
    """The leaves that are the text of the message: the first inline one, or all alternatives of it."""
    if not part.is_multipart:
        is_text = part.content_type in _BODY_TYPES and part.disposition != "attachment" and not part.name
        return [part] if is_text else []
    bodies = (body_leaves(child) for child in part.children)
    if part.content_type == "multipart/alternative":
        return [leaf for body in bodies for leaf in body]
    return next((body for body in bodies if body), [])


# HTML has far more markup than text, and much of it comes before the first word.
_HTML_BYTES_PER_TEXT_BYTE = 32


def body_text(fd: int, root: Part, max_bytes: int) -> BodyText:
    """The beginning of the message's text/plain, else of its text/html, in at most `max_bytes` of UTF-8."""
    leaves = body_leaves(root)
    truncated = False
    for content_type, bytes_per_text_byte in ("text/plain", 4), ("text/html", _HTML_BYTES_PER_TEXT_BYTE):
        for leaf in leaves:
            if leaf.content_type != content_type:
                continue
            octets, complete = beginning(fd, leaf, bytes_per_text_byte * max_bytes)
            text = decode(octets, leaf.charset or "", complete=complete)
            text = from_html(text) if content_type == "text/html" else lines_for_people(text).strip("\n")
            shown, is_cut = cut(text, max_bytes)
            truncated = truncated or is_cut or not complete
            if text.strip():
                return BodyText(shown, is_cut or not complete)
    return BodyText("", truncated)


def body_html(fd: int, root: Part, max_bytes: int) -> BodyText | None:
    """The beginning of the message's text/html, markup and all, at most `max_bytes`; None without one."""
    leaf = next((leaf for leaf in body_leaves(root) if leaf.content_type == "text/html"), None)
    if leaf is None:
        return None
    octets, complete = beginning(fd, leaf, max_bytes)
    return BodyText(decode(octets, leaf.charset or "", complete=complete), truncated=not complete)
