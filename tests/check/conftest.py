"""Sound configurations of sendmail, of Woomera and of buckets, in which a test breaks one thing."""

import ssl
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rig.lab import BUCKET
from rig.mta import sendmail_cf as rig_cf
from rig.servers.certificate import certificate
from rig.servers.faults import FaultProxy
from rig.servers.s3 import Juicefs, Ministack, Moto, S3Server
from rig.servers.smtp_server import SmtpServer
from woomera_milter.check import sendmail_cf
from woomera_milter.check.bucket import s3
from woomera_milter.check.finding import Finding
from woomera_milter.check.sendmail_cf import SendmailCf
from woomera_milter.config import Config
from woomera_milter.config.values import MB
from woomera_milter.store.inspection import Bucket

SMTP_PORT = 2525
MILTER, ARCHIVE = "unix:/run/woomera/milter.sock", "unix:/run/woomera/archive.sock"

MakeCf = Callable[..., SendmailCf]
"""make_cf(**changes to rig.mta.sendmail_cf.Settings): what m4 makes of our sendmail.mc, with a submit.cf."""


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """sendmail's m4 files with ours among them."""
    folder = tmp_path_factory.mktemp("sendmail") / "cf"
    rig_cf.install_features(folder)
    return folder


@pytest.fixture
def make_cf(tree: Path, tmp_path: Path) -> MakeCf:
    def make(**changes: Any) -> SendmailCf:
        settings = rig_cf.Settings(**{"relay_port": 587, "milter_socket": MILTER} | changes)
        path = tmp_path / "sendmail.cf"
        path.write_text(rig_cf.build(rig_cf.server_mc(settings, tmp_path, SMTP_PORT, 0), tree))
        submission = rig_cf.build(rig_cf.submission_mc(tmp_path, SMTP_PORT, 0), tree)
        path.with_name("submit.cf").write_text(submission)
        (tmp_path / "sendmail.pid").touch()
        return sendmail_cf.load(path)

    return make


def configured(**sections: Any) -> Config:
    """A configuration that is the default but for these sections."""
    storage = {"bucket": "large-mail", "region": "us-east-1"} | sections.pop("storage", {})
    return Config.model_validate({"storage": storage, **sections})


def troubles(findings: Iterable[Finding]) -> list[Finding]:
    """Those that did not pass."""
    return [it for it in findings if it.status != "pass"]


def the_trouble(findings: Iterable[Finding]) -> Finding:
    """The only one that did not pass; it has a remedy."""
    [found] = troubles(findings)
    assert found.remedy
    return found


# A bucket as it should be.

ALL_BLOCKED = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)


def rule(prefix: str, days: int, **more: Any) -> dict[str, Any]:
    """A lifecycle rule that deletes what lies below `prefix`."""
    selection = {"ID": f"{prefix}{days}", "Status": "Enabled", "Filter": {"Prefix": prefix}}
    return selection | {"Expiration": {"Days": days}} | more


MESSAGES_RULE = rule("messages/", 30)
UPLOADS_RULE = {
    "ID": "uploads",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
}


def make_sound(server: S3Server, *rules: dict[str, Any], block: dict[str, bool] | None = None) -> None:
    """Give BUCKET the settings that it should have; else these rules, and these gaps in what is blocked."""
    client: Any = server.client()
    lifecycle = {"Rules": list(rules or (MESSAGES_RULE, UPLOADS_RULE))}
    client.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration=lifecycle)
    client.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=ALL_BLOCKED | (block or {}))
    client.close()


# S3 servers, each used for what it really does.


def _server(kind: type[S3Server], folder: Path) -> Iterator[S3Server]:
    with kind(folder) as server:
        server.make_bucket(BUCKET)
        yield server


@pytest.fixture(scope="session")
def juicefs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Strict about signatures; ignores conditions, knows no settings of buckets."""
    yield from _server(Juicefs, tmp_path_factory.mktemp("juicefs"))


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Honours conditions and digests, has settings; everybody may read."""
    yield from _server(Ministack, tmp_path_factory.mktemp("ministack"))


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Verifies neither digests nor signatures."""
    yield from _server(Moto, tmp_path_factory.mktemp("moto"))


@pytest.fixture
def proxy(ministack: S3Server) -> Iterator[FaultProxy]:
    """Before ministack, whose bucket is a sound one."""
    make_sound(ministack)
    with FaultProxy(ministack.port) as proxy:
        yield proxy


def configuration_of(server: S3Server, url: str | None = None, **storage: Any) -> Config:
    """How a host reaches BUCKET on `server`, by way of `url` (None: straight)."""
    section = {
        "bucket": BUCKET,
        "endpoint_url": url or server.endpoint_url,
        "addressing": "path",
        "encryption": "AES256",
        "access_key_id": server.access_key,
        "secret_access_key": server.secret_key,
    }
    return configured(storage=section | storage, links={"endpoint_url": url or server.endpoint_url})


def keys_in(server: S3Server) -> list[str]:
    """What is in BUCKET."""
    client = server.client()
    found = [it["Key"] for it in client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
    client.close()
    return found


HOST = "host-1"


def look_at_bucket(configuration: Config, now: datetime | None = None) -> list[Finding]:
    """What `check` says of the bucket, as HOST sees it."""
    bucket = Bucket(configuration.storage)
    try:
        return list(s3.look(bucket, configuration, HOST, now or datetime.now(UTC)))
    finally:
        bucket.close()


# A relay.

SIZE = f"SIZE {10 * MB}"


@pytest.fixture
def secure_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmtpServer]:
    """Offers STARTTLS; its certificate is trusted."""
    certificate_file, key_file = certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate_file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate_file, key_file)
    with SmtpServer(tls=context, extensions=("AUTH PLAIN LOGIN", SIZE)) as server:
        yield server
