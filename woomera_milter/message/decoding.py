"""Header fields decoded for people: encoded words (RFC 2047).

The values are a sender's and hostile: nothing here raises on any of them, and all of it is linear
in their length. The email package's own decoders are not (unclosed encoded words, quotes), raise on
some input, and look up any charset that a sender names.
"""

import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from woomera_milter.message.fields import HeaderField, first
from woomera_milter.text.charsets import decode
from woomera_milter.text.lines import line_for_people


@dataclass(frozen=True, slots=True)
class HeaderSummary:
    """What notices and sidecars say about a message; "" for a field that is missing."""

    header_from: str
    to: str
    cc: str
    reply_to: str
    subject: str
    date: str
    message_id: str


def header_summary(headers: Sequence[HeaderField]) -> HeaderSummary:
    """The summary of a message's header section, decoded for people."""
    names = "From", "To", "Cc", "Reply-To", "Subject", "Date", "Message-ID"
    return HeaderSummary(*(text_of(first(headers, name) or b"") for name in names))


# "*" and what follows is a language (RFC 2231 section 5). Question marks within are against the rule, and
# often there; a word that is never closed ends where another one begins, so nothing is looked at twice.
_OPENING = r"=\?[^?\s]{1,81}\?[bBqQ]\?"
_ENCODED_WORD = re.compile(
    r"=\?([^?*\s]{1,40})(?:\*[^?\s]{0,40})?\?([bBqQ])\?"
    rf"((?:[^?=]++|\?(?!=)|\?(?==[0-9A-Fa-f]{{2}})|=(?!{_OPENING[1:]}))*)\?="
)


def text_of(value: bytes, fallback_charset: str = "") -> str:
    """A header's value as a person reads it: one line, unfolded, decoded, nothing that hides or reorders.

    Encoded words are RFC 2047's; raw 8-bit is UTF-8, else in `fallback_charset`, else windows-1252.
    """
    unfolded = re.sub(rb"\r?\n(?=[ \t])", b"", value)
    return line_for_people(_decode_words(decode(unfolded, fallback_charset=fallback_charset)))


def _decode_words(text: str) -> str:
    """RFC 2047, but that characters split between words, a common mistake, are put together again."""
    pieces: list[str] = []
    position, charset, octets = 0, "", bytearray()
    for word in _ENCODED_WORD.finditer(text):
        gap = text[position : word.start()]
        # White space between adjacent encoded words is not shown (RFC 2047 section 6.2).
        adjacent = position > 0 and not gap.strip()
        if not adjacent or word[1].lower() != charset:
            pieces += [decode(octets, charset), "" if adjacent else gap]
            charset, octets = word[1].lower(), bytearray()
        octets += _word_octets(word[2], word[3])
        position = word.end()
    return "".join([*pieces, decode(octets, charset), text[position:]])


def _word_octets(encoding: str, text: str) -> bytes:
    octets = text.encode("utf-8", "replace")
    if encoding in "qQ":
        return binascii.a2b_qp(octets, header=True)
    return base64_octets(re.sub(rb"[^A-Za-z0-9+/]", b"", octets))


def base64_octets(characters: bytes) -> bytes:
    """The octets of base64 `characters` (alphabet only, no padding); six bits left over are dropped."""
    surplus = len(characters) % 4
    if surplus == 1:
        return binascii.a2b_base64(characters[:-1])
    return binascii.a2b_base64(characters + b"=" * (-surplus % 4))
