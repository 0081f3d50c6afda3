"""Header fields are taken as they were sent, up to the first line that is none."""

import pytest

from woomera_milter.message.fields import HeaderField, first, parse_header_block


def test_fields_are_taken_as_they_were_sent() -> None:
    block = (
        b"From a@example.com Mon Nov 23 10:00:00 2026\r\n"
        b"received: by mx\r\n\tfor <b@example.com>\r\n"
        b"SUBJECT:no space\xff \r\n"
        b"X-Old : obsolete\r\n"
        b"X-Empty:\r\n"
        b"X-Colon: a:b\r\n"
        b"\r\n"
        b"Body: not a field\r\n"
    )
    assert parse_header_block(block) == [
        HeaderField("received", b" by mx\r\n\tfor <b@example.com>"),
        HeaderField("SUBJECT", b"no space\xff "),
        HeaderField("X-Old", b" obsolete"),
        HeaderField("X-Empty", b""),
        HeaderField("X-Colon", b" a:b"),
    ]


def test_line_feeds_alone_give_the_same_fields_as_crlf() -> None:
    block = b"A: 1\r\n two\r\nB: 2\r\n"
    assert parse_header_block(block.replace(b"\r\n", b"\n")) == parse_header_block(block)


@pytest.mark.parametrize(
    ("block", "names"),
    [
        (b"A: 1\r\nno field\r\nB: 2\r\n", ["A"]),
        (b"A: 1", ["A"]),
        (b"", []),
        (b"\r\nA: 1\r\n", []),
        (b": nameless\r\nA: 1\r\n", []),
        ("Ä: 1\r\nA: 1\r\n".encode(), []),
    ],
    ids=["no field", "no line end", "empty", "blank line first", "nameless", "name beyond ASCII"],
)
def test_fields_end_at_the_first_line_that_is_none(block: bytes, names: list[str]) -> None:
    assert [field.name for field in parse_header_block(block)] == names


def test_the_first_of_several_fields_is_found_in_any_case() -> None:
    headers = [HeaderField("subject", b" one"), HeaderField("Subject", b" two")]
    assert first(headers, "SUBJECT") == b" one"
    assert first(headers, "From") is None
