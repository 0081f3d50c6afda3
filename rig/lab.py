"""The whole path on loopback: client -> sendmail -> milter -> S3 and the stand-in for SES, each one real.

What the demo shows, the tests prove and the benchmarks time is this one arrangement.
"""

import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

from rig.mta.sendmail import Sendmail
from rig.mta.sendmail_cf import Settings
from rig.process import Process, accepts, accepts_at, free_port, on_host
from rig.running import Running
from rig.servers.s3 import S3Server
from rig.servers.ses import Ses

BUCKET = "large-mail"
Configuration = dict[str, Any]


class Milter:
    """`woomera milter`, a process of its own, with the configuration given."""

    command = "milter"
    section = "milter"

    def __init__(self, configuration: Configuration, folder: Path, host: str | None = None) -> None:
        """Write the configuration to `folder`, which must exist and takes the log too.

        It runs on a host of the name `host` (None: this one's).
        """
        self._on_host = on_host(host) if host else []
        self.configuration = configuration
        self.config_path = folder / "config.yaml"
        self.config_path.write_text(yaml.safe_dump(configuration), encoding="utf-8")
        self.config_path.chmod(0o600)
        self.log_path = folder / f"{self.command}.log"
        self._process: Process | None = None

    def command_line(self, *words: str) -> list[str]:
        """Return how another command is run on that host, with the same configuration."""
        program = [sys.executable, "-m", "woomera_milter", "--config", str(self.config_path)]
        return [*self._on_host, *program, *words]

    @property
    def process(self) -> Process:
        """The process as it runs, or last ran; raise RuntimeError where it was never started."""
        if self._process is None:
            raise RuntimeError("the milter was never started; call start()")
        return self._process

    def start(self) -> None:
        """Start it and return once it accepts connections; raise StartError where it does not."""
        self.launch().wait_until_ready(self._is_serving)

    def launch(self, **variables: str) -> Process:
        """Start it without waiting until it serves, with more environment variables.

        For those that should not get that far, or are waited for otherwise.
        """
        argv = self.command_line("--log-level", "debug", self.command)
        self._process = Process(argv, self.log_path, env=environment() | variables)
        return self._process

    def stop(self) -> int:
        """End it with SIGTERM and return its exit status."""
        return self.process.stop(timeout_s=70)

    def kill(self) -> None:
        """End it with SIGKILL, amid whatever it does."""
        self.process.kill()

    def log_text(self) -> str:
        """Return what it has logged so far."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    @property
    def port(self) -> int:
        """The port of its inet socket."""
        return int(self.configuration[self.section]["socket"].partition(":")[2].partition("@")[0])

    def _is_serving(self) -> bool:
        kind, _, path = self.configuration[self.section]["socket"].partition(":")
        return accepts_at(Path(path)) if kind == "unix" else accepts("127.0.0.1", self.port)


class ArchiveMilter(Milter):
    """`woomera archive-milter`, likewise."""

    command = "archive-milter"
    section = "archive"


class Lab(Running):
    """Runs all of it while the `with` block does."""

    def __init__(
        self,
        folder: Path,
        s3: S3Server,
        *,
        configuration: Mapping[str, Any] | None = None,
        s3_url: str | None = None,
        aliases: Mapping[str, str] | None = None,
        host: str | None = None,
        **sendmail_settings: Any,
    ) -> None:
        """Use `s3`, which runs already and has BUCKET, reached by way of `s3_url` (None: straight).

        `configuration` is laid over one that suits the rig, section by section; `host` as for Milter.
        """
        self.folder = folder
        self.s3 = s3
        self.ses = Ses()
        socket = f"inet:{free_port()}@127.0.0.1"
        settings = {"milter_socket": socket} | sendmail_settings
        self.sendmail = Sendmail(Settings(relay_port=self.ses.port, **settings), aliases)
        base = base_configuration(s3, socket, folder / "spool", s3_url)
        base["milter"]["sendmail"] = str(self.sendmail.command)
        self.milter = Milter(merged(base, configuration or {}), folder, host)

    def _start(self, stack: ExitStack) -> None:
        (self.folder / "spool").mkdir(exist_ok=True)
        stack.callback(self.sendmail.close)
        stack.enter_context(self.ses)
        self.milter.start()
        stack.callback(self.milter.kill)
        self.sendmail.start()


def base_configuration(
    s3: S3Server, socket: str, spool: Path, s3_url: str | None = None
) -> dict[str, dict[str, Any]]:
    """Return a configuration for the rig's servers."""
    return {
        "storage": {
            "bucket": BUCKET,
            "region": s3.region,
            "endpoint_url": s3_url or s3.endpoint_url,
            "addressing": "path",
            "encryption": "none",
            "access_key_id": s3.access_key,
            "secret_access_key": s3.secret_key,
        },
        "links": {"endpoint_url": s3.endpoint_url},
        "milter": {"socket": socket, "spool": str(spool), "deadline": "20s"},
        "notice": {"organization": "Example Ltd", "contact": "postmaster@example.com"},
    }


def merged(base: Configuration, changes: Mapping[str, Any]) -> Configuration:
    """Return `base` with `changes` laid over it; sections are merged key by key."""
    return base | {
        key: base[key] | value if isinstance(value, dict) and key in base else value
        for key, value in changes.items()
    }


def environment() -> dict[str, str]:
    """Return this process's environment without the AWS settings of whoever runs the rig."""
    return {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
