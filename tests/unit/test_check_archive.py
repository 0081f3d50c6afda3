"""`woomera check` tells what the archive's silence would not."""

import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from woomera_milter import check_archive
from woomera_milter.archive_spool import ArchiveSpool
from woomera_milter.config import Config
from woomera_milter.spool import Envelope

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


@pytest.fixture(params=["unix", "inet"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where something listens."""
    if request.param == "unix":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "archive.sock"))
            listener.listen()
            yield f"unix:{tmp_path}/archive.sock"
    else:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            yield f"inet:{listener.getsockname()[1]}@127.0.0.1"


def findings(folder: Path, *, address: str = "inet:1@127.0.0.1", min_free: int = 0) -> dict[str, str]:
    """What is said, by subject."""
    archive = {"spool": str(folder), "min_free": min_free, "socket": address}
    configuration = Config.model_validate({"storage": {"bucket": "large-mail"}, "archive": archive})
    return {it.subject: it for it in check_archive.look(configuration, NOW)}


def keep(folder: Path, kept_at: datetime) -> None:
    with ArchiveSpool(folder, 0).begin(0) as draft:
        name = draft.keep(Envelope("", ()), "host", "6AO00001", kept_at)
    os.utime(folder / f"{name}.eml", (kept_at.timestamp(),) * 2)


def test_archive_that_works_passes(tmp_path: Path, address: str) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    keep(folder, NOW - timedelta(hours=1))

    assert all(line.startswith("pass") for line in findings(folder, address=address).values())


def test_missing_spool_is_a_failure(tmp_path: Path) -> None:
    line = findings(tmp_path / "missing")["archive.spool"]

    assert line.startswith(f"failure  archive.spool: no copies are kept: {tmp_path}/missing")


def test_disk_below_its_floor_is_a_failure(tmp_path: Path) -> None:
    line = findings(tmp_path, min_free=2**60)["archive.spool"]

    assert line.startswith("failure  archive.spool: no copies are kept")
    assert "archive.min_free is" in line


def test_copies_that_nobody_moves_are_a_failure(tmp_path: Path) -> None:
    keep(tmp_path, NOW - timedelta(days=2))
    keep(tmp_path, NOW)

    assert findings(tmp_path)["archive"] == (
        "failure  archive: 2 copies wait for their way to S3, the oldest since 2026-11-22 09:00 UTC; "
        "run `woomera archive`, see what it says, and have a timer run it"
    )


@pytest.mark.parametrize("kind", ["inet", "unix"])
def test_milter_that_is_down_is_a_failure(tmp_path: Path, kind: str) -> None:
    dead = {"inet": "inet:1@127.0.0.1", "unix": f"unix:{tmp_path}/none"}[kind]

    assert findings(tmp_path, address=dead)["archive.socket"].startswith("failure  archive.socket: nobody")
