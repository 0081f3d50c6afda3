"""What `woomera check` says of the archive on this host: mail passes without it, so nobody else would."""

import socket
from datetime import datetime

from woomera_milter import config
from woomera_milter.archive_spool import ArchiveSpool
from woomera_milter.attention import LONGEST_WAIT
from woomera_milter.check import Finding
from woomera_milter.errors import WoomeraError

_TIMEOUT_S = 5.0


def run(configuration: config.Config, now: datetime) -> list[Finding]:
    """Return what is to be said of spool, backlog and milter."""
    spool = ArchiveSpool(configuration.archive.spool, configuration.archive.min_free)
    return [_room(spool), _backlog(spool, now), _milter(configuration.archive.socket)]


def _room(spool: ArchiveSpool) -> Finding:
    try:
        spool.check_room()
    except WoomeraError as error:
        problem = error.problem.removeprefix("archive.spool: ")
        return Finding("failure", "archive.spool", f"no copies are kept: {problem}", error.remedy)
    return Finding("pass", "archive.spool", f"there is room in {spool.folder}", "")


def _backlog(spool: ArchiveSpool, now: datetime) -> Finding:
    try:
        copies = spool.copies()
        waits_since = min((copy.kept_at() for copy in copies[:1]), default=now)
    except (WoomeraError, OSError):  # the latter: it has just gone to S3
        copies, waits_since = [], now
    detail = f"{len(copies)} copies wait for their way to S3"
    if now - waits_since <= LONGEST_WAIT:
        return Finding("pass", "archive", detail, "")
    return Finding(
        "failure",
        "archive",
        f"{detail}, the oldest since {waits_since:%Y-%m-%d %H:%M} UTC",
        "run `woomera archive`, see what it says, and have a timer run it",
    )


def _milter(address: str) -> Finding:
    if _answers(address):
        return Finding("pass", "archive.socket", "the archive milter answers", "")
    return Finding(
        "failure",
        "archive.socket",
        f"nobody answers at {address}: mail passes without a copy",
        "start `woomera archive-milter`",
    )


def _answers(address: str) -> bool:
    kind, _, place = address.partition(":")
    try:
        if kind in ("unix", "local"):
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(_TIMEOUT_S)
                probe.connect(place)
        else:
            port, _, host = place.partition("@")
            socket.create_connection((host or "127.0.0.1", int(port)), _TIMEOUT_S).close()
    except OSError:
        return False
    return True
