"""A sweep over a million archived objects, against a bare listing of the same: `python -m bench.sweep`.

The S3 is a stub that only lists (bench.stub_s3), so the sweep is a dry run: all of the listing, and for
each of the 1,000 over-limit objects the look for its claim. Each side is a process of its own, in turn, and
tells its own time (imports and start-up left out, for both) and peak memory.
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
from pathlib import Path

import yaml

from rig.lab import environment
from rig.process import Process, free_port

_BARE = "bare"
_SWEEP = "sweep"
_MAX_RATIO = 1.15
_MAX_MEMORY_MB = 30


def _bare(endpoint_url: str) -> int:
    import boto3
    from botocore.config import Config

    session = boto3.Session("test", "test", region_name="us-east-1")
    client = session.client("s3", endpoint_url=endpoint_url, config=Config(s3={"addressing_style": "path"}))
    pages = client.get_paginator("list_objects_v2").paginate(Bucket="large-mail", Prefix="archive/")
    return sum(len(page["Contents"]) for page in pages)


def _sweep(endpoint_url: str) -> int:
    from click.testing import CliRunner

    from woomera_milter.cli import main as woomera

    keys = {"access_key_id": "test", "secret_access_key": "test"}
    storage = {
        "bucket": "large-mail",
        "region": "us-east-1",
        "endpoint_url": endpoint_url,
        "addressing": "path",
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(yaml.safe_dump({"storage": storage | keys}), encoding="utf-8")
        path.chmod(0o600)
        arguments = ["--config", str(path), "sweep", "--dry-run", "--json", "--limit", "2000"]
        done = CliRunner().invoke(woomera, arguments, catch_exceptions=False)
    result = json.loads(done.stdout)
    assert result["over_limit"] == len(result["due"]) == 1000, result["failed"][:3]
    return int(result["scanned"])


def _child(which: str, endpoint_url: str) -> None:
    begun = time.perf_counter()
    count = {_BARE: _bare, _SWEEP: _sweep}[which](endpoint_url)
    spent_s = time.perf_counter() - begun
    cpu_s = time.process_time()
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"count": count, "seconds": spent_s, "cpu_s": cpu_s, "peak_mb": peak_kb / 1024}))


def _measure(which: str, objects: int) -> dict[str, float]:
    """Run one side against a stub of its own."""
    port = free_port()
    stub = [sys.executable, "-m", "bench.stub_s3", str(port), str(objects), "1000"]
    with tempfile.TemporaryDirectory() as folder, Process(stub, Path(folder) / "stub.log") as server:
        server.wait_until_accepting(port)
        child = [sys.executable, "-m", "bench.sweep", "--child", which, f"http://127.0.0.1:{port}"]
        done = subprocess.run(child, env=environment(), stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    assert found["count"] == objects
    return found


def main() -> None:
    """Run it, print the figures, and exit 1 where they miss what they must reach."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        _child(*arguments.child)
        return
    rounds = [
        (_measure(_BARE, arguments.objects), _measure(_SWEEP, arguments.objects))
        for _ in range(arguments.rounds)
    ]
    small = _measure(_SWEEP, 10_000)
    ratios = [sweep["seconds"] / bare["seconds"] for bare, sweep in rounds]
    growth_mb = max(sweep["peak_mb"] for _, sweep in rounds) - small["peak_mb"]
    for (bare, sweep), ratio in zip(rounds, ratios, strict=True):
        print(
            f"bare listing {bare['seconds']:.1f} s ({bare['cpu_s']:.1f} of CPU)   "
            f"sweep {sweep['seconds']:.1f} s ({sweep['cpu_s']:.1f} of CPU)   ratio {ratio:.3f}"
        )
    print(f"ratio, median of {len(ratios)} rounds: {statistics.median(ratios):.3f} (at most {_MAX_RATIO})")
    print(
        f"peak memory: {small['peak_mb']:.1f} MB at 10,000 objects, "
        f"{growth_mb:+.1f} MB at {arguments.objects:,} (at most +{_MAX_MEMORY_MB})"
    )
    print(f"processors: {os.cpu_count()}; the S3 is a stub that only lists")
    if statistics.median(ratios) > _MAX_RATIO or growth_mb > _MAX_MEMORY_MB:
        sys.exit(1)


if __name__ == "__main__":
    main()
