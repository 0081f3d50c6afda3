"""The most memory that filters hold together, whether they are threads of one process or forked."""

import os
import re
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Self

_EVERY_S = 0.1


class Peak:
    """Looks ten times a second, while the `with` block runs, at the memory of these sessions' processes.

    What counts is the proportional set (Pss, proc(5)): pages that forked processes share count once.
    """

    def __init__(self, session_ids: Collection[int]) -> None:
        """Each process of rig.process begins a session of its own, with its id, for all that it forks."""
        self._session_ids = session_ids
        self._over = Event()
        self._thread = Thread(target=self._watch)
        self.before_bytes = self.bytes = held_bytes(session_ids)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_EVERY_S):
            self.bytes = max(self.bytes, held_bytes(self._session_ids))


def held_bytes(session_ids: Collection[int]) -> int:
    """Return what the processes of these sessions hold at the moment."""
    total_bytes = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(ProcessLookupError, FileNotFoundError):  # it has ended meanwhile
            if os.getsid(int(folder.name)) in session_ids:
                rollup = (folder / "smaps_rollup").read_text(encoding="ascii")
                found = re.search(r"^Pss: +(\d+) kB$", rollup, re.MULTILINE)
                total_bytes += int(found[1]) * 1024 if found else 0
    return total_bytes
