"""A bucket with an archive, `woomera sweep` and its like as people run them, and the mail that they send."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from rig.lab import BUCKET, base_configuration, environment, merged
from rig.mail.messages import message
from rig.servers.s3 import S3Server
from rig.servers.ses import Ses

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LIMIT_BYTES = 256 * 1024
OVER_BYTES = LIMIT_BYTES + 4096
CHECKOUT = Path(__file__).parent.parent  # `python -m` looks for the package where it is run
DAY = "archive/2026/11/24/host-1"


@dataclass(frozen=True, slots=True)
class Run:
    """How one command ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.stdout)


def run_argv(argv: Sequence[str], extra_environment: Mapping[str, str] | None = None) -> Run:
    """Run a program to its end."""
    done = subprocess.run(
        argv,
        env=environment() | dict(extra_environment or {}),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr)


class Jobs:
    """A bucket with an archive, the commands that work on it, and the mail they send."""

    def __init__(self, folder: Path, s3: S3Server, ses: Ses) -> None:
        self.folder = folder
        self.s3 = s3
        self.ses = ses
        self.client: S3Client = s3.client()
        self.config_path = folder / "config.yaml"
        (folder / "spool").mkdir()
        self.configure()

    def configure(self, **changes: Any) -> None:
        """Write the configuration, with `changes` laid over it section by section."""
        base = base_configuration(self.s3, "inet:9999@127.0.0.1", self.folder / "spool")
        ours = {
            "limit": f"{LIMIT_BYTES // 1024}KB",
            "mail": {"host": self.ses.host, "port": self.ses.port},
            "sweep": {"lease": "1s"},
        }
        self.config_path.write_text(yaml.safe_dump(merged(merged(base, ours), changes)), encoding="utf-8")
        self.config_path.chmod(0o600)

    def archive(
        self,
        name: str,
        octets: bytes,
        *,
        recipients: Sequence[str] | None = None,
        envelope_sender: str = "bounces@example.com",
    ) -> str:
        """Put a copy into the archive; with `recipients` as archive-milter does, envelope first."""
        key = f"{DAY}/{name}.eml"
        if recipients is not None:
            envelope = {
                "envelope_sender": envelope_sender,
                "recipients": list(recipients),
                "archived_at": "2026-11-24T09:00:00Z",
                "host": "host-1",
                "source": "archive-milter",
                "added_bytes": 0,
            }
            self.put(f"{DAY}/{name}.json", json.dumps(envelope).encode())
        return self.put(key, octets)

    def put(self, key: str, octets: bytes, **extra: Any) -> str:
        """Put an object."""
        self.client.put_object(Bucket=BUCKET, Key=key, Body=octets, **extra)
        return key

    def keys(self, prefix: str) -> list[str]:
        """Return the keys below a prefix."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [it["Key"] for page in pages for it in page.get("Contents", [])]

    def read(self, key: str) -> bytes:
        """Return an object's octets."""
        return self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def command(self, *arguments: str) -> list[str]:
        """Return how a command is run with this configuration."""
        return [sys.executable, "-m", "woomera_milter", "--config", str(self.config_path), *arguments]

    def run(self, *arguments: str, extra_environment: Mapping[str, str] | None = None) -> Run:
        """Run a command to its end."""
        return self.run_argv(self.command(*arguments), extra_environment)

    def run_argv(self, argv: Sequence[str], extra_environment: Mapping[str, str] | None = None) -> Run:
        """Run a program to its end."""
        return run_argv(argv, extra_environment)

    def sweep(self, *arguments: str) -> Any:
        """Run a sweep that has to succeed; return its JSON."""
        done = self.run("sweep", "--json", *arguments)
        assert done.status == 0, (done.stdout, done.stderr)
        return done.document

    @property
    def notices(self) -> list[Message]:
        """The messages that SES has taken."""
        return [BytesParser().parsebytes(it.message) for it in self.ses.accepted]


@contextmanager
def jobs_on(s3: S3Server, ses: Ses, folder: Path) -> Iterator[Jobs]:
    """Give an empty bucket on `s3`, which runs already; `folder` takes what is written on this host."""
    jobs = Jobs(folder, s3, ses)
    present = [it["Name"] for it in jobs.client.list_buckets()["Buckets"]]
    if BUCKET not in present:
        s3.make_bucket(BUCKET)
    for key in jobs.keys(""):
        jobs.client.delete_object(Bucket=BUCKET, Key=key)
    yield jobs
    jobs.client.close()


def over_limit(subject: str = "Quarterly figures", extra_headers: bytes = b"", **more: Any) -> bytes:
    """Return a message in wire form that is over the limit."""
    return message(OVER_BYTES, subject=subject, extra_headers=extra_headers, **more)


def text_of(notice: Message) -> str:
    """Return a notice's plain text."""
    octets = next(part for part in notice.walk() if not part.is_multipart()).get_payload(decode=True)
    assert isinstance(octets, bytes)
    return octets.decode().replace("\r\n", "\n")


def links_in(notice: Message) -> list[str]:
    """Return the links that stand whole on a line of a notice's plain text, in order."""
    return re.findall(r"^https?://\S+$", text_of(notice), re.MULTILINE)


def link_in(notice: Message) -> str:
    """Return the link to the message in a notice."""
    return next(link for link in links_in(notice) if "/message.eml?" in link)
