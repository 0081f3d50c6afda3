"""Fuzz everything that reads a sender's octets."""

import argparse
import logging
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rig.fuzz.engine import Account, Fuzzer, Target
from rig.fuzz.targets import targets
from woomera_milter import log

_COLUMNS = "{:<12} {:>10} {:>9} {:>10} {:>9}"


def main() -> int:
    """Fuzz, print a line a target, and write findings to files; return 1 where there are any."""
    parser = argparse.ArgumentParser(prog="python -m rig.fuzz", description=__doc__)
    names = [it.name for it in targets()]
    parser.add_argument("--minutes", type=float, default=5.0, help="for all targets together")
    parser.add_argument("--seed", type=int, help="by default another each time")
    parser.add_argument("--only", action="append", choices=names, metavar="TARGET", help=", ".join(names))
    parser.add_argument("--folder", type=Path, default=Path(".rig/fuzz"), help="takes the findings")
    options = parser.parse_args()
    seed = secrets.randbelow(1 << 32) if options.seed is None else options.seed
    chosen = [it for it in targets() if not options.only or it.name in options.only]
    log.logger.addHandler(logging.NullHandler())  # what is logged of hostile input is no news here
    return run(chosen, seed, options.minutes, options.folder)


def run(chosen: Sequence[Target], seed: int, minutes: float, folder: Path) -> int:
    """Give each target an equal share of the time, and what others have left of theirs."""
    print(f"seed {seed}")
    print(_COLUMNS.format("target", "inputs", "features", "ms per KB", "findings"), flush=True)
    ends_at = time.monotonic() + minutes * 60
    accounts = []
    for left, target in zip(range(len(chosen), 0, -1), chosen, strict=True):
        accounts.append(Fuzzer(target, seed).run(seconds=(ends_at - time.monotonic()) / left))
        _report(accounts[-1], folder)
    return 1 if any(it.findings for it in accounts) else 0


def _report(account: Account, folder: Path) -> None:
    slowest, count = f"{account.slowest_ms_per_kb:.1f}", len(account.findings)
    print(_COLUMNS.format(account.target, account.inputs, account.features, slowest, count), flush=True)
    for number, finding in enumerate(account.findings, 1):
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{account.target}-{number}"
        path.write_bytes(finding.data)
        print(f"\n{path}: {finding.data[:300]!r}\n{finding.trace}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
