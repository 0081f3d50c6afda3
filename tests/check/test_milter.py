"""`woomera check` asks a running milter, and leaves nothing behind."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.lab import ArchiveMilter, Milter
from rig.process import free_port
from rig.servers.background import BackgroundServer
from woomera_milter.check import milter as check_milter
from woomera_milter.check.finding import Finding
from woomera_milter.check.milter_client import ProbeError, probe

from .conftest import configured

STORAGE = {
    "bucket": "large-mail",
    "region": "us-east-1",
    "access_key_id": "AKIANEVERUSED0000000",
    "secret_access_key": "k" * 40,
}
LIMIT = 10 * 1024 * 1024


@pytest.fixture
def milter(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Milter]:
    """A running milter; at a unix socket where the fixture's parameter says so."""
    unix = getattr(request, "param", "inet") == "unix"
    address = f"unix:{tmp_path}/milter.sock" if unix else f"inet:{free_port()}@127.0.0.1"
    (tmp_path / "spool").mkdir()
    section = {"socket": address, "spool": str(tmp_path / "spool")}
    milter = Milter({"storage": STORAGE, "milter": section}, tmp_path)
    milter.start()
    yield milter
    milter.kill()


def look_at(address: str) -> Finding:
    [found] = check_milter.look(configured(milter={"socket": address}))
    return found


@pytest.mark.parametrize("milter", ["inet", "unix"], indirect=True)
def test_milter_that_runs_passes(milter: Milter) -> None:
    assert look_at(milter.configuration["milter"]["socket"]).status == "pass"


def test_milter_neither_counts_nor_keeps_what_the_check_sends(milter: Milter, tmp_path: Path) -> None:
    look_at(milter.configuration["milter"]["socket"])

    assert milter.stop() == 0
    events = [line.split()[1:3] for line in milter.log_text().splitlines()]
    assert events[0] == ["milter", "started"]
    # There is no S3 server here that would take the counters.
    assert events[1:] == [["not-counted", "reason=store"], ["milter", "stopped"]]
    assert list((tmp_path / "spool").iterdir()) == []


def test_archive_milter_at_the_milters_socket_is_a_failure(tmp_path: Path) -> None:
    address = f"inet:{free_port()}@127.0.0.1"
    spool = {"spool": str(tmp_path), "min_free": 0}
    archive = ArchiveMilter({"storage": STORAGE, "archive": {"socket": address} | spool}, tmp_path)
    archive.start()
    found = look_at(address)
    archive.kill()

    assert (found.status, found.temporary) == ("failure", False)
    assert found.detail == f"another milter answers at {address}"


@pytest.mark.parametrize("kind", ["inet", "unix"])
def test_milter_that_is_down_is_a_failure_that_may_pass(tmp_path: Path, kind: str) -> None:
    address = {"inet": f"inet:{free_port()}@127.0.0.1", "unix": f"unix:{tmp_path}/none"}[kind]
    found = look_at(address)

    assert (found.status, found.temporary) == ("failure", True)
    assert found.detail.startswith(f"nobody answers at {address}")
    assert found.remedy == "start `woomera milter`, and see what its log says"


def test_silent_milter_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(ProbeError, match="in time"):
        probe(f"inet:{silent.getsockname()[1]}@127.0.0.1", "relay", LIMIT, timeout_s=0.2)


class Babbler(BackgroundServer):
    """Greets as a mail server does."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Say something that is no milter's answer, and hang up."""
        writer.write(b"220 mail.rig.example ESMTP\r\n")
        await writer.drain()
        await reader.read(1)


def test_what_is_no_milter_is_a_failure() -> None:
    with Babbler("127.0.0.1") as babbler:
        found = look_at(f"inet:{babbler.port}@127.0.0.1")

    assert found.status == "failure"
    assert "hangs up" in found.detail
