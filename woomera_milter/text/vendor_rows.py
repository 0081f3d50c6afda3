"""East Asian charsets as mail programs write them: with the rows that vendors added to the standards.

Python's codecs are strict about them: no ① in ISO-2022-JP, no euro in Big5. What those cannot read is looked
up here, by error handlers, so that text without it costs what the codec costs. Linear; raises nothing.
"""

import codecs
import re
from collections.abc import Iterator


def decoded(octets: bytes | bytearray, codec: str, errors: str, *, complete: bool) -> str:
    """The text by one of Python's codecs; with `complete=False` without a character that is cut off."""
    try:
        return codecs.getincrementaldecoder(codec)(errors).decode(octets, complete)
    except UnicodeError:  # more that is unfinished than the decoder keeps: a long escape sequence
        return octets.decode(codec, errors)


# Rows 13 (NEC) and 89 to 92 (IBM's characters as NEC placed them) of JIS, as EUC-JP spells them. The standard
# reads both as cp932 does (https://encoding.spec.whatwg.org/#index-jis0208).
_VENDOR_ROWS = 0xAD, 0xF9, 0xFA, 0xFB, 0xFC
_VENDOR_RUN = re.compile(rb"(?:[\xad\xf9-\xfc][\xa1-\xfe])+")
# Where the codecs take other characters than the standard (and Windows) for the same octets.
_AS_CP932 = str.maketrans("\u301c\u2016\u2212\u00a2\u00a3\u00ac", "\uff5e\u2225\uff0d\uffe0\uffe1\uffe2")
_AS_CP950 = str.maketrans(
    "\u2022\uff64\u203e\u223c\u2641\u2609\u00a5\u00a2\u00a3\uffed",
    "\u2027\ufe51\u00af\uff5e\u2295\u2299\uffe5\uffe0\uffe1\u2593",
)


def _vendor_characters() -> Iterator[tuple[bytes, str]]:
    for lead in _VENDOR_ROWS:
        row = lead - 0x80
        for trail in range(0xA1, 0xFF):
            cell = trail - 0x80
            first = (row + 1) // 2 + (0x70 if row < 0x5F else 0xB0)
            second = cell + 0x1F + (cell >= 0x60) if row % 2 else cell + 0x7E
            yield bytes([lead, trail]), bytes([first, second]).decode("cp932", "replace")


_VENDOR_CHARACTERS = dict(_vendor_characters())


def _beyond_euc_jp(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    run = _VENDOR_RUN.match(error.object, error.start)
    if run is None:
        return "\ufffd", error.end
    return _vendor_text(run[0]), run.end()


def _vendor_text(run: bytes) -> str:
    return "".join(_VENDOR_CHARACTERS[run[at : at + 2]] for at in range(0, len(run), 2))


def _beyond_big5(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    if error.object.startswith(b"\xa3\xe1", error.start):
        return "€", error.start + 2
    return "\ufffd", error.end


def _beyond_gb18030(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "€" if error.object[error.start] == 0x80 else "\ufffd", error.end  # as Windows' code page 936


codecs.register_error("woomera.euc_jp", _beyond_euc_jp)
codecs.register_error("woomera.big5", _beyond_big5)
codecs.register_error("woomera.gb18030", _beyond_gb18030)


def euc_jp(octets: bytes | bytearray, *, complete: bool) -> str:
    """EUC-JP with the vendors' rows, and JIS X 0212."""
    return _translated(decoded(octets, "euc_jp", "woomera.euc_jp", complete=complete), _AS_CP932)


def big5(octets: bytes | bytearray, *, complete: bool) -> str:
    """Big5 with the rows of ETEN, of Hong Kong (HKSCS), and the euro; else as Windows' code page 950."""
    return _translated(decoded(octets, "big5hkscs", "woomera.big5", complete=complete), _AS_CP950)


def gb18030(octets: bytes | bytearray, *, complete: bool) -> str:
    """GB 18030, which holds GBK and GB 2312, with the euro of code page 936."""
    return decoded(octets, "gb18030", "woomera.gb18030", complete=complete)


def _translated(text: str, table: dict[int, int]) -> str:
    for old, new in table.items():  # faster than str.translate, as all but few texts have none of them
        text = text.replace(chr(old), chr(new))
    return text


# Escape sequences that mail programs write, and for each one that the codec knows. SO and SI switch
# half-width katakana on and off.
_ESCAPES = (
    (b"\x0e", b"\x1b(I"),
    (b"\x0f", b"\x1b(B"),
    (b"\x1b$(@", b"\x1b$@"),
    (b"\x1b$(B", b"\x1b$B"),
    (b"\x1b(H", b"\x1b(J"),
    (b"\x1b&@", b""),
)
BEGINS_JIS = re.compile(rb"\x1b(?:\$\(?[@B]|\$\(D|\(I)")
_JIS_VENDOR_RUN = re.compile(rb"(?:[\x2d\x79-\x7c][\x21-\x7e])+")
_EIGHT_BIT_RUN = re.compile(rb"[\x80-\xff][^\x1b\r\n]*")
_HIGH = bytes(octet | 0x80 for octet in range(256))


def iso_2022_jp(octets: bytes | bytearray, *, complete: bool) -> str:
    """ISO-2022-JP with the vendors' rows, JIS X 0212 and half-width katakana.

    8-bit octets, of which it has none, are UTF-8, else Shift_JIS.
    """
    for written, known in _ESCAPES:
        octets = octets.replace(written, known)
    text = decoded(octets, "iso2022_jp_ext", "woomera.iso2022_jp", complete=complete)
    return _translated(text, _AS_CP932)


def _beyond_iso_2022_jp(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    if run := _JIS_VENDOR_RUN.match(error.object, error.start):
        return _vendor_text(run[0].translate(_HIGH)), run.end()
    if run := _EIGHT_BIT_RUN.match(error.object, error.start):
        try:
            return run[0].decode("utf_8"), run.end()
        except UnicodeDecodeError:
            return run[0].decode("cp932", "replace"), run.end()
    return "\ufffd", error.end


codecs.register_error("woomera.iso2022_jp", _beyond_iso_2022_jp)
