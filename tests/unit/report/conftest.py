"""The bucket that reports are made from."""

import pytest

from tests.fakes.bucket import MemoryStore
from tests.unit.report.documents import NOW


@pytest.fixture
def bucket() -> MemoryStore:
    bucket = MemoryStore()
    bucket.now = NOW
    return bucket
