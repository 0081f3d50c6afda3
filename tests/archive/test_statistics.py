"""What `woomera archive` tells the report: exact sums, however its runs end."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from rig.archive_lab import Archiving
from rig.lab import BUCKET
from rig.servers.faults import Answer, FaultProxy, Pass
from tests.archive.shipping import KILLS, Objects, count_copies, keep


def told(objects: Objects) -> dict[str, Any]:
    """What the host has told the report, over all days of this test."""
    pages = objects.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="stats/")
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    assert all(key.endswith("-archive.json") for key in keys)
    documents = [
        json.loads(objects.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()) for key in sorted(keys)
    ]
    return {
        "count": sum(it["archived"]["count"] for it in documents),
        "bytes": sum(it["archived"]["bytes"] for it in documents),
        "backlog": documents[-1]["backlog"]["count"],
    }


@pytest.fixture
def stats(objects: Objects) -> Objects:
    """The bucket, without what other tests told."""
    pages = objects.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="stats/")
    for page in pages:
        for entry in page.get("Contents", []):
            objects.client.delete_object(Bucket=BUCKET, Key=entry["Key"])
    return objects


def test_copies_of_many_runs_add_up_and_what_waits_is_told(
    archiving: Archiving, proxy: FaultProxy, stats: Objects
) -> None:
    keep(archiving, b"one\r\n", b"three\r\n")
    archiving.run()
    assert told(stats) == {"count": 2, "bytes": 12, "backlog": 0}
    keep(archiving, b"four\r\n", first=2)
    proxy.set(Answer(403, "AccessDenied"), applies_to="/archive/")
    archiving.run()
    assert told(stats) == {"count": 2, "bytes": 12, "backlog": 1}
    proxy.set(Pass())
    archiving.run()
    archiving.run()
    assert told(stats) == {"count": 3, "bytes": 18, "backlog": 0}


def test_copies_count_once_however_often_the_run_is_killed(
    archiving: Archiving, stats: Objects, tmp_path: Path
) -> None:
    texts = [b"x" * (50_000 + number) + b"\r\n" for number in range(60)]
    kept = keep(archiving, *texts)
    assert len(kept) == len(texts)
    chance = random.Random(5)
    for _ in range(KILLS):
        process = archiving.start(tmp_path / "archive.log")
        left = count_copies(archiving)
        waited_for = max(0, left - chance.randint(1, 10))
        process.wait_until_ready(
            lambda most=waited_for: count_copies(archiving) <= most or not process.running  # noqa: B023
        )
        process.kill()
    assert archiving.run().returncode == 0
    assert told(stats) == {"count": len(texts), "bytes": sum(map(len, texts)), "backlog": 0}
