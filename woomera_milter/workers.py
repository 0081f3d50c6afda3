"""Work on many things at once in bounded memory, results in the order of the things."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_parallel(
    workers: Executor, work: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Iterator[Result]:
    """Yield `work(item)` of each item; at most `ahead` of them wait or run, or are done but not yet taken.

    (Executor.map takes all items in before it gives the first result.)
    """
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            pending.append(workers.submit(work, item))
            if len(pending) >= ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()
