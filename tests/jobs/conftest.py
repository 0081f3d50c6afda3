"""Real S3 servers, and the stand-in for SES."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.jobs import Jobs, jobs_on
from rig.servers.s3 import Juicefs, Ministack
from rig.servers.ses import Ses


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    with Ministack(tmp_path_factory.mktemp("ministack")) as server:
        yield server


@pytest.fixture(scope="session")
def juicefs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Juicefs]:
    with Juicefs(tmp_path_factory.mktemp("juicefs")) as server:
        yield server


@pytest.fixture
def ses() -> Iterator[Ses]:
    with Ses() as stand_in:
        yield stand_in


@pytest.fixture
def jobs(tmp_path: Path, ministack: Ministack, ses: Ses) -> Iterator[Jobs]:
    """An empty bucket on a server that honours conditional writes."""
    with jobs_on(ministack, ses, tmp_path) as jobs:
        yield jobs


@pytest.fixture
def jobs_without_conditions(tmp_path: Path, juicefs: Juicefs, ses: Ses) -> Iterator[Jobs]:
    """An empty bucket on a server that ignores the conditions of a write."""
    with jobs_on(juicefs, ses, tmp_path) as jobs:
        yield jobs
