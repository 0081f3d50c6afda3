"""A real S3 server, behind a proxy that fails as it is told, and a spool to ship from."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rig.archive_lab import Archiving
from rig.lab import BUCKET, base_configuration
from rig.servers.faults import FaultProxy
from rig.servers.s3 import Juicefs
from tests.archive.shipping import Objects


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
