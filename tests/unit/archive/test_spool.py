"""Copies outlive a power cut, and leave the disk the room that archive.min_free says."""

import os
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from woomera_milter.archive.spool import ArchiveSpool
from woomera_milter.errors import Reason, TemporaryError
from woomera_milter.message.envelope import Envelope

ENVELOPE = Envelope("sender@example.com", ("recipient@example.org",))
KEPT_AT = datetime(2026, 11, 24, 9, tzinfo=UTC)
BLOCK_BYTES = 4096
MIN_FREE_BYTES = 100 * BLOCK_BYTES


class Disk:
    """Notes what a power cut would leave: what was synced by the time a file got its name, and the names."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._synced_bytes: dict[int, int] = {}
        self.named: list[tuple[str, bool]] = []
        """Each file that was renamed, and whether all of it was on disk."""
        self.names_are_synced = False
        fsync, rename = os.fsync, Path.rename

        def noted_fsync(descriptor: int) -> None:
            fsync(descriptor)
            found = os.fstat(descriptor)
            self._synced_bytes[found.st_ino] = found.st_size
            self.names_are_synced |= Path(f"/proc/self/fd/{descriptor}").readlink().is_dir()

        def noted_rename(path: Path, target: Path) -> Path:
            found = path.stat()
            self.named.append((target.suffix, self._synced_bytes.get(found.st_ino) == found.st_size))
            self.names_are_synced = False
            return rename(path, target)

        monkeypatch.setattr(os, "fsync", noted_fsync)
        monkeypatch.setattr(Path, "rename", noted_rename)


def keep(spool: ArchiveSpool, queue_id: str = "6AO00001") -> str:
    with spool.begin(expected_bytes=0) as draft:
        draft.write(b"Subject: figures\r\n\r\n")
        return draft.keep(ENVELOPE, "host-1", queue_id, KEPT_AT)


def test_copy_has_its_name_only_when_all_of_it_is_on_disk_and_the_name_is_there_when_it_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)

    keep(ArchiveSpool(tmp_path, 0))

    assert disk.named == [(".json", True), (".eml", True)]  # whoever sees an .eml finds its .json
    assert disk.names_are_synced


@pytest.mark.parametrize("free_blocks", [100, 150])
def test_copy_may_take_the_disk_to_min_free_and_not_an_octet_further(
    free_blocks: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = ArchiveSpool(tmp_path, MIN_FREE_BYTES)
    disk = SimpleNamespace(f_bavail=free_blocks, f_frsize=BLOCK_BYTES)
    monkeypatch.setattr(os, "statvfs", lambda _: disk)
    room_bytes = free_blocks * BLOCK_BYTES - MIN_FREE_BYTES

    with pytest.raises(TemporaryError, match=r"archive\.min_free is 400KB") as raised:
        spool.begin(room_bytes + 1)
    assert raised.value.reason is Reason.DISK_FLOOR
    assert list(tmp_path.iterdir()) == []

    spool.begin(room_bytes).close()
