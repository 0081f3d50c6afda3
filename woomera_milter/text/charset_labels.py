"""The labels of charsets that mail carries -> codecs that read what is really written under them.

A closed list: Python would import, and remember for ever, whatever name a sender invents. The labels are
those of WHATWG's Encoding Standard (https://encoding.spec.whatwg.org/#names-and-labels), which is what
people's programs write and read; then those that mail has besides, as Python names them.
"""

import re
from encodings.aliases import aliases

from webencodings.labels import LABELS

_WINDOWS = re.compile(r"^win(?=[0-9])")
_NO_LETTER = re.compile(r"[^a-z0-9]+")

# Names of encodings in the standard, and of codecs in Python, that something wider goes by.
_WIDER = {
    "latin_1": "cp1252",
    "iso8859_9": "cp1254",
    "tis_620": "cp874",
    "windows-874": "cp874",
    "euc-kr": "cp949",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc-jp": "euc_jp",
    "iso-2022-jp": "iso2022_jp",
    "iso2022_jp_1": "iso2022_jp",
    "iso2022_jp_ext": "iso2022_jp",
    "big5hkscs": "big5",
    "cp950": "big5",
    "iso-8859-8-i": "iso8859_8",  # the order of its letters is that of reading: Unicode's (RFC 1556)
    "macintosh": "mac_roman",
    "x-mac-cyrillic": "mac_cyrillic",
    "utf-16le": "utf_16",  # unless octets tell otherwise, which they often do
    "utf-16be": "utf_16_be",
}
# Of these the standard reads nothing, for the sake of scripts; Python has some of them.
_NOT_BY_THE_STANDARD = {"replacement", "x-user-defined"}
_MAIL_NAMES = {
    # The standard says windows-1252; but whoever says ASCII says nothing of what is beyond it.
    "ascii": "ascii",
    "usascii": "ascii",
    "ansix341968": "ascii",
    "utf8mb4": "utf_8",
    "cp65001": "utf_8",
    "windows932": "cp932",
    "sjiswin": "cp932",
    "eucjpwin": "euc_jp",
    "eucjpms": "euc_jp",
    "cp51932": "euc_jp",
    "cp50220": "iso2022_jp",
    "cp50221": "iso2022_jp",
    "cp50222": "iso2022_jp",
    "iso2022jpms": "iso2022_jp",
    "windows936": "gb18030",
    "windows950": "big5",
    "macce": "mac_latin2",
    "maccentraleurroman": "mac_latin2",
    "macgreek": "mac_greek",
    "macturkish": "mac_turkish",
    "macicelandic": "mac_iceland",
    "maccroatian": "mac_croatian",
    "utf16le": "utf_16_le",
    "koi8t": "koi8_t",
    "xunicode20utf7": "utf_7",
}


def _key(label: str) -> str:
    return _NO_LETTER.sub("", label.lower())


def _known_labels() -> dict[str, str]:
    codec_of = aliases | {codec: codec for codec in aliases.values()}
    of_python = {
        _key(label): codec
        for label, codec in codec_of.items()
        if not codec.endswith(("_codec", "mbcs", "rot_13"))
    }
    of_the_standard = {
        _key(label): name for label, name in LABELS.items() if name not in _NOT_BY_THE_STANDARD
    }
    known = of_python | of_the_standard
    codecs_by_key = {label: _WIDER.get(name, name.replace("-", "_")) for label, name in known.items()}
    return codecs_by_key | _MAIL_NAMES


_CODECS = _known_labels()


def codec_of(label: str) -> str:
    """The name of the codec for a charset's label, however it is spelt; "" for one that nobody knows."""
    key = _WINDOWS.sub("windows", _key(label))
    return _CODECS.get(key) or _CODECS.get(key.removeprefix("x"), "")
