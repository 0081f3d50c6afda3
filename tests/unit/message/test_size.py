"""Promises 1 and 2 hang on the measured size, as docs/CONTRACT.md defines it, and on what proves it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.mail.messages import measured_size
from woomera_milter.message.size import Measure, is_small_in_any_case, proves_small

LINES = st.lists(
    st.one_of(
        st.integers(0, 80),
        st.sampled_from([987, 988, 989, 990, 991, 992, 1978, 1979, 1980, 2039, 2040, 2041, 100_000]),
    ).map(lambda length: b"x" * length),
    max_size=12,
)


CUTS = st.lists(st.integers(1, 3000), min_size=1, max_size=8)


def measured(wire: bytes, cuts: list[int]) -> int:
    measure = Measure()
    position = turn = 0
    while position < len(wire):
        length = cuts[turn % len(cuts)]
        measure.feed(wire[position : position + length])
        position, turn = position + length, turn + 1
    return measure.measured_bytes


@given(LINES, CUTS)
def test_measured_size_is_as_the_contract_defines_it_however_the_octets_arrive(
    lines: list[bytes], cuts: list[int]
) -> None:
    wire = b"".join(line + b"\r\n" for line in lines)
    expected = measured_size(wire) if wire else 0
    assert measured(wire, cuts) == expected


@pytest.mark.parametrize(("line_bytes", "breaks"), [(990, 0), (991, 1), (1978, 1), (1979, 2), (100_000, 101)])
def test_long_line_counts_four_octets_for_each_break_that_sendmail_may_make(
    line_bytes: int, breaks: int
) -> None:
    assert measured(b"x" * line_bytes + b"\r\n", [65_535]) == line_bytes + 2 + 4 * breaks


def test_long_last_line_without_an_end_counts_too() -> None:
    assert measured(b"x" * 991, [100]) == 991 + 4


@given(LINES)
def test_msg_size_never_proves_small_what_is_over_the_limit(lines: list[bytes]) -> None:
    wire = b"".join(line + b"\r\n" for line in lines)
    msg_size = len(wire.replace(b"\r\n", b"\n"))
    limit_bytes = 2 * msg_size + 2048
    assert proves_small(msg_size, limit_bytes, 2048)
    assert not proves_small(msg_size + 1, limit_bytes, 2048)
    assert measured(wire, [4096]) + 2048 <= limit_bytes


def test_a_listing_sifts_out_nearly_all_mail_whatever_its_header() -> None:
    half_less_a_bit_bytes = (5 * 1024 - 700) * 1024
    assert is_small_in_any_case(half_less_a_bit_bytes, 10 * 1024 * 1024, 2048)
    assert not is_small_in_any_case(half_less_a_bit_bytes + 40 * 1024, 10 * 1024 * 1024, 2048)
