"""Promise 4 under SIGKILL: sweeps that run at once and are killed again and again, on a real server."""

import random
import re
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from subprocess import TimeoutExpired

from rig.jobs import CHECKOUT, Jobs, over_limit
from rig.lab import environment
from rig.process import Process, StartError
from rig.servers.ses import Ses

MESSAGES = 40
FINISH_TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of it; `announced`: the ids of which a log says that the notice may be a second one."""

    kills: int
    notices: Counter[str]
    announced: frozenset[str]

    @property
    def second_notices(self) -> int:
        """Notices beyond the first of their message."""
        return self.notices.total() - len(self.notices)

    @property
    def unannounced(self) -> list[str]:
        """The ids of messages with more than one notice, of which no log had warned: there must be none."""
        return [it for it, count in self.notices.items() if count > 1 and it not in self.announced]


def run_killed_sweeps(
    command: Sequence[str], folder: Path, ses: Ses, *, sweeps: int, kills: int, seed: int
) -> Tally:
    """Run `command` (a sweep) `sweeps` times at once, each killed `kills` times at random, amid its sending.

    The last of each runs to its end; then more run until nothing is left in a dead one's hands.
    """
    chance = [random.Random(seed + number) for number in range(sweeps)]

    def host(number: int) -> int:
        log = folder / f"sweep-{number}.log"
        for killed in range(kills):
            begun = log.stat().st_size if log.exists() else 0
            process = start(command, log)
            try:
                process.wait_until_ready(partial(has_sent, log, begun), FINISH_TIMEOUT_S)
                process.wait(chance[number].uniform(0, 1.5))
            except TimeoutExpired:
                process.kill()
            except StartError:
                return killed  # it ended without sending anything: nothing was left to do
            else:
                return killed
        start(command, log).wait(FINISH_TIMEOUT_S)
        return kills

    with ThreadPoolExecutor(sweeps) as pool:
        killed = sum(pool.map(host, range(sweeps)))
    last_log = folder / "sweep-last.log"
    while '"in_progress": 0' not in output_of(command, last_log):
        pass  # each round takes a second or so: until the leases of the dead have ended
    logs = "".join(path.read_text(encoding="utf-8") for path in folder.glob("sweep-*.log"))
    announced = frozenset(re.findall(r"may-be-a-second-notice id=(\S+)", logs))
    return Tally(killed, Counter(id_of(it.message) for it in ses.accepted), announced)


def id_of(notice: bytes) -> str:
    found = re.search(rb"^X-Woomera-Id: (\S+)", notice, re.MULTILINE)
    assert found, "a message that is no notice"
    return found[1].decode()


def start(command: Sequence[str], log: Path) -> Process:
    return Process(command, log, env=environment(), cwd=CHECKOUT)


def has_sent(log: Path, begun: int) -> bool:
    return b"notified id=" in log.read_bytes()[begun:]


def output_of(command: Sequence[str], log: Path) -> str:
    begun = log.stat().st_size if log.exists() else 0
    status = start(command, log).wait(FINISH_TIMEOUT_S)
    if status:
        raise RuntimeError(
            f"the sweep ended with status {status}:\n{log.read_text(encoding='utf-8')[-4000:]}"
        )
    return log.read_text(encoding="utf-8")[begun:]


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
