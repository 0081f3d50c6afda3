"""How browsers are to treat what the bucket holds: nothing of a sender's may run in the bucket's origin."""

import re
from urllib.parse import quote

# Attachments are saved, never shown, so nothing of a sender's runs in the bucket's origin. Should a browser
# show one all the same, only these say what they are: none is, or can pass for, HTML, SVG, XML or a script.
_HARMLESS_TYPES = frozenset(
    {
        "application/gzip",
        "application/msword",
        "application/pdf",
        "application/rtf",
        "application/vnd.ms-excel",
        "application/vnd.ms-outlook",
        "application/vnd.ms-powerpoint",
        "application/vnd.oasis.opendocument.presentation",
        "application/vnd.oasis.opendocument.spreadsheet",
        "application/vnd.oasis.opendocument.text",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/x-7z-compressed",
        "application/zip",
        "audio/mp4",
        "audio/mpeg",
        "audio/ogg",
        "audio/wav",
        "image/avif",
        "image/bmp",
        "image/gif",
        "image/heic",
        "image/jpeg",
        "image/png",
        "image/tiff",
        "image/webp",
        "message/rfc822",
        "text/calendar",
        "text/csv",
        "text/plain",
        "text/vcard",
        "video/mp4",
        "video/mpeg",
        "video/quicktime",
        "video/webm",
    }
)


def harmless_type(content_type: str) -> str:
    """Return the type under which an attachment is served: its own where that is harmless."""
    return content_type if content_type in _HARMLESS_TYPES else "application/octet-stream"


def attachment_disposition(file_name: str) -> str:
    """Return a Content-Disposition that saves under `file_name` (RFC 6266, Appendix D)."""
    ascii_name = re.sub(r'[^\x20-\x7e]|["\\%]', "_", file_name)
    return f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(file_name, safe='')}"
