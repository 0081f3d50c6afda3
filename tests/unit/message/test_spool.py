"""Promise 1 and 2 hang on the measured size, promise 3 on the spool."""

import errno
import hashlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.mail.messages import measured_size
from woomera_milter.clock import Deadline
from woomera_milter.errors import DeadlineError, TemporaryError
from woomera_milter.message.size import Measure, proves_small
from woomera_milter.message.spool import SpooledMessage

LINES = st.lists(
    st.one_of(
        st.integers(0, 80),
        st.sampled_from([987, 988, 989, 990, 991, 992, 1978, 1979, 1980, 2039, 2040, 2041, 100_000]),
    ).map(lambda length: b"x" * length),
    max_size=12,
)
CUTS = st.lists(st.integers(1, 3000), min_size=1, max_size=8)


def measured(wire: bytes, cuts: list[int]) -> int:
    measure = Measure()
    position = turn = 0
    while position < len(wire):
        length = cuts[turn % len(cuts)]
        measure.feed(wire[position : position + length])
        position, turn = position + length, turn + 1
    return measure.measured_bytes


@given(LINES, CUTS)
def test_measured_size_is_as_the_contract_defines_it_however_the_octets_arrive(
    lines: list[bytes], cuts: list[int]
) -> None:
    wire = b"".join(line + b"\r\n" for line in lines)
    expected = measured_size(wire) if wire else 0
    assert measured(wire, cuts) == expected


@pytest.mark.parametrize(("line_bytes", "breaks"), [(990, 0), (991, 1), (1978, 1), (1979, 2), (100_000, 101)])
def test_long_line_counts_four_octets_for_each_break_that_sendmail_may_make(
    line_bytes: int, breaks: int
) -> None:
    assert measured(b"x" * line_bytes + b"\r\n", [65_535]) == line_bytes + 2 + 4 * breaks


def test_long_last_line_without_an_end_counts_too() -> None:
    assert measured(b"x" * 991, [100]) == 991 + 4


@given(LINES)
def test_msg_size_never_proves_small_what_is_over_the_limit(lines: list[bytes]) -> None:
    wire = b"".join(line + b"\r\n" for line in lines)
    msg_size = len(wire.replace(b"\r\n", b"\n"))
    limit_bytes = 2 * msg_size + 2048
    assert proves_small(msg_size, limit_bytes, 2048)
    assert not proves_small(msg_size + 1, limit_bytes, 2048)
    assert measured(wire, [4096]) + 2048 <= limit_bytes


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


def test_message_that_another_thread_hashes_while_it_is_written_has_the_same_digest(tmp_path: Path) -> None:
    message = SpooledMessage(tmp_path)
    pieces = [bytes([it]) * 65_535 for it in range(100)]
    with ThreadPoolExecutor(2) as pool:
        for piece in pieces:
            message.write(piece)
            pool.submit(message.hash_ahead)
        assert message.md5() == hashlib.md5(b"".join(pieces)).digest()
    message.close()


def test_message_that_nobody_holds_any_more_is_not_hashed(tmp_path: Path) -> None:
    message = SpooledMessage(tmp_path)
    message.write(b"x")
    message.close()
    message.hash_ahead()
    with pytest.raises(ValueError, match="closed"):
        message.md5()


def test_missing_spool_folder_is_a_temporary_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(TemporaryError, match=r"milter\.spool: .*/nowhere cannot hold the message"):
        SpooledMessage(tmp_path / "nowhere")


def test_full_disk_is_a_temporary_error(tmp_path: Path) -> None:
    message = SpooledMessage(tmp_path)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, message.fileno())
    os.close(full)
    with pytest.raises(TemporaryError, match=os.strerror(errno.ENOSPC)):
        message.write(b"x")
    message.close()


def test_two_readers_of_one_message_do_not_disturb_each_other(tmp_path: Path) -> None:
    message = SpooledMessage(tmp_path)
    message.write(b"0123456789")
    one, two = (message.open(Deadline(60)) for _ in range(2))
    assert one.read(4) == b"0123"
    assert two.read() == b"0123456789"
    assert one.read() == b"456789"
    assert (one.seek(0), one.read()) == (0, b"0123456789")
    message.close()


def test_reader_stops_at_the_deadline(tmp_path: Path) -> None:
    message = SpooledMessage(tmp_path)
    message.write(b"0123456789")
    with pytest.raises(DeadlineError):
        message.open(Deadline(0)).read(1)
    message.close()
