"""A picture within HTML takes no room from the words around it."""

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from woomera_milter.text.markup.data_urls import beginning_of_words

HEAD = b"<img src='data:image/png;base64,"
LETTER = b"<p>a</p>" + HEAD + b"A" * 5000 + b"'>b" + HEAD + b"B" * 300 + b"'>c"


def in_chunks(octets: bytes, size_bytes: int) -> Iterator[bytes]:
    return (octets[start : start + size_bytes] for start in range(0, len(octets), size_bytes))


@pytest.mark.parametrize("size_bytes", [1, 7, 300, 10_000])
def test_words_after_a_large_picture_are_kept_and_the_picture_goes(size_bytes: int) -> None:
    words, is_all = beginning_of_words(in_chunks(LETTER, size_bytes), 1000, 1000)

    assert words == LETTER.replace(b"A" * 5000, b"")
    assert is_all


def test_pictures_stay_as_far_as_there_is_room_for_them() -> None:
    assert beginning_of_words([LETTER], 1000, 5300) == (LETTER, True)
    assert beginning_of_words([LETTER], 1000, 5299) == (LETTER.replace(b"B", b""), True)
    assert beginning_of_words([b"words " * 100], 12, 1000) == (b"words words ", False)


@given(st.lists(st.sampled_from([b"a", HEAD, b"QUJD", b"'>", b"data:", b" "])), st.integers(1, 40))
def test_where_there_is_room_all_stays(pieces: list[bytes], size_bytes: int) -> None:
    octets = b"".join(pieces)

    assert beginning_of_words(in_chunks(octets, size_bytes), 10_000, 10_000) == (octets, True)


@pytest.mark.parametrize("unit", [HEAD, b"data:image/", HEAD + b"A", b"data:image/a;a;a", b"A", HEAD + b"'"])
def test_hostile_pictures_take_linear_time(unit: bytes) -> None:
    octets = unit * (4_000_000 // len(unit))

    began = time.process_time()
    beginning_of_words(in_chunks(octets, 65_536), 4_000_000, 1_000_000)

    assert time.process_time() - began < 2
