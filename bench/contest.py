"""A job of ours against the bare requests that it cannot do without: in turn, each in a process of its own.

The S3 is a stub, a fresh one for each run. Imports and start-up are left out of the time, for both.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from rig.lab import BUCKET, environment
from rig.process import Process, free_port

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True)
class Side:
    """What one run of one side took."""

    count: int
    seconds: float
    cpu_s: float
    peak_mb: float

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s ({self.cpu_s:.1f} of CPU, {self.peak_mb:.1f} MB)"


def tell(work: Callable[[], int]) -> None:
    """In the process of one side: do its work, which returns a count of objects, and print the figures."""
    begun = time.perf_counter()
    count = work()
    seconds = time.perf_counter() - begun
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(asdict(Side(count, seconds, time.process_time(), peak_mb))))


def woomera(endpoint_url: str, *words: str) -> Any:
    """In the process of one side: run a command that prints JSON, against the stub; return the document."""
    from click.testing import CliRunner

    from woomera_milter.cli.main import main

    storage = {
        "bucket": BUCKET,
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
        done = CliRunner().invoke(main, ["--config", str(path), *words, "--json"], catch_exceptions=False)
    return json.loads(done.stdout)


def bare_client(endpoint_url: str, connections: int = 10) -> "S3Client":
    """In the process of the other side: return boto3's own client, which nothing of ours has touched."""
    import boto3
    from botocore.config import Config

    session = boto3.Session("test", "test", region_name="us-east-1")
    settings = Config(s3={"addressing_style": "path"}, max_pool_connections=connections)
    return session.client("s3", endpoint_url=endpoint_url, config=settings)


def measure(module: str, which: str, kind: str, numbers: Sequence[int], expected_count: int) -> Side:
    """Run one side, `module --child which URL NUMBERS`, against `bench.stub_s3 PORT KIND NUMBERS`."""
    port = free_port()
    words = [str(number) for number in numbers]
    server = [sys.executable, "-m", "bench.stub_s3", str(port), kind, *words]
    with tempfile.TemporaryDirectory() as folder, Process(server, Path(folder) / "stub.log") as running:
        running.wait_until_accepting(port)
        child = [sys.executable, "-m", module, "--child", which, f"http://127.0.0.1:{port}", *words]
        done = subprocess.run(child, env=environment(), stdout=subprocess.PIPE, check=True)
    found = Side(**json.loads(done.stdout))
    assert found.count == expected_count
    return found


@dataclass(frozen=True, slots=True)
class Contest:
    """What is compared, and what has to be reached: a ratio of times, and how far memory may grow."""

    bare: str
    ours: str
    max_ratio: float
    max_growth_mb: float

    def judge(self, rounds: Sequence[tuple[Side, Side]], small: Side, load: str, little: str) -> None:
        """Print the figures of rounds of (bare, ours); exit 1 where they miss what they must reach.

        `small` is ours under `little` instead of `load`.
        """
        ratios = [ours.seconds / bare.seconds for bare, ours in rounds]
        growth_mb = max(ours.peak_mb for _, ours in rounds) - small.peak_mb
        for (bare, ours), ratio in zip(rounds, ratios, strict=True):
            print(f"{self.bare} {bare}   {self.ours} {ours}   ratio {ratio:.3f}")
        ratio = statistics.median(ratios)
        print(f"ratio, median of {len(ratios)} rounds: {ratio:.3f} (at most {self.max_ratio})")
        print(
            f"peak memory: {small.peak_mb:.1f} MB at {little}, "
            f"{growth_mb:+.1f} MB at {load} (at most +{self.max_growth_mb})"
        )
        print(f"processors: {os.cpu_count()}; the S3 is a stub on the same machine")
        if ratio > self.max_ratio or growth_mb > self.max_growth_mb:
            sys.exit(1)
