"""Pieces of hostile mail, for fuzzing and for property tests."""

from collections.abc import Sequence

DELIMITERS = [
    b"--b\n",
    b"--b--\r\n",
    b"--b \t\n",
    b"\n--b",
    b"--c\n",
    b"--c--\n",
    b"--bc\n",
    b"--a:b\n",
    b"--a =b\n",
    b"--b --\n",
    b"--d\nContent-Type: a/b\n\n",
]
MIME_FIELDS = [
    b"Content-Type: multipart/mixed; boundary=c\n",
    b"Content-Type: multipart/digest; boundary=b\n",
    b"Content-Type: multipart/related; boundary='b '\n",
    b"Content-Type: multipart/mixed boundary=c\n",
    b"Content-Type: multipart/x\n\n",
    b'Content-Type: multipart/mixed; boundary="a:b"\n',
    b'Content-Type: multipart/mixed; boundary="a =b"\n',
    b'Content-Type: multipart/alternative; boundary="b--"\n',
    b"Content-Type: text/html; charset=utf-7\n",
    b"Content-Type: message/rfc822\n",
    b"Content-Transfer-Encoding: base64\n",
    b"Content-Transfer-Encoding: x-uuencode\n",
    b"Content-Transfer-Encoding: quoted-printable\n",
    b'Content-Disposition: attachment; filename="..\\x/"\n',
    b"Content-Disposition: x; filename*0*=hex''%ff; filename*=a\n",
]
BODIES = [
    b"\n",
    b"\r\n",
    b" ",
    b"=",
    b"==",
    b"=\n",
    b"QUJD",
    b"QQ==",
    b"= \n",
    b"begin 644 a b\n",
    b"begin-base64 644 a\n",
    b"#86)C\n",
    b"M\n",
    b"`\nend\n",
    b"\n====\n",
    b"x" * 149,
    b"\x00",
    b"\xff",
    b"text\n",
    b"+2AA-",
    b"\x1b$B-!",
    b"\x1b(B",
    b"\x1b$",
    b"\x0e",
    b"\xad\xa1",
    b"\xf9\xd8",
    b"\xa3\xe1",
    b"=?a?q?b??=",
    b"=?iso-2022-jp?b?GyRC?=",
]
MARKUP = [b"<meta charset=koi8-r>", b"<p>", b"<!--", b"&#99999999999;"]

FIELD_SYNTAX = rb"""< > ( ) [ ] " \ , ; : @ =?utf-8?q?=C3?= =?utf-8?b?w7w?= <a@example.com>""".split()
FIELD_ODDITIES = [
    b" ",
    b"\x00",
    b"\xff",
    b"\xc3\xbc",
    b"<\xc3\xbc@example.com>",
    b"a@b\xc3\xbccher.example",
    b"a@stra\xc3\x9fe.example",
    b"\xef\xbc\x9e",
]
FIELD_BREAKS = [b"\r\n ", b"\r\n", b"\n\t", b"\r", b"\r\nX-Injected: 1"]

ADDRESS_PIECES = [
    "(",
    '"',
    "<",
    "[",
    "\\",
    ",",
    ":",
    '<"',
    '"<',
    r'"\"',
    r'"\",',
    "<a",
    "[a",
    "(<",
    "<@,",
    "a.",
]
ADDRESS_PIECES += ["a@", "a@b.c,", '"a" ', "()", "=?a?q?", r'<"a\"', ". ", " ", "\r\n ", "\xff"]

# What would act in a notice, or pass there for a link of ours.
ACTING = [
    "https://evil.example/",
    "\nhttps://evil.example/\n",
    "\r\n.\r\nBcc: victim@example.com\r\n\r\n",
    "\u2028https://evil.example",
    "\x85www.evil.example",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "</style></title></td><style>*{display:none}",
    "{{ 7 * 7 }}{% raw %}",
    "--=_woomera_",
    "\u202egpj.exe",
    "]]>&lt;b&gt;&#x3c;",
]

XSS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><animate onbegin=alert(1)>",
    "<svg><script href=data:,alert(1) />",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    "<form action='https://evil.example'><input autofocus onfocus=alert(1)></form>",
    "<body onload=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<style>@import 'https://evil.example/x.css';</style>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href=https://evil.example/>",
    "<img src='cid:logo@example.com\" onerror=\"alert(1)'>",
    "<img src='cid:logo@example.com' alt='\" onerror=alert(1) x=\"'>",
    "<p style='background:url(https://evil.example/)'>x",
    "<table background='https://evil.example/x.png'><tr><td>x",
    "<video poster=https://evil.example/ src=https://evil.example/></video>",
    "<<script>alert(1)//<</script>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->",
    "<xmp><img src=x onerror=alert(1)></xmp><plaintext><img src=x onerror=alert(1)>",
    "<textarea><img src=x onerror=alert(1)></textarea><title><img src=x onerror=alert(1)></title>",
    "\x00<scr\x00ipt>alert(1)</scr\x00ipt>",
]
TAGS = ["<b>", "</b>", "<p>", "</p>", "<table>", "<tr>", "<td>", "</table>", "<li>", "<ul>", "</ul>", "<!--"]
TAGS += [
    "<ol start=3 type=a>",
    "<ol reversed>",
    "<li value=5>",
    "<span style='display:none'>",
    "</span>",
    "<pre>\n",
]
TAGS += [
    "<p style='white-space:pre-wrap'>a\n b",
    "<i style='text-decoration:line-through'>",
    "<sup>",
    "<template>",
]
TAGS += [
    "<img src='data:image/png;base64,AAAA'>",
    "<img src=data:image/svg+xml;base64,AAAA>",
    "<textarea>",
    "</title>",
]
TAGS += [
    "<!-->",
    "--!>",
    "<![if !mso]>",
    "<![CDATA[",
    "<plaintext>",
    "<b style='font-weight:normal'>",
    "<tr hidden>",
]
TAGS += [
    "<a href='https://e.example'>",
    "</a>",
    "-->",
    '"',
    "'",
    ">",
    "<",
    "&",
    "&lt;",
    "&#60;",
    "text",
    "\u202e",
]

FROM_LINE = b"From a@example.com Tue Nov 24 06:00:00 2026\n"
MBOX_PIECES = [
    FROM_LINE,
    b"\n",
    b"\n\n",
    b"text\n",
    b"From",
    b" ",
    b">From x\n",
    b"Subject: x\n",
    b"x" * 70,
    b"\r.",
    b"\0",
]

# Fields and parameters at which the readers branch.
_MORE_FIELDS = [
    b"From: A <a@example.com>\r\n",
    b"To: b@example.org, C <c@example.org>\r\n",
    b"To: a\xe2\x80\xaeb@example.org, c\x01d@example.org\r\n",
    b"Resent-To: d@example.org\r\n",
    b"Bcc: hidden@example.org\r\n",
    b"Subject: =?utf-8?q?=C3=BC?= =?utf-8?b?w7w=?=\r\n",
    b"Date: Tue, 24 Nov 2026 05:24:00 +0000\r\n",
    b"X-Woomera-Id: x\r\n",
    b"Content-ID: <logo@example.com>\r\n",
    b"Content-Disposition: inline\r\n",
    b"Content-Type: image/png; name*=utf-8''%C3%BC.png\r\n",
    b"Content-Type: text/html\r\n",
    b"Content-Length: 10\n",
    b"; charset=iso-2022-jp",
    b"; charset=utf-16",
    b"; filename*0=a; filename*1*=%41",
    b"<img src='cid:logo@example.com'>",
    b"-----BEGIN PGP MESSAGE-----\r\n",
]

FILE_NAMES = [
    "con.txt",
    "lpt1",
    ".hidden",
    "../../a/b.pdf",
    "C:\\a.exe",
    "a\u202egpj.exe",
    "a. .",
    "\u212b.pdf",
    "x" * 250,
]


def of_mail() -> Sequence[bytes]:
    """Return all of them that may stand in a message."""
    octets = [*DELIMITERS, *MIME_FIELDS, *BODIES, *MARKUP, *FIELD_SYNTAX, *FIELD_ODDITIES, *FIELD_BREAKS]
    texts = [*ADDRESS_PIECES, *ACTING, *XSS, *TAGS, *FILE_NAMES]
    return [*octets, *(it.encode() for it in texts), *MBOX_PIECES, *_MORE_FIELDS]
