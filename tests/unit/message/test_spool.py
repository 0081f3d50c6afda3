"""Promise 3 hangs on the spool: what was written is what is hashed and read, and nobody else sees it."""

import errno
import hashlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from woomera_milter.clock import Deadline
from woomera_milter.errors import DeadlineError, TemporaryError
from woomera_milter.message.spool import SpooledMessage


def test_spooled_message_leaves_no_name_behind_and_is_private(tmp_path: Path) -> None:
    message = SpooledMessage(tmp_path)
    message.write(b"secret")
    assert list(tmp_path.iterdir()) == []
    assert stat.S_IMODE(os.fstat(message.fileno()).st_mode) == 0o600
    message.close()


def test_spooled_message_is_hashed_as_it_arrives(tmp_path: Path) -> None:
    message = SpooledMessage(tmp_path)
    for piece in (b"Subject: x\r\n", b"\r\n", b"body" * 50_000):
        message.write(piece)
    whole = b"Subject: x\r\n\r\n" + b"body" * 50_000
    assert message.size_bytes == len(whole)
    assert message.md5() == hashlib.md5(whole).digest()
    assert message.sha256 == hashlib.sha256(whole).digest()
    assert os.pread(message.fileno(), len(whole) + 1, 0) == whole
    message.close()


def test_message_is_hashed_on_a_host_that_allows_md5_for_no_security(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    md5 = hashlib.md5

    def as_with_fips(octets: bytes = b"", *, usedforsecurity: bool = True) -> object:
        if usedforsecurity:
            raise ValueError("disabled for FIPS")
        return md5(octets, usedforsecurity=False)

    monkeypatch.setattr(hashlib, "md5", as_with_fips)
    message = SpooledMessage(tmp_path)
    message.write(b"x")
    assert message.md5() == md5(b"x").digest()
    message.close()


def test_message_that_another_thread_hashes_while_it_is_written_has_the_same_digest(tmp_path: Path) -> None:
    message = SpooledMessage(tmp_path)
    pieces = [bytes([it]) * 65_535 for it in range(100)]
    with ThreadPoolExecutor(2) as pool:
        for piece in pieces:
            message.write(piece)
            pool.submit(message.hash_ahead)
        assert message.md5() == hashlib.md5(b"".join(pieces)).digest()
    message.close()


def test_what_was_hashed_ahead_is_not_read_again_for_the_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = SpooledMessage(tmp_path)
    message.write(b"x" * 10)
    message.hash_ahead()
    message.write(b"y" * 5)
    pread, read_at = os.pread, []

    def noted(fd: int, count: int, at: int) -> bytes:
        read_at.append(at)
        return pread(fd, count, at)

    monkeypatch.setattr(os, "pread", noted)
    assert message.md5() == hashlib.md5(b"x" * 10 + b"y" * 5).digest()
    assert min(read_at) == 10
    message.close()


def test_message_that_nobody_holds_any_more_is_not_hashed(tmp_path: Path) -> None:
    message = SpooledMessage(tmp_path)
    message.write(b"x")
    message.close()
    message.hash_ahead()
    with pytest.raises(ValueError, match="closed"):
        message.md5()


def test_shared_message_is_there_until_each_of_its_holders_has_closed_it(tmp_path: Path) -> None:
    message = SpooledMessage(tmp_path)
    message.write(b"x")
    message.share()
    message.close()
    assert b"".join(message.chunks()) == b"x"
    message.close()
    with pytest.raises(ValueError, match="closed"):
        message.fileno()


def test_upload_reads_all_that_was_written_and_each_one_from_its_beginning(tmp_path: Path) -> None:
    message = SpooledMessage(tmp_path)
    whole = bytes(range(256)) * 1_000
    message.write(whole)
    with message.open(Deadline(30)) as first, message.open(Deadline(30)) as second:
        assert (first.read(10), second.read(), first.read()) == (whole[:10], whole, whole[10:])
    message.close()


def test_what_a_write_that_failed_left_behind_is_no_part_of_the_message(tmp_path: Path) -> None:
    message = SpooledMessage(tmp_path)
    message.write(b"whole")
    os.pwrite(message.fileno(), b"half a write", message.size_bytes)
    assert b"".join(message.chunks()) == b"whole"
    assert message.md5() == hashlib.md5(b"whole").digest()
    message.close()


def test_upload_of_a_message_ends_with_its_deadline(tmp_path: Path) -> None:
    message = SpooledMessage(tmp_path)
    message.write(b"x")
    with message.open(Deadline(0)) as stream, pytest.raises(DeadlineError):
        stream.read()
    message.close()


def test_message_beside_another_is_an_empty_one_in_the_same_folder(tmp_path: Path) -> None:
    message = SpooledMessage(tmp_path)
    message.write(b"x")
    attachment = message.beside()
    assert (attachment.size_bytes, b"".join(attachment.chunks())) == (0, b"")
    assert Path(f"/proc/self/fd/{attachment.fileno()}").readlink().is_relative_to(tmp_path)
    message.close()
    attachment.write(b"y")
    assert b"".join(attachment.chunks()) == b"y"
    attachment.close()


def test_missing_spool_folder_is_a_temporary_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(TemporaryError) as raised:
        SpooledMessage(tmp_path / "nowhere")
    why = os.strerror(errno.ENOENT)
    assert raised.value.problem == f"milter.spool: {tmp_path}/nowhere cannot hold the message ({why})"


def test_full_disk_is_a_temporary_error(tmp_path: Path) -> None:
    message = SpooledMessage(tmp_path)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, message.fileno())
    os.close(full)
    with pytest.raises(TemporaryError, match=os.strerror(errno.ENOSPC)):
        message.write(b"x")
    message.close()
