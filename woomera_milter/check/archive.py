"""What `woomera check` says of the archive on this host: mail passes without it, so nobody else would."""

import contextlib
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from woomera_milter import config
from woomera_milter.archive.spool import ArchiveSpool
from woomera_milter.check import milter
from woomera_milter.check.finding import Finding, failure, passed
from woomera_milter.check.host import socket_folder
from woomera_milter.errors import WoomeraError
from woomera_milter.report.matters import LONGEST_WAIT

_SMALL = 0  # {msg_size} of a message that is not kept


def look(configuration: config.Config, now: datetime) -> Iterator[Finding]:
    """Yield what is to be said of spool, backlog and milter."""
    settings = configuration.archive
    spool = ArchiveSpool(settings.spool, settings.min_free)
    yield _room(spool)
    yield from _others(spool.folder)
    yield _backlog(spool, now)
    yield from socket_folder("archive.socket", settings.socket, settings.spool)
    mailer = next(iter(configuration.milter.mailers), "relay")
    yield milter.answers(milter.ARCHIVE, settings.socket, mailer, _SMALL)


def _room(spool: ArchiveSpool) -> Finding:
    try:
        spool.room.check()
    except WoomeraError as error:
        problem = error.problem.removeprefix("archive.spool: ")
        return failure("archive.spool", f"no copies are kept: {problem}", error.remedy)
    return passed("archive.spool", f"there is room in {spool.folder}")


def _others(folder: Path) -> Iterator[Finding]:
    """What lies there is mailed as it is, whoever wrote it."""
    with contextlib.suppress(OSError):  # a folder that cannot be looked at is told already
        if folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            yield failure("archive.spool", f"others may put mail into {folder}", f"chmod 700 {folder}")


def _backlog(spool: ArchiveSpool, now: datetime) -> Finding:
    try:
        copies = spool.copies()
        waits_since = min((copy.kept_at() for copy in copies[:1]), default=now)
    except (WoomeraError, OSError):  # the latter: it has just gone to S3
        copies, waits_since = [], now
    detail = f"{len(copies)} copies wait for their way to S3"
    if now - waits_since <= LONGEST_WAIT:
        return passed("archive", detail)
    return failure(
        "archive",
        f"{detail}, the oldest since {waits_since:%Y-%m-%d %H:%M} UTC",
        "run `woomera archive`, see what it says, and have a timer run it",
    )
