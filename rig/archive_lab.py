"""The archive's path on loopback: client, sendmail, archive milter, its spool, `woomera archive`, S3.

The main milter stands before it where a test asks for both.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rig.lab import ArchiveMilter, Milter, base_configuration, environment, merged
from rig.mta.sendmail import Sendmail
from rig.mta.sendmail_cf import Settings
from rig.mta.smtp import Exchange, SmtpClient
from rig.process import Process, free_port
from rig.running import Running
from rig.servers.s3 import S3Server
from rig.servers.ses import Ses


@dataclass(frozen=True, slots=True)
class Kept:
    """A copy in the archive's spool."""

    path: Path
    envelope: dict[str, Any]
    message: bytes


class Archiving:
    """A configuration, its archive spool and `woomera archive`; no sendmail. `folder` must exist."""

    def __init__(self, folder: Path, configuration: Mapping[str, Any]) -> None:
        self.folder = folder
        self.spool = folder / "archive"
        self.spool.mkdir()
        self.milter = ArchiveMilter(
            merged({"archive": {"spool": str(self.spool), "min_free": 0}}, configuration), folder
        )

    @property
    def command(self) -> list[str]:
        """`woomera` with the configuration, to which a command is added."""
        return [sys.executable, "-m", "woomera_milter", "--config", str(self.milter.config_path)]

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run `woomera archive` to its end."""
        return self.run_job("archive", *arguments)

    def run_job(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run any command of `woomera` to its end."""
        argv = [*self.command, *map(str, words)]
        return subprocess.run(
            argv, env=environment(), capture_output=True, text=True, timeout=120, check=False
        )

    def start(self, log_path: Path) -> Process:
        """Start `woomera archive`, to be killed; the caller ends it."""
        return Process([*self.command, "archive"], log_path, env=environment())

    def kept(self) -> list[Kept]:
        """Return the copies in the spool, oldest first."""
        return [
            Kept(path, json.loads(path.with_suffix(".json").read_bytes()), path.read_bytes())
            for path in sorted(self.spool.glob("[!.]*.eml"))
        ]


class ArchiveLab(Archiving, Running):
    """Runs all of it while the `with` block does; `with_main_milter` puts `woomera milter` before it."""

    def __init__(
        self,
        folder: Path,
        s3: S3Server,
        *,
        configuration: Mapping[str, Any] | None = None,
        with_main_milter: bool = False,
        limit_bytes: int = 1024 * 1024,
        aliases: Mapping[str, str] | None = None,
        **sendmail_settings: Any,
    ) -> None:
        """`configuration` is laid over one that suits the rig, section by section."""
        self.ses = Ses(limit_bytes=limit_bytes)
        main_socket, archive_socket = (f"inet:{free_port()}@127.0.0.1" for _ in range(2))
        settings = {"archive_socket": archive_socket} | sendmail_settings
        if with_main_milter:
            settings |= {"milter_socket": main_socket}
        self.sendmail = Sendmail(Settings(relay_port=self.ses.port, **settings), aliases)
        base = base_configuration(s3, main_socket, folder / "spool")
        base["milter"]["sendmail"] = str(self.sendmail.command)
        base["mail"] = {"host": self.ses.host, "port": self.ses.port}
        base["archive"] = {
            "socket": archive_socket,
            "spool": str(folder / "archive"),
            "min_size": 100 * 1024,
            "min_free": 0,
        }
        super().__init__(folder, merged({"limit": limit_bytes} | base, configuration or {}))
        (folder / "spool").mkdir()
        main = folder / "main"
        main.mkdir()
        self.main_milter = Milter(self.milter.configuration, main) if with_main_milter else None

    def send(
        self,
        message: bytes,
        recipients: tuple[str, ...],
        *,
        sender: str = "sender@example.com",
        **parameters: str,
    ) -> Exchange:
        """Send one message on a connection of its own; `parameters` as for SmtpClient.send."""
        with SmtpClient(self.sendmail.smtp_port) as client:
            return client.send(message, sender=sender, recipients=recipients, **parameters)

    def _start(self, stack: ExitStack) -> None:
        stack.callback(self.sendmail.close)
        stack.enter_context(self.ses)
        for milter in (self.main_milter, self.milter):
            if milter is not None:
                milter.start()
                stack.callback(milter.kill)
        self.sendmail.start()
