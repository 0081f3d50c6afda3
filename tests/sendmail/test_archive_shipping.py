"""`woomera archive` against a real S3 server: what it moves, and what it never loses however it ends."""

import fcntl
import json
import os
import random
import shutil
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rig import messages
from rig.archive_lab import Archiving, Kept
from rig.faults import Answer, Corrupt, FaultProxy, Pass, Refuse
from rig.lab import BUCKET, base_configuration
from rig.messages import RECIPIENT, SENDER
from rig.s3 import Juicefs
from woomera_milter.archive_spool import ArchiveSpool
from woomera_milter.spool import Envelope

MOMENT = datetime(2026, 11, 24, 9, 30, 15, 250, tzinfo=UTC)
KILLS = 8


class Objects:
    """The bucket, read with a client of the server's own."""

    def __init__(self, s3: Juicefs) -> None:
        self.client = s3.client()

    def all(self) -> dict[str, bytes]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        listed = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        keys = [key for key in listed if not key.startswith("stats/")]
        return {key: self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}

    def messages(self) -> list[bytes]:
        return sorted(octets for key, octets in self.all().items() if key.endswith(".eml"))


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Juicefs]:
    with Juicefs(tmp_path_factory.mktemp("s3")) as server:
        server.make_bucket(BUCKET)
        yield server


@pytest.fixture
def objects(s3: Juicefs) -> Iterator[Objects]:
    objects = Objects(s3)
    for key in objects.all():
        objects.client.delete_object(Bucket=BUCKET, Key=key)
    yield objects
    objects.client.close()


@pytest.fixture
def proxy(s3: Juicefs) -> Iterator[FaultProxy]:
    with FaultProxy(s3.port) as proxy:
        yield proxy


@pytest.fixture
def archiving(s3: Juicefs, proxy: FaultProxy, tmp_path: Path) -> Archiving:
    configuration: dict[str, Any] = base_configuration(s3, "inet:1@127.0.0.1", tmp_path, proxy.endpoint_url)
    return Archiving(tmp_path, configuration | {"archive": {"socket": "inet:2@127.0.0.1"}})


def keep(archiving: Archiving, *texts: bytes, first: int = 0) -> list[Kept]:
    """Put copies into the spool, as the archive milter does; each second one, from second `first` on."""
    spool = ArchiveSpool(archiving.spool, min_free_bytes=0)
    for number, text in enumerate(texts):
        with spool.begin(0) as draft:
            draft.write(text)
            moment = MOMENT + timedelta(seconds=first + number)
            draft.keep(
                Envelope(SENDER, (RECIPIENT, "bcc@example.org")), "mail.example.com", "6AO00001", moment
            )
    return archiving.kept()


def count_copies(archiving: Archiving) -> int:
    return len(list(archiving.spool.glob("[!.]*.eml")))


def test_copy_and_envelope_move_to_a_key_of_time_host_and_digest(
    archiving: Archiving, objects: Objects
) -> None:
    (copy,) = keep(archiving, messages.message())

    done = archiving.run("--json")

    stored = objects.all()
    eml, envelope = sorted(stored)
    assert (done.returncode, json.loads(done.stdout)["archived"]) == (
        0,
        {"count": 1, "bytes": len(copy.message)},
    )
    assert eml.startswith("archive/2026/11/24/mail.example.com/093015.000250-")
    assert envelope == eml.removesuffix("eml") + "json"
    assert stored[eml] == copy.message
    assert (
        json.loads(stored[envelope])
        == copy.envelope
        == {
            "envelope_sender": SENDER,
            "recipients": [RECIPIENT, "bcc@example.org"],
            "archived_at": "2026-11-24T09:30:15.000250Z",
            "host": "mail.example.com",
            "source": "archive-milter",
        }
    )
    assert archiving.kept() == []


def test_copy_that_is_shipped_twice_is_in_the_bucket_once(archiving: Archiving, objects: Objects) -> None:
    keep(archiving, messages.message())
    shutil.copytree(archiving.spool, archiving.folder / "again")
    archiving.run()
    before = objects.all()

    shutil.copytree(archiving.folder / "again", archiving.spool, dirs_exist_ok=True)
    assert archiving.run().returncode == 0

    assert objects.all() == before


def test_run_without_copies_says_so(archiving: Archiving) -> None:
    keep(archiving, messages.message())

    first, second = archiving.run(), archiving.run()

    assert first.stdout.startswith("1 message, ")
    assert (second.returncode, second.stdout) == (0, "nothing to store\n")
    assert json.loads(archiving.run("--json").stdout)["archived"] == {"count": 0, "bytes": 0}


def test_dry_run_stores_and_removes_nothing(archiving: Archiving, objects: Objects) -> None:
    copies = keep(archiving, messages.message())

    done = archiving.run("--dry-run")

    assert done.returncode == 0
    assert "archive/2026/11/24/mail.example.com/093015.000250-" in done.stdout
    assert (objects.all(), archiving.kept()) == ({}, copies)


def test_repeated_kills_lose_nothing_and_double_nothing(archiving: Archiving, objects: Objects) -> None:
    chance = random.Random(4)
    texts = [messages.message_with_file(chance.randrange(20_000, 900_000), seed=it) for it in range(60)]
    keep(archiving, *texts)
    log_path = archiving.folder / "archive.log"
    amid = 0

    for _ in range(KILLS):
        goal = count_copies(archiving) - chance.randrange(1, 7)
        with archiving.start(log_path) as process:
            while process.running and count_copies(archiving) > goal:
                time.sleep(0.001)
            process.kill()
        stored = objects.all()
        left = [copy.message for copy in archiving.kept()]
        amid += bool(left)
        assert set(texts) <= {octets for key, octets in stored.items() if key.endswith(".eml")} | set(left)
        assert all(f"{key.removesuffix('.eml')}.json" in stored for key in stored if key.endswith(".eml"))
    done = archiving.run("--json")

    assert amid >= KILLS // 2
    assert done.returncode == 0
    assert objects.messages() == sorted(texts)
    assert len(objects.all()) == 2 * len(texts)
    assert archiving.kept() == []


def test_what_arrives_damaged_stays_until_it_is_stored_whole(
    archiving: Archiving, objects: Objects, proxy: FaultProxy
) -> None:
    copies = keep(archiving, messages.message(300_000))
    proxy.set(Corrupt(at_byte=200_000))

    damaged = archiving.run()
    held_after_damage = archiving.kept()
    proxy.set(Pass())

    assert damaged.returncode == 75
    assert held_after_damage == copies
    assert archiving.run().returncode == 0
    assert objects.messages() == [copies[0].message]


@pytest.mark.parametrize("fault", [Refuse(), Answer(503, "SlowDown")], ids=["down", "throttling"])
def test_copies_wait_while_s3_takes_nothing(
    archiving: Archiving, proxy: FaultProxy, fault: Refuse | Answer
) -> None:
    copies = keep(archiving, messages.message())
    proxy.set(fault)

    done = archiving.run()

    assert done.returncode == 75
    assert f"failed: {copies[0].path.stem}: storing s3://" in done.stdout
    assert archiving.kept() == copies


def test_missing_bucket_ends_the_run_at_once(archiving: Archiving, proxy: FaultProxy) -> None:
    keep(archiving, *(messages.message(5000 + it) for it in range(100)))
    proxy.set(Answer(404, "NoSuchBucket"))

    done = archiving.run("--json")

    result = json.loads(done.stdout)
    assert done.returncode == 78
    assert result["not_tried"] > 50
    assert "create the bucket, or correct storage.bucket" in result["failed"][0]["reason"]
    assert len(archiving.kept()) == 100


def test_what_is_stored_counts_where_one_copy_fails(archiving: Archiving, objects: Objects) -> None:
    copies = keep(archiving, *(messages.message(5000 + it) for it in range(3)))
    copies[1].path.with_suffix(".json").write_text("{}")

    done = archiving.run("--json")

    assert done.returncode == 1
    assert [it["name"] for it in json.loads(done.stdout)["failed"]] == [copies[1].path.stem]
    assert len(objects.messages()) == 2
    assert copies[1].path.exists()


def test_what_a_killed_milter_had_begun_is_never_shipped(archiving: Archiving, objects: Objects) -> None:
    (archiving.spool / ".unfinished-x").write_bytes(messages.message())

    assert archiving.run().returncode == 0

    assert objects.all() == {}


def test_symbolic_link_among_the_copies_is_not_followed(archiving: Archiving, objects: Objects) -> None:
    [copy] = keep(archiving, messages.message())
    copy.path.rename(archiving.folder / "secret")
    copy.path.symlink_to(archiving.folder / "secret")

    done = archiving.run()

    assert done.returncode == 75
    assert f"{copy.path.stem}: {copy.path.stem} cannot be read" in done.stdout
    assert objects.all() == {}


@pytest.mark.parametrize(("age_s", "is_left"), [(0, True), (7200, False)], ids=["being kept", "orphan"])
def test_envelope_without_a_message_is_removed_once_none_can_follow(
    archiving: Archiving, *, age_s: int, is_left: bool
) -> None:
    envelope = archiving.spool / "20261124T093015.000250Z-6AO00001.json"
    envelope.write_text("{}")
    os.utime(envelope, (time.time() - age_s,) * 2)

    assert archiving.run().returncode == 0

    assert envelope.exists() == is_left


def test_second_run_leaves_the_spool_to_the_first(archiving: Archiving) -> None:
    copies = keep(archiving, messages.message())
    with (archiving.spool / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = archiving.run()

    assert done.returncode == 75
    assert "another `woomera archive` is at work" in done.stderr
    assert archiving.kept() == copies


def test_missing_spool_is_an_error_and_not_an_empty_one(archiving: Archiving) -> None:
    archiving.spool.rmdir()

    done = archiving.run("--dry-run")

    assert done.returncode == 75
    assert f"archive.spool: {archiving.spool} cannot take copies" in done.stderr


def test_mboxes_and_maildirs_are_imported_in_wire_form(archiving: Archiving, objects: Objects) -> None:
    mbox = archiving.folder / "copy.mbox"
    mbox.write_bytes(
        b"From one@example.com Tue Nov 24 06:00:00 2026\nSubject: 1\n\n>From here\n\n"
        b"From two@example.com Tue Nov 24 07:00:00 2026\nSubject: 2\n\n\n"
    )
    maildir = archiving.folder / "Maildir"
    for sub in ("new", "cur", "tmp"):
        (maildir / sub).mkdir(parents=True)
    (maildir / "cur" / "1795590000.M1P1.host:2,S").write_bytes(b"Subject: 3\n\n>From there\n")

    first = archiving.run("--mbox", mbox, "--maildir", maildir, "--json")
    stored = objects.all()
    second = archiving.run("--mbox", mbox, "--maildir", maildir)

    assert (first.returncode, second.returncode) == (0, 0)
    assert objects.all() == stored
    assert objects.messages() == [
        b"Subject: 1\r\n\r\nFrom here\r\n",
        b"Subject: 2\r\n\r\n",
        b"Subject: 3\r\n\r\n>From there\r\n",
    ]
    keys = sorted(stored)
    host = socket.gethostname()
    assert keys[0].startswith(f"archive/2026/11/24/{host}/060000.000000-")
    assert json.loads(stored[keys[1]]) == {
        "envelope_sender": "one@example.com",
        "recipients": [],
        "archived_at": "2026-11-24T06:00:00Z",
        "host": host,
        "source": "import",
    }
    assert mbox.exists()


def test_several_mboxes_follow_one_option_as_the_shell_expands_them(archiving: Archiving) -> None:
    paths = [archiving.folder / f"{number}.mbox" for number in range(3)]
    for number, path in enumerate(paths):
        path.write_bytes(b"From a@example.com Tue Nov 24 06:00:00 2026\nSubject: %d\n\n\n" % number)

    done = archiving.run("--dry-run", "--json", "--mbox", *paths)

    assert json.loads(done.stdout)["archived"]["count"] == 3


def test_last_message_that_may_still_be_written_is_left_for_the_next_run(archiving: Archiving) -> None:
    mbox = archiving.folder / "copy.mbox"
    whole = b"From a@example.com Tue Nov 24 06:00:00 2026\nSubject: 1\n\nwhole\n\n"
    mbox.write_bytes(whole + b"From a@example.com Tue Nov 24 06:00:01 2026\nSubject: 2\n\nhalf a li")

    amid = archiving.run("--dry-run", "--json", "--mbox", mbox)
    os.utime(mbox, (time.time() - 3600,) * 2)
    later = archiving.run("--dry-run", "--json", "--mbox", mbox)

    assert (amid.returncode, json.loads(amid.stdout)["archived"]["count"]) == (1, 1)
    assert json.loads(amid.stdout)["left_out"] == [str(mbox)]
    assert (later.returncode, json.loads(later.stdout)["archived"]["count"]) == (0, 2)


# What the report is told.


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
