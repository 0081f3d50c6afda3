"""Deadlines name the setting that ends them, and moments are written in UTC."""

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest

from woomera_milter.clock import Deadline, every, moment, rfc3339
from woomera_milter.errors import DeadlineError


def test_deadline_that_has_passed_names_what_took_too_long_and_its_setting() -> None:
    with pytest.raises(DeadlineError, match=r"^storing it took longer than sweep\.lease; "):
        Deadline(0, "sweep.lease").check("storing it")


def test_what_may_be_left_out_has_to_end_a_third_earlier() -> None:
    assert 39 < Deadline(60).for_extras().remaining_s <= 40


def test_moment_is_written_in_utc_to_the_second_and_read_back() -> None:
    there = datetime(2026, 11, 24, 6, 24, 1, 999_999, tzinfo=timezone(timedelta(hours=1)))

    assert rfc3339(there) == "2026-11-24T05:24:01Z"
    assert moment(rfc3339(there)) == datetime(2026, 11, 24, 5, 24, 1, tzinfo=UTC)


def test_task_runs_again_and_again_until_the_block_ends() -> None:
    runs: list[int] = []
    third = threading.Event()

    def run() -> None:
        runs.append(len(runs))
        if len(runs) >= 3:
            third.set()

    with every(0.001, run):
        assert third.wait(10)
    count = len(runs)
    threading.Event().wait(0.05)

    assert len(runs) == count
