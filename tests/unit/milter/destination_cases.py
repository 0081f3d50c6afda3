"""Programs in sendmail's place, asked where recipients lead."""

from collections.abc import Callable
from pathlib import Path

import pytest

from woomera_milter.milter.destinations import Destinations

RELAY_MAILERS = ("relay", "esmtp", "smtp", "smtp8", "dsmtp")
QUEUE_ID = "4AO9Xk1S012345"

MakeProgram = Callable[[str], Path]


def reach_relay(program: Path | None, *recipients: str, mailers: tuple[str, ...] = ("local",)) -> bool:
    return Destinations(RELAY_MAILERS, program).reach_relay(recipients, frozenset(mailers), QUEUE_ID)


def doubts(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Why the log says that it was unsure; each line names the queue id."""
    begin = f"{QUEUE_ID}: unsure-of-destination why="
    assert all(line.startswith(begin) for line in caplog.messages)
    return [line.removeprefix(begin).strip('"') for line in caplog.messages]
