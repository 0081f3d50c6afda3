"""Where web addresses in plain text begin and end, and that it takes linear time to tell."""

import html
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from woomera_milter.text.web_addresses import linked

ADDRESSES = {
    "See https://en.wikipedia.org/wiki/Hello_(disambiguation) and": [
        "https://en.wikipedia.org/wiki/Hello_(disambiguation)"
    ],
    "(https://example.com/a).": ["https://example.com/a"],
    "(see https://example.com/a_(b))": ["https://example.com/a_(b)"],
    "[text](https://example.com/a)[1]": ["https://example.com/a"],
    "https://example.com/?a[0]=1&b={c}": ["https://example.com/?a[0]=1&b={c}"],
    "https://example.com/a, https://example.com/b; https://example.com/c...": [
        "https://example.com/a",
        "https://example.com/b",
        "https://example.com/c",
    ],
    "Really https://example.com/a?!": ["https://example.com/a"],
    "<https://example.com/d/e>": ["https://example.com/d/e"],
    "<URL:HTTPS://example.com/d>": ["HTTPS://example.com/d"],
    "\"https://example.com/a\" 'https://example.com/b'": ["https://example.com/a", "https://example.com/b"],
    "“https://example.com/a” «https://example.com/b»": ["https://example.com/a", "https://example.com/b"],
    "*https://example.com/a* _https://example.com/b_ https://example.com/c_": [
        "https://example.com/a",
        "https://example.com/b",
        "https://example.com/c_",
    ],
    "请看https://example.com/b\uff08中文说明\uff09后\uff0c谢谢": ["https://example.com/b"],
    "《书》http://example.com/c《另一》": ["http://example.com/c"],
    "https://example.com/a。https://example.com/b、と「https://example.com/c」": [
        "https://example.com/a",
        "https://example.com/b",
        "https://example.com/c",
    ],
    "https://example.com/aをご覧ください": ["https://example.com/a"],
    "https://example.comをご覧ください": ["https://example.com"],
    "https://example.com/をご覧ください": ["https://example.com/"],
    "https://example.com/a를 참고": ["https://example.com/a"],
    "https://ja.wikipedia.org/wiki/日本 と http://例え.jp/a": [
        "https://ja.wikipedia.org/wiki/日本",
        "http://例え.jp/a",
    ],
    "http://münchen.example/straße": ["http://münchen.example/straße"],
    "https://example.com/Michelson\u2013Morley \u2013 and": ["https://example.com/Michelson\u2013Morley"],
    "انظر https://example.com/a، شكرا": ["https://example.com/a"],
    "https://web.archive.org/web/2020/https://example.com/": [
        "https://web.archive.org/web/2020/https://example.com/"
    ],
    "http://localhost:8080/x http://[::1]:80/y http://10.0.0.1/z": [
        "http://localhost:8080/x",
        "http://[::1]:80/y",
        "http://10.0.0.1/z",
    ],
    "https://example.com/#!/a;b=1,2:3@4~5": ["https://example.com/#!/a;b=1,2:3@4~5"],
    "See www.example.com/a. mailwww.example.com x@www.example.com": ["http://www.example.com/a"],
    "http:// http://. https://? xhttp:/a ftp://example.com javascript:alert(1) a@example.com": [],
}


def addresses(text: str) -> list[str]:
    return [html.unescape(target) for target in re.findall(r'<a href="([^"]*)"', linked(text))]


@pytest.mark.parametrize(("text", "found"), ADDRESSES.items())
def test_address_ends_where_its_writer_ended_it(text: str, found: list[str]) -> None:
    assert addresses(text) == found


@given(
    st.lists(
        st.sampled_from(["http://", "www.", "a", "(", ")", "[", ".", "(", "<", '"', "&", "'", "中", "\uff08"])
    )
)
def test_text_stays_as_it_is_and_nothing_in_it_is_markup(pieces: list[str]) -> None:
    text = "".join(pieces)

    shown = linked(text)

    tags = re.sub(r'<a href="[^"<>]*" rel="noopener noreferrer nofollow">([^<>]*)</a>', r"\1", shown)
    assert not set(tags) & set("<>\"'")
    assert html.unescape(tags) == text


@pytest.mark.parametrize(
    "unit",
    [
        "http://",
        "http://a/(",
        'http://a/"',
        "http://a/)",
        "http://a.",
        "http://a/[(",
        "www.a",
        "http://a/a@",
        "http://a/((((",
        "http://a中",
        ".",
        "//",
        "http://a/.",
        "http://a/'",
    ],
)
def test_hostile_text_takes_linear_time(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))

    began = time.process_time()
    linked(text)
    linked("http://a/" + unit[-1] * 1_000_000)

    assert time.process_time() - began < 4
