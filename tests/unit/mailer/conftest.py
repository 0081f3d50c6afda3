"""The pauses that a mailer makes, for the tests of every way to send."""

import pytest

from tests.unit.mailer.mailers import Pauses


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()
