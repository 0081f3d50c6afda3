"""A compressed copy is unpacked as it is read, to a bound, however it is cut; what cannot be is settled."""

import gzip
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from rig.mail.messages import message
from tests.fakes.bucket import MemoryStore
from tests.fakes.outbox import Outbox
from tests.unit.sweep.sweeps import KEY, LIMIT_BYTES, OVER, run
from woomera_milter.errors import FrozenError
from woomera_milter.sweep.unpacking import MOST_TIMES, UnfitCopyError, opened

PACKED_KEY = f"{KEY}.gz"
UNDER = message(LIMIT_BYTES)


def cut(octets: bytes, length: int) -> Iterator[bytes]:
    return (octets[at : at + length] for at in range(0, len(octets), length))


def read(octets: bytes, length: int = 1000, most_bytes: int = 1 << 20) -> bytes:
    return b"".join(opened(cut(octets, length), most_bytes)[1])


@pytest.mark.parametrize("length", [1, 7, 1000, 1 << 20])
@pytest.mark.parametrize(
    "pack",
    [
        pytest.param(bytes, id="plain"),
        pytest.param(gzip.compress, id="compressed"),
        pytest.param(lambda it: gzip.compress(it[:99]) + gzip.compress(it[99:]), id="two members"),
        pytest.param(lambda it: gzip.compress(it) + bytes(512), id="zeros after it"),
    ],
)
def test_octets_come_out_as_they_were_however_they_are_cut(
    pack: Callable[[bytes], bytes], length: int
) -> None:
    octets = OVER[:20_000]
    assert read(pack(octets), length) == octets


@pytest.mark.parametrize("octets", [b"", b"x", b"\x1f"])
def test_octets_too_short_to_be_compressed_are_left_alone(octets: bytes) -> None:
    assert read(octets) == octets


def test_a_bomb_is_given_up_at_the_bound() -> None:
    lengths: list[int] = []
    pieces = opened(iter([gzip.compress(bytes(1 << 26))]), 1 << 20)[1]
    with pytest.raises(UnfitCopyError, match="larger unpacked"):
        lengths.extend(map(len, pieces))
    assert max(lengths) <= 1 << 18
    assert sum(lengths) <= 1 << 20


@pytest.mark.parametrize(
    "spoil", [lambda it: it[:-1], lambda it: it[:500], lambda it: it[:20] + b"x" + it[21:]]
)
def test_damaged_octets_are_an_error(spoil: Callable[[bytes], bytes]) -> None:
    with pytest.raises(UnfitCopyError, match="cannot be unpacked"):
        read(spoil(gzip.compress(OVER)))


@pytest.mark.parametrize("key", [KEY, PACKED_KEY], ids=["by its octets", "by its name"])
@pytest.mark.parametrize("level", [0, 9])
def test_a_compressed_copy_is_announced_with_the_message_as_it_was(
    level: int, key: str, store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    packed = gzip.compress(OVER, level)
    if level and key == KEY:  # what a listing shows as half the limit or less is small, unless its name tells
        packed += bytes(LIMIT_BYTES // 2)
    store.put_octets(key, packed)
    assert run(store, outbox, tmp_path).notified == 1
    (stored,) = (it.octets for name, it in store.objects.items() if name.endswith("/message.eml"))
    assert stored == OVER


@pytest.mark.parametrize("level", [0, 9])
@pytest.mark.parametrize("key", [KEY, PACKED_KEY])
def test_a_compressed_copy_within_the_limit_is_small(
    key: str, level: int, store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    store.put_octets(key, gzip.compress(UNDER, level))
    assert run(store, outbox, tmp_path).over_limit == 0


def test_a_copy_that_cannot_be_unpacked_is_named_once_until_it_is_another(
    store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    store.put_octets(PACKED_KEY, gzip.compress(OVER)[:-1])
    first, second = (run(store, outbox, tmp_path) for _ in range(2))
    assert [(it.key, "cannot be unpacked" in it.reason) for it in first.failed] == [(PACKED_KEY, True)]
    assert first.unsettled == []
    assert (second.failed, second.given_up, second.over_limit, second.unsettled) == ([], 1, 1, [])

    store.advance(timedelta(minutes=1))
    store.put_octets(PACKED_KEY, gzip.compress(OVER))
    assert run(store, outbox, tmp_path).notified == 1


def test_a_frozen_copy_is_named_once(store: MemoryStore, outbox: Outbox, tmp_path: Path) -> None:
    def freeze(what: str, key: str) -> None:
        if (what, key) == ("get", KEY):
            raise FrozenError("it is frozen")

    store.put_octets(KEY, message(LIMIT_BYTES * 3 // 4))  # so that it has to be read to be known
    store.on_step = freeze
    first, second = (run(store, outbox, tmp_path) for _ in range(2))
    assert [(it.key, it.reason) for it in first.failed] == [(KEY, "it is frozen")]
    assert (first.unsettled, second.failed, second.given_up) == ([], [], 1)


def test_the_ratio_by_which_a_listing_bounds_what_is_compressed_holds() -> None:
    assert len(gzip.compress(bytes(1 << 24))) * MOST_TIMES >= 1 << 24
