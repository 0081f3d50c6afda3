"""Copies in the archive that cannot simply be read: compressed ones, and those in Glacier."""

import gzip
import time
from pathlib import Path
from urllib.request import urlopen

from rig.jobs import DAY, Jobs, jobs_on, link_in, over_limit
from rig.lab import BUCKET
from rig.servers.s3 import Moto
from rig.servers.ses import Ses


def test_a_compressed_copy_is_announced(jobs: Jobs) -> None:
    jobs.put("archive/2026/11/24/old/a.eml.gz", gzip.compress(over_limit()), ContentEncoding="gzip")
    assert jobs.sweep()["notified"] == 1
    with urlopen(link_in(jobs.notices[0]), timeout=10) as reply:
        assert reply.read() == over_limit()


def test_a_copy_in_glacier_is_named_once_and_announced_when_it_is_restored(tmp_path: Path, ses: Ses) -> None:
    with Moto(tmp_path) as server, jobs_on(server, ses, tmp_path) as jobs:
        jobs.configure(limit="300KB")  # so near that the copy has to be read to be known
        copies = [
            jobs.put(f"{DAY}/{name}.eml", over_limit(subject=name) + bytes(48 * 1024), StorageClass="GLACIER")
            for name in ("restored", "written anew", "left")
        ]
        first = jobs.run("sweep", "--json", "--single-host")
        second = jobs.sweep("--single-host")
        assert (first.status, sorted(it["key"] for it in first.document["failed"])) == (1, sorted(copies))
        assert "Glacier" in first.document["failed"][0]["reason"]
        assert (second["given_up"], second["over_limit"]) == (3, 3)

        jobs.client.restore_object(Bucket=BUCKET, Key=copies[0], RestoreRequest={"Days": 1})
        time.sleep(1)  # times of S3 are whole seconds
        jobs.put(copies[1], over_limit(subject="written anew") + bytes(48 * 1024))
        third = jobs.sweep("--single-host")
    assert (third["notified"], third["given_up"]) == (2, 1)
    assert sorted(it["Subject"] for it in jobs.notices) == ["restored", "written anew"]
