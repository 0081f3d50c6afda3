"""Header fields in raw 8-bit, which no field says the charset of: they are in that of the message's text.

Whatever the notice, the page and the sidecar are to tell of them is taken from what is returned here, so that
they tell the same.
"""

from collections.abc import Sequence

from woomera_milter.message.fields import HeaderField
from woomera_milter.message.mime.tree import WINDOW_BYTES, charset_of_text, outline
from woomera_milter.message.spool import SpooledMessage
from woomera_milter.text.charsets import decode
from woomera_milter.text.vendor_rows import BEGINS_JIS


def in_utf_8(headers: Sequence[HeaderField], message: SpooledMessage) -> Sequence[HeaderField]:
    """Return the message's header fields with raw 8-bit in UTF-8 (RFC 6532), and the others as they are.

    It is UTF-8 already, else in the charset of the text that the first megabyte of the message holds, else
    in windows-1252.
    """
    if all(_is_utf_8(field.value) for field in headers):
        return headers
    beginning = outline(message.fileno(), min(message.size_bytes, WINDOW_BYTES))
    charset = charset_of_text(beginning)
    return [field if _is_utf_8(field.value) else _in_utf_8(field, charset) for field in headers]


def _in_utf_8(field: HeaderField, charset: str) -> HeaderField:
    text = decode(field.value, fallback_charset=charset)
    # What becomes ASCII would look as if the MTA had it so already.
    return field if text.isascii() else HeaderField(field.name, text.encode())


def _is_utf_8(value: bytes) -> bool:
    if value.isascii():
        return BEGINS_JIS.search(value) is None
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
