"""No leaf of a message is lost: what Python's own parser finds in it is shown on the page, or listed.

Leaves that this parser cannot read for certain (broken encodings, charsets that it does not know) prove
nothing.
"""

import email
import re
from collections.abc import Iterator, Sequence
from email.message import Message

from rig.promises.phrases import words
from rig.promises.shown import shown

_NO_TEXT = "This message has no text"
_ENCODINGS = frozenset({"", "7bit", "8bit", "binary", "quoted-printable", "base64"})
_PICTURE = re.compile(r"\[picture [^\]]*\]")


def lost(message: bytes, sizes: Sequence[int], page: str) -> Iterator[str]:
    """Yield what is neither among the attachments, which have these sizes, nor on the page; a sentence each.

    `page` is what the page shows, in `words`.
    """
    for leaf, is_alternative in _leaves(email.message_from_bytes(message), is_alternative=False):
        octets = leaf.get_payload(decode=True)
        is_certain = str(leaf.get("Content-Transfer-Encoding", "")).lower() in _ENCODINGS
        is_certain = is_certain and not leaf.defects and leaf.get_filename() != "winmail.dat"
        if not isinstance(octets, bytes) or not is_certain:
            continue
        lines = _lines(leaf, octets)
        if lines and _NO_TEXT in page:
            yield f"the page says {_NO_TEXT!r}, and there is {lines[0]!r}"
        if is_alternative or len(octets) in sizes or (not lines and leaf.get_content_maintype() == "text"):
            continue
        if not any(it in page for it in lines):
            yield f"{leaf.get_content_type()} of {len(octets)} octets is neither shown nor listed"


def _leaves(part: Message, *, is_alternative: bool) -> Iterator[tuple[Message, bool]]:
    """Each leaf, and whether another may be shown in its place."""
    if part.get_content_maintype() != "multipart":
        yield part, is_alternative
        return
    is_alternative = is_alternative or part.get_content_subtype() == "alternative"
    for child in part.get_payload() if part.is_multipart() else ():
        if isinstance(child, Message):
            yield from _leaves(child, is_alternative=is_alternative)


def _lines(leaf: Message, octets: bytes) -> list[str]:
    """The lines of an inline text, as they are shown."""
    is_attached = leaf.get_content_disposition() == "attachment" or leaf.get_filename()
    if leaf.get_content_maintype() != "text" or is_attached:
        return []
    try:
        text = octets.decode(leaf.get_content_charset() or "ascii")
    except (LookupError, UnicodeDecodeError):
        return []
    if any("\x7f" <= it < "\xa0" for it in text):  # of windows-1252, then
        return []
    seen = "\n".join(shown(text, str).lines) if leaf.get_content_subtype() == "html" else text
    return [it for it in map(words, _PICTURE.sub("\n", seen).splitlines()) if it]
