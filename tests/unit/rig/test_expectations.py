"""The checker of samples sees each thing that is wrong: else no sample could fail."""

import base64
import hashlib
from functools import cache
from typing import Any

import pytest

from rig.promises.delivered import Delivered
from rig.promises.expectations import Sample, faults
from rig.promises.phrases import any_of, in_order, words
from rig.promises.shown import Shown, shown
from rig.samples import deliver

PDF = b"%PDF-1.4\n%%EOF\n"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABh6FO1AAAAABJRU5ErkJggg=="
)
MESSAGE = b"""\
From: Sandra Sender <sender@example.com>
Subject: The plan
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: multipart/related; boundary="r"

--r
Content-Type: text/html

<p>First <a href="https://example.com/more">words</a>.</p><img src="cid:i"><p>Last words.</p>

--r
Content-Type: image/png; name="roof.png"
Content-ID: <i>
Content-Transfer-Encoding: base64

%s
--r--
--b
Content-Type: application/pdf; name="plan.pdf"
Content-Transfer-Encoding: base64

%s
--b--
""" % (base64.b64encode(PNG), base64.b64encode(PDF))
MESSAGE = MESSAGE.replace(b"\n", b"\r\n")

ROOF = {"name": "roof.png"}
PLAN = {"name": "plan.pdf", "size": len(PDF), "sha256": hashlib.sha256(PDF).hexdigest()}

RIGHT: list[dict[str, Any]] = [
    {"subject": "The plan"},
    {"text": ["First words.", "Last words."], "text_not": ["middle"]},
    {"page": ["First words.", "[picture roof.png]", "Last words."], "page_not": ["no words"]},
    {"notice": [["Nothing", "First"], "re:L[a-z]+ words"], "notice_not": ["no words"]},
    {"page_lines": ["Last words."], "notice_lines": ["Last words."]},
    {"page_links": ["https://example.com/more"]},
    {"attachments": [PLAN, ROOF]},
    {"attachments": [PLAN], "attachments_at_least": True},
    {"attachments": [ROOF, PLAN | {"saved_as": "plan.pdf", "type": "^application/PDF", "type_not": "text"}]},
    {"attachments": [ROOF, PLAN | {"told": "pdf.*15 bytes", "told_not": "picture"}]},
    {"pictures": ["roof.png"]},
    {"protection": None},
    {"protection": [None, "signed"]},
    {"says": ["TOO LARGE"], "says_not": ["has no text"]},
]
WRONG: list[dict[str, Any]] = [
    {"subject": "The plot"},
    {"text": ["Last words.", "First words."]},
    {"text": ["Other words."]},
    {"text_not": ["First words."]},
    {"page": ["First words.", "Last words.", "[picture roof.png]"]},
    {"page_not": ["[picture roof.png]"]},
    {"notice": ["Other words."]},
    {"notice_not": ["re:F[a-z]+ words"]},
    {"page_lines": ["Last"]},
    {"notice_lines": ["Last"]},
    {"page_links": []},
    {"page_links": ["https://example.com/more", "https://example.com/less"]},
    {"attachments": [PLAN]},
    {"attachments": [PLAN, ROOF, ROOF]},
    {"attachments": [ROOF, PLAN | {"name": "plan"}]},
    {"attachments": [ROOF, PLAN | {"size": 1}]},
    {"attachments": [ROOF, PLAN | {"sha256": "0" * 64}]},
    {"attachments": [ROOF, PLAN | {"saved_as": "plan"}]},
    {"attachments": [ROOF, PLAN | {"type": "^text/"}]},
    {"attachments": [ROOF, PLAN | {"type_not": "pdf"}]},
    {"attachments": [ROOF, PLAN | {"told": "Word"}]},
    {"attachments": [ROOF, PLAN | {"told_not": "pdf"}]},
    {"pictures": ["plan.pdf"]},
    {"protection": "signed"},
    {"says": ["piece 2 of 3"]},
    {"says_not": ["too large"]},
]


@cache
def delivered() -> Delivered:
    return deliver(MESSAGE)


@pytest.mark.parametrize("expected", RIGHT, ids=str)
def test_what_is_right_is_no_fault(expected: dict[str, Any]) -> None:
    assert faults(Sample("sample", MESSAGE, expected), delivered()) == []


@pytest.mark.parametrize("expected", WRONG, ids=str)
def test_what_is_wrong_is_told(expected: dict[str, Any]) -> None:
    assert faults(Sample("sample", MESSAGE, expected), delivered())


def test_a_message_that_is_not_encrypted_must_have_a_page() -> None:
    without = Delivered(delivered().notice, delivered().sidecar, None, delivered().download)

    assert faults(Sample("sample", MESSAGE, {}), without) == ["there is no page"]


@pytest.mark.parametrize(
    ("leaf", "sentence"),
    [
        (
            b"Content-Type: text/plain\r\n\r\nA footer.\r\n",
            "text/plain of 11 octets is neither shown nor listed",
        ),
        (b"Content-Type: image/gif\r\n\r\nGIF89a\r\n", "image/gif of 8 octets is neither shown nor listed"),
    ],
)
def test_a_leaf_that_is_neither_shown_nor_listed_is_told(leaf: bytes, sentence: str) -> None:
    other = MESSAGE.replace(b"--b--", b"--b\r\n" + leaf + b"\r\n--b--")

    assert faults(Sample("sample", other, {}), delivered()) == [sentence]


def test_no_text_must_not_be_told_of_a_message_that_has_one() -> None:
    page = "<p>This message has no text.</p>"
    without = Delivered(delivered().notice, delivered().sidecar, page, delivered().download)

    assert any("'First words.'" in it for it in faults(Sample("sample", MESSAGE, {}), without))


def seen(markup: str) -> Shown:
    return shown(markup, lambda address: f"at {address}")


@pytest.mark.parametrize(
    ("markup", "lines"),
    [
        ("<p>one\ntwo</p>three<br>four", ["one two", "three", "four"]),
        ('<div class="letter text">one\ntwo</div>', ["one", "two"]),
        (
            '<p style="white-space:pre-wrap">one\ntwo</p><pre>three\nfour</pre>',
            ["one", "two", "three", "four"],
        ),
        ("10<sup>6</sup> <s>a</s> <del>b</del> <strike>c</strike>", ["10^6 ~a~ ~b~ ~c~"]),
        ('<span style="text-decoration: line-through">a</span>', ["~a~"]),
        ('<img src="x"><img src="data:image/png;base64,AA==">', ["[picture at x][picture data:]"]),
        ('<ol start="3"><li>c</li><li value="7">g</li></ol>', ["3. c", "7. g"]),
        ('<ol reversed type="I"><li>a</li><li>b</li></ol>', ["II. a", "I. b"]),
        ('<ol type="a" start="26"><li>z</li><li>aa</li></ol><ul><li>x</li></ul>', ["z. z", "aa. aa", "x"]),
        ("<ol><li>a<ol type=i><li>b</li></ol></li><li>c</li></ol>", ["1. a", "i. b", "2. c"]),
        ('<head><title>t</title></head><p hidden>a</p><i style="display: none">b</i>c', ["c"]),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", ["a b", "c"]),
    ],
)
def test_html_is_read_as_a_browser_shows_it(markup: str, lines: list[str]) -> None:
    assert list(seen(markup).lines) == lines


def test_white_space_counts_as_one_blank_and_as_none_between_cjk_letters() -> None:
    assert words(" one\n\t two　三\n四。 五 six ") == "one two 三四。五 six"
    assert any_of("三 四", "三\n四")
    assert list(in_order(["a b", "c"], words("a\nb c"), "it")) == []
    assert list(in_order(["c", "a b"], words("a\nb c"), "it")) == ["it shows 'a b' too early"]
