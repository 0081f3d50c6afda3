"""What `woomera check` says of this host: Python and libmilter, the user, the socket's folder, the spool."""

import os
import platform
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from woomera_milter import config
from woomera_milter.check.finding import Finding, failure, passed, warning
from woomera_milter.config.values import GB, MB, format_size
from woomera_milter.message.spool import SpooledMessage

_ROOT = 0


def look(configuration: config.Config, max_message_bytes: int | None) -> Iterator[Finding]:
    """Yield what is to be said of the host; `max_message_bytes`: sendmail's MaxMessageSize, if known."""
    settings = configuration.milter
    yield _libraries()
    if settings.spool.exists():
        yield user(settings.spool, settings.spool.stat().st_uid, os.geteuid())
    yield from socket_folder("milter.socket", settings.socket, settings.spool)
    yield from _spool(settings.spool, settings.max_concurrent, max_message_bytes)


def _libraries() -> Finding:
    python = f"Python {platform.python_version()}"
    try:
        from woomera_milter.milter import connection
    except ImportError as error:
        return failure(
            "libmilter",
            f"{python} cannot load it: {error}",
            "install it (Amazon Linux: sendmail-milter, Debian: libmilter1.0.1), then "
            "pip install --force-reinstall pymilter",
        )
    return passed("libmilter", f"{python}, libmilter {connection.libmilter_version()}")


def user(spool: Path, owner_uid: int, uid: int) -> Finding:
    """Say whether it is the milter's user, the owner of its spool, who looks.

    What others may do says little of what it may.
    """
    name, owner = _name_of(uid), _name_of(owner_uid)
    if owner_uid == _ROOT:
        return warning(
            "user",
            f"the milter's spool, {spool}, belongs to root",
            "give it to a user of its own, and run the milter as that",
        )
    if uid != owner_uid:
        return warning(
            "user",
            f"{name}, while {owner} runs the milter: what it may do is not what is tried here",
            f"run `runuser -u {owner} -- woomera check`",
        )
    return passed("user", f"{name}, whose spool it is")


def socket_folder(subject: str, socket: str, spool: Path) -> Iterator[Finding]:
    """Say whether the milter, whose spool it is, can make its unix socket, and sendmail will take it.

    sendmail takes none below a folder that others may write to (measured with 8.17.1 as root: "Group
    writable directory", "World writable directory").
    """
    if not socket.startswith("unix:"):
        return
    folder = Path(socket.removeprefix("unix:")).parent
    try:
        facts = {it: it.stat() for it in (folder, *folder.parents)}
    except OSError as error:
        yield failure(
            subject,
            f"{folder} cannot be looked at ({error.strerror})",
            f"make {folder}, owned by the milter's user, mode 0755; deploy/systemd/woomera.tmpfiles does so",
        )
        return
    open_to_others = [it for it, fact in facts.items() if fact.st_mode & (stat.S_IWGRP | stat.S_IWOTH)]
    owner_uid = facts[folder].st_uid
    if open_to_others:
        yield failure(
            subject,
            f"sendmail refuses sockets below {open_to_others[0]}, which others may write to",
            f"chmod go-w {folder}" if open_to_others == [folder] else "use a folder below /run",
        )
    elif spool.exists() and (milter_uid := spool.stat().st_uid) != owner_uid:
        yield failure(
            subject,
            f"{folder} belongs to {_name_of(owner_uid)}, so {_name_of(milter_uid)} can make no socket there",
            f"chown {_name_of(milter_uid)} {folder}",
        )
    else:
        yield passed(subject, f"the milter can make a socket in {folder}, and sendmail takes it")


def _spool(folder: Path, max_concurrent: int, max_message_bytes: int | None) -> Iterator[Finding]:
    SpooledMessage(folder).close()  # raises TemporaryError where it cannot be written to
    disk = os.statvfs(folder)
    free_bytes = disk.f_bavail * disk.f_frsize
    unit = GB if free_bytes >= 10 * GB else MB
    free = format_size(free_bytes // unit * unit)
    if max_message_bytes is None:
        yield passed("milter.spool", f"{folder} can be written to, {free} are free")
        return
    need_bytes = 2 * max_concurrent * max_message_bytes  # attachments are decoded there, too
    room = f"{max_concurrent} messages of {format_size(max_message_bytes)} at a time, with their attachments,"
    if free_bytes < need_bytes:
        yield warning(
            "milter.spool",
            f"{folder} has {free} free, and {room} need {format_size(need_bytes)}",
            "use a larger disk, or lower milter.max_concurrent or confMAX_MESSAGE_SIZE",
        )
    else:
        yield passed("milter.spool", f"{folder} can be written to, and {free} free hold {room.rstrip(',')}")


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
