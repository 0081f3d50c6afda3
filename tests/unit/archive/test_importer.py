"""Importing: files of others, which may be in use, or not what they were taken for."""

import fcntl
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from woomera_milter.archive import importer
from woomera_milter.archive.importer import maildir_messages, open_mbox
from woomera_milter.errors import PermanentError, TemporaryError

MESSAGE = b"From a@example.com Tue Nov 24 06:00:00 2026\nSubject: x\n\ntext\n\n"


@pytest.fixture
def mbox(tmp_path: Path) -> Path:
    path = tmp_path / "copy.mbox"
    path.write_bytes(MESSAGE)
    return path


@pytest.mark.parametrize("kind", ["flock", "fcntl", "dot-lock"])
def test_mbox_that_a_mailer_keeps_locked_is_refused(
    mbox: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "LOCK_TIMEOUT_S", 0.2)
    with mbox.open("ab") as writer:
        if kind == "flock":
            fcntl.flock(writer, fcntl.LOCK_EX)
        elif kind == "dot-lock":
            Path(f"{mbox}.lock").touch()
        elif not (child := os.fork()):  # locks of fcntl do not keep their own process out
            fcntl.lockf(writer, fcntl.LOCK_EX)
            os.write(writer.fileno(), b"\n")
            time.sleep(60)
        while kind == "fcntl" and mbox.stat().st_size == len(MESSAGE):
            time.sleep(0.001)
        try:
            with pytest.raises(TemporaryError, match="is locked by a mailer"), open_mbox(mbox):
                pass
        finally:
            if kind == "fcntl":
                os.kill(child, 9)
                os.waitpid(child, 0)


def test_what_is_appended_afterwards_is_for_the_next_run(mbox: Path) -> None:
    with open_mbox(mbox) as file:
        with mbox.open("ab") as writer:
            fcntl.flock(writer, fcntl.LOCK_EX | fcntl.LOCK_NB)  # no mailer waits for us
            writer.write(MESSAGE)
        assert len(list(file.messages())) == 1


@pytest.mark.parametrize(
    ("end", "age_s", "count"),
    [
        pytest.param(b"", 0, 1, id="whole"),
        pytest.param(MESSAGE[:-1], 0, 1, id="without its empty line, a moment ago"),
        pytest.param(MESSAGE[:-1], 3600, 2, id="without its empty line, long ago"),
    ],
)
def test_last_message_is_taken_once_nobody_writes_it_any_more(
    mbox: Path, end: bytes, age_s: int, count: int
) -> None:
    mbox.write_bytes(MESSAGE + end)
    os.utime(mbox, (time.time() - age_s,) * 2)

    with open_mbox(mbox) as file:
        assert len(list(file.messages())) == count
        assert file.has_open_end == (count == 1 and bool(end))


def test_file_that_is_no_mbox_is_named(mbox: Path) -> None:
    mbox.write_bytes(b"Subject: x\n\ntext\n")
    os.utime(mbox, (0, 0))

    with (
        open_mbox(mbox) as file,
        pytest.raises(PermanentError, match=f"{mbox} does not begin with a From_ line"),
    ):
        list(file.messages())


def test_empty_mbox_has_no_messages(mbox: Path) -> None:
    mbox.write_bytes(b"")

    with open_mbox(mbox) as file:
        assert list(file.messages()) == []


def test_message_without_a_date_has_that_of_its_file(mbox: Path) -> None:
    mbox.write_bytes(b"From nobody\nSubject: x\n\n\n")
    os.utime(mbox, (1_700_000_000.9,) * 2)

    with open_mbox(mbox) as file:
        (message,) = file.messages()

    assert message.record().archived_at == "2023-11-14T22:13:20Z"


def test_maildir_gives_new_and_cur_oldest_first_and_no_others(tmp_path: Path) -> None:
    for name in (
        "new/1700000002.a",
        "cur/1700000001.b:2,S",
        "cur/unnamed",
        "tmp/1700000000.c",
        "cur/.hidden",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"Subject: x\n\n")
    os.utime(tmp_path / "cur/unnamed", (1_600_000_000,) * 2)

    found = maildir_messages(tmp_path)

    assert [message.path.name for message in found] == ["unnamed", "1700000001.b:2,S", "1700000002.a"]
    assert found[1].delivered_at == datetime.fromtimestamp(1_700_000_001, UTC)


def test_symbolic_link_in_a_maildir_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"of somebody else")
    for name in ("new", "cur"):
        (tmp_path / name).mkdir()
    (tmp_path / "cur" / "1700000001.a").symlink_to(secret)

    (message,) = maildir_messages(tmp_path)

    with pytest.raises(OSError, match="symbolic links"), message.open():
        pass


def test_folder_that_is_no_maildir_is_named(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match=f"{tmp_path} has no folder new, so it is no Maildir"):
        maildir_messages(tmp_path)
