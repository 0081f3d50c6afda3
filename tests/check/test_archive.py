"""`woomera check` tells what the archive's silence would not."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rig.archive_lab import Archiving
from rig.process import free_port
from woomera_milter.archive.spool import ArchiveSpool
from woomera_milter.check import archive as check_archive
from woomera_milter.check.finding import Finding
from woomera_milter.config import Config
from woomera_milter.message.envelope import Envelope

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


@pytest.fixture
def archiving(tmp_path: Path) -> Iterator[Archiving]:
    """A running archive milter."""
    socket = f"inet:{free_port()}@127.0.0.1"
    archiving = Archiving(tmp_path, {"storage": {"bucket": "large-mail"}, "archive": {"socket": socket}})
    archiving.milter.start()
    yield archiving
    archiving.milter.kill()


def findings(folder: Path, *, address: str = "inet:1@127.0.0.1", min_free: int = 0) -> dict[str, Finding]:
    """What is said, by subject."""
    archive = {"spool": str(folder), "min_free": min_free, "socket": address}
    configuration = Config.model_validate({"storage": {"bucket": "large-mail"}, "archive": archive})
    return {it.subject: it for it in check_archive.look(configuration, NOW)}


def keep(folder: Path, kept_at: datetime) -> None:
    with ArchiveSpool(folder, 0).begin(0) as draft:
        name = draft.keep(Envelope("", ()), "host", "6AO00001", kept_at)
    os.utime(folder / f"{name}.eml", (kept_at.timestamp(),) * 2)


def test_archive_that_works_passes(archiving: Archiving) -> None:
    address = archiving.milter.configuration["archive"]["socket"]
    findings(archiving.spool, address=address)  # once the milter answers, it has cleared up what was begun
    keep(archiving.spool, NOW - timedelta(hours=1))

    found = findings(archiving.spool, address=address)

    assert {it.status for it in found.values()} == {"pass"}


def test_milter_keeps_no_copy_of_what_the_check_sends_it(archiving: Archiving) -> None:
    findings(archiving.spool, address=archiving.milter.configuration["archive"]["socket"])

    archiving.milter.stop()
    assert list(archiving.spool.iterdir()) == []


def test_missing_spool_is_a_failure(tmp_path: Path) -> None:
    found = findings(tmp_path / "missing")["archive.spool"]

    assert found.status == "failure"
    assert found.detail.startswith(f"no copies are kept: {tmp_path}/missing")


@pytest.mark.parametrize("mode", [0o770, 0o702])
def test_spool_into_which_others_may_put_mail_is_a_failure(mode: int, tmp_path: Path) -> None:
    tmp_path.chmod(mode)

    found = findings(tmp_path)["archive.spool"]

    assert (found.status, found.remedy) == ("failure", f"chmod 700 {tmp_path}")


def test_disk_below_its_floor_is_a_failure(tmp_path: Path) -> None:
    found = findings(tmp_path, min_free=2**60)["archive.spool"]

    assert found.status == "failure"
    assert "archive.min_free is" in found.detail


def test_copies_that_nobody_moves_are_a_failure(tmp_path: Path) -> None:
    keep(tmp_path, NOW - timedelta(days=2))
    keep(tmp_path, NOW)

    assert findings(tmp_path)["archive"] == Finding(
        "failure",
        "archive",
        "2 copies wait for their way to S3, the oldest since 2026-11-22 09:00 UTC",
        "run `woomera archive`, see what it says, and have a timer run it",
    )


def test_milter_that_is_down_is_a_failure_that_may_pass(tmp_path: Path) -> None:
    found = findings(tmp_path)["archive.socket"]

    assert (found.status, found.temporary) == ("failure", True)
    assert found.detail == "nobody answers at inet:1@127.0.0.1: mail passes without a copy"
