"""The servers that are measured: sendmails from one .cf that differ in their filter alone, and their needs.

Filters are reached by unix sockets, as the shipped configuration has it: over TCP, Nagle's algorithm and
delayed acknowledgements would make a filter's several small answers wait for 40 ms.
"""

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import yaml

from bench.client import DeliveryError
from rig.lab import BUCKET, base_configuration, environment, merged
from rig.mta.sendmail import Sendmail
from rig.mta.sendmail_cf import Settings
from rig.process import Process, accepts_at, free_port
from rig.running import Running
from rig.servers.s3 import Juicefs

_NOOP_SOURCE = Path(__file__).parent / "noop_milter.c"
_RELAY_PORT = free_port()  # nothing listens there, and nothing goes there: queued mail stays where it is


class Bed(Running):
    """Runs while the `with` block does: `alone` to `both` are sendmails, named after their filters.

    `bare` is Woomera with links to messages alone, neither attachments nor pages.
    """

    alone: Sendmail
    noop: Sendmail
    woomera: Sendmail
    bare: Sendmail
    archive: Sendmail
    both: Sendmail
    s3: Juicefs
    milter: Process
    noop_filter: Process

    def _start(self, stack: ExitStack) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="woomera-bench-")))
        sockets = socket_folder(stack)
        self.s3 = stack.enter_context(Juicefs(folder))
        self.s3.make_bucket(BUCKET)
        noop, woomera, bare, archive = (sockets / it for it in ("noop", "woomera", "bare", "archive"))
        self.alone = stack.enter_context(sendmail_with())
        self.noop = stack.enter_context(sendmail_with(noop))
        self.woomera = stack.enter_context(sendmail_with(woomera))
        self.bare = stack.enter_context(sendmail_with(bare))
        self.archive = stack.enter_context(sendmail_with(archive=archive))
        self.both = stack.enter_context(sendmail_with(woomera, archive))
        self._logs = (folder / "milter.log", folder / "bare.log")
        noop_log = folder / "noop.log"
        self.noop_filter = serve(stack, _noop_command(folder, noop), noop, noop_log, self.noop)
        command = self._woomera_command(folder, woomera, archive)
        self.milter = serve(stack, [*command, "milter"], woomera, self._logs[0], self.woomera)
        links = {"attachments": False, "page": False}
        command_bare = self._woomera_command(folder, bare, archive, links=links)
        serve(stack, [*command_bare, "milter"], bare, self._logs[1], self.bare)
        serve(stack, [*command, "archive-milter"], archive, folder / "archive.log", self.archive)

    def empty_queues(self) -> None:
        """Remove all queued mail and archived copies, lest folders and disk fill up from round to round."""
        sendmails = (self.alone, self.noop, self.woomera, self.bare, self.archive, self.both)
        for folder in (*(it.queue for it in sendmails), self._copies):
            for path in folder.iterdir():
                path.unlink()

    def intercepted_count(self) -> int:
        """Return how many messages the milters say that they have stored and replaced."""
        return sum(it.read_text(encoding="utf-8").count(": intercepted ") for it in self._logs)

    def check_intercepted(self, expected_count: int) -> None:
        """Raise DeliveryError unless that many have been: else something else was measured than was meant."""
        if (count := self.intercepted_count()) != expected_count:
            raise DeliveryError(f"{count} messages were intercepted, not {expected_count}")
        if any(": degraded " in it.read_text(encoding="utf-8") for it in self._logs):
            raise DeliveryError("a notice lacks attachments or page")

    def _woomera_command(
        self, folder: Path, socket_path: Path, archive_socket: Path, **sections: object
    ) -> list[str | Path]:
        spool, self._copies = folder / "spool", folder / "archive"
        spool.mkdir(exist_ok=True)
        self._copies.mkdir(exist_ok=True)
        # The deadline is longer than anybody's: a slow machine shall give slow figures, not none.
        settings = {
            "milter": {"deadline": "4m", "sendmail": str(self.woomera.command)},
            "archive": {"socket": f"unix:{archive_socket}", "spool": str(self._copies), "min_free": 0},
            **sections,
        }
        configuration = merged(base_configuration(self.s3, f"unix:{socket_path}", spool), settings)
        config = folder / f"{socket_path.name}.yaml"
        config.touch(mode=0o600)
        config.write_text(yaml.safe_dump(configuration), encoding="utf-8")
        return [sys.executable, "-m", "woomera_milter", "--config", config]


def sendmail_with(milter: Path | None = None, archive: Path | None = None) -> Sendmail:
    """Return a sendmail, not yet started, whose filters serve these sockets."""
    return Sendmail(
        Settings(
            relay_port=_RELAY_PORT,
            milter_socket=f"unix:{milter}" if milter else None,
            archive_socket=f"unix:{archive}" if archive else None,
            delivery_mode="queue",
        )
    )


def _noop_command(folder: Path, path: Path) -> list[str | Path]:
    program = folder / "noop_milter"
    compiler = ["gcc", "-O2", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([*compiler, "-o", program, _NOOP_SOURCE, "-lmilter", "-lpthread"], check=True)
    return [program, f"unix:{path}"]


def serve(stack: ExitStack, command: list[str | Path], path: Path, log: Path, sendmail: Sendmail) -> Process:
    """Have `stack` run a filter that serves the socket at `path` to `sendmail`; return once it does."""
    process = stack.enter_context(Process(command, log, env=environment()))
    process.wait_until_ready(lambda: accepts_at(path))
    # Where root runs the bench, sendmail is another user, and filters keep their sockets to themselves.
    os.chown(path, sendmail.folder.stat().st_uid, -1)
    return process


def socket_folder(stack: ExitStack) -> Path:
    """Return a folder for sockets, which `stack` will remove."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=_socket_parent())))
    folder.chmod(0o755)
    return folder


def _socket_parent() -> Path:
    """Return a folder for sockets that sendmail takes for safe: none that others can write to is above it."""
    if os.getuid() == 0:
        return Path("/run")
    return Path(os.environ.get("XDG_RUNTIME_DIR") or Path.home())
