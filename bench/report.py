"""A report over a month of 200 hosts and 20,000 messages, against bare parallel GETs of the same objects.

`python -m bench.report`. The S3 is a stub (bench.stub_report). Each side is a process of its own, in turn,
and tells its own time and peak memory. The report also lists what it
reads, and messages besides; the bare side knows the keys.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from bench.stub_report import DAYS, sidecar_keys, snapshot_keys
from rig.lab import environment
from rig.process import Process, free_port
from woomera_milter.gather import AT_ONCE

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

    from woomera_milter.cli import main as woomera

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


def _child(which: str, endpoint_url: str, hosts: str, sidecars: str) -> None:
    begun = time.perf_counter()
    count = {_BARE: _bare, _REPORT: _report}[which](endpoint_url, int(hosts), int(sidecars))
    spent_s = time.perf_counter() - begun
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = {"count": count, "seconds": spent_s, "cpu_s": time.process_time(), "peak_mb": peak_kb / 1024}
    print(json.dumps(figures))


def _measure(which: str, hosts: int, sidecars: int) -> dict[str, float]:
    """Run one side against a stub of its own."""
    port = free_port()
    numbers = [str(hosts), str(sidecars)]
    stub = [sys.executable, "-m", "bench.stub_report", str(port), *numbers]
    with tempfile.TemporaryDirectory() as folder, Process(stub, Path(folder) / "stub.log") as server:
        server.wait_until_accepting(port)
        url = f"http://127.0.0.1:{port}"
        child = [sys.executable, "-m", "bench.report", "--child", which, url, *numbers]
        done = subprocess.run(child, env=environment(), stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    assert found["count"] == hosts * DAYS + sidecars
    return found


def main() -> None:
    """Run it, print the figures, and exit 1 where they miss what they must reach."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--sidecars", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        _child(*arguments.child)
        return
    hosts, sidecars = arguments.hosts, arguments.sidecars
    rounds = [
        (_measure(_BARE, hosts, sidecars), _measure(_REPORT, hosts, sidecars))
        for _ in range(arguments.rounds)
    ]
    small = _measure(_REPORT, hosts // 10, sidecars // 10)
    ratios = [report["seconds"] / bare["seconds"] for bare, report in rounds]
    growth_mb = max(report["peak_mb"] for _, report in rounds) - small["peak_mb"]
    for (bare, report), ratio in zip(rounds, ratios, strict=True):
        print(
            f"bare GETs {bare['seconds']:.1f} s ({bare['cpu_s']:.1f} of CPU, {bare['peak_mb']:.1f} MB)   "
            f"report {report['seconds']:.1f} s ({report['cpu_s']:.1f} of CPU, {report['peak_mb']:.1f} MB)   "
            f"ratio {ratio:.3f}"
        )
    print(f"ratio, median of {len(ratios)} rounds: {statistics.median(ratios):.3f} (at most {_MAX_RATIO})")
    print(
        f"peak memory: {small['peak_mb']:.1f} MB at a tenth of it, {growth_mb:+.1f} MB at {hosts * DAYS:,} "
        f"snapshots and {sidecars:,} sidecars (at most +{_MAX_GROWTH_MB})"
    )
    print(f"processors: {os.cpu_count()}; the S3 is a stub on the same machine")
    if statistics.median(ratios) > _MAX_RATIO or growth_mb > _MAX_GROWTH_MB:
        sys.exit(1)


if __name__ == "__main__":
    main()
