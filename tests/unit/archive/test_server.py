"""The archive milter as a process: it asks nothing of the MTA, ends as it is asked to, and stays small."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from rig.process import accepts_at
from woomera_milter.archive.server import ROLE

PATIENCE_S = 20
MAX_RSS_KB = 40_000
"""At rest it holds 35,300 kB; with boto3 and Jinja2 loaded it held 65,000."""


def test_archive_milter_asks_for_no_change_to_a_message() -> None:
    assert ROLE.actions == {}


@pytest.fixture
def milter(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """An archive milter that serves; its spool holds what a killed one had begun."""
    spool = tmp_path / "archive"
    spool.mkdir()
    (spool / ".unfinished-x").touch()
    socket = tmp_path / "archive.sock"
    settings = {
        "storage": {"bucket": "example-large-mail", "region": "us-east-1"},
        "archive": {"socket": f"unix:{socket}", "spool": str(spool), "min_free": "1MB"},
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    path.chmod(0o600)
    command = [sys.executable, "-m", "woomera_milter", "--config", path, "archive-milter"]
    # Unmeasured where coverage is: that takes memory.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment) as process:
        ends_at = time.monotonic() + PATIENCE_S
        while not accepts_at(socket):
            assert process.poll() is None
            assert time.monotonic() < ends_at
            time.sleep(0.05)
        yield process
        if process.poll() is None:
            process.kill()


def test_archive_milter_at_rest_is_small(milter: "subprocess.Popen[bytes]") -> None:
    status = Path(f"/proc/{milter.pid}/status").read_text(encoding="ascii")
    [held_kb] = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")]

    assert held_kb <= MAX_RSS_KB


@pytest.mark.usefixtures("milter")
def test_socket_of_a_milter_is_open_to_its_own_user_alone(tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "archive.sock").stat().st_mode) == 0o600


def test_archive_milter_clears_what_a_killed_one_had_begun_and_ends_as_asked(
    milter: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    assert list((tmp_path / "archive").iterdir()) == []

    os.kill(milter.pid, signal.SIGTERM)
    _, logged = milter.communicate(timeout=PATIENCE_S)

    assert milter.returncode == 0
    assert [line.split()[1:3] for line in logged.decode().splitlines() if " warning " not in line] == [
        ["archive-milter", "started"],
        ["archive-milter", "stopped"],
    ]
