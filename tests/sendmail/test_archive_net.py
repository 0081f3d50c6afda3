"""The safety net: the main milter dies, without a failure flag; what slips past it is archived and swept."""

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rig.archive_lab import ArchiveLab
from rig.lab import BUCKET
from rig.mail import messages
from rig.mail.messages import MB
from rig.mta.smtp import SmtpClient
from rig.mta.tripwire import Step, Tripwire
from rig.servers.s3 import Juicefs

MAILS = 200
STOPPED_AT = 100
OVER_EVERY = 5
KILLS = 5
PATIENCE_S = 20


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[Juicefs]:
    folder = tmp_path / "s3"
    folder.mkdir()
    with Juicefs(folder) as server:
        server.make_bucket(BUCKET)
        yield server


def message(number: int) -> bytes:
    size_bytes = 1100 * 1024 + number if number % OVER_EVERY == 0 else 3000 + number
    assert size_bytes > MB or number % OVER_EVERY
    return messages.message(size_bytes, subject=f"Number {number}")


def recipients(number: int) -> tuple[str, ...]:
    """The last one is told by the envelope alone."""
    return (f"to{number}@example.org", f"bcc{number}@example.org")


def ship_under_kills(lab: ArchiveLab) -> None:
    chance = random.Random(2)
    for _ in range(KILLS):
        goal = len(lab.kept()) - chance.randrange(1, 4)
        with lab.start(lab.folder / "ship.log") as process:
            while process.running and len(list(lab.spool.glob("[!.]*.eml"))) > goal:
                time.sleep(0.001)
            process.kill()
    assert lab.run().returncode == 0


def sweep(lab: ArchiveLab) -> dict[str, Any]:
    # juicefs takes no conditional writes; that they hold is proved on ministack (tests/jobs).
    done = lab.run_job("sweep", "--full", "--single-host", "--json")
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_what_slipped_past_the_main_milter_is_in_s3_once_and_all_its_recipients_get_one_notice(
    s3: Juicefs, tmp_path: Path
) -> None:
    configuration = {"archive": {"min_size": "500KB"}}
    with ArchiveLab(
        tmp_path, s3, configuration=configuration, with_main_milter=True, failure_flag="none"
    ) as lab:
        assert lab.main_milter is not None
        for number in range(MAILS):
            if number == STOPPED_AT:
                lab.main_milter.kill()
            with SmtpClient(lab.sendmail.smtp_port) as client:
                bcc = f"Bcc: bcc{number}@example.org\r\n".encode()
                sent = client.send(
                    bcc + message(number), sender=f"from{number}@example.com", recipients=recipients(number)
                )
            assert sent.ok
        ship_under_kills(lab)
        told = {recipient for it in lab.ses.accepted for recipient in it.recipients}

        lab.ses.clear()
        swept = [sweep(lab) for _ in range(2)]
        notices = [(it.envelope_sender, it.recipients) for it in lab.ses.accepted]

    reader = s3.client()
    pages = reader.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="archive/")
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    stored = {key: reader.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}
    reader.close()

    slipped_past = [number for number in range(STOPPED_AT, MAILS) if number % OVER_EVERY == 0]
    assert sorted(octets for key, octets in stored.items() if key.endswith(".eml")) == sorted(
        map(message, slipped_past)
    )
    envelopes = [json.loads(octets) for key, octets in stored.items() if key.endswith(".json")]
    assert sorted((it["envelope_sender"], tuple(it["recipients"])) for it in envelopes) == sorted(
        (f"from{number}@example.com", recipients(number)) for number in slipped_past
    )
    # Whoever SES was not allowed to reach is in the archive, and nobody else.
    everybody = {each for number in range(MAILS) for each in recipients(number)}
    assert everybody - told == {each for number in slipped_past for each in recipients(number)}
    # Each of them gets the notice, once, however often the sweep runs.
    assert [(it["notified"], it["already_done"], it["failed"]) for it in swept] == [(20, 0, []), (0, 20, [])]
    assert sorted(notices) == sorted(
        (f"from{number}@example.com", recipients(number)) for number in slipped_past
    )


@pytest.mark.parametrize(("message_id", "notices"), [(b"Message-ID", 1), (b"X-Remark", 2)])
def test_sendmail_that_dies_between_the_copy_and_its_250_costs_no_second_notice(
    message_id: bytes, notices: int, s3: Juicefs, tmp_path: Path
) -> None:
    """Without a Message-ID the same octets may be two messages, so each is announced."""
    octets = messages.message(1100 * 1024).replace(b"Message-ID", message_id)
    with (
        Tripwire() as tripwire,
        ArchiveLab(tmp_path, s3, limit_bytes=MB, archive_socket=tripwire.socket) as lab,
    ):
        tripwire.target_port = lab.milter.port
        killed = tripwire.set(Step.ACCEPT, lab.sendmail.kill)
        with pytest.raises(OSError, match=r".*"):
            lab.send(octets, recipients(1))
        assert killed.wait(PATIENCE_S)
        lab.sendmail.start()
        assert lab.send(octets, recipients(1)).ok
        kept = [(it.message, it.envelope["recipients"]) for it in lab.kept()]
        assert kept == [(octets, list(recipients(1)))] * 2
        assert lab.run().returncode == 0
        lab.ses.clear()

        for _ in range(2):
            assert sweep(lab)["failed"] == []

        assert [it.recipients for it in lab.ses.accepted] == [recipients(1)] * notices
