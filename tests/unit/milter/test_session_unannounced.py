"""What is stored, and whose client then hears 451, is marked; what is announced is not."""

import pytest

from tests.unit.milter.interceptions import (
    Interceptions,
    MakeSession,
    Marks,
    ObedientMta,
    no_progress,
    receive,
)
from tests.unit.milter.test_session_waiting import Gate
from woomera_milter.errors import Reason, TemporaryError
from woomera_milter.milter.session import Session
from woomera_milter.milter.transaction import Verdict


@pytest.fixture
def marks() -> Marks:
    return Marks()


def hang_up() -> None:
    raise TemporaryError("the MTA hung up", reason=Reason.MTA)


def received(make_session: MakeSession, interceptor: Interceptions, **milter: str) -> Session:
    session = make_session(interceptor, **milter)
    receive(session)
    return session


def test_a_message_that_is_announced_is_not_marked(make_session: MakeSession, marks: Marks) -> None:
    session = received(make_session, Interceptions(marks.replaces))
    assert session.end_message(ObedientMta()) is Verdict.PASS
    assert marks.count == 0


def test_a_message_whose_mta_hangs_up_before_the_notice_is_marked(
    make_session: MakeSession, marks: Marks
) -> None:
    session = received(make_session, Interceptions(marks.replaces))
    assert session.end_message(ObedientMta(hang_up)) is Verdict.TEMPFAIL
    assert marks.count == 1


@pytest.mark.parametrize("on_failure", ["tempfail", "pass", "reject"])
def test_a_message_that_is_stored_after_its_deadline_is_marked(
    on_failure: str, make_session: MakeSession, marks: Marks
) -> None:
    gate = Gate(marks.replaces)
    session = received(make_session, Interceptions(gate), deadline="1s", on_failure=on_failure)
    assert session.end_message(ObedientMta()) is Verdict(on_failure)
    assert marks.count == 0

    gate.opened.set()

    marks.wait()


def test_a_message_whose_mta_hangs_up_while_it_is_being_stored_is_marked(
    make_session: MakeSession, marks: Marks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("woomera_milter.milter.session.PROGRESS_EVERY_S", 0.01)
    gate = Gate(marks.replaces)
    session = received(make_session, Interceptions(gate))
    assert session.decide(hang_up) is Verdict.TEMPFAIL

    gate.opened.set()

    marks.wait()


def test_a_message_that_never_had_its_turn_is_not_marked(make_session: MakeSession, marks: Marks) -> None:
    first, second = Gate(), Gate(marks.replaces)
    waiting = received(make_session, Interceptions(first), deadline="1s")
    behind = received(make_session, Interceptions(second), deadline="1s")
    assert waiting.decide(no_progress) is Verdict.TEMPFAIL
    assert behind.decide(no_progress) is Verdict.TEMPFAIL

    first.opened.set()

    assert not second.entered.is_set()
    assert marks.count == 0
