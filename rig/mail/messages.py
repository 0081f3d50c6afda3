"""Messages to the byte: wire form (CRLF line ends) and an exact measured size.

A message is written with the mark `FILL` where lines may be added; `filled` puts in as many octets as its
measured size asks for.
"""

import base64
import random
from collections.abc import Sequence

CRLF = b"\r\n"
FILL = b"[[fill]]\r\n"
SENDER = "sender@example.com"
RECIPIENT = "recipient@example.org"
MB = 1024 * 1024

BASE64_LINE_BYTES = 78  # RFC 2045 section 6.8: 76 characters, and CRLF
BASE64_LINE_DATA_BYTES = 57
_AROUND_FILE_BYTES = 2048

_LINE = b"The quick brown fox jumps over the lazy dog, and the dog does not mind at al\r\n"


def measured_size(wire: bytes) -> int:
    """Return the measured size of a message, without `milter.allowance`, as the public contract defines it.

    A message is sent with a final line end, whether it has one or not.
    """
    if not wire.endswith(CRLF):
        wire += CRLF
    size_bytes = len(wire)
    for line in wire.split(CRLF):
        if len(line) > 990:
            size_bytes += 4 * ((len(line) - 1) // 989)
    return size_bytes


def filled(template: bytes, size_bytes: int | None = None) -> bytes:
    """Return `template` with its `FILL` made as long as the measured size asks for; None: one line long.

    Raise ValueError where the rest of the message is too long for that size.
    """
    before, mark, after = template.partition(FILL)
    if not mark:
        raise ValueError("the template has no FILL")
    if size_bytes is None:
        return before + _LINE + after
    return before + _filler(size_bytes - measured_size(before + after)) + after


def _filler(size_bytes: int) -> bytes:
    """Return lines of text, `size_bytes` long in all."""
    if size_bytes < 0 or size_bytes == 1:
        raise ValueError(f"no lines make {size_bytes} octets; ask for a larger message")
    lines, rest = divmod(size_bytes, len(_LINE))
    if rest == 1:  # too short for a line end of its own
        return _LINE * (lines - 1) + b"x" + _LINE
    return _LINE * lines + (b"x" * (rest - len(CRLF)) + CRLF if rest else b"")


def message(
    size_bytes: int | None = None,
    *,
    sender: str = SENDER,
    to: Sequence[str] = (RECIPIENT,),
    subject: str = "Quarterly figures",
    extra_headers: bytes = b"",
    content: bytes | None = None,
) -> bytes:
    """Return a MIME message; `content` is its `entity` (None: plain text), with the `FILL` mark in it."""
    headers = header_section(sender=sender, to=to, subject=subject) + extra_headers
    return filled(headers + b"MIME-Version: 1.0\r\n" + (content or text_part()), size_bytes)


def message_with_file(
    size_bytes: int,
    *,
    file_name: str = "figures.bin",
    to: Sequence[str] = (RECIPIENT,),
    subject: str = "Quarterly figures",
    seed: int = 1,
) -> bytes:
    """Return a message that consists, but for a few KB, of one attachment of random octets."""
    data = random_data((size_bytes - _AROUND_FILE_BYTES) // BASE64_LINE_BYTES * BASE64_LINE_DATA_BYTES, seed)
    disposition = f'attachment; filename="{file_name}"'.encode()
    content = multipart("mixed", text_part(), file_part(data, disposition=disposition))
    return message(size_bytes, to=to, subject=subject, content=content)


def message_with_files(size_bytes: int, count: int) -> bytes:
    """Return a message that consists, but for a few KB, of `count` attachments of random octets."""
    lines = (size_bytes - _AROUND_FILE_BYTES) // count // BASE64_LINE_BYTES - 10
    files = [
        file_part(
            random_data(lines * BASE64_LINE_DATA_BYTES, seed),
            disposition=b'attachment; filename="figures %d.bin"' % seed,
        )
        for seed in range(1, count + 1)
    ]
    return message(size_bytes, content=multipart("mixed", text_part(), *files))


def header_section(
    *, sender: str = SENDER, to: Sequence[str] = (RECIPIENT,), subject: str = "Quarterly figures"
) -> bytes:
    """Return ordinary header fields; neither those of MIME nor the blank line are among them."""
    lines = [
        f"From: Sandra Sender <{sender}>",
        f"To: {', '.join(to)}",
        f"Subject: {subject}",
        "Date: Tue, 24 Nov 2026 09:00:00 +0000",
        "Message-ID: <20261124090000.rig@example.com>",
    ]
    return CRLF.join(line.encode() for line in lines) + CRLF


def entity(content_type: str, body: bytes, *, extra_headers: bytes = b"") -> bytes:
    """Return a MIME entity (RFC 2045 section 2.4): its header fields, a blank line, its body."""
    return b"Content-Type: " + content_type.encode() + CRLF + extra_headers + CRLF + body


def text_part(text: bytes = b"Please find the figures attached.\r\n", subtype: str = "plain") -> bytes:
    """Return a part of text that ends with the `FILL` mark."""
    return entity(f"text/{subtype}; charset=utf-8", text + FILL)


def multipart(subtype: str, *parts: bytes, boundary: str = "=_rig", parameters: str = "") -> bytes:
    """Return a multipart entity (RFC 2046 section 5.1); a nested one needs a boundary of its own."""
    mark = b"--" + boundary.encode()
    body = b"".join(mark + CRLF + part + CRLF for part in parts) + mark + b"--" + CRLF
    return entity(f'multipart/{subtype}; boundary="{boundary}"{parameters}', body)


def file_part(
    data: bytes, *, content_type: str = "application/octet-stream", disposition: bytes = b"attachment"
) -> bytes:
    """Return `data` in base64 as a part; `disposition` is the raw value of its Content-Disposition."""
    encoded = base64.encodebytes(data).replace(b"\n", CRLF)
    extra = b"Content-Disposition: " + disposition + CRLF + b"Content-Transfer-Encoding: base64" + CRLF
    return entity(content_type, encoded, extra_headers=extra)


def random_data(size_bytes: int, seed: int = 1) -> bytes:
    """Return octets that nothing can compress, the same ones for the same seed."""
    return random.Random(seed).randbytes(size_bytes)
