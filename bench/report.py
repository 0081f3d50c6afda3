"""A report over a month of 200 hosts and 20,000 messages, against bare parallel GETs of the same objects.

`python -m bench.report`. The S3 is a stub (bench.stub_s3). The report also lists what it reads, and
messages besides; the bare side knows the keys.
"""

import argparse
from concurrent.futures import ThreadPoolExecutor

from bench.contest import Contest, Side, bare_client, measure, tell, woomera
from bench.stub_s3 import DAYS, sidecar_keys, snapshot_keys
from rig.lab import BUCKET
from woomera_milter.report.reader import AT_ONCE

_BARE = "bare"
_REPORT = "report"
_MAX_RATIO = 1.3
_MAX_GROWTH_MB = 30


def _bare(endpoint_url: str, hosts: int, sidecars: int) -> int:
    client = bare_client(endpoint_url, AT_ONCE)

    def get(key: str) -> int:
        return len(client.get_object(Bucket=BUCKET, Key=key)["Body"].read())

    with ThreadPoolExecutor(AT_ONCE) as workers:
        return sum(1 for _ in workers.map(get, [*snapshot_keys(hosts), *sidecar_keys(sidecars)]))


def _report(endpoint_url: str, hosts: int, sidecars: int) -> int:
    result = woomera(endpoint_url, "report", "--period", "month", "--until", "2026-12-01")
    assert result["intercepted"]["count"] == 5 * hosts * DAYS, result["intercepted"]
    assert len(result["hosts"]) == hosts
    assert not [it for it in result["attention"] if it["kind"] == "unreadable"]
    return hosts * DAYS + sidecars


def main() -> None:
    """Run it, print the figures, and exit 1 where they miss what they must reach."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--sidecars", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        which, endpoint_url, hosts, sidecars = arguments.child
        tell(lambda: {_BARE: _bare, _REPORT: _report}[which](endpoint_url, int(hosts), int(sidecars)))
        return

    def run(which: str, hosts: int, sidecars: int) -> Side:
        count = hosts * DAYS + sidecars
        return measure("bench.report", which, "report", [hosts, sidecars], count)

    hosts, sidecars = arguments.hosts, arguments.sidecars
    rounds = [(run(_BARE, hosts, sidecars), run(_REPORT, hosts, sidecars)) for _ in range(arguments.rounds)]
    small = run(_REPORT, hosts // 10, sidecars // 10)
    load = f"{hosts * DAYS:,} snapshots and {sidecars:,} sidecars"
    Contest("bare GETs", "report", _MAX_RATIO, _MAX_GROWTH_MB).judge(rounds, small, load, "a tenth of it")


if __name__ == "__main__":
    main()
