"""A report over a month of 200 hosts and 20,000 messages, against bare parallel GETs of the same objects.

`python -m bench.report`. The S3 is a stub (bench.stub_report). The report also lists what it reads, and
messages besides; the bare side knows the keys.
"""

import argparse
import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from bench.contest import Contest, Side, measure, tell
from bench.stub_report import DAYS, sidecar_keys, snapshot_keys
from woomera_milter.report.reader import AT_ONCE

_BARE = "bare"
_REPORT = "report"
_MAX_RATIO = 1.3
_MAX_GROWTH_MB = 30


def _bare(endpoint_url: str, hosts: int, sidecars: int) -> int:
    import boto3
    from botocore.config import Config

    session = boto3.Session("test", "test", region_name="us-east-1")
    settings = Config(s3={"addressing_style": "path"}, max_pool_connections=AT_ONCE)
    client = session.client("s3", endpoint_url=endpoint_url, config=settings)

    def get(key: str) -> int:
        return len(client.get_object(Bucket="large-mail", Key=key)["Body"].read())

    with ThreadPoolExecutor(AT_ONCE) as workers:
        return sum(1 for _ in workers.map(get, [*snapshot_keys(hosts), *sidecar_keys(sidecars)]))


def _report(endpoint_url: str, hosts: int, sidecars: int) -> int:
    from click.testing import CliRunner

    from woomera_milter.cli.main import main as woomera

    storage = {
        "bucket": "large-mail",
        "region": "us-east-1",
        "endpoint_url": endpoint_url,
        "addressing": "path",
        "access_key_id": "test",
        "secret_access_key": "test",
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(yaml.safe_dump({"storage": storage}), encoding="utf-8")
        path.chmod(0o600)
        arguments = ["--config", str(path), "report", "--json", "--period", "month", "--until", "2026-12-01"]
        done = CliRunner().invoke(woomera, arguments, catch_exceptions=False)
    result = json.loads(done.stdout)
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
        return measure("bench.report", which, "bench.stub_report", [hosts, sidecars], count)

    hosts, sidecars = arguments.hosts, arguments.sidecars
    rounds = [(run(_BARE, hosts, sidecars), run(_REPORT, hosts, sidecars)) for _ in range(arguments.rounds)]
    small = run(_REPORT, hosts // 10, sidecars // 10)
    load = f"{hosts * DAYS:,} snapshots and {sidecars:,} sidecars"
    Contest("bare GETs", "report", _MAX_RATIO, _MAX_GROWTH_MB).judge(rounds, small, load, "a tenth of it")


if __name__ == "__main__":
    main()
