"""Copies leave the disk the room that archive.min_free says, however many are written at once."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from woomera_milter.archive.room import LOOK_EVERY_BYTES, Room
from woomera_milter.archive.spool import ArchiveSpool, Draft
from woomera_milter.errors import Reason, TemporaryError
from woomera_milter.message.envelope import Envelope

BLOCK_BYTES = 4096
MB = 1024 * 1024
MIN_FREE_BYTES = 100 * MB


class Disk:
    """A disk of which a folder's files take what they hold, and others what they like."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.room_bytes = 0
        """What was left above the floor while the folder was empty."""

    def statvfs(self, _: Path) -> SimpleNamespace:
        taken_bytes = sum(path.stat().st_size for path in self._folder.iterdir())
        free_bytes = MIN_FREE_BYTES + self.room_bytes - taken_bytes
        return SimpleNamespace(f_bavail=free_bytes // BLOCK_BYTES, f_frsize=BLOCK_BYTES)

    @property
    def above_floor_bytes(self) -> int:
        found = self.statvfs(self._folder)
        return int(found.f_bavail * found.f_frsize - MIN_FREE_BYTES)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk(tmp_path)
    monkeypatch.setattr(os, "statvfs", disk.statvfs)
    return disk


@pytest.fixture
def spool(tmp_path: Path) -> ArchiveSpool:
    return ArchiveSpool(tmp_path, MIN_FREE_BYTES)


@pytest.mark.parametrize("free_blocks", [0, 50])
def test_copy_may_take_the_disk_to_min_free_and_not_an_octet_further(
    free_blocks: int, tmp_path: Path, disk: Disk, spool: ArchiveSpool
) -> None:
    disk.room_bytes = free_blocks * BLOCK_BYTES

    with pytest.raises(TemporaryError, match=r"archive\.min_free is 100MB") as raised:
        spool.begin(disk.room_bytes + 1)
    assert raised.value.reason is Reason.DISK_FLOOR
    assert list(tmp_path.iterdir()) == []

    spool.begin(disk.room_bytes).close()


def test_copies_that_begin_together_do_not_take_the_same_room(disk: Disk, spool: ArchiveSpool) -> None:
    disk.room_bytes = 100 * MB
    drafts = [spool.begin(40 * MB), spool.begin(40 * MB)]

    with pytest.raises(TemporaryError, match=r", 80MB of it for copies in hand, and archive\.min_free"):
        spool.begin(40 * MB)

    drafts[0].close()
    drafts.append(spool.begin(40 * MB))
    for draft in drafts:
        draft.close()


def written(draft: Draft, size_bytes: int) -> int:
    """How much of that the draft took, in pieces as a milter gets them."""
    try:
        while draft.size_bytes < size_bytes:
            draft.write(bytes(65_535))
    except TemporaryError as error:
        assert error.reason is Reason.DISK_FLOOR  # noqa: PT017 - it need not be raised
    return draft.size_bytes


@pytest.mark.parametrize("expected_bytes", [12 * MB, 0], ids=["size told", "size not told"])
def test_copies_written_at_once_leave_the_floor_alone(
    expected_bytes: int, disk: Disk, spool: ArchiveSpool
) -> None:
    disk.room_bytes = 40 * MB
    begun = []
    for _ in range(6):
        try:
            begun.append(spool.begin(expected_bytes))
        except TemporaryError:
            assert len(begun) == 3

    with ThreadPoolExecutor(len(begun)) as writers:
        sizes = list(writers.map(lambda draft: written(draft, 12 * MB), begun))

    assert disk.above_floor_bytes >= 0
    assert sum(sizes) > 40 * MB - 6 * LOOK_EVERY_BYTES - MB
    for draft in begun:
        draft.close()
    spool.begin(disk.room_bytes).close()  # all is given back


def test_others_who_fill_the_disk_meanwhile_end_a_copy_soon(disk: Disk, spool: ArchiveSpool) -> None:
    disk.room_bytes = 40 * MB
    with spool.begin(40 * MB) as draft:
        disk.room_bytes -= 10 * MB

        assert written(draft, 40 * MB) <= LOOK_EVERY_BYTES + 65_535


def test_copy_that_was_kept_takes_what_it_holds_and_no_more(disk: Disk, spool: ArchiveSpool) -> None:
    disk.room_bytes = 40 * MB
    with spool.begin(40 * MB) as draft:
        draft.write(bytes(MB))
        draft.keep(Envelope("sender@example.com", ()), "host-1", "6AO00001", datetime.now(UTC))

    spool.begin(38 * MB).close()


def lose_the_folder(spool: ArchiveSpool) -> None:
    spool.folder.rmdir()
    spool.begin(MB)


def fill_the_disk(spool: ArchiveSpool) -> None:
    with spool.begin(MB) as draft:
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, draft._fd)
        os.close(full)
        draft.write(b"x")


@pytest.mark.parametrize("trouble", [lose_the_folder, fill_the_disk])
def test_copy_that_fails_gives_its_room_back(
    trouble: Callable[[ArchiveSpool], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = SimpleNamespace(f_bavail=10 * MB, f_frsize=1)
    monkeypatch.setattr(os, "statvfs", lambda _: free)
    folder = tmp_path / "archive"
    folder.mkdir()
    spool = ArchiveSpool(folder, 9 * MB)

    with pytest.raises(TemporaryError, match="cannot take copies"):
        trouble(spool)

    folder.mkdir(exist_ok=True)
    spool.begin(MB).close()


def test_room_is_what_an_ordinary_user_may_write(tmp_path: Path) -> None:
    disk = os.statvfs(tmp_path)
    assert abs(Room(tmp_path, 0).free_bytes() - disk.f_bavail * disk.f_frsize) < 1 << 30
