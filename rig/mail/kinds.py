"""The kinds of message that people and programs really send, and some that only an attacker would.

Each table maps a name for humans to a maker of a template; `of_kind` fills it to a measured size.
"""

from collections.abc import Callable

from rig.mail.messages import FILL, entity, file_part, filled, header_section, multipart, text_part

_MIME = b"MIME-Version: 1.0\r\n"
_ALL_BUT_LINE_ENDS = bytes(octet for octet in range(256) if octet not in b"\r\n")

Makers = dict[str, Callable[[], bytes]]


def of_kind(name: str, size_bytes: int | None = None) -> bytes:
    """Return a message of that kind, with that measured size (None: as short as it may be)."""
    return filled((EXACT | INEXACT | REFUSED)[name](), size_bytes)


def _message(
    content: bytes = b"", *, extra_headers: bytes = b"", subject: str = "Quarterly figures"
) -> bytes:
    return header_section(subject=subject) + extra_headers + _MIME + (content or text_part())


def _unstructured(body: bytes) -> bytes:
    """Return a message without MIME (RFC 5322 alone)."""
    return header_section() + b"\r\n" + body


def _eight_bit(charset: str) -> bytes:
    text = "Zürich, Malmö, Besançon: größer als zehn Megabyte.\r\n".encode(charset)
    extra = b"Content-Transfer-Encoding: 8bit\r\n"
    return _message(entity(f"text/plain; charset={charset}", text + FILL, extra_headers=extra))


def _binary_ish() -> bytes:
    body = (_ALL_BUT_LINE_ENDS + b"\r\n") * 50 + FILL
    extra = b"Content-Transfer-Encoding: 8bit\r\n"
    return _message(entity("application/octet-stream", body, extra_headers=extra))


def _long_lines(*lengths: int) -> bytes:
    return _message(entity("text/plain", b"".join(b"x" * it + b"\r\n" for it in lengths) + FILL))


def _dots() -> bytes:
    return _unstructured(b".\r\n..\r\n.dot\r\n...\r\n\r\n.\r\n" + FILL + b".\r\n")


def with_headers_of(size_bytes: int) -> bytes:
    """Return the template of a message with that many octets of header fields, a few more or less."""
    field = b"X-Rig-Trace: " + b"t" * 62 + b"\r\n"
    return _message(extra_headers=field * (size_bytes // len(field)))


def _folded_headers() -> bytes:
    extra = (
        b"X-Folded: one\r\n two\r\n\tthree\r\n \t four  \r\n"
        b"X-Tight:no space after the colon\r\n"
        b"X-Empty:\r\n"
        b"X-Blank-Fold: a\r\n \r\n b\r\n"
        b"x-CASE: kept\r\n"
        b"References: <1@example.com>\r\n <2@example.com>\r\n\t<3@example.com>\r\n"
    )
    return _message(extra_headers=extra)


def _eight_bit_headers() -> bytes:
    extra = (
        "Comments: größer (UTF-8)\r\n".encode()
        + "Keywords: größer (Latin-1)\r\n".encode("latin-1")
        + b"X-Invalid: \xff\xfe\x80\r\n"
        + b"X-Control: a\x01b\x1bc\x7fd\r\n"
    )
    return _message(extra_headers=extra, subject="Größer als 10 MB")


def _nested() -> bytes:
    html = entity(
        "text/html; charset=utf-8", b'<p>See <b>the figures</b>: <img src="cid:logo@example.com"></p>\r\n'
    )
    logo = file_part(
        b"\x89PNG not really",
        content_type="image/png",
        disposition=b'inline; filename="logo.png"\r\nContent-ID: <logo@example.com>',
    )
    related = multipart("related", html, logo, boundary="=_related")
    alternative = multipart("alternative", text_part(), related, boundary="=_alternative")
    forwarded = entity("message/rfc822", b"Subject: forwarded\r\n\r\nThe forwarded text.\r\n")
    figures = file_part(
        b"1;2;3\r\n" * 100, content_type="text/csv", disposition=b'attachment; filename="a.csv"'
    )
    return _message(multipart("mixed", alternative, figures, forwarded, boundary="=_mixed"))


def _named(*dispositions: bytes) -> bytes:
    parts = [file_part(b"contents %d" % number, disposition=it) for number, it in enumerate(dispositions)]
    return _message(multipart("mixed", text_part(), *parts))


def _rfc_2231_names() -> bytes:
    return _named(
        b"attachment; filename*=utf-8''Z%C3%BCrich%20%E2%82%AC.pdf",
        b"attachment;\r\n filename*0*=iso-8859-1'de'Gr%F6%DF;\r\n filename*1=\"enangaben.xlsx\"",
        b"attachment; filename=plain.txt; filename*=utf-8''b%C3%A9tter.txt",
    )


def _rfc_2047_names() -> bytes:
    return _named(
        b'attachment; filename="=?utf-8?q?Z=C3=BCrich_Pl=C3=A4ne.pdf?="',
        b'attachment; filename="=?iso-2022-jp?b?GyRCNEE7ehsoQg==?="',
        b'attachment;\r\n filename="=?utf-8?b?w4k=?=\r\n =?utf-8?b?dMOpLmRvY3g=?="',
    )


def _hostile_headers() -> bytes:
    extra = (
        b'Reply-To: "</td><script>alert(1)</script>" <sender@example.com>\r\n'
        b"X-Injected: =?utf-8?q?a=0D=0ABcc:_victim@example.net?=\r\n"
        b"X-Overlong-Word: =?utf-8?b?" + b"QUFB" * 100 + b"?=\r\n"
        b"X-Broken-Word: =?no-such-charset?q?=ZZ?= =?utf-8?b?%%%?=\r\n"
    )
    subject = (
        "=?utf-8?q?a=0D=0ABcc:_victim@example.net=0D=0A=0D=0A<script>alert(1)</script>?="
        " {{ 7 * 7 }} {% raw %} =?utf-8?b?4oCuZ3BqLmV4ZQ==?="
    )
    return _message(extra_headers=extra, subject=subject)


def _hostile_names() -> bytes:
    return _named(
        b'attachment; filename="../../../etc/passwd"',
        b'attachment; filename="C:\\\\Windows\\\\system32\\\\evil.exe"',
        b'attachment; filename="\\"><script>alert(1)</script>.html"',
        b"attachment; filename*=utf-8''a%0D%0ABcc%3A%20victim%40example.net.txt",
        b"attachment; filename*=utf-8''invoice%E2%80%AEgpj.exe",
        b"attachment; filename*=utf-8''%00%01%1B%7F",
        b'attachment; filename="javascript:alert(1)"',
        b'attachment; filename="' + b"n" * 400 + b'.pdf"',
        b'attachment; filename="."',
        b'attachment; filename=""',
        b"attachment; filename*=no-such-charset''%FF%FE; filename*9=lost",
        b"attachment",
    )


def _signed() -> bytes:
    signature = file_part(
        b"not a signature",
        content_type="application/pkcs7-signature; name=smime.p7s",
        disposition=b'attachment; filename="smime.p7s"',
    )
    return _message(
        multipart(
            "signed",
            text_part(),
            signature,
            parameters='; protocol="application/pkcs7-signature"; micalg=sha-256',
        )
    )


def _encrypted() -> bytes:
    version = entity("application/pgp-encrypted", b"Version: 1\r\n")
    armour = b"-----BEGIN PGP MESSAGE-----\r\n\r\n" + FILL + b"-----END PGP MESSAGE-----\r\n"
    return _message(
        multipart(
            "encrypted",
            version,
            entity("application/octet-stream", armour),
            parameters='; protocol="application/pgp-encrypted"',
        )
    )


def _smime() -> bytes:
    extra = b'Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename="smime.p7m"\r\n'
    return _message(
        entity("application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", FILL, extra_headers=extra)
    )


EXACT: Makers = {
    "plain text": _message,
    "no MIME headers": lambda: _unstructured(b"Just text.\r\n" + FILL),
    "empty lines only": lambda: _unstructured(b"\r\n\r\n" + FILL + b"\r\n\r\n"),
    "lines of dots": _dots,
    "8-bit UTF-8": lambda: _eight_bit("utf-8"),
    "8-bit Latin-1": lambda: _eight_bit("iso-8859-1"),
    "binary-ish": _binary_ish,
    "lines of 990 and 991 octets": lambda: _long_lines(990, 991),
    "lines at the break": lambda: _long_lines(1978, 1979, 1980, 2040, 2041),
    "a line of 100,000 octets": lambda: _long_lines(100_000),
    "a line of 1 MB": lambda: _long_lines(1024 * 1024),
    "folded headers": _folded_headers,
    "8-bit headers": _eight_bit_headers,
    "30 kB of headers": lambda: with_headers_of(30_000),
    "duplicate Content-Type": lambda: _message(extra_headers=b"Content-Type: text/html\r\n"),
    "duplicate Subject and From": lambda: _message(
        extra_headers=b"Subject: Again\r\nFrom: Another <another@example.com>\r\n"
    ),
    "DKIM signature": lambda: _message(extra_headers=b"DKIM-Signature: v=1; a=rsa-sha256;\r\n\tb=AAAA\r\n"),
    "nested multipart": _nested,
    "RFC 2231 names": _rfc_2231_names,
    "RFC 2047 names": _rfc_2047_names,
    "HTML only": lambda: _message(text_part(b"<h1>Figures</h1><p>See <a href='/x'>this</a>.\r\n", "html")),
    "multipart without an end": lambda: _message(
        entity("multipart/mixed; boundary=b", b"--b\r\n\r\ntext\r\n" + FILL)
    ),
    "multipart without a boundary": lambda: _message(entity("multipart/mixed", b"--b\r\n\r\n" + FILL)),
    "hostile headers": _hostile_headers,
    "hostile names": _hostile_names,
    "signed": _signed,
    "encrypted": _encrypted,
    "S/MIME": _smime,
}
"""What is stored of them is, byte for byte, what the client sent."""

INEXACT: Makers = {
    "no final newline": lambda: _unstructured(FILL + b"The last line, without an end"),
    "space before the colon": lambda: _message(extra_headers=b"X-Spaced : value\r\n"),
    "NUL in a header": lambda: _message(extra_headers=b"X-Nul: a\0b\r\n"),
    "mbox From line": lambda: b"From sender@example.com Tue Nov 24 09:00:00 2026\r\n" + _message(),
    "non-ASCII header name": lambda: _message(extra_headers="X-Größe: 1\r\n".encode()),
    "no blank line": lambda: header_section() + b"This is no header field.\r\n" + FILL,
}
"""The milter protocol does not show a few of their octets."""

REFUSED: Makers = {
    "bare LF": lambda: _unstructured(b"a line\nand another\r\n" + FILL),
    "bare CR": lambda: _unstructured(b"a line\rand another\r\n" + FILL),
}
"""Their line ends are not SMTP's (RFC 5321 section 2.3.8): sendmail may refuse them before any milter."""
