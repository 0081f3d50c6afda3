"""What a host moved to S3 adds up, though runs are killed and copies are sent twice."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

from woomera_milter.archive import journal
from woomera_milter.store.tallies import Amount

MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)


def test_a_day_is_the_sum_of_its_copies(tmp_path: Path) -> None:
    for name, size_bytes, day in (("a", 5, MONDAY), ("b", 7, MONDAY), ("c", 1, TUESDAY)):
        journal.record(tmp_path, name, size_bytes, day)
    assert journal.by_day(tmp_path) == {MONDAY: Amount(2, 12), TUESDAY: Amount(1, 1)}


def test_a_copy_that_is_sent_again_after_a_kill_counts_once(tmp_path: Path) -> None:
    for _ in range(2):
        journal.record(tmp_path, "a", 5, MONDAY)
    assert journal.by_day(tmp_path) == {MONDAY: Amount(1, 5)}


def test_no_line_is_lost_between_threads(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as workers:
        list(workers.map(lambda number: journal.record(tmp_path, f"{number}", 1, MONDAY), range(400)))
    assert journal.by_day(tmp_path) == {MONDAY: Amount(400, 400)}


def test_half_a_line_that_a_power_cut_left_is_passed_over(tmp_path: Path) -> None:
    journal.record(tmp_path, "a", 5, MONDAY)
    with (tmp_path / ".shipped-2026-11-23").open("a", encoding="utf-8") as lines:
        lines.write("b")
    assert journal.by_day(tmp_path) == {MONDAY: Amount(1, 5)}
    with (tmp_path / ".shipped-2026-11-23").open("ab") as lines:
        lines.write(b"\xff\0\n")
    assert journal.by_day(tmp_path) == {MONDAY: Amount(1, 5)}


def test_a_file_of_somebody_elses_is_passed_over(tmp_path: Path) -> None:
    journal.record(tmp_path, "a", 5, MONDAY)
    (tmp_path / ".shipped-foo").touch()
    journal.forget_before(tmp_path, MONDAY)
    assert journal.by_day(tmp_path) == {MONDAY: Amount(1, 5)}


def test_days_that_are_told_are_forgotten_and_today_is_not(tmp_path: Path) -> None:
    for day in (MONDAY, TUESDAY):
        journal.record(tmp_path, "a", 5, day)
    journal.forget_before(tmp_path, TUESDAY)
    assert list(journal.by_day(tmp_path)) == [TUESDAY]
