"""The template's host role and link signer: the jobs work with exactly their rights, and need each of them.

moto plays IAM. It cannot show what it does not enforce: see NOT_ENFORCED.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.parser import BytesParser
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rig.jobs import Jobs, jobs_on, over_limit
from rig.lab import BUCKET, Lab
from rig.mail import messages
from rig.mail.messages import MB, RECIPIENT, SENDER
from rig.promises.bucket import Bucket
from rig.promises.checker import Sent
from rig.servers.s3 import Moto
from rig.servers.ses import Ses
from rig.servers.stack import Stack
from rig.trial import hand_over
from woomera_milter import config
from woomera_milter.clock import Deadline
from woomera_milter.store.s3_store import S3Store

NOT_ENFORCED = {
    "FetchLinkKeys": "moto does not look at the resource of secretsmanager:GetSecretValue",
    "CheckBucket": "moto calls one of its two actions by another name",
}
OWN_KEYS: dict[str, Any] = {"access_key_id": None, "secret_access_key": None}
AS_ON_A_HOST: dict[str, Any] = {
    "storage": OWN_KEYS | {"profile": "host"},
    "links": {"profile": "woomera-links"},
}


@dataclass(frozen=True, slots=True)
class Host:
    """A host in that role."""

    stack: Stack
    jobs: Jobs

    @property
    def store(self) -> S3Store:
        """The bucket, for what no command does yet."""
        return S3Store(config.load(self.jobs.config_path).storage, max_connections=1)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Moto(tmp_path_factory.mktemp("moto")) as moto:
        stack = Stack(moto, BUCKET)
        yield stack
        stack.close()


@pytest.fixture(scope="module")
def home(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of the user that the commands run as."""
    folder = tmp_path_factory.mktemp("home")
    stack.write_profiles(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def host(stack: Stack, home: Path) -> Iterator[Host]:
    """A host with a message that was swept."""
    with Ses() as ses, jobs_on(stack.moto, ses, home) as jobs:
        jobs.configure(**AS_ON_A_HOST)
        host = Host(stack, jobs)
        sweep(host)
        yield host


@pytest.fixture
def rights(stack: Stack) -> Iterator[dict[str, Any]]:
    """The host's rights, which it has again after the test."""
    policy = stack.host_rights()
    yield policy
    stack.grant_host(policy)


def sweep(host: Host) -> None:
    name = token_hex(4)
    host.jobs.archive(name, over_limit(subject=name), recipients=["one@example.org"])
    run(host, "sweep", "--full")


def listing(host: Host) -> None:
    run(host, "list")


def resend(host: Host) -> None:
    message_id, *_ = (key.split("/")[4] for key in host.jobs.keys("messages/"))
    run(host, "resend", message_id)


def archive(host: Host) -> None:
    mbox = host.jobs.folder / "some.mbox"
    mbox.write_bytes(b"From sender@example.com Tue Nov 24 09:00:00 2026\nSubject: x\n\nx\n\n")
    run(host, "archive", "--mbox", str(mbox))


def write_stats(host: Host) -> None:
    host.store.put_json("stats/2026-11-24/host-1.json", {}, Deadline(10))


def read_stats(host: Host) -> None:
    host.jobs.put("stats/2026-11-24/host-1.json", b"{}")
    assert host.store.get_json("stats/2026-11-24/host-1.json")


def claim_report(host: Host) -> None:
    assert host.store.create_json("reports/day-2026-11-24.json", {})


def read_report_claim(host: Host) -> None:
    host.jobs.put("reports/day-2026-11-24.json", b"{}")
    assert host.store.get_json("reports/day-2026-11-24.json")


NEEDED_BY: dict[str, Callable[[Host], None]] = {
    "Find": listing,
    "StoreMessages": sweep,
    "ReadMessages": resend,
    "StoreCopies": archive,
    "ReadCopies": sweep,
    "Claim": sweep,
    "ReadClaims": sweep,
    "WriteWatermark": sweep,
    "ReadWatermark": sweep,
    "WriteStats": write_stats,
    "ReadStats": read_stats,
    "ClaimReport": claim_report,
    "ReadReportClaims": read_report_claim,
}


def run(host: Host, *arguments: str) -> None:
    done = host.jobs.run(*arguments)
    assert done.status == 0, done.stdout + done.stderr


def test_the_jobs_work_with_exactly_the_hosts_rights(host: Host) -> None:
    for job in dict.fromkeys(NEEDED_BY.values()):
        job(host)


@pytest.mark.parametrize("sid", NEEDED_BY)
def test_without_any_one_right_a_job_fails(sid: str, host: Host, rights: dict[str, Any]) -> None:
    fewer = [it for it in rights["Statement"] if it["Sid"] != sid]
    host.stack.grant_host(rights | {"Statement": fewer})
    with pytest.raises(Exception, match="AccessDenied"):
        NEEDED_BY[sid](host)


def test_no_right_is_granted_that_these_tests_do_not_know(stack: Stack) -> None:
    statements = stack.host_rights()["Statement"]
    assert {it["Sid"] for it in statements} == NEEDED_BY.keys() | NOT_ENFORCED.keys()
    assert [it["Sid"] for it in statements if not isinstance(it["Action"], str)] == ["CheckBucket"]


def test_the_milter_stores_and_announces_with_the_hosts_rights(
    stack: Stack, home: Path, tmp_path: Path
) -> None:
    sent = Sent(messages.message(MB + 64 * 1024), SENDER, (RECIPIENT,))
    client = stack.moto.client()
    bucket = Bucket(client, BUCKET)
    with Lab(tmp_path, stack.moto, configuration=AS_ON_A_HOST | {"limit": "1MB"}) as lab:
        assert hand_over(lab.sendmail, sent).ok
        (notice,) = (BytesParser().parsebytes(it.message) for it in lab.ses.accepted)
    ours = f"/{notice['X-Woomera-Id']}/message.eml"
    (key,) = (it for it in bucket.list_keys("messages/") if it.endswith(ours))
    assert bucket.read(key) == sent.message
    client.close()


def test_the_host_can_compare_the_buckets_lifecycle_and_delete_nothing(host: Host) -> None:
    s3 = host.stack.client("s3", host.stack.host_keys)
    (key, *_) = host.jobs.keys("messages/")
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=BUCKET, Key=key)
    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):  # so it may ask
        s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)
    s3.close()


def test_a_link_opens_messages_and_nothing_else(host: Host) -> None:
    signer = host.stack.client("s3", host.stack.signer_keys)
    key, *_ = (it for it in host.jobs.keys("messages/") if it.endswith("message.eml"))
    assert signer.get_object(Bucket=BUCKET, Key=key)["Body"].read() == host.jobs.read(key)
    for other in (*host.jobs.keys("archive/"), *host.jobs.keys("processed/")):
        with pytest.raises(ClientError, match="AccessDenied"):
            signer.get_object(Bucket=BUCKET, Key=other)
    for refused in (
        lambda: signer.list_objects_v2(Bucket=BUCKET),
        lambda: signer.put_object(Bucket=BUCKET, Key=key, Body=b""),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            refused()
    assert len(host.stack.signer_rights()["Statement"]) == 1
    signer.close()
