"""Parameters of header fields read as their sender meant them, whatever program wrote them."""

import time

import pytest

from woomera_milter.message.parameters import parameters

PARAMETERS = {
    "token": (b" text/plain; charset=utf-8", "charset", b"utf-8"),
    "quoted": (b' a/b; name="x; y.pdf"', "name", b"x; y.pdf"),
    "escaped quotes": (rb' a/b; name="a \"b\" c.pdf"', "name", b'a "b" c.pdf'),
    "a path's backslashes": (rb' a/b; name="C:\temp\x.pdf"', "name", rb"C:\temp\x.pdf"),
    "bare with spaces": (b" a/b; name=my file.pdf ; x=y", "name", b"my file.pdf"),
    "spaces around": (b' a/b ;\r\n\tNAME = "x"', "name", b"x"),
    "unclosed quote": (b' a/b; name="x.pdf', "name", b"x.pdf"),
    "raw 8-bit": (b' a/b; name="\xe4.pdf"', "name", b"\xe4.pdf"),
    "the first of two": (b" a/b; name=a; name=b", "name", b"a"),
    "charset": (b" a; filename*=UTF-8''%e2%82%ac%20rates.pdf", "filename", "€ rates.pdf".encode()),
    "charset and language": (b" a; filename*=iso-8859-1'en'%A3%20rates", "filename", "£ rates".encode()),
    "extended wins": (b" a; filename=x.pdf; filename*=utf-8''y.pdf", "filename", b"y.pdf"),
    "pieces": (b' a; filename*0="one "; filename*1="two.pdf"', "filename", b"one two.pdf"),
    "pieces out of order": (
        b" a; filename*1=b; filename*0=a; filename*10=d; filename*2=c",
        "filename",
        b"abcd",
    ),
    "pieces with a charset": (
        b" a; name*0*=utf-8''%C3; name*1*=%BC; name*2=%41.pdf",
        "name",
        "ü%41.pdf".encode(),
    ),
    "extended without a charset": (b" a; name*=%C3%BC.pdf", "name", "ü.pdf".encode()),
    "unknown charset": (b" a; name*=x-none''%C3%BC.pdf", "name", "ü.pdf".encode()),
    "both kinds of piece": (b" a; name*=utf-8''a; name*0=b", "name", b"ab"),
    "absurd numbers": (b" a; name*99999999999=a; name*1=b", "name", b"b"),
    "no semicolon": (b' attachment filename="x.pdf"', "filename", b"x.pdf"),
    "no semicolon, a token": (b" attachment filename=my file.pdf", "filename", b"my file.pdf"),
    "no semicolon between two": (b' a/b; name="x.pdf" charset="utf-8"', "charset", b"utf-8"),
    "no semicolon after a token": (b" a; filename=x.pdf size=123", "filename", b"x.pdf"),
    "no semicolon, folded": (b' application/pdf\r\n\tname="x.pdf"', "name", b"x.pdf"),
    "nothing before the name": (b' filename="x.pdf"', "filename", b"x.pdf"),
    "nothing but a semicolon before it": (b'; name="x.pdf"', "name", b"x.pdf"),
    "semicolons without end": (b' a/b;; ; name="x.pdf";;', "name", b"x.pdf"),
    "quotes within quotes": (b' a/b; name="a "quoted" name.pdf"', "name", b'a "quoted" name.pdf'),
    "quotes at the end of quotes": (b' a/b; name="say "hi""; x=y', "name", b'say "hi"'),
    "quotes within quotes, then another": (
        b' a; filename="a "b" c.pdf"; size=5; filename*0=x',
        "size",
        b"5",
    ),
    "an inch": (b' a; filename="12" pipe.pdf"; size=5', "filename", b'12" pipe.pdf'),
    "something after the quotes": (b' a; filename="x.pdf"y; size=5', "filename", b"x.pdf"),
    "semicolon within quotes": (b' a; filename="a; b.pdf"; size=5', "filename", b"a; b.pdf"),
    "unclosed quote before another": (b' a; filename="x.pdf; size=5', "filename", b"x.pdf"),
    "unclosed quote before a quoted one": (b' a/b; name="x.pdf; charset="utf-8"', "charset", b"utf-8"),
    "single quotes": (b" a; filename='x y.pdf'", "filename", b"x y.pdf"),
    "an equals sign in a bare name": (b" a; filename=a b=c.pdf; x=y", "filename", b"a b=c.pdf"),
    "encoded word with a question mark": (
        b' a; filename="=?UTF-8?Q?what_is_this?_yes!.pdf?="',
        "filename",
        b"=?UTF-8?Q?what_is_this=3F_yes!.pdf?=",
    ),
    "encoded word that begins again after a question mark": (
        b' a; filename="=?UTF-8?Q?what?=20?.pdf?= =?utf-8?q?x?="',
        "filename",
        b"=?UTF-8?Q?what=3F=20=3F.pdf?= =?utf-8?q?x?=",
    ),
    "bare encoded word with a semicolon": (
        b" a; filename==?utf-8?q?a;b.pdf?=; size=5",
        "filename",
        b"=?utf-8?q?a;b.pdf?=",
    ),
    "extended and quoted": (b" a; filename*=\"utf-8''%C3%BC.pdf\"", "filename", "ü.pdf".encode()),
    "extended with an apostrophe too few": (b" a; filename*=UTF-8'%C3%BC.pdf", "filename", "ü.pdf".encode()),
    "extended, whose apostrophes are a name's": (
        b" a; filename*=it's o'clock.pdf",
        "filename",
        b"it's o'clock.pdf",
    ),
    "extended and empty beside a plain one": (
        b" a; filename*=utf-8''; filename=x.pdf",
        "filename",
        b"x.pdf",
    ),
    "extended and unreadable beside a plain one": (
        b" a; filename=x.pdf; filename*=shift_jis''%81",
        "filename",
        b"x.pdf",
    ),
    "the same piece twice": (b" a; filename*0=a; filename*1=b; filename*0=c", "filename", b"ab"),
    "pieces without their semicolons": (b' a filename*0="a" filename*1="b"', "filename", b"ab"),
    "encoded word in pieces": (
        b' a; name*0="=?utf-8?q?=C3"; name*1="=BC.pdf?="',
        "name",
        b"=?utf-8?q?=C3=BC.pdf?=",
    ),
}


@pytest.mark.parametrize(("value", "name", "expected"), PARAMETERS.values(), ids=PARAMETERS)
def test_parameters_are_read_in_every_form_that_mailers_send(
    value: bytes, name: str, expected: bytes
) -> None:
    assert parameters(value).get(name) == expected


HOSTILE = {
    "parameters": b"; name=x" * 100_000,
    "parameters without semicolons": b' name="x"' * 100_000,
    "unclosed quotes": b'; name="x' * 100_000,
    "quotes that end nowhere": b'; x="y"z' * 100_000,
    "quotes within quotes": b'; name="' + b'a "b" ' * 100_000,
    "quotes, and semicolons between": b'; name="a"b; size=' * 60_000,
    "escapes": b'; name="' + rb"\"\\" * 200_000,
    "blanks": b"; name" + b" " * 1_000_000 + b"x",
    "blanks in a bare name": b"; name=x" + b" x" * 500_000,
    "blanks after quotes": b'; name="' + b'"  ' * 300_000 + b"x",
    "stars": b"; name*0*" * 100_000,
    "one piece again and again": b"; name*0=x" * 100_000,
    "pieces": b"".join(b"; name*%d*=%%41" % number for number in range(100_000)),
    "huge numbers": b"; name*" + b"9" * 1_000_000 + b"=x",
    "openings of encoded words": b"; name=" + b"=?a?q?" * 150_000,
    "openings of quoted encoded words": b'; name="' + b"=?a?q?" * 150_000 + b'"',
    "apostrophes": b"; name*=" + b"'" * 1_000_000,
    "known names": b"; name=x" + b" name" * 200_000,
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_a_megabyte_of_hostile_parameters_is_read_in_linear_time(value: bytes) -> None:
    started_at = time.process_time()
    parameters(value)
    assert time.process_time() - started_at < 5
