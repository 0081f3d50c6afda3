"""The parameters of Content-Type and Content-Disposition (RFC 2045, RFC 2183, RFC 2231), broken ones too.

The values are a sender's and hostile: nothing here raises on any of them, and all of it is linear.
"""

import re
from urllib.parse import unquote_to_bytes

from woomera_milter.text.charsets import decode

# White space makes a parameter of what follows only where a quoted value ended, or where it is one of these:
# a name without quotes may hold blanks and equals signs.
_KNOWN = (
    rb"(?:filename|name|charset|boundary|size|type|format|delsp|method|url|creation-date|modification-date"
    rb"|read-date|access-type|x-unix-mode|x-mac-type|x-mac-creator)(?:\*[0-9]{0,4}\*?)?[ \t]*="
)
_NAME = re.compile(rb'(?<![^\s;"])([^\s=;"*]++)(\*[0-9]{1,4})?(\*)?\s*+=\s*+')
_BARE = re.compile(rb"(?:=\?[^?\s;]{1,80}\?[bBqQ]\?[^?]*\?=|[^;\s]|\s++(?!" + _KNOWN + rb"))*", re.IGNORECASE)
_MARK = re.compile(rb'\\.|"|;', re.DOTALL)
_ENDS = re.compile(rb"\s*+(?:;|\Z|" + _KNOWN + rb")", re.IGNORECASE)
_GOES_ON = re.compile(rb"\s*+" + _KNOWN, re.IGNORECASE)
_CHARSET = re.compile(
    rb"([\w.:+-]{0,40})'[A-Za-z0-9_-]{0,40}'|(utf-?8|iso-8859-[0-9]{1,2}|windows-125[0-9])'", re.IGNORECASE
)
_QUOTED_WORD = re.compile(rb"(=\?[^?\s]{1,80}\?[qQ]\?)((?:(?!=\?)\S)*?)\?=(?=\s|=\?|\Z)")

_Piece = tuple[int, bool, bytes]


def parameters(value: bytes) -> dict[str, bytes]:
    """The parameters, names in lower case. A missing semicolon, or quotes within quotes, are no matter.

    Values are the octets as sent, but those of RFC 2231 (pieces, charsets), which become UTF-8 and win.
    """
    value = re.sub(rb"\r?\n", b"", value)
    plain: dict[str, bytes] = {}
    pieces: dict[str, list[_Piece]] = {}
    position, quotes_end = 0, True
    while found := _NAME.search(value, position):
        name = found[1].decode("ascii", "replace").lower()
        if value[found.end() : found.end() + 1] == b'"':
            octets, position, quotes_end = _quoted(value, found.end() + 1, quotes_end=quotes_end)
        else:
            bare = _BARE.match(value, found.end())
            octets, position = (bare[0].strip(), bare.end()) if bare else (b"", found.end())
            if (
                len(octets) > 1
                and name in ("name", "filename", "charset")
                and octets[:1] == octets[-1:] == b"'"
            ):
                octets = octets[1:-1]
        if found[2] or found[3]:
            number = int(found[2][1:]) if found[2] else -1
            pieces.setdefault(name, []).append((number, bool(found[3]), octets))
        else:
            plain.setdefault(name, _QUOTED_WORD.sub(_without_question_marks, octets))
    joined = ((name, _joined(found)) for name, found in pieces.items())
    return plain | {
        name: text.encode() for name, text in joined if name not in plain or (text and "\ufffd" not in text)
    }


def _quoted(value: bytes, start: int, *, quotes_end: bool) -> tuple[bytes, int, bool]:
    """The quoted string from `start` on, where it ends, and whether any ends: else they end at any quote.

    A quote ends it only where a parameter may end: so inner ones are kept that should have been escaped.
    """
    first_quote = last_quote = torn = None
    is_outside = False
    for mark in _MARK.finditer(value, start):
        at, after = mark.span()
        if mark[0] == b'"':
            if torn is not None and value[at - 1 : at] == b"=":
                break
            if not quotes_end or _ENDS.match(value, after):
                return _unescaped(value[start:at]), after, quotes_end
            first_quote = at if first_quote is None else first_quote
            last_quote, is_outside = at, not is_outside
        elif mark[0] == b";" and _GOES_ON.match(value, after):
            if is_outside:
                return _unescaped(value[start:last_quote]), at, quotes_end
            torn = at if torn is None else torn
    else:
        quotes_end = False
    end = next((it for it in (first_quote, torn) if it is not None), len(value))
    return _unescaped(value[start:end]), end + (end == first_quote), quotes_end


def _unescaped(quoted: bytes) -> bytes:
    return re.sub(rb'\\(["\\])', rb"\1", quoted)


def _without_question_marks(word: re.Match[bytes]) -> bytes:
    """An encoded word may hold no question mark (RFC 2047 section 4.2), and does where a name asks."""
    return word[1] + word[2].replace(b"?", b"=3F") + b"?="


def _joined(pieces: list[_Piece]) -> str:
    """RFC 2231 sections 3 and 4: the pieces in their order; the first extended one names the charset."""
    numbered = {piece[0]: piece for piece in reversed(pieces)}
    in_order = [numbered[number] for number in sorted(numbered)]
    octets = b"".join(unquote_to_bytes(text) if extended else text for _, extended, text in in_order)
    charset = _CHARSET.match(octets) if in_order[0][1] else None
    if not charset:
        return decode(octets)
    return decode(octets[charset.end() :], (charset[1] or charset[2] or b"").decode("ascii", "replace"))
