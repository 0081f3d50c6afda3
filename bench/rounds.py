"""Things that are compared, taken in turn: the machine is noisy, so each round has one of each."""

from collections.abc import Callable, Mapping, Sequence


def interleaved(
    takes: Mapping[str, Callable[[], float]], rounds: int, say: Callable[[str], None]
) -> dict[str, list[float]]:
    """Return the seconds of each take in each round; before these, a round that does not count warms up."""
    orders = balanced_orders(list(takes))
    times: dict[str, list[float]] = {name: [] for name in takes}
    for number in range(rounds + 1):
        say(f"round {number} of {rounds}")
        for name in orders[number % len(orders)]:
            took_s = takes[name]()
            if number:
                times[name].append(took_s)
    return times


def balanced_orders(names: Sequence[str]) -> list[list[str]]:
    """Return orders in which each name comes first, second, ... and last equally often, and after each other.

    These are Williams' designs: one order goes in and out, 0, 1, n-1, 2, n-2, ..., and each further one
    counts from the next name. For an odd number of names they do that only together with their reverses.
    """
    count = len(names)
    zigzag = [(place + 1) // 2 if place % 2 else -(place // 2) for place in range(count)]
    orders = [[names[(start + step) % count] for step in zigzag] for start in range(count)]
    return orders + [order[::-1] for order in orders] if count % 2 else orders
