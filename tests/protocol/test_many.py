"""Many peers at once on the socket of a milter, slow ones, and those that vanish."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from rig.lab import ArchiveMilter, Milter
from rig.mail import messages
from rig.mail.messages import MB
from rig.mta.packets import BODY, END_OF_MESSAGE, PROGRESS, Mta, body_of, head_of
from rig.servers.faults import FaultProxy, Slow
from rig.servers.s3 import Juicefs
from rig.usage import usage_of
from tests.protocol.conftest import OVER, PATIENCE_S, SMALL, StartTarget, Target
from woomera_milter.check.milter_client import ACCEPT, CONTINUE, HEADER, NEGOTIATE, offer, packed

IDLE = 500
STORING_S = 5
"""Longer than until the first sign of progress."""
AT_ONCE = 12


def test_idle_connections_are_served_and_give_all_back_when_they_end(target: Target) -> None:
    pid = target.milter.process.pid
    before = usage_of(pid)
    with ExitStack() as stack:
        idle = []
        for number in range(IDLE):
            mta = stack.enter_context(Mta(target.port, timeout_s=30))
            if number % 4 == 1:  # the others never say a word
                assert mta.negotiate() is not None
            elif number % 50 == 2:
                mta.send_raw(packed(NEGOTIATE, offer())[:9])
            idle.append(mta)
        target.serve_small()
        target.serve_large()
        target.assert_served(idle[1].hand_over(OVER))
        assert idle[0].negotiate() is not None
        target.assert_served(idle[0].hand_over(OVER))
        # Not counting those to S3, which are closed when they have been idle for a while.
        (_, descriptors), (_, at_rest) = target.held(), target.at_rest
        assert descriptors >= at_rest + IDLE

    target.assert_nothing_held()
    assert usage_of(pid).rss_bytes < before.rss_bytes + 16 * MB


def test_message_that_comes_octet_by_octet_is_served(target: Target) -> None:
    with target.connect() as mta:
        assert mta.begin(SMALL) == CONTINUE
        for octet in packed(BODY, b"x" * 200) + packed(END_OF_MESSAGE):
            mta.send_raw(bytes([octet]))
        answer = mta.read()

    assert answer == (ACCEPT, b"")


def test_header_fields_without_end_are_given_back(target: Target) -> None:
    pid = target.milter.process.pid
    before = usage_of(pid).rss_bytes
    for _ in range(3):
        with target.connect() as mta:
            mta.say(head_of(SMALL)[:3])
            mta.say([(HEADER, b"X\0" + b"x" * 65_000 + b"\0")] * 320)  # 20 MB
    target.assert_nothing_held()

    assert usage_of(pid).rss_bytes < before + 32 * MB


@pytest.fixture
def proxy(s3: Juicefs) -> Iterator[FaultProxy]:
    with FaultProxy(s3.port) as proxy:
        yield proxy


def start_slow(start_target: StartTarget, proxy: FaultProxy, folder: Path, max_concurrent: int) -> Target:
    """A milter that takes STORING_S to store a message."""
    limits = {"max_concurrent": max_concurrent, "sendmail": "/bin/false"}
    target = start_target(Milter, folder, proxy, milter=limits)
    target.new_log_text()
    proxy.set(Slow(len(OVER) // STORING_S), applies_to="message.eml")
    return target


def test_mta_that_vanishes_while_its_message_is_stored_leaves_nothing(
    start_target: StartTarget, proxy: FaultProxy, tmp_path: Path
) -> None:
    target = start_slow(start_target, proxy, tmp_path, max_concurrent=1)

    def vanish() -> None:
        with target.connect() as mta:
            assert mta.begin(OVER) == CONTINUE
            mta.say(body_of(OVER))
            assert mta.read() == (PROGRESS, b"")
        ends_at = time.monotonic() + STORING_S + PATIENCE_S
        while "4AO9Xk1S012345: failed reason=mta" not in target.new_log_text():
            assert time.monotonic() < ends_at
            time.sleep(0.05)

    vanish()
    time.sleep(STORING_S)
    target.rest()  # the first such attempt starts the worker that marks them in the bucket
    vanish()

    target.serve_small()
    target.assert_nothing_held(within_s=STORING_S + PATIENCE_S)
    target.milter.kill()


def test_no_message_waits_for_another_that_is_being_stored(
    start_target: StartTarget, proxy: FaultProxy, tmp_path: Path
) -> None:
    target = start_slow(start_target, proxy, tmp_path, max_concurrent=AT_ONCE)

    with ThreadPoolExecutor(AT_ONCE) as clients:
        proxy.forget_requests()
        done = [clients.submit(target.serve_large) for _ in range(AT_ONCE)]
        while sum("message.eml" in it for it in proxy.requests) < AT_ONCE:
            assert not any(it.done() for it in done), "messages wait that could be stored"
            time.sleep(0.05)
        target.serve_small()
        assert [it.result() for it in done] == [None] * AT_ONCE
    target.milter.kill()


@pytest.fixture
def quiet_disk() -> Iterator[Path]:
    """A folder on a disk where nobody else writes much."""
    with TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.mark.parametrize("is_size_told", [True, False])
def test_copies_that_come_together_leave_archive_min_free_alone(
    start_target: StartTarget, quiet_disk: Path, is_size_told: bool
) -> None:
    copy_bytes, room_bytes, others_bytes = 40 * MB, 100 * MB, 8 * MB
    message = messages.message(copy_bytes)
    floor_bytes = free_bytes_of(quiet_disk) - room_bytes
    target = start_target(ArchiveMilter, quiet_disk, archive={"min_free": floor_bytes})
    target.new_log_text()
    with ExitStack() as stack, ThreadPoolExecutor(AT_ONCE // 2) as clients:
        mtas = [stack.enter_context(target.connect()) for _ in range(AT_ONCE // 2)]
        msg_size = copy_bytes if is_size_told else None
        is_kept = [mta.begin(message, msg_size) == CONTINUE for mta in mtas]  # all of them are in hand now
        done = [
            clients.submit(mta.say, body_of(message))
            for mta, begun in zip(mtas, is_kept, strict=True)
            if begun
        ]
        lowest_bytes = floor_bytes + room_bytes
        while not all(it.done() for it in done):
            lowest_bytes = min(lowest_bytes, free_bytes_of(quiet_disk))
            time.sleep(0.001)
        assert all(mta.outcome().answer == ACCEPT for mta, begun in zip(mtas, is_kept, strict=True) if begun)

    assert lowest_bytes > floor_bytes - others_bytes
    assert lowest_bytes < floor_bytes + room_bytes - copy_bytes // 2  # it took what it might
    assert "not-kept reason=disk-floor" in target.new_log_text()
    target.milter.kill()


def free_bytes_of(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize
