"""A bucket to sweep, a mailer for the notices, and the log."""

import logging
from collections.abc import Iterator

import pytest

from tests.fakes.bucket import MemoryStore
from tests.fakes.outbox import Outbox
from woomera_milter import log


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture(autouse=True)
def events(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    log.logger.propagate = True
    with caplog.at_level(logging.INFO, logger="woomera_milter"):
        yield caplog
