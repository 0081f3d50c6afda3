"""Real sendmail: an ordinary user's process, on a high port of 127.0.0.1 and in a folder of its own."""

import contextlib
import os
import shlex
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from rig.mta import sendmail_cf
from rig.mta.sendmail_cf import HOST_NAME, Settings
from rig.process import Process, StartError, free_port, on_host

_NOBODY_UID = 65534
_SBIN = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/lib"


class Sendmail:
    """A sendmail whose .cf is built from the files that we ship; started by `with`, and removed at its end.

    Where the rig runs as root, sendmail runs as `nobody`: what works without rights works with them, and the
    mail of a test reaches no mailbox of this machine. The folder is not below pytest's, which are closed to
    other users.
    """

    def __init__(self, settings: Settings, aliases: Mapping[str, str] | None = None) -> None:
        """Make the folder; raise CfError where m4 finds fault, StartError where sendmail does."""
        self.folder = Path(tempfile.mkdtemp(prefix="woomera-sendmail-"))
        self.queue = self.folder / "mqueue"
        self.client_queue = self.folder / "clientmqueue"
        self.command = self.folder / "sendmail"
        """Runs sendmail with our sendmail.cf and the arguments given: what `milter.sendmail` may name."""
        self.submit_command = self.folder / "submit"
        """Submits mail as the `sendmail` command does, with our submit.cf: what programs would call."""
        self.smtp_port = free_port()
        self._daemon: Process | None = None
        self._daemon_arguments = ["-bD"]
        if settings.queue_every_s is not None:
            self._daemon_arguments.append(f"-q{settings.queue_every_s}s")

        uid = os.getuid() or _NOBODY_UID
        self._write_files(settings, aliases or {}, uid)
        self._write_commands(uid)
        for queue in (self.queue, self.client_queue):
            queue.mkdir(mode=0o700)
        if os.getuid() == 0:
            for path in (self.folder, *self.folder.iterdir()):
                os.chown(path, uid, uid, follow_symlinks=False)
        rebuilt = self.run("-bi")
        if rebuilt.returncode:
            raise StartError(
                f"{self.command} -bi ended with status {rebuilt.returncode}: {rebuilt.stdout}{rebuilt.stderr}"
                "(if unshare is not permitted here: give this host a name with a dot instead)"
            )

    def _write_files(self, settings: Settings, aliases: Mapping[str, str], uid: int) -> None:
        tree = self.folder / "cf"
        sendmail_cf.install_features(tree)
        server_mc = sendmail_cf.server_mc(settings, self.folder, self.smtp_port, uid)
        client_mc = sendmail_cf.submission_mc(self.folder, self.smtp_port, uid)
        maps = {"access": "Connect:127.0.0.1\tRELAY\n", "authinfo": ""}
        files = {
            "sendmail.cf": sendmail_cf.build(server_mc, tree),
            "submit.cf": sendmail_cf.build(client_mc, tree),
            "aliases": "".join(f"{name}: {target}\n" for name, target in aliases.items()),
            "local-host-names": "",
            "trusted-users": "",
            # sendmail asks no DNS: a test must not wait for one that is out of reach.
            "service.switch": "hosts files\naliases files\n",
            **maps,
        }
        for name, text in files.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        for name, text in maps.items():
            argv = [_program("makemap"), "hash", str(self.folder / name)]
            subprocess.run(argv, input=text.encode(), capture_output=True, check=True)

    def _write_commands(self, uid: int) -> None:
        for command, cf_name in ((self.command, "sendmail.cf"), (self.submit_command, "submit.cf")):
            words = [*_ordinary_user(uid), _program("sendmail"), f"-C{self.folder / cf_name}"]
            command.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
            command.chmod(0o755)

    def start(self) -> None:
        """Start the daemon and return once it answers; raise StartError where it does not."""
        # -bD: it stays the process that we started, instead of leaving a child behind whose id is unknown.
        self._daemon = Process(
            [self.command, *self._daemon_arguments], self.folder / "sendmail.log", cwd=self.folder
        )
        self._daemon.wait_until_accepting(self.smtp_port)

    def stop(self) -> None:
        """End the daemon as its init script would; what it had in hand stays in the queue."""
        if self._daemon is not None:
            self._daemon.stop()

    def kill(self) -> None:
        """Take the daemon and the processes that serve its clients away at once, as a crash would."""
        if self._daemon is not None:
            self._daemon.kill()

    def close(self) -> None:
        """Stop, and remove the folder with all mail in it."""
        self.stop()
        shutil.rmtree(self.folder)

    def run(self, *arguments: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Run sendmail with this .cf in the foreground: `run("-bv", "root")`."""
        return subprocess.run(
            [self.command, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )

    def submit(
        self, *arguments: str, message: bytes, timeout_s: float = 60
    ) -> subprocess.CompletedProcess[bytes]:
        """Submit `message` as programs do, by the `sendmail` command; `arguments`: recipients, -f, -t."""
        return subprocess.run(
            [self.submit_command, *arguments],
            input=message,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )

    def flush_queue(self) -> str:
        """Try all queued mail again and return the dialogue, once all of it has been tried."""
        # Without -v sendmail goes into the background for it.
        return self.run("-v", "-q").stdout

    def flush_client_queue(self) -> None:
        """Submit again what the `sendmail` command had to keep because the daemon told it to try later."""
        self.submit("-v", "-q", message=b"")

    def queue_ids(self) -> list[str]:
        """Return the ids of the messages in the queue: delivered in part, not at all, or lost (Qf...).

        Empty control files are none of them: they hold the id of a message that is still being received. A
        sendmail that is killed then leaves one, which queue runs remove once it is 10 minutes old.
        """
        ids = []
        for path in self.queue.glob("[qQ]f*"):
            with contextlib.suppress(FileNotFoundError):  # it has gone meanwhile
                if path.stat().st_size:
                    ids.append(path.name[2:])
        return sorted(ids)

    def log_text(self) -> str:
        """Return what the daemon wrote to its terminal; its log proper goes to syslog, if there is one."""
        return "" if self._daemon is None else self._daemon.log_text()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _program(name: str) -> str:
    path = shutil.which(name, path=_SBIN)
    if path is None:
        raise FileNotFoundError(f"{name} is not installed (looked in {_SBIN}): install sendmail")
    return path


def _ordinary_user(uid: int) -> list[str]:
    """Return the words before a command that make it run as `uid`, on a host whose name has a dot.

    sendmail sleeps for 60 s, before it reads its .cf, where it cannot find a qualified name for its host.
    """
    is_root = os.getuid() == 0
    as_user = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"] if is_root else []
    if _host_name_is_qualified():
        return as_user
    return [*on_host(HOST_NAME), *as_user]


def _host_name_is_qualified() -> bool:
    try:
        name, aliases, _ = socket.gethostbyname_ex(socket.gethostname())
    except OSError:
        name, aliases = socket.gethostname(), []
    return any("." in known for known in (socket.gethostname(), name, *aliases))
