"""Things that are compared, taken in turn: the machine is noisy, so each round has one of each."""

from collections.abc import Callable, Mapping
from itertools import permutations


def interleaved(
    takes: Mapping[str, Callable[[], float]], rounds: int, say: Callable[[str], None]
) -> dict[str, list[float]]:
    """Return the seconds of each take in each round; before these, a round that does not count warms up.

    Each take comes first, second and last equally often, and after each other one.
    """
    orders = list(permutations(takes))
    times: dict[str, list[float]] = {name: [] for name in takes}
    for number in range(rounds + 1):
        say(f"round {number} of {rounds}")
        for name in orders[number % len(orders)]:
            took_s = takes[name]()
            if number:
                times[name].append(took_s)
    return times
