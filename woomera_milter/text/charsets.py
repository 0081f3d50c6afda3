"""Octets -> text, by a closed list of charsets."""

import codecs
import re
from encodings.aliases import aliases

_SURROGATE = re.compile("[\ud800-\udfff]")  # UTF-7 decodes to them, and they cannot be encoded again

# Names that senders use for supersets of what they say (https://encoding.spec.whatwg.org/#names-and-labels).
_SUPERSETS = {
    "ascii": "utf_8",
    "latin_1": "cp1252",
    "iso8859_9": "cp1254",
    "tis_620": "cp874",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "gb2312": "gb18030",
    "gbk": "gb18030",
}
_MAIL_NAMES = {
    "x_gbk": "gb18030",
    "x_sjis": "cp932",
    "x_euc_jp": "euc_jp",
    "ks_c_5601_1987": "cp949",
    "iso_8859_8_i": "iso8859_8",
    "iso_8859_8_e": "iso8859_8",
    "x_mac_roman": "mac_roman",
    "utf8mb4": "utf_8",
    "windows_874": "cp874",
}


def _known_charsets() -> dict[str, str]:
    """A closed list: Python would import, and remember for ever, whatever name a sender invents."""
    codec_of = aliases | {codec: codec for codec in aliases.values()}
    text_codecs = {
        name: codec for name, codec in codec_of.items() if not codec.endswith(("_codec", "mbcs", "rot_13"))
    }
    return {name: _SUPERSETS.get(codec, codec) for name, codec in text_codecs.items()} | _MAIL_NAMES


_CHARSETS = _known_charsets()


def decode(octets: bytes | bytearray, charset: str = "", *, complete: bool = True) -> str:
    """The text of `octets`; what `charset` cannot explain becomes U+FFFD.

    An unknown or missing charset, and UTF-8 that is not, are guessed: UTF-8, else windows-1252.
    With `complete=False` a character cut off at the end is left out.
    """
    codec = _CHARSETS.get(re.sub(r"[^a-z0-9]+", "_", charset.strip().lower()), "utf_8")
    try:
        text = codecs.getincrementaldecoder(codec)("replace").decode(octets, complete)
    except UnicodeError:  # UTF-16 or UTF-32 without a byte order mark
        return decode(octets, codec + "_le", complete=complete)
    text = _SURROGATE.sub("\ufffd", text)
    if codec != "utf_8":
        return text
    broken = text.count("\ufffd")
    characters_beyond_ascii = len(text) - len(text.encode("ascii", "ignore"))
    if broken and 2 * broken > characters_beyond_ascii:
        return octets.decode("cp1252", "replace")
    return text
