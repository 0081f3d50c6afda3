"""A client hears a verdict in time, however long messages wait for their turn or are stored."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.unit.milter.interceptions import (
    HEADERS,
    OVER,
    PATIENCE_S,
    Interceptions,
    MakeSession,
    no_progress,
    octets_of,
    open_files_below,
    receive,
    replaces,
)
from woomera_milter.clock import Deadline
from woomera_milter.errors import TemporaryError
from woomera_milter.milter.session import OverLimit, Replacement
from woomera_milter.milter.transaction import Verdict


class Gate:
    """Holds a worker until the test lets it go on."""

    def __init__(self, then: Callable[[OverLimit, Deadline], Replacement | None] = replaces) -> None:
        self._then = then
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self, over: OverLimit, deadline: Deadline) -> Replacement | None:
        self.entered.set()
        assert self.opened.wait(PATIENCE_S)
        return self._then(over, deadline)


def test_client_hears_the_verdict_at_the_deadline_though_the_worker_goes_on(
    make_session: MakeSession, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()
    session = make_session(Interceptions(gate), deadline="1s")
    receive(session)

    decision = session.decide(no_progress)
    gate.opened.set()

    assert decision is Verdict.TEMPFAIL
    assert "failed reason=deadline answer=tempfail" in caplog.text


def test_file_stays_open_for_the_worker_past_the_deadline_and_is_closed_when_it_is_done(
    make_session: MakeSession, workers: ThreadPoolExecutor
) -> None:
    read: list[bytes] = []

    def read_late(over: OverLimit, _: Deadline) -> None:
        read.append(octets_of(over))

    gate = Gate(then=read_late)
    interceptor = Interceptions(gate)
    session = make_session(interceptor, deadline="1s")
    receive(session)

    session.decide(no_progress)
    session.close()
    gate.opened.set()
    workers.shutdown(wait=True)

    assert read == [HEADERS + OVER]
    with pytest.raises(ValueError, match="closed"):
        interceptor.asked[0].message.fileno()


def test_messages_beyond_max_concurrent_wait_for_their_turn(make_session: MakeSession) -> None:
    gate = Gate()
    first, second = (make_session(Interceptions(gate)) for _ in range(2))
    receive(first)
    receive(second)

    with ThreadPoolExecutor(2) as clients:
        decisions = [clients.submit(session.decide, no_progress) for session in (first, second)]
        assert gate.entered.wait(PATIENCE_S)
        gate.opened.set()

    assert all(isinstance(decision.result(), Replacement) for decision in decisions)


def test_message_whose_turn_does_not_come_before_the_deadline_fails_and_is_never_stored(
    make_session: MakeSession, workers: ThreadPoolExecutor, tmp_path: Path
) -> None:
    gate = Gate()
    blocking, waiting = Interceptions(gate), Interceptions(replaces)
    first, second = make_session(blocking), make_session(waiting, deadline="1s")
    receive(first)
    receive(second)

    with ThreadPoolExecutor(1) as client:
        storing = client.submit(first.decide, no_progress)
        assert gate.entered.wait(PATIENCE_S)
        decision = second.decide(no_progress)
        assert open_files_below(tmp_path) == 1  # that of the first
        gate.opened.set()
        assert isinstance(storing.result(), Replacement)
    workers.shutdown(wait=True)

    assert decision is Verdict.TEMPFAIL
    assert waiting.asked == []


def test_mta_hears_of_progress_while_a_message_is_stored(make_session: MakeSession) -> None:
    gate = Gate()
    session = make_session(Interceptions(gate))
    receive(session)

    decision = session.decide(progress=gate.opened.set)  # without progress it would never be stored

    assert isinstance(decision, Replacement)


def test_message_of_an_mta_that_hung_up_is_given_up_before_its_turn_comes(
    make_session: MakeSession, workers: ThreadPoolExecutor, tmp_path: Path
) -> None:
    gate = Gate()
    blocking, waiting = Interceptions(gate), Interceptions(replaces)
    first, second = make_session(blocking), make_session(waiting)
    receive(first)
    receive(second)

    def hung_up() -> None:
        raise TemporaryError("the MTA hung up", reason="mta")

    with ThreadPoolExecutor(1) as client:
        client.submit(first.decide, no_progress)
        assert gate.entered.wait(PATIENCE_S)
        decision = second.decide(hung_up)
        assert open_files_below(tmp_path) == 1
        gate.opened.set()
    workers.shutdown(wait=True)

    assert decision is Verdict.TEMPFAIL
    assert waiting.asked == []
