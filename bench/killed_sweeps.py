"""Three sweeps at once over 500 over-limit messages, each killed five times: `python -m bench.killed_sweeps`.

On ministack, which honours conditional writes. Exits 1 where a message has no notice, or more than one that
no log had announced.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from rig.jobs import jobs_on, over_limit
from rig.killed_sweeps import run_killed_sweeps
from rig.servers.s3 import Ministack
from rig.servers.ses import Ses


def main() -> None:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=500)
    parser.add_argument("--sweeps", type=int, default=3)
    parser.add_argument("--kills", type=int, default=5, help="of each sweep")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="killed-sweeps-") as name, Ses() as ses:
        folder = Path(name)
        (folder / "s3").mkdir()
        with Ministack(folder / "s3") as s3, jobs_on(s3, ses, folder) as jobs:
            jobs.configure(sweep={"lease": "10s"})
            for number in range(arguments.messages):
                jobs.archive(f"{number}", over_limit(f"message {number}"), recipients=["one@example.org"])
            begun = time.monotonic()
            tally = run_killed_sweeps(
                jobs.command("sweep", "--json", "--limit", str(arguments.messages)),
                folder,
                ses,
                sweeps=arguments.sweeps,
                kills=arguments.kills,
                seed=arguments.seed,
            )
    print(f"messages over the limit      {arguments.messages}")
    print(f"sweeps at once, kill -9      {arguments.sweeps}, {tally.kills} in all")
    print(f"messages with a notice       {len(tally.notices)}")
    print(f"second notices               {tally.second_notices}, unannounced {len(tally.unannounced)}")
    print(f"seconds                      {time.monotonic() - begun:.1f}")
    if len(tally.notices) != arguments.messages or tally.unannounced:
        sys.exit(1)


if __name__ == "__main__":
    main()
