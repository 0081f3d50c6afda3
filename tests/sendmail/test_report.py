"""The report of three hosts: real sendmails and milters, a real S3 server, and every message counted once."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest

from rig.jobs import Run, run_argv, text_of
from rig.lab import BUCKET, Lab
from rig.mail import messages
from rig.mail.messages import MB, RECIPIENT, SENDER
from rig.mta.smtp import SmtpClient
from rig.promises.bucket import Bucket
from rig.promises.checker import Sent
from rig.servers.faults import Answer, FaultProxy, Hang, Pass
from rig.servers.s3 import Juicefs, Ministack
from rig.servers.ses import Ses
from rig.trial import hand_over
from tests.sendmail.conftest import SMALL_LIMIT, MakeTrial

HOSTS = ("mail-1.example.com", "mail-2.example.com", "mail-3.example.com")
READ = Sent(messages.message(MB - 64 * 1024), SENDER, (RECIPIENT,))
OVER = Sent(messages.message(MB + 64 * 1024), SENDER, (RECIPIENT,))
SMALL = Sent(messages.message(), SENDER, (RECIPIENT,))
ADMINS = ["postmaster@example.com", "second@example.org"]


@pytest.fixture
def ministack(tmp_path: Path) -> Iterator[Ministack]:
    """It honours conditional writes, by which one of many runs sends the report."""
    with Ministack(tmp_path) as server:
        server.make_bucket(BUCKET)
        yield server


class Fleet:
    """Hosts that share a bucket, each reaching it by a proxy of its own; `admins` takes the reports."""

    def __init__(self, folder: Path, s3: Ministack, stack: ExitStack) -> None:
        client = s3.client()
        stack.callback(client.close)
        self.bucket = Bucket(client, BUCKET)
        self.admins = stack.enter_context(Ses())
        self.proxies = [stack.enter_context(FaultProxy(s3.port)) for _ in HOSTS]
        reporting: dict[str, Any] = {
            "mail": {"host": self.admins.host, "port": self.admins.port},
            "report": {"sender": "woomera@example.com", "to": ADMINS},
        }
        self.labs = []
        for name, proxy in zip(HOSTS, self.proxies, strict=True):
            (folder / name).mkdir()
            lab = Lab(
                folder / name,
                s3,
                configuration=SMALL_LIMIT | reporting,
                s3_url=proxy.endpoint_url,
                host=name,
            )
            self.labs.append(stack.enter_context(lab))

    def send(self, lab: Lab, sent: Sent, times: int = 1) -> None:
        for _ in range(times):
            assert hand_over(lab.sendmail, sent).ok

    def report(self, lab: Lab, *arguments: str) -> Run:
        """Run `woomera report` of that host, about the days up to now."""
        tomorrow = datetime.now(UTC).date() + timedelta(days=1)
        period = ["--period", "week", "--until", tomorrow.isoformat()]
        return run_argv([*lab.milter.command_line("report"), *period, *arguments])


@pytest.fixture
def fleet(ministack: Ministack, tmp_path: Path) -> Iterator[Fleet]:
    with ExitStack() as stack:
        yield Fleet(tmp_path, ministack, stack)


def test_three_hosts_add_up_to_what_was_sent_and_one_mail_tells_it(fleet: Fleet) -> None:
    first, second, third = fleet.labs
    fleet.send(first, SMALL, 3)
    fleet.send(first, OVER, 2)
    fleet.send(second, READ, 2)
    fleet.send(second, OVER)
    fleet.proxies[1].set(Answer(403, "AccessDenied"), applies_to="message.eml")
    refused = hand_over(second.sendmail, OVER)
    assert refused.last.code == 451
    fleet.proxies[1].set(Pass())
    fleet.send(third, SMALL)
    SmtpClient(third.sendmail.smtp_port).abort_in_data(OVER.message[:MB])
    assert [lab.milter.stop() for lab in fleet.labs] == [0, 0, 0]

    with ThreadPoolExecutor(3) as hosts:
        runs = list(hosts.map(fleet.report, fleet.labs))

    assert [run.status for run in runs] == [0, 0, 0], runs
    [mail] = fleet.admins.accepted
    assert (mail.envelope_sender, list(mail.recipients)) == ("woomera@example.com", ADMINS)

    looked = fleet.report(first, "--json")
    assert looked.status == 0, looked
    document = looked.document
    logs = "".join(lab.milter.log_text() for lab in fleet.labs)
    unread = re.findall(r" passed why=small msg_size=(\d+)", logs)
    assert len(unread) == 4
    assert document["passed"] == {
        "count": 6,
        "bytes": sum(map(int, unread)) + 2 * len(READ.message),
    }
    assert document["intercepted"] == {"count": 3, "bytes": 3 * len(OVER.message)}
    assert document["failed"] == {"store": 1}
    assert sum(document["store_seconds"].values()) == 3
    assert [
        (it["host"], it["passed"]["count"], it["intercepted"]["count"], it["failed"])
        for it in document["hosts"]
    ] == [(HOSTS[0], 3, 2, {}), (HOSTS[1], 2, 1, {"store": 1}), (HOSTS[2], 1, 0, {})]
    [failed] = [it for it in document["attention"] if it["kind"] == "failed"]
    [queue_id] = re.findall(r"(\S+): failed ", second.milter.log_text())
    assert failed["details"][0].startswith(f"{queue_id} on {HOSTS[1]}, ")
    assert len(fleet.admins.accepted) == 1
    text = text_of(BytesParser().parsebytes(mail.message))
    assert "Intercepted (stored, notice sent): 3, " in text
    assert f"{SENDER}  " in text
    for key in fleet.bucket.list_keys("stats/"):
        assert b"@" not in fleet.bucket.read(key)


def test_an_s3_that_hangs_keeps_neither_mail_nor_the_milter_from_its_end(
    make_trial: MakeTrial, s3: Juicefs
) -> None:
    with FaultProxy(s3.port) as proxy:
        trial = make_trial(s3_url=proxy.endpoint_url)
        proxy.set(Hang())
        trial.passes(SMALL)
        assert trial.lab.milter.stop() == 0
        assert any("/stats/" in it for it in proxy.requests)
        assert trial.lab.milter.log_text().endswith("-: milter stopped\n")
