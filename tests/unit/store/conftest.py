"""Servers to store on, a spooled message, and none of this host's AWS settings."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.servers.s3 import Juicefs, Ministack
from tests.unit.store.script import Script, scripted
from tests.unit.store.stores import BUCKET, WIRE
from woomera_milter.message.spool import SpooledMessage


@pytest.fixture(autouse=True)
def no_aws_settings_of_this_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.fixture(scope="module")
def juicefs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Juicefs]:
    with Juicefs(tmp_path_factory.mktemp("juicefs")) as server:
        server.make_bucket(BUCKET)
        yield server


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    with Ministack(tmp_path_factory.mktemp("ministack")) as server:
        server.make_bucket(BUCKET)
        yield server


@pytest.fixture
def spooled(tmp_path: Path) -> Iterator[SpooledMessage]:
    message = SpooledMessage(tmp_path)
    message.write(WIRE)
    yield message
    message.close()


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted() as server:
        yield server
