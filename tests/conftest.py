"""What tests of several folders share. A server that is missing fails the run: nothing here skips."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from rig.lab import BUCKET
from rig.promises.bucket import Bucket
from rig.servers.s3 import Juicefs

# What their helpers assert is told in full, as what a test asserts is.
pytest.register_assert_rewrite(
    "tests.unit.notice.header_edit_cases",
    "tests.unit.notice.notice_cases",
    "tests.unit.report.documents",
    "tests.unit.store.stores",
)

# CI tries the same examples each time: what it says is about the change. Elsewhere each run tries new ones.
# No deadline: Hypothesis's is of wall-clock time, which says how busy the machine is. What bounds the cost of
# a reader are the tests that take processor time.
settings.register_profile("woomera", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("woomera")


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Juicefs]:
    """One S3 server with BUCKET for the whole run; a test that takes it away starts one of its own."""
    with Juicefs(tmp_path_factory.mktemp("s3")) as server:
        server.make_bucket(BUCKET)
        yield server


@pytest.fixture(scope="session")
def bucket(s3: Juicefs) -> Iterator[Bucket]:
    """BUCKET of `s3`; a `Trial` empties it when it begins."""
    client = s3.client()
    yield Bucket(client, BUCKET)
    client.close()
