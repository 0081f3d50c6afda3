"""How many copies this host has moved to S3, by UTC day, exactly, though runs are many and may be killed.

In the archive's spool, a line a copy in `.shipped-YYYY-MM-DD`: written when S3 has verified the copy, before
the copy is removed. A run that is killed between these two sends the copy once more, under the same name, and
a name counts once. So the sum of a day is always to be had anew, and what stands in the bucket may be
overwritten with it as often as one likes: `stats/YYYY-MM-DD/HOST-archive.json` has a single writer, which the
spool's lock sees to. What a kill can cost is a copy that counts on two days, if it comes in that instant
around midnight; what a power cut can cost is the last lines, which are not synced.
"""

import contextlib
import os
import socket
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from woomera_milter import log
from woomera_milter.errors import Reason, WoomeraError
from woomera_milter.store.documents import ArchiveDay, Backlog, written
from woomera_milter.store.keys import archive_day_key
from woomera_milter.store.tallies import Amount

if TYPE_CHECKING:
    from woomera_milter.archive.spool import ArchiveSpool
    from woomera_milter.store.objects import Store

_PREFIX = ".shipped-"


def record(folder: Path, name: str, size_bytes: int, day: date) -> None:
    """Note that S3 has the copy `name`. Raise OSError. Safe to use from many threads at once."""
    descriptor = os.open(
        folder / f"{_PREFIX}{day.isoformat()}", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600
    )
    try:
        os.write(descriptor, f"{name} {size_bytes}\n".encode())
    finally:
        os.close(descriptor)


def by_day(folder: Path) -> dict[date, Amount]:
    """Return what was moved on each day that is not forgotten yet. Raise OSError."""
    days = {}
    for path in folder.glob(f"{_PREFIX}*"):
        with contextlib.suppress(ValueError):  # somebody else's: no day
            days[date.fromisoformat(path.name.removeprefix(_PREFIX))] = path
    return {day: _sum(path.read_text("utf-8", "replace")) for day, path in sorted(days.items())}


def forget_before(folder: Path, day: date) -> None:
    """Remove the lines of earlier days, whose sums are in the bucket. Raise OSError."""
    for earlier in by_day(folder):
        if earlier < day:
            (folder / f"{_PREFIX}{earlier.isoformat()}").unlink()


def tell_report(store: "Store", spool: "ArchiveSpool") -> None:
    """Put what this host has shipped, and what still waits, where `woomera report` finds it.

    It has to be called with the spool locked. What goes wrong costs the report something, and nobody else.
    """
    now, host = datetime.now(UTC), socket.gethostname()
    try:
        waiting = spool.copies()
        oldest_at = min((copy.kept_at() for copy in waiting[:1]), default=None)
        backlog = Backlog(len(waiting), sum(copy.size_bytes for copy in waiting), oldest_at)
        days = {now.date(): Amount()} | by_day(spool.folder)
        for day, archived in days.items():
            document = ArchiveDay(host=host, day=day, written_at=now, archived=archived, backlog=backlog)
            store.put_json(archive_day_key(day, host), written(document))
        forget_before(spool.folder, now.date())
    except (WoomeraError, OSError) as error:
        log.not_counted(Reason.ARCHIVE, str(error))


def _sum(lines: str) -> Amount:
    sizes: dict[str, int] = {}
    for line in lines.splitlines():
        name, _, size_bytes = line.partition(" ")
        if size_bytes.isdigit():  # else a power cut has left half of a line
            sizes[name] = int(size_bytes)
    return Amount(len(sizes), sum(sizes.values()))
