"""`woomera archive` against a real S3 server: what it moves, and what it never loses however it ends."""

import fcntl
import json
import os
import random
import shutil
import socket
import time

import pytest

from rig.archive_lab import Archiving
from rig.mail import messages
from rig.mail.messages import RECIPIENT, SENDER
from rig.servers.faults import Answer, Corrupt, FaultProxy, Pass, Refuse
from tests.archive.shipping import KILLS, Objects, count_copies, keep


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
