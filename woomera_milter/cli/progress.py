"""Progress bars on stderr, where that is a terminal and somebody may be waiting."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from woomera_milter import log


class _Bars:
    """Bars that are shown while the `with` block runs."""

    def __init__(self, count: ProgressColumn) -> None:
        console = Console(file=sys.stderr)
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            count,
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        log.write_to(sys.stderr)  # which rich has replaced, so that log lines stand above the bars
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()
        log.write_to(sys.stderr)


class SweepBars(_Bars):
    """Shows how far a sweep is."""

    def __init__(self) -> None:
        super().__init__(MofNCompleteColumn())
        self._scan = self._bars.add_task("archived objects", total=None)
        self._send = self._bars.add_task("notices", total=None, visible=False)

    def scanned(self, count: int) -> None:
        """So many more objects have been looked at."""
        self._bars.advance(self._scan, count)

    def sending(self, total: int) -> None:
        """So many notices are about to go out."""
        looked_at = self._bars.tasks[self._scan].completed
        self._bars.update(self._scan, total=looked_at)
        self._bars.update(self._send, total=total, visible=True)

    def sent(self) -> None:
        """One more of them is dealt with."""
        self._bars.advance(self._send)


class ReportBar(_Bars):
    """Shows how far the reading for a report is."""

    def __init__(self) -> None:
        super().__init__(MofNCompleteColumn())
        self._read = self._bars.add_task("objects read", total=None)

    def read(self, count: int) -> None:
        """So many more objects have been read."""
        self._bars.advance(self._read, count)


class ArchiveBar(_Bars):
    """Shows how far copies are on their way to S3; about right: in wire form they are a little longer."""

    def __init__(self) -> None:
        super().__init__(DownloadColumn(binary_units=True))
        self._moved = self._bars.add_task("archive", total=None)

    def expect(self, total_bytes: int) -> None:
        """So much is to be moved."""
        self._bars.update(self._moved, total=total_bytes)

    def done(self, size_bytes: int) -> None:
        """So much more is."""
        self._bars.advance(self._moved, size_bytes)
