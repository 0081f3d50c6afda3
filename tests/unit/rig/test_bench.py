"""The figures of a benchmark are only worth as much as the arithmetic behind them."""

import random
import sys
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from bench.figures import Ratio, paired_ratio
from bench.peak import peak
from bench.rounds import balanced_orders, interleaved
from bench.table import markdown_table, text_table
from rig.process import Process


def test_a_ratio_is_that_of_each_round_however_busy_the_machine_was() -> None:
    alone = [1.0, 50.0, 2.0, 900.0, 3.0]
    ratio = paired_ratio([it * 1.1 for it in alone], alone)
    assert (ratio.median, ratio.low, ratio.high) == pytest.approx((1.1, 1.1, 1.1))


def test_bounds_lie_around_the_true_ratio_and_narrow_with_more_rounds() -> None:
    noise = random.Random(1)
    few, many = (
        paired_ratio([noise.gauss(1.2, 0.1) for _ in range(rounds)], [1.0] * rounds) for rounds in (20, 500)
    )
    assert few.low < 1.2 < few.high
    assert many.high - many.low < (few.high - few.low) / 2


def test_the_same_figures_have_the_same_bounds() -> None:
    figures = [1.0, 1.3, 0.9, 1.1]
    assert paired_ratio(figures, [1.0] * 4) == paired_ratio(figures, [1.0] * 4)


def test_a_single_round_has_bounds_too() -> None:
    assert paired_ratio([2.0], [1.0]) == Ratio(2.0, 2.0, 2.0)


@pytest.mark.parametrize(
    ("median", "target", "missed"), [(1.05, 1.05, False), (1.051, 1.05, True), (9.0, None, False)]
)
def test_a_target_is_missed_by_a_median_above_it(median: float, target: float | None, missed: bool) -> None:
    assert Ratio(median, median, median, target).missed is missed


@pytest.mark.parametrize("table", [text_table, markdown_table])
def test_a_table_shows_bounds_targets_and_misses(table: Callable[..., str]) -> None:
    shown = table(["size", "ratio"], [["2KB", Ratio(1.2, 1.1, 1.3, 1.05)], ["1MB", Ratio(0.8, 0.7, 0.9)]])
    assert "1.200 [1.100, 1.300] (at most 1.05, MISSED)" in shown
    assert "0.800 [0.700, 0.900]" in shown
    assert shown.count("MISSED") == 1


@pytest.mark.parametrize("count", range(2, 7))
def test_no_candidate_has_a_better_place_than_another(count: int) -> None:
    orders = balanced_orders("abcdef"[:count])
    places = Counter((name, place) for order in orders for place, name in enumerate(order))
    neighbours = Counter(pair for order in orders for pair in pairwise(order))
    assert len(places) == count * count
    assert len(neighbours) == count * (count - 1)
    assert len(set(places.values())) == len(set(neighbours.values())) == 1


def test_the_round_that_warms_up_does_not_count() -> None:
    seconds = iter(range(6))
    takes = {name: lambda: float(next(seconds)) for name in "ab"}
    times = interleaved(takes, 2, lambda _: None)
    assert sorted(times["a"] + times["b"]) == [2, 3, 4, 5]


_TWO_THAT_SHARE_30_MB = """
import os, sys, time
held = bytearray(b"x") * (30 << 20)
os.fork()
more = bytearray(b"x") * (10 << 20)
open(f"{sys.argv[1]}/{os.getpid()}", "w").close()
time.sleep(60)
"""


def test_memory_that_forked_processes_share_counts_once(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    ready.mkdir()
    with Process([sys.executable, "-c", _TWO_THAT_SHARE_30_MB, ready], tmp_path / "log") as server:
        server.wait_until_ready(lambda: len(list(ready.iterdir())) == 2)
        with peak([server.pid]) as found:
            pass
    assert 50 << 20 < found.bytes < 75 << 20
