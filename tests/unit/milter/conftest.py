"""Sessions that have seen MAIL FROM, their worker and their counters."""

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.unit.milter.destination_cases import MakeProgram
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


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter, as they may not enter pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="woomera-destinations-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def make_program(open_folder: Path) -> MakeProgram:
    """make_program(shell): a program in sendmail's place."""

    def make(shell: str) -> Path:
        program = open_folder / "sendmail"
        program.write_text(f"#!/bin/sh\n{shell}\n")
        program.chmod(0o755)
        return program

    return make
