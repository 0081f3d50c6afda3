"""The most memory that filters hold together, whether they are threads of one process or forked."""

import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from woomera_milter.clock import every

_EVERY_S = 0.1


@dataclass(slots=True)
class Peak:
    """What was held before, and the most since."""

    before_bytes: int
    bytes: int


@contextmanager
def peak(session_ids: Collection[int]) -> Iterator[Peak]:
    """Look ten times a second, while the `with` block runs, at the memory of these sessions' processes.

    Each process of rig.process begins a session of its own, with its id, for all that it forks. What counts
    is the proportional set (Pss, proc(5)): pages that forked processes share count once.
    """
    before_bytes = held_bytes(session_ids)
    found = Peak(before_bytes, before_bytes)

    def look() -> None:
        found.bytes = max(found.bytes, held_bytes(session_ids))

    with every(_EVERY_S, look):
        yield found


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
