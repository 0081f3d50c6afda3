"""Each message counts once, for what became of it."""

import logging
from dataclasses import replace

import pytest

from tests.unit.milter.interceptions import (
    HEADERS,
    OVER,
    Interceptions,
    MakeSession,
    ObedientMta,
    no_progress,
    only_tally,
    receive,
    replaces,
)
from woomera_milter import log
from woomera_milter.errors import TemporaryError
from woomera_milter.milter.counters import Counters
from woomera_milter.milter.transaction import Verdict
from woomera_milter.store.tallies import Amount, Tally


def test_message_that_is_not_read_counts_as_passed_with_what_msg_size_says(
    make_session: MakeSession, counters: Counters
) -> None:
    receive(make_session(Interceptions(replaces)), msg_size=100)
    assert only_tally(counters).passed == Amount(1, 100)


def test_message_within_the_limit_counts_as_passed_with_its_octets_on_the_wire(
    make_session: MakeSession, counters: Counters
) -> None:
    session = make_session(Interceptions(replaces))
    receive(session, b"short\r\n")
    session.decide(no_progress)
    assert only_tally(counters).passed == Amount(1, len(HEADERS + b"short\r\n"))


def test_message_not_for_the_relay_counts_as_passed(make_session: MakeSession, counters: Counters) -> None:
    session = make_session(Interceptions(lambda over, deadline: None))
    receive(session)
    session.decide(no_progress)
    assert only_tally(counters).passed == Amount(1, len(HEADERS + OVER))


@pytest.mark.parametrize(
    ("msg_size", "body", "line"),
    [
        (100, b"", "passed why=small msg_size=100"),
        (None, b"x\r\n", 'passed why="within the limit" measured_bytes=2071'),
        (None, OVER, f'passed why="not for the relay" measured_bytes={2068 + len(OVER)}'),
    ],
    ids=["small", "within the limit", "not for the relay"],
)
def test_message_that_passes_is_logged_with_the_reason(
    msg_size: int | None, body: bytes, line: str, make_session: MakeSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, log.logger.name)
    session = make_session(Interceptions(lambda over, deadline: None))
    receive(session, body, msg_size=msg_size)
    if msg_size is None:
        session.decide(no_progress)
    assert caplog.messages == [f"4AO9Xk1S012345: {line}"]


def test_message_counts_and_is_logged_as_intercepted_once_the_mta_has_its_replacement(
    make_session: MakeSession, counters: Counters, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, log.logger.name)
    session = make_session(Interceptions(replaces))
    receive(session)

    def nothing_is_counted_or_logged_yet() -> None:
        assert only_tally(counters) == Tally()
        assert caplog.messages == []

    mta = ObedientMta(nothing_is_counted_or_logged_yet)
    assert session.end_message(mta) is Verdict.PASS
    assert mta.bodies == [b"notice\r\n"]

    tally = only_tally(counters)
    assert (tally.intercepted, tally.store_seconds) == (Amount(1, len(HEADERS + OVER)), {"0.5": 1})
    assert [line.split()[1:3] for line in caplog.messages] == [["intercepted", "id=id"]]


@pytest.mark.parametrize("copy_to", [None, "sender@example.com"])
def test_mta_is_asked_for_a_copy_to_the_sender_where_there_is_to_be_one_and_the_log_says_so(
    copy_to: str | None, make_session: MakeSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, log.logger.name)
    session = make_session(Interceptions(lambda *of: replace(replaces(*of), copy_to=copy_to)))
    receive(session)
    mta = ObedientMta()

    assert session.end_message(mta) is Verdict.PASS

    assert mta.copies_to == [copy_to]
    [line] = caplog.messages
    assert ("copy=sender" in line) == bool(copy_to)


def test_replacement_that_the_mta_refuses_counts_and_is_logged_as_failed_alone(
    make_session: MakeSession, counters: Counters, caplog: pytest.LogCaptureFixture
) -> None:
    session = make_session(Interceptions(replaces), on_failure="pass")
    receive(session)

    def refuse() -> None:
        raise TemporaryError("the MTA refused a change to the message", reason="mta")

    assert session.end_message(ObedientMta(refuse)) is Verdict.TEMPFAIL

    tally = only_tally(counters)
    assert (tally.intercepted.count, tally.failed, tally.passed_over_limit) == (0, {"mta": 1}, 0)
    assert caplog.messages == [
        '4AO9Xk1S012345: failed reason=mta answer=tempfail problem="the MTA refused a change to the message"'
    ]


def test_message_that_its_client_breaks_off_counts_nowhere(
    make_session: MakeSession, counters: Counters
) -> None:
    session = make_session(Interceptions(replaces))
    receive(session)
    session.close()
    assert only_tally(counters) == Tally()
