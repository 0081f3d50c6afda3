"""A session that is closed, at whatever step, leaves no file open."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.unit.milter.interceptions import (
    Interceptions,
    MakeSession,
    no_progress,
    open_files_below,
    receive,
    replaces,
)
from woomera_milter.milter.session import Session


def leave_at_once(session: Session) -> None:
    session.end_headers("4AO9Xk1S012345", None)


def leave_amid_the_body(session: Session) -> None:
    receive(session, b"short\r\n")


def end_within_the_limit(session: Session) -> None:
    receive(session, b"short\r\n")
    session.decide(no_progress)


def end_over_the_limit(session: Session) -> None:
    receive(session)
    session.decide(no_progress)


@pytest.mark.parametrize(
    "life", [leave_at_once, leave_amid_the_body, end_within_the_limit, end_over_the_limit]
)
def test_session_that_is_closed_leaves_no_file_open(
    life: Callable[[Session], None], make_session: MakeSession, workers: ThreadPoolExecutor, tmp_path: Path
) -> None:
    session = make_session(Interceptions(replaces))
    life(session)

    session.close()
    workers.shutdown(wait=True)

    assert open_files_below(tmp_path) == 0
    assert list(tmp_path.iterdir()) == []
