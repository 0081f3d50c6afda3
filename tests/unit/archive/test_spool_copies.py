"""Copies wait until S3 has them; what was begun and never finished goes."""

import errno
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.unit.archive.test_spool import KEPT_AT, keep, names_in
from woomera_milter.archive import journal
from woomera_milter.archive.spool import ArchiveSpool, Copy, CopyError
from woomera_milter.errors import Reason, TemporaryError
from woomera_milter.store.tallies import Amount


def test_copies_come_oldest_first_and_only_whole_ones(tmp_path: Path) -> None:
    spool = ArchiveSpool(tmp_path, 0)
    names = [keep(spool, at=KEPT_AT + timedelta(seconds=seconds)) for seconds in (2, 0, 1)]

    with spool.begin(0), spool.locked():
        assert [copy.name for copy in spool.copies()] == sorted(names)


def test_what_a_killed_milter_had_begun_goes_and_copies_stay(tmp_path: Path) -> None:
    name = keep(spool := ArchiveSpool(tmp_path, 0))
    spool.begin(0)
    assert len(names_in(tmp_path)) == 3

    spool.remove_unfinished()

    assert names_in(tmp_path) == [f"{name}.eml", f"{name}.json"]


def test_envelope_goes_once_its_message_cannot_come_any_more(tmp_path: Path) -> None:
    spool = ArchiveSpool(tmp_path, 0)
    name = keep(spool)
    hour_ago = time.time() - 3600
    for path, since in ((f"{name}.json", -9), ("old.json", -9), ("young.json", 60), (".hidden.json", -9)):
        (tmp_path / path).touch()
        os.utime(tmp_path / path, (hour_ago + since, hour_ago + since))

    spool.remove_orphans()

    assert names_in(tmp_path) == [".hidden.json", f"{name}.eml", f"{name}.json", "young.json"]


def test_one_run_at_a_time_moves_copies(tmp_path: Path) -> None:
    first, second = ArchiveSpool(tmp_path, 0), ArchiveSpool(tmp_path, 0)
    for _ in range(2):
        with first.locked(), pytest.raises(TemporaryError, match="another") as raised, second.locked():
            pass
        assert raised.value.reason is Reason.BUSY


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    keep(spool := ArchiveSpool(tmp_path, 0))
    [copy] = spool.copies()
    return copy


def test_symbolic_link_is_no_copy(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "link.eml").symlink_to(tmp_path / "secret")
    [copy] = ArchiveSpool(tmp_path, 0).copies()
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)), copy.open():
        pass


@pytest.mark.parametrize(
    "octets",
    [
        None,
        b"{",
        b"[]",
        b"{}",
        b'{"archived_at": "2026-11-24T09:00:00Z"}',
        b'{"host": "host-1", "archived_at": "2026-11-24"}',
    ],
)
def test_envelope_that_is_missing_or_damaged_is_named(octets: bytes | None, copy: Copy) -> None:
    path = copy.path.with_suffix(".json")
    path.unlink()
    if octets is not None:
        path.write_bytes(octets)

    with pytest.raises(CopyError) as raised:
        copy.record()

    assert raised.value.problem.startswith(f"{path} does not tell the envelope")
    assert raised.value.reason is Reason.ENVELOPE


def test_copy_that_is_removed_leaves_its_line_in_the_journal_and_nothing_else(
    tmp_path: Path, copy: Copy
) -> None:
    assert abs(copy.kept_at() - datetime.now(UTC)) < timedelta(minutes=1)
    copy.remove()

    assert copy.size_bytes == 0
    assert list(journal.by_day(tmp_path).values()) == [Amount(1, 20)]
    assert list(tmp_path.glob("[!.]*")) == []
    copy.remove()  # once more, as after a kill


def test_full_disk_that_takes_no_line_of_the_journal_keeps_no_copy(
    tmp_path: Path, copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(journal, "record", fail)
    copy.remove()
    assert names_in(tmp_path) == []
