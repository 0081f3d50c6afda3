"""One header field made fit for a relay that takes ASCII and short lines only.

SES refuses 8-bit header fields, and sendmail breaks lines of more than 990 octets in its own way.
Only a field that needs it is rewritten: display names, comments and free text become encoded words
(RFC 2047), addresses stay as they are, and lines are folded at white space (RFC 5322 section 2.2.3).
Values are hostile; nothing here raises on any octets.
"""

import re
from collections.abc import Iterable
from email.header import Header

from woomera_milter.message.decoding import text_of
from woomera_milter.message.fields import HeaderField, field_names
from woomera_milter.message.tokens import lenient_tokens
from woomera_milter.text.address_forms import with_ascii_domain
from woomera_milter.text.charsets import decode

MAX_LINE_OCTETS = 990  # sendmail's esmtp mailer breaks longer lines; RFC 5322 section 2.1.1 allows 998
FOLD_AT_OCTETS = 76  # RFC 2047 section 2, for lines that hold an encoded word
MAX_ENCODED_WORD_OCTETS = 75
MAX_WORD_OCTETS = 700  # of what may stand on a line without a fold, beside a name of MAX_NAME_OCTETS
MAX_NAME_OCTETS = 200  # of a field that has to be rewritten: name and word share a line


ADDRESS_FIELDS = field_names(
    "from to cc bcc reply-to sender resent-from resent-to resent-cc resent-bcc resent-reply-to"
    " resent-sender disposition-notification-to return-receipt-to errors-to bounces-to delivered-to"
    " original-from original-recipient return-path"
)
_RECIPIENT_FIELDS = field_names("to cc resent-to resent-cc")
_OTHER_STRUCTURED_FIELDS = field_names("date resent-date received list-id")
_MESSAGE_ID_FIELDS = field_names("message-id resent-message-id original-message-id in-reply-to references")

_SAFE_VALUE = re.compile(rb"(?:[\t\x20-\x7e]|\r\n(?=[\t ]))*")
_FOLD = re.compile(rb"\r\n(?=[\t ])")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_QUOTED = re.compile(r'\\(.)|"((?:[^"\\]|\\.)*+)"')
_QUOTED_PAIR = re.compile(r"\\(.)")
# No text here holds NUL. It stands for the white space around an encoded word, where there may be some
# already (RFC 2047 section 5).
_GAP = "\0"
_GAPS = re.compile(" *\0[ \0]*")
_LONG_GAP = re.compile(" {60,}")


def safe_field(field: HeaderField) -> HeaderField | None:
    """Give the field as it may be relayed: itself where it is safe already, None where no form of it is."""
    if _is_safe(field):
        return field
    if len(field.name) > MAX_NAME_OCTETS:
        return None
    name, text = field.name.lower(), _unfolded(field.value)
    if name in _MESSAGE_ID_FIELDS:
        words = text.replace("><", "> <").split()
        text = " ".join(_encoded(word) if _needs_encoding(word) else word for word in words)
    elif name in ADDRESS_FIELDS or name in _OTHER_STRUCTURED_FIELDS:
        text = _structured(text, is_address_list=name in ADDRESS_FIELDS)
    elif _needs_encoding(text):
        text = _encoded(_readable(text))
    return HeaderField(field.name, _folded(field.name, text))


def prefixed_subject(value: bytes, prefix: str) -> bytes:
    """Put `prefix` before a Subject's value; encoded words on either side stay whole."""
    text = _unfolded(value).strip()
    if not (prefix + text).isascii() or "=?" in text:
        text = _encoded(prefix + _readable(text))
    else:
        text = prefix + text
        text = _encoded(text) if _needs_encoding(text) else text
    return _folded("Subject", text)


def shortened(field: HeaderField, max_bytes: int) -> HeaderField | None:
    """Cut a safe field to `max_bytes` of value where its meaning allows it; None where nothing would be left.

    An address list loses its last addresses, References its oldest ids, other text its end. How many
    recipients are missing is the name of an empty group (RFC 5322 section 3.4).
    """
    name, text = field.name.lower(), _unfolded(field.value)
    if name in ADDRESS_FIELDS:
        text = _first_addresses(text, max_bytes, counts_others=name in _RECIPIENT_FIELDS)
    elif name in _MESSAGE_ID_FIELDS:
        text = " ".join(reversed(_fitting(reversed(text.split()), max_bytes)))
    else:
        text = " ".join(_fitting(text.split(), max_bytes))
    return HeaderField(field.name, _folded(field.name, text)) if text else None


def wire(field: HeaderField) -> bytes:
    """The field as it goes over the wire, its final CRLF included."""
    return field.name.encode("ascii") + b":" + field.value + b"\r\n"


def _is_safe(field: HeaderField) -> bool:
    if _SAFE_VALUE.fullmatch(field.value) is None:
        return False
    return all(len(line) <= MAX_LINE_OCTETS for line in wire(field).split(b"\r\n"))


def _unfolded(value: bytes) -> str:
    return _CONTROL.sub(" ", decode(_FOLD.sub(b"", value)))


def _readable(text: str) -> str:
    """Decode the encoded words in `text`, so that all of it can be encoded anew."""
    return text_of(text.encode())


def _needs_encoding(text: str) -> bool:
    return not text.isascii() or any(len(word) > MAX_WORD_OCTETS for word in text.split())


def _encoded(text: str) -> str:
    """RFC 2047 encoded words, separated by single spaces, allowed in phrases and comments too (section 5)."""
    return Header(text, "utf-8", maxlinelen=MAX_ENCODED_WORD_OCTETS).encode().replace("\n", "")


def _folded(name: str, text: str) -> bytes:
    """Fold at white space only; a run of it too long for a line becomes one space."""
    lines, line = [], ""
    room = FOLD_AT_OCTETS - len(name) - len(":")
    for word in re.findall(r" *[^ ]+", " " + _LONG_GAP.sub(" ", text.strip())):
        if line and len(line) + len(word) > room:
            lines.append(line)
            line, room = "", FOLD_AT_OCTETS
        line += word
    return "\r\n".join([*lines, line or " "]).encode("ascii")


def _structured(text: str, *, is_address_list: bool) -> str:
    """Encode what needs it in a structured value, token by token."""
    may_break = _GAP if any(len(word) > MAX_WORD_OCTETS for word in text.split()) else ""
    safe = [
        _ascii_token(kind, token, is_address_list=is_address_list)
        if _needs_encoding(token)
        else token + may_break
        for kind, token in lenient_tokens(text)
    ]
    return _GAPS.sub(" ", "".join(safe))


def _ascii_token(kind: str, token: str, *, is_address_list: bool) -> str:
    if kind == "comment":
        return f"{_GAP}({_encoded(_readable(token[1:-1]))}){_GAP}"
    if kind == "angle":
        return _GAP + _ascii_angle(token, is_address_list=is_address_list)
    if "@" in _QUOTED.sub("", token):
        return _GAP + " ".join(_ascii_word(word) for word in token.split()) + _GAP
    phrase = _QUOTED.sub(lambda quoted: quoted[1] or _QUOTED_PAIR.sub(r"\1", quoted[2]), token.strip())
    return _GAP + _encoded(_readable(phrase)) + _GAP


def _ascii_angle(token: str, *, is_address_list: bool) -> str:
    address = _ascii_address(token[1:-1])
    if address:
        return f"<{address}>{_GAP}"
    if is_address_list:  # RFC 6857: an address that ASCII cannot hold becomes the name of an empty group
        return f"{_encoded(token[1:-1])} :;"
    return _encoded(token) + _GAP


def _ascii_word(word: str) -> str:
    if not _needs_encoding(word):
        return word
    return _ascii_address(word) or _encoded(word)


def _ascii_address(address: str) -> str | None:
    """The address with its domain in IDNA form; None where that does not make it ASCII."""
    found = with_ascii_domain(address)
    return found if found and found.isascii() else None


def _first_addresses(text: str, max_bytes: int, *, counts_others: bool) -> str:
    """The first addresses that fit; where not even one does, the first without its name."""
    marked = "".join(_GAP if token == ("separator", ",") else token.text for token in lenient_tokens(text))
    entries = [stripped for entry in marked.split(_GAP) if (stripped := entry.strip())] or [""]
    others = f", and {len(entries)} more:;"
    fitting = _fitting(entries, max_bytes - len(others) * counts_others)
    kept = ", ".join(fitting) or _bare_address(entries[0])
    group_marks = [
        token.text for token in lenient_tokens(kept) if token.kind == "separator" and token.text in ":;"
    ]
    if group_marks and group_marks[-1] == ":":
        kept += ";"
    missing = len(entries) - max(1, len(fitting))
    return f"{kept}, and {missing} more:;" if kept and missing and counts_others else kept


def _bare_address(entry: str) -> str:
    for kind, token in lenient_tokens(entry):
        if kind == "angle":
            return token
        for word in token.split() if kind == "text" else ():
            if "@" in word:
                return word
    return ""


def _fitting(pieces: Iterable[str], max_bytes: int) -> list[str]:
    """The first pieces that fit, joined by ", " and folded.

    Two lines in a row are together longer than FOLD_AT_OCTETS, so folds add at most four octets to that many.
    """
    room = max_bytes * FOLD_AT_OCTETS / (FOLD_AT_OCTETS + 4) - FOLD_AT_OCTETS
    fitting = []
    for piece in pieces:
        room -= len(piece) + len(", ")
        if room < 0:
            break
        fitting.append(piece)
    return fitting
