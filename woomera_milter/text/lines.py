"""Hostile octets made into text that people may safely see: charsets, HTML, file names.

Everything here takes time linear in its input and raises nothing, whatever a sender wrote. That is
why HTML is read by a tokenizer and not by a tree builder: HTML5's rules for misnested formatting let
30 kB of markup grow a tree of a gigabyte.
"""

import codecs
import html
import re
import unicodedata
from encodings.aliases import aliases

# Marks that reorder what surrounds them: "gpj.exe" can be made to show as "exe.jpg" (UAX #9).
_BIDI_CONTROLS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_UNSEEN = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_BIDI_CONTROLS}\ufeff\ufffe\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")  # UTF-7 decodes to them, and they cannot be encoded again
_LINE_BREAK = re.compile("\r\n|[\r\f\u2028\u2029]")
_WHITE_SPACE = re.compile("[\t\n\r\x0b\f\x85\u2028\u2029]")

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


def lines_for_people(text: str) -> str:
    """`text` with LF line ends, without control, bidirectional and other unseen characters but tabs."""
    return _UNSEEN.sub("", _LINE_BREAK.sub("\n", text))


def line_for_people(text: str) -> str:
    """`text` on one line, without control, bidirectional and other unseen characters."""
    return _UNSEEN.sub("", _WHITE_SPACE.sub(" ", text)).strip()


def cut(text: str, max_bytes: int) -> tuple[str, bool]:
    """The beginning of `text` in at most `max_bytes` of UTF-8, and whether anything was left out.

    It ends with a line, else with a word, as long as that keeps half of what there is room for.
    """
    octets = text.encode()
    if len(octets) <= max_bytes:
        return text, False
    beginning = octets[:max_bytes].decode("utf-8", "ignore")
    for separator in "\n", " ":
        end = beginning.rfind(separator)
        if end >= len(beginning) / 2:
            return beginning[:end].rstrip(), True
    return beginning, True


# The markup in HTML. What is not closed runs to the end of the text. So every alternative consumes what it
# looked at, and a million unclosed tags cost no more than one.
MARKUP = re.compile(
    r"""<!--.*?(?:-->|\Z)
    | <(?P<unseen>script|style|title)\b.*?(?:</(?P=unseen)\b[^>]*(?:>|\Z)|\Z)
    | <(?P<close>/?)(?P<name>[a-z][a-z0-9]*)
      (?:[^>=]++|=\s*+(?:"[^"]*(?:"|\Z)|'[^']*(?:'|\Z))?){0,200}[^>]*+(?:>|\Z)
    | <[!?/][^>]*(?:>|\Z)""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_LINE, _PARAGRAPH = "\x1e", "\x1d"
_MARK_OF = {
    "br": "\n",
    "td": " ",
    "th": " ",
    **dict.fromkeys(
        ["address", "article", "dd", "div", "dt", "footer", "form", "header", "hr", "li", "section", "tr"],
        _LINE,
    ),
    **dict.fromkeys(
        ["blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"], _PARAGRAPH
    ),
}
_GAP = re.compile(f"[ \n{_LINE}{_PARAGRAPH}]+")
# int() refuses more than 4,300 digits, and Unicode ends at seven.
_HUGE_REFERENCE = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{7,});?")


def from_html(markup: str) -> str:
    """What a person would read of an HTML document: no tags, no links' targets, no scripts or styles."""
    words = re.sub(r"\s+", " ", _UNSEEN.sub("", _WHITE_SPACE.sub(" ", markup)))
    marked = MARKUP.sub(_mark, words)
    return unescaped(_GAP.sub(_gap, marked)).replace("\xa0", " ").strip()


def unescaped(markup: str) -> str:
    """The text that HTML without tags stands for, without characters that hide or reorder."""
    return lines_for_people(html.unescape(_HUGE_REFERENCE.sub("\ufffd", markup)))


def _mark(markup: re.Match[str]) -> str:
    name = (markup["name"] or "").lower()
    mark = _MARK_OF.get(name, "")
    return mark + "- " if name == "li" and not markup["close"] else mark


def _gap(gap: re.Match[str]) -> str:
    marks = gap[0].replace(" ", "")
    if not marks:
        return " "
    if _PARAGRAPH in marks:
        return "\n\n"
    breaks = marks.count("\n")
    # A <br> that ends a line of text is that line's end; the end of the block adds none.
    lines = breaks if marks.startswith("\n") else breaks + 1
    return "\n" * min(lines, 2)


MAX_FILE_NAME_BYTES = 200  # file systems end at 255 octets, and " (2)" must still fit
_MAX_EXTENSION_BYTES = 20
_PATH = re.compile(r"[a-z]:|[/\\]|\.\.?[/\\]", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[/\\:*?"<>|]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?= *(?:\.|\Z))", re.IGNORECASE)


def safe_file_name(name: str, fallback: str) -> str:
    """`name` as a file name that no system takes for anything else; `fallback` where nothing is left.

    No folder, drive, device, hidden file, control or reordering character; at most
    MAX_FILE_NAME_BYTES of UTF-8, of which the extension survives a cut.
    """
    name = unicodedata.normalize("NFC", line_for_people(name))
    if _PATH.match(name):
        name = re.split(r"[/\\]|^.:", name.rstrip("/\\"))[-1]
    name = " ".join(_FORBIDDEN.sub("_", name).split()).lstrip(". ").rstrip(". ")
    if _RESERVED.match(name):
        name = "_" + name
    stem, extension = split_extension(name)
    room_bytes = MAX_FILE_NAME_BYTES - len(extension.encode())
    stem = stem.encode()[:room_bytes].decode("utf-8", "ignore").rstrip(". ")
    return stem + extension or fallback


def split_extension(name: str) -> tuple[str, str]:
    """`name` up to its extension, and the extension with its dot; "" where it has none worth keeping."""
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension.encode()) > _MAX_EXTENSION_BYTES:
        return name, ""
    return stem, dot + extension
