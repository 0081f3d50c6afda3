"""Several servers that run together while a `with` block does."""

from abc import ABC, abstractmethod
from contextlib import ExitStack
from types import TracebackType
from typing import Self


class Running(ABC):
    """Starts what `_start` says; all of it ends with the block, and where one does not start."""

    _cleanup: ExitStack

    @abstractmethod
    def _start(self, stack: ExitStack) -> None:
        """Start them; `stack` is told how each ends."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._start(stack)
            self._cleanup = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cleanup.close()
