"""Octets made a little different, and made as few as will still do."""

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

MAX_BYTES = 16 * 1024

_ALPHABETS = bytes(range(256)), b"\0\t\n\r \"'()*,-.:;<=>?@[\\]_`{|}~\x7f\x80\xa0\xc3\xff"
_ODD_VALUES: Sequence[object] = (
    *(None, True, 0, -1, 0.5, 1e11, 1e308, float("nan"), 10**30),
    *("", "\ud800", "20", "a\u2028b\r\n.\r\n", "<script>", "done", "milter"),
    *("2026-11-24T09:00:00Z", "2026-11-24T09:00:00", "2026-11-24"),
    *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"),
    *([], {}, [None], {"": {}}, [["From", "a@example.com"]]),
)
TEXTS: Sequence[bytes] = (
    b"null",
    b"NaN",
    b"-1",
    b"{",
    b"}",
    b"[",
    b'""',
    b'"\\ud800"',
    b"1e999",
    b"[" * 2000,
    b"9" * 20,
)
"""JSON as text, in pieces."""


def mutated(data: bytes, others: Sequence[bytes], fragments: Sequence[bytes], chance: random.Random) -> bytes:
    """Return `data` with a few changes; pieces of `others` and of `fragments` are put in."""
    for _ in range(chance.choice((1, 1, 1, 2, 3, 5))):
        data = _changed(data, chance.choice(others), chance.choice(fragments), chance)
    return data[:MAX_BYTES]


def _changed(data: bytes, other: bytes, fragment: bytes, chance: random.Random) -> bytes:
    start, end = _slice(data, chance)
    other_start, other_end = _slice(other, chance)
    piece, rest = data[start:end], data[end:]
    match chance.randrange(8):
        case 0:
            piece = b""
        case 1:
            piece *= chance.choice((2, 2, 3, 10, 100))
        case 2:
            piece = fragment
        case 3:
            piece = fragment + piece
        case 4:
            piece = bytes(chance.choices(chance.choice(_ALPHABETS), k=chance.choice((1, 2, 4))))
        case 5:
            piece = other[other_start:other_end]
        case 6:  # the beginning of one, the end of another
            rest = other[other_end:]
        case 7:  # moved to the place of something else
            data, piece = data[:start] + rest, data[start:end]
            start, end = _slice(data, chance)
            rest = data[end:]
    return data[:start] + piece + rest


def _slice(data: bytes, chance: random.Random) -> tuple[int, int]:
    """Any octets, mostly few; or whole lines, since mail is made of them."""
    start = chance.randint(0, len(data))
    end = min(len(data), start + chance.choice((0, 1, 2, 8, 60, 1000)))
    if chance.random() < 0.5:
        start = data.rfind(b"\n", 0, start) + 1
        end = data.find(b"\n", end) + 1 or len(data)
    return start, end


def mutated_json(data: bytes, chance: random.Random) -> bytes:
    """Return the JSON document with a value in it, or all of it, made another; raise ValueError."""
    root = [json.loads(data)]
    container, key = chance.choice(list(_places(root)))
    match chance.randrange(4):
        case 0 if container is not root:
            del container[key]
        case 1:
            container[key] = [container[key]]
        case 2:
            other, other_key = chance.choice(list(_places(root)))
            container[key] = json.loads(json.dumps(other[other_key]))  # a copy, lest it hold itself
        case _:
            container[key] = chance.choice(_ODD_VALUES)
    return json.dumps(root[0]).encode()[:MAX_BYTES]


def _places(container: Any) -> Iterator[tuple[Any, Any]]:
    """Every list and object in it, each with each of its keys."""
    keys = list(container) if isinstance(container, dict) else range(len(container))
    for key in keys:
        yield container, key
        if isinstance(container[key], list | dict):
            yield from _places(container[key])


def minimal(data: bytes, still_fails: Callable[[bytes], bool], timeout_s: float) -> bytes:
    """Return `data` without what can be left out, as far as the time goes."""
    ends_at = time.monotonic() + timeout_s
    step = len(data)
    while step:
        before = len(data)
        at = 0
        while at < len(data) and time.monotonic() < ends_at:
            shorter = data[:at] + data[at + step :]
            if still_fails(shorter):
                data = shorter
            else:
                at += step
        if len(data) == before or step > 1:
            step //= 2
    return data
