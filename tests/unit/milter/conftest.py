"""Sessions that have seen MAIL FROM, their worker and their counters."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.unit.milter.interceptions import Interceptions, MakeSession
from woomera_milter import config
from woomera_milter.milter.counters import Counters
from woomera_milter.milter.session import Session


@pytest.fixture
def workers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture
def counters() -> Counters:
    return Counters()


@pytest.fixture
def make_session(workers: ThreadPoolExecutor, counters: Counters, tmp_path: Path) -> Iterator[MakeSession]:
    """make_session(interceptor, **keys of milter): a session that has seen MAIL FROM."""
    sessions = []

    def make(interceptor: Interceptions, **milter: Any) -> Session:
        settings = {"spool": str(tmp_path)} | milter
        data = {"limit": "1MB", "storage": {"bucket": "example-large-mail"}, "milter": settings}
        configuration = config.validate(data, "config.yaml")
        session = Session(configuration, interceptor.intercept, workers, counters, "sender@example.com")
        sessions.append(session)
        return session

    yield make
    for session in sessions:
        session.close()
