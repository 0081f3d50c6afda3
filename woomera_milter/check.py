"""Tells whether this host will work, as findings that a person can act on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from woomera_milter import config
from woomera_milter.errors import ConfigError

Status = Literal["pass", "warning", "failure"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `remedy` is empty where nothing needs doing."""

    status: Status
    subject: str
    detail: str
    remedy: str

    def line(self) -> str:
        """The finding as `woomera check` prints it."""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{self.status:7}  {self.subject}: {self.detail}{remedy}"


def run_offline(path: Path) -> list[Finding]:
    """Given the path of a configuration, return what is to be said of it alone, without the outside world."""
    try:
        configuration = config.load(path)
    except ConfigError as error:
        return [_finding("failure", problem) for problem in error.problems]
    found = [Finding("pass", str(path), "the configuration is valid", "")]
    found.extend(_finding("warning", warning) for warning in config.warnings(configuration, path))
    return found


def _finding(status: Status, message: str) -> Finding:
    """A message of config's, `FILE: what is wrong; remedy`, taken apart."""
    subject, _, rest = message.partition(": ")
    detail, _, remedy = rest.rpartition("; ")
    return Finding(status, subject, detail, remedy)
