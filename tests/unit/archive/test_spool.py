"""Copies outlive a power cut."""

import errno
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from woomera_milter.archive.spool import ArchiveSpool
from woomera_milter.errors import Reason, TemporaryError
from woomera_milter.message.envelope import Envelope
from woomera_milter.store.documents import CopyRecord

ENVELOPE = Envelope("sender@example.com", ("recipient@example.org",))
KEPT_AT = datetime(2026, 11, 24, 9, tzinfo=UTC)


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


def keep(spool: ArchiveSpool, queue_id: str = "6AO00001", at: datetime = KEPT_AT) -> str:
    with spool.begin(expected_bytes=0) as draft:
        draft.write(b"Subject: figures\r\n")
        draft.write(b"\r\n")
        return draft.keep(ENVELOPE, "host-1", queue_id, at)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# A copy that is written.


def test_copy_is_what_was_written_with_its_envelope_and_for_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, octets: write(fd, octets[:5]))  # as a disk near its end may
    name = keep(spool := ArchiveSpool(tmp_path, 0))

    [copy] = spool.copies()
    assert (copy.name, copy.path) == (name, tmp_path / "20261124T090000.000000Z-6AO00001.eml")
    assert copy.path.read_bytes() == b"Subject: figures\r\n\r\n"
    assert copy.size_bytes == 20
    assert copy.record() == CopyRecord(
        envelope_sender="sender@example.com",
        recipients=["recipient@example.org"],
        archived_at="2026-11-24T09:00:00Z",
        host="host-1",
        source="archive-milter",
    )
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    assert names_in(tmp_path) == [f"{name}.eml", f"{name}.json"]


@pytest.mark.parametrize("added_bytes", [None, 0, 1_234])
def test_envelope_tells_what_the_mta_adds_at_most_where_that_is_known(
    added_bytes: int | None, tmp_path: Path
) -> None:
    with (spool := ArchiveSpool(tmp_path, 0)).begin(0) as draft:
        draft.keep(ENVELOPE, "host-1", "6AO00001", KEPT_AT, added_bytes=added_bytes)

    [copy] = spool.copies()
    assert copy.record().added_bytes == added_bytes


def test_copies_that_are_kept_and_read_leave_no_file_open(tmp_path: Path) -> None:
    spool = ArchiveSpool(tmp_path, 0)
    were_open = sorted(Path("/proc/self/fd").iterdir())

    for second in range(3):
        keep(spool, at=KEPT_AT.replace(second=second))
    for copy in spool.copies():
        with copy.open():
            pass
    with spool.locked():
        pass

    assert sorted(Path("/proc/self/fd").iterdir()) == were_open


def test_draft_counts_what_it_holds(tmp_path: Path) -> None:
    with ArchiveSpool(tmp_path, 0).begin(0) as draft:
        draft.write(b"x" * 10)
        draft.write(b"x" * 5)
        assert draft.size_bytes == 15
    assert names_in(tmp_path) == []


def test_what_is_no_queue_id_gets_into_no_name_and_copies_of_one_moment_are_told_apart(
    tmp_path: Path,
) -> None:
    names = {keep(ArchiveSpool(tmp_path, 0), queue_id) for queue_id in ("../x", "../x", "")}

    assert len(names) == 3
    assert all(name.rpartition("-")[2].isalnum() for name in names)


def test_long_copy_is_written_out_on_the_way_so_that_its_end_need_not_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written_out: list[tuple[int, ...]] = []
    monkeypatch.setattr(
        os, "posix_fadvise", lambda fd, *what: written_out.append((os.fstat(fd).st_size, *what))
    )

    with ArchiveSpool(tmp_path, 0).begin(0) as draft:
        for _ in range(9):
            draft.write(bytes(1 << 20))

    all_of_it = (0, 0, os.POSIX_FADV_DONTNEED)
    assert written_out == [(4 << 20, *all_of_it), (8 << 20, *all_of_it)]


def test_draft_that_is_closed_again_closes_no_file_of_somebody_elses(tmp_path: Path) -> None:
    draft = ArchiveSpool(tmp_path, 0).begin(0)
    draft.close()
    with (tmp_path / "other").open("wb") as other:
        draft.close()
        other.write(b"x")
    assert names_in(tmp_path) == ["other"]


def without_folder(folder: Path) -> None:
    ArchiveSpool(folder / "missing", 0).begin(0)


def count_without_folder(folder: Path) -> None:
    ArchiveSpool(folder / "missing", 0).copies()


def count_in_a_name_that_is_too_long(folder: Path) -> None:
    ArchiveSpool(folder / ("x" * 300), 0).copies()


def lock_without_folder(folder: Path) -> None:
    with ArchiveSpool(folder / "missing", 0).locked():
        pass


def fill(folder: Path) -> None:
    with ArchiveSpool(folder, 0).begin(0) as draft:
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, draft._fd)
        os.close(full)
        draft.write(b"x")


def lose_the_name(folder: Path) -> None:
    with ArchiveSpool(folder, 0).begin(0) as draft:
        draft._path.unlink()
        draft.keep(ENVELOPE, "host-1", "6AO00001", KEPT_AT)


@pytest.mark.parametrize(
    ("trouble", "number"),
    [
        (without_folder, errno.ENOENT),
        (count_without_folder, errno.ENOENT),
        (count_in_a_name_that_is_too_long, errno.ENAMETOOLONG),
        (lock_without_folder, errno.ENOENT),
        (fill, errno.ENOSPC),
        (lose_the_name, errno.ENOENT),
    ],
)
def test_folder_that_takes_no_copy_is_an_error_to_try_again_after_that_names_it(
    trouble: Callable[[Path], None], number: int, tmp_path: Path
) -> None:
    with pytest.raises(TemporaryError) as raised:
        trouble(tmp_path)

    assert raised.value.problem.startswith(f"archive.spool: {tmp_path}")
    assert raised.value.problem.endswith(f" cannot take copies ({os.strerror(number)})")
    assert raised.value.reason is Reason.ARCHIVE_SPOOL
    assert not any(tmp_path.glob(".*"))


# Power.


def test_copy_has_its_name_only_when_all_of_it_is_on_disk_and_the_name_is_there_when_it_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)

    keep(ArchiveSpool(tmp_path, 0))

    assert disk.named == [(".json", True), (".eml", True)]  # whoever sees an .eml finds its .json
    assert disk.names_are_synced
