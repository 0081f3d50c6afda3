"""The pauses that a mailer makes, for the tests of every way to send."""

import pytest

from tests.unit.submission.mailers import Pauses


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()
