"""Promise 4 under SIGKILL; the long form of this, with 500 messages, is `python -m bench.killed_sweeps`."""

from pathlib import Path

from rig.jobs import Jobs, over_limit
from rig.killed_sweeps import run_killed_sweeps

MESSAGES = 40


def test_three_sweeps_killed_again_and_again_lead_to_one_notice_each(jobs: Jobs, tmp_path: Path) -> None:
    jobs.configure(sweep={"lease": "4s"})
    for number in range(MESSAGES):
        jobs.archive(f"{number}", over_limit(subject=f"n{number}"), recipients=["one@example.org"])
    tally = run_killed_sweeps(
        jobs.command("sweep", "--json"), tmp_path, jobs.ses, sweeps=3, kills=2, seed=20261124
    )
    print(f"{tally.kills} kills, {len(tally.notices)} noticed, {tally.second_notices} second notices")
    assert tally.kills > 0
    assert len(tally.notices) == MESSAGES
    assert not tally.unannounced
