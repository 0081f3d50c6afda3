"""Octets -> text, by a closed list of charsets, and by what the octets say themselves.

What a sender says of a charset counts as long as it works. Everything here is linear and raises nothing.
"""

import codecs
import re
from collections.abc import Callable

from woomera_milter.text import vendor_rows
from woomera_milter.text.charset_labels import codec_of

_DECODERS: dict[str, Callable[..., str]] = {
    "euc_jp": vendor_rows.euc_jp,
    "iso2022_jp": vendor_rows.iso_2022_jp,
    "big5": vendor_rows.big5,
    "gb18030": vendor_rows.gb18030,
}
_SAYS_NOTHING = "", "ascii"
_WIDE = re.compile("utf_(?:16|32|7)")  # in these ASCII is no ASCII
_SYNTAX = b"\r\n :;@,<>"
_SURROGATE = re.compile("[\ud800-\udfff]")  # UTF-7 decodes to them, and they cannot be encoded again
# What no text holds that is in the charset that its label says: controls, what is no character, or nobody's.
_MISREAD = re.compile("[\x80-\x84\x86-\x9f\ufffd\ue000-\uf8ff]")
_MARKS = codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE
_ASCII_TEXT = re.compile(rb"\r\n|[a-z>] [a-z]", re.IGNORECASE)


def decode(
    octets: bytes | bytearray, charset: str = "", *, complete: bool = True, fallback_charset: str = ""
) -> str:
    """The text of `octets`; what `charset` cannot explain becomes U+FFFD.

    An unknown or missing charset, and UTF-8 that is not, are guessed: UTF-8, else `fallback_charset`, else
    windows-1252. Octets in which another charset fails, and that are UTF-8 from beginning to end, are UTF-8:
    in text whose charset is the one it names nothing fails, however much it looks like UTF-8. Where most of
    what is beyond ASCII fails, they are guessed. With `complete=False` a character cut off at the end is
    left out.
    """
    codec = codec_of(charset)
    says_little = codec in (*_SAYS_NOTHING, "utf_8") or not _can_be(octets, codec)
    if says_little or octets.startswith(codecs.BOM_UTF8):
        text = _guessed(octets, fallback_charset, complete=complete)
    else:
        text = _decoded(octets, codec, complete=complete)
        if not octets.isascii():
            utf_8 = _utf_8(octets, complete=complete)
            if utf_8 is not None and _MISREAD.search(text):
                text = utf_8
            elif _broken_share(text) > 1 / 2 and not _WIDE.match(codec):
                text = _guessed(octets, fallback_charset, complete=complete)
    return text.removeprefix("\ufeff")


def _guessed(octets: bytes | bytearray, fallback_charset: str, *, complete: bool) -> str:
    if octets.startswith(_MARKS):
        return _decoded(octets, "utf_16", complete=complete)
    if vendor_rows.BEGINS_JIS.search(octets):
        return vendor_rows.iso_2022_jp(octets, complete=complete)
    text = _decoded(octets, "utf_8", complete=complete)
    fallback = _fallback_codec(fallback_charset)
    # Two octets of another charset may be UTF-8 by chance; where that one is known it is likelier.
    if _broken_share(text) <= (1 / 3 if fallback else 1 / 2):
        return text
    if fallback and _broken_share(text := _decoded(octets, fallback, complete=complete)) <= 1 / 2:
        return text
    return octets.decode("cp1252", "replace")


def _fallback_codec(charset: str) -> str:
    """A codec in which what may be syntax stands for itself; "" for others, and for UTF-8."""
    codec = codec_of(charset)
    if codec in (*_SAYS_NOTHING, "utf_8") or _WIDE.match(codec):
        return ""
    return codec if _SYNTAX.decode(codec, "replace") == _SYNTAX.decode() else ""


def _decoded(octets: bytes | bytearray, codec: str, *, complete: bool) -> str:
    if decoder := _DECODERS.get(codec):
        return decoder(octets, complete=complete)
    if codec.startswith("utf_16") and octets.startswith(_MARKS):
        codec = "utf_16"
    elif codec in ("utf_16", "utf_32") and not octets.startswith((*_MARKS, codecs.BOM_UTF32_BE)):
        codec += _byte_order(octets, codec)
    text = vendor_rows.decoded(octets, codec, "replace", complete=complete)
    return _SURROGATE.sub("\ufffd", text) if codec == "utf_7" else text


def _byte_order(octets: bytes | bytearray, codec: str) -> str:
    """Little-endian where no mark says it, as the standard has it, unless lines and blanks tell otherwise."""
    if codec == "utf_32":
        return "_be" if octets.startswith(b"\0\0") else "_le"
    text = octets.decode("utf_16_le", "replace")
    little = text.count(" ") + text.count("\n")
    big = text.count("\u2000") + text.count("\u0a00")
    return "_be" if big > little else "_le"


def _can_be(octets: bytes | bytearray, codec: str) -> bool:
    """Whether octets may be in a wide charset: programs that hold text in UTF-16 say so of any text."""
    if not codec.startswith(("utf_16", "utf_32")):
        return True
    return b"\0" in octets or not octets.isascii() or not _ASCII_TEXT.search(octets)


def _utf_8(octets: bytes | bytearray, *, complete: bool) -> str | None:
    try:
        return codecs.getincrementaldecoder("utf_8")("strict").decode(octets, complete)
    except UnicodeDecodeError:
        return None


def _broken_share(text: str) -> float:
    """How much of what is beyond ASCII in `text` is U+FFFD."""
    broken = text.count("\ufffd")
    return broken / (len(text) - len(text.encode("ascii", "ignore"))) if broken else 0


# HTML's own words about its charset stand in the first 1,024 octets (HTML, section "determining the character
# encoding"); what is commented out is none.
_PRESCAN_OCTETS = 1024
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
_DECLARATION = re.compile(rb"<\?xml\s[^>]*?\sencoding\s*=\s*[\"']([^\"'>]{1,40})", re.IGNORECASE)
_META = re.compile(rb"<meta[\s/][^>]*?\bcharset\s*=\s*[\"']?\s*([^\s\"'/>;]{1,40})", re.IGNORECASE)


def decode_html(octets: bytes | bytearray, charset: str = "", *, complete: bool = True) -> str:
    """The text of HTML: by its byte order mark, the `charset` that came with it, its <meta>, else guessed.

    <meta> also says what text is that is not in the UTF-8 or ASCII that `charset` claims.
    """
    if octets.startswith(_MARKS):
        return decode(octets, complete=complete)
    own = _charset_of_html(octets)
    label = own if codec_of(charset) in _SAYS_NOTHING else charset
    return decode(octets, label, complete=complete, fallback_charset=own)


def _charset_of_html(octets: bytes | bytearray) -> str:
    beginning = _COMMENT.sub(b"", octets[:_PRESCAN_OCTETS])
    found = _META.search(beginning) or _DECLARATION.search(beginning)
    label = found[1].decode("ascii", "replace") if found else ""
    # What could be read as ASCII until here is in no wide charset, whatever it says.
    return "" if _WIDE.match(codec_of(label)) else label
