"""A message that is sure to be stored has its MD5 computed by the workers while it still arrives."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.unit.milter.interceptions import (
    HEADERS,
    LIMIT_BYTES,
    OVER,
    Interceptions,
    MakeSession,
    no_progress,
    open_files_below,
    receive,
    replaces,
)
from woomera_milter.clock import Deadline
from woomera_milter.message.spool import SpooledMessage
from woomera_milter.milter.session import OverLimit, Replacement
from woomera_milter.milter.transaction import Verdict

BODY = OVER * 4


class ObservedPool(ThreadPoolExecutor):
    """Remembers what it was given to do."""

    def __init__(self) -> None:
        super().__init__(1)
        self.tasks: list[str] = []

    def submit(self, task: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Future[Any]:
        self.tasks.append(task.__name__)
        return super().submit(task, *arguments, **keywords)


@pytest.fixture
def workers() -> Iterator[ObservedPool]:
    with ObservedPool() as pool:
        yield pool


def answers_with_digest(over: OverLimit, _deadline: Deadline) -> Replacement:
    assert over.message.md5() == hashlib.md5(HEADERS + BODY).digest()
    return replaces(over, _deadline)


@pytest.mark.parametrize(
    ("msg_size", "hashings"), [(LIMIT_BYTES + 1, 3), (LIMIT_BYTES, 0), (None, 0)], ids=["over", "at", "none"]
)
def test_message_is_hashed_on_the_way_where_msg_size_shows_it_to_be_over_the_limit(
    make_session: MakeSession, workers: ObservedPool, msg_size: int | None, hashings: int
) -> None:
    session = make_session(Interceptions(answers_with_digest))

    receive(session, BODY, msg_size=msg_size)

    assert workers.tasks.count(SpooledMessage.hash_ahead.__name__) == hashings
    assert isinstance(session.decide(no_progress), Replacement)


def test_hashing_that_comes_too_late_finds_nothing_to_do(
    make_session: MakeSession, workers: ObservedPool, tmp_path: Path
) -> None:
    session = make_session(Interceptions(replaces))
    held = workers.submit(lambda: receive(session, BODY, msg_size=LIMIT_BYTES + 1))  # holds the only worker
    held.result()

    session.close()
    workers.shutdown(wait=True)

    assert open_files_below(tmp_path) == 0


def test_milter_that_ends_amid_a_message_still_answers_its_end(
    make_session: MakeSession, workers: ObservedPool
) -> None:
    session = make_session(Interceptions(replaces))
    workers.shutdown(wait=True)

    receive(session, BODY, msg_size=LIMIT_BYTES + 1)

    assert session.decide(no_progress) is Verdict.TEMPFAIL
