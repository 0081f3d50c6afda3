"""The lines that delimit parts, as careless mailers announce and write them: no part is lost."""

import pytest

from tests.unit.message.mime.mime_cases import crlf, leaves, outline_of, types_of

IRREGULAR = {
    "no closing delimiter": ("--b\n\none\n--b\n\ntwo", "mixed(text/plain text/plain)"),
    "nothing after the last delimiter": ("--b\n\none\n--b", "mixed(text/plain text/plain)"),
    "closed without a line end": ("--b\n\none\n--b--", "mixed(text/plain)"),
    "preamble and epilogue": ("pre\n--b\n\none\n--b--\nepilogue\n", "mixed(text/plain)"),
    "parts after the close": (
        "--b\n\none\n--b--\n\n--b\n\ntwo\n--b--\n--b--\n",
        "mixed(text/plain text/plain)",
    ),
    "parts after the close of an inner one": (
        "--b\nContent-Type: multipart/related; boundary=c\n\n--c\n\none\n--c--\n--c\n\ntwo\n--b--\n",
        "mixed(related(text/plain text/plain))",
    ),
    "closed before the first part": ("--b--\n--b\n\none\n--b--\n", "mixed(text/plain)"),
    "text, and nothing but a close": ("hello\n--b--\n", "mixed(text/plain)"),
    "a customary preamble, and nothing but a close": (
        "This is a multi-part message in MIME format.\n--b--\n",
        "mixed()",
    ),
    "white space before the closing hyphens": (
        "--b\n\none\n--b --\n--b\n\ntwo\n--b\t --  \nx\n",
        "mixed(text/plain text/plain)",
    ),
    "white space after the boundary": ("--b \t\n\none\n--b--  \n", "mixed(text/plain)"),
    "text that only begins like a delimiter": ("--b\n\n--bc\n--b-\n --b\n-b\n--b--\n", "mixed(text/plain)"),
    "more padding than any mailer adds": ("--b" + " " * 150, "text/plain"),
    "more padding than any mailer adds, and a line end": ("--b" + " " * 150 + "\n", "text/plain"),
    "closed without any part": ("--b--\n", "mixed()"),
    "no delimiter at all": ("just text\n", "text/plain"),
    "empty body": ("", "mixed()"),
    "parts without header or body": ("--b\n--b\n--b--\n", "mixed(text/plain text/plain)"),
    "a header without a body": ("--b\nContent-Type: image/png\n--b--\n", "mixed(image/png)"),
    "no blank line before the text": ("--b\nhello\n--b--\n", "mixed(text/plain)"),
    "an outer delimiter closes the inner": (
        "--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\none\n--b\n\ntwo\n--b--\n",
        "mixed(alternative(text/plain) text/plain)",
    ),
    "an inner one after that is only text": (
        "--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\none\n--b\n\n--c\n--b--\n",
        "mixed(alternative(text/plain) text/plain)",
    ),
    "both use one boundary": (
        "--b\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\none\n--b--\n",
        "mixed(alternative(text/plain))",
    ),
    "both use one boundary, and both close": (
        "--b\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\none\n--b--\n"
        "--b\nContent-Type: image/png\n\n--b--\n",
        "mixed(alternative(text/plain) image/png)",
    ),
    "both use one boundary, and one closes": (
        "--b\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\none\n"
        "--b\nContent-Type: image/png\n\n--b--\n",
        "mixed(alternative(text/plain image/png))",
    ),
    "both use one boundary, and none closes": (
        "--b\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\none\n--b\nContent-Type: image/png\n",
        "mixed(alternative(text/plain image/png))",
    ),
    "the innermost of three has the outermost's boundary": (
        "--b\nContent-Type: multipart/alternative; boundary=b2\n\n--b2\n"
        "Content-Type: multipart/related; boundary=b\n\n--b\n\none\n--b\nContent-Type: image/png\n\n"
        "--b--\n--b2--\n--b\nContent-Type: image/gif\n\n--b--\n",
        "mixed(alternative(related(text/plain image/png)) image/gif)",
    ),
    "the innermost of three has the outermost's boundary and is not closed": (
        "--b\nContent-Type: multipart/alternative; boundary=b2\n\n--b2\n"
        "Content-Type: multipart/related; boundary=b\n\n--b\n\none\n--b\nContent-Type: image/png\n\n"
        "--b2--\n--b\nContent-Type: image/gif\n\n--b--\n",
        "mixed(alternative(related(text/plain image/png)) image/gif)",
    ),
    "a text that has the fields of what it lies in": (
        "--b\nContent-Type: multipart/mixed; boundary=b\n\nhello\n\n--b\nContent-Type: image/png\n\n--b--\n",
        "mixed(mixed(text/plain image/png))",
    ),
    "a customary preamble where both use one boundary": (
        "--b\nContent-Type: multipart/related; boundary=b\n\nA multipart message.\n--b\n\none\n--b--\n",
        "mixed(related(text/plain))",
    ),
    "the inner boundary is the outer's close": (
        "--b\nContent-Type: multipart/alternative; boundary=b--\n\n--b--\n",
        "mixed(alternative(text/plain))",
    ),
    "digest": (
        "--b\nContent-Type: multipart/digest; boundary=c\n\n--c\n\nSubject: x\n\none\n--c--\n--b--\n",
        "mixed(digest(message/rfc822))",
    ),
    "no boundary, but delimiters": (
        "--b\nContent-Type: multipart/alternative\n\n--c\nContent-Type: text/html\n\n--c\n\ntwo\n--b--\n",
        "mixed(alternative(text/html text/plain))",
    ),
    "no boundary, a preamble, and delimiters": (
        "--b\nContent-Type: multipart/alternative\n\npre\n\n--c\nContent-Type: text/html\n\n--c--\n--b--\n",
        "mixed(alternative(text/html))",
    ),
    "no boundary, and delimiters without a header after them": (
        "--b\nContent-Type: multipart/alternative\n\n\n--c \n\none\n--c--\n--b--\n",
        "mixed(alternative(text/plain))",
    ),
    "no boundary, and ruled lines": (
        "--b\nContent-Type: multipart/alternative\n\n-----\n\none\n-----\n\n--b--\n",
        "mixed(text/plain)",
    ),
    "no boundary, and a signature": (
        "--b\nContent-Type: multipart/alternative\n\none\n-- \n--c\n\nx\n--b--\n",
        "mixed(text/plain)",
    ),
    "no boundary but the outer one's": (
        "--b\nContent-Type: multipart/alternative\n\n--b\nContent-Type: image/png\n\n--b--\n",
        "mixed(text/plain image/png)",
    ),
    "no boundary": ("--b\nContent-Type: multipart/alternative\n\none\n--b--\n", "mixed(text/plain)"),
    "absurd content types": (
        "--b\nContent-Type: text\n\n--b\nContent-Type: ;;=\n\n--b\nContent-Type:\n\n"
        "--b\nCONTENT-TYPE: IMAGE/PNG (x)\n\n",
        "mixed(text/plain text/plain text/plain image/png)",
    ),
}


@pytest.mark.parametrize(("body", "types"), IRREGULAR.values(), ids=IRREGULAR)
@pytest.mark.parametrize("line_end", ["\r\n", "\n"], ids=["CRLF", "LF"])
def test_irregular_messages_give_a_tree_that_is_true(body: str, types: str, line_end: str) -> None:
    message = f"Content-Type: multipart/mixed;\n boundary=b\n\n{body}".replace("\n", line_end)
    assert types_of(outline_of(message.encode())) == types


@pytest.mark.parametrize(
    ("content_type", "delimiter"),
    [
        ('multipart/mixed; boundary="foo "', "--foo "),
        ('multipart/mixed; boundary="foo "', "--foo"),
        ("multipart/mixed; boundary=foo", "--foo "),
        ('multipart/mixed; boundary=" foo"', "--foo"),
        ('multipart/mixed; boundary=" foo"', "-- foo"),
        ("multipart/mixed; boundary='foo'", "--foo"),
        ("multipart/mixed; boundary='foo'", "--'foo'"),
        ("multipart/mixed boundary=foo", "--foo"),
        ('multipart/mixed, boundary="foo bar"', "--foo bar"),
        ("multipart/mixed; boundary=foo (a comment)", "--foo"),
        ('multipart/mixed; boundary="foo', "--foo"),
        ("multipart/mixed;\n\tboundary=\n foo", "--foo"),
        ("multipart/mixed;\n \n boundary=foo", "--foo"),
        ("multipart/mixed;\nboundary=foo\nX-More: 1", "--foo"),
        ("multipart/x-unknown; boundary=another", "--foo"),
        ('"multipart/mixed"; boundary=foo', "--foo"),
        ("multipart; boundary=foo", "--foo"),
        ("MULTIPART/Mixed; BOUNDARY=foo", "--foo"),
        ("multipart/mixed; boundary*0=fo; boundary*1=o", "--foo"),
    ],
)
def test_an_ill_announced_boundary_still_delimits(content_type: str, delimiter: str) -> None:
    message = (
        f"Content-Type: {content_type}\n\n{delimiter}\nContent-Type: text/html\n\none\n"
        f"{delimiter}\n\ntwo\n{delimiter}--\n"
    )
    root = outline_of(crlf(message))
    assert types_of(root).partition("(")[2] == "text/html text/plain)"
    assert [leaf.end - leaf.start for leaf in leaves(root)] == [3, 3]


def test_a_boundary_after_which_hyphens_close_a_like_one_delimits() -> None:
    message = 'Content-Type: multipart/mixed; boundary="a --"\n\n--a --\n\none\n--a --\n\ntwo\n--a ----\n'
    assert types_of(outline_of(message.encode())) == "mixed(text/plain text/plain)"


def test_a_delimiter_that_looks_like_a_header_field_ends_the_header() -> None:
    message = crlf(
        'Content-Type: multipart/mixed; boundary="a:b"\n\n'
        "--a:b\nContent-Type: image/png\n--a:b\n\ntext\n--a:b--\n"
    )
    assert types_of(outline_of(message)) == "mixed(image/png text/plain)"
