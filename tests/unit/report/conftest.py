"""The bucket that reports are made from."""

import pytest

from tests.unit.report.documents import NOW, Bucket


@pytest.fixture
def bucket() -> Bucket:
    bucket = Bucket()
    bucket.now = NOW
    return bucket
