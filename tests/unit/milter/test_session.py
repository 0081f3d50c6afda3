"""Promises 1 and 2, where they are decided: one message's session; the test plays what stores messages."""

import resource
import signal
from pathlib import Path

import pytest

from tests.unit.milter.interceptions import (
    ALLOWANCE_BYTES,
    HEADERS,
    LIMIT_BYTES,
    LINE,
    OVER,
    Interceptions,
    MakeSession,
    no_progress,
    octets_of,
    only_tally,
    receive,
    replaces,
)
from woomera_milter.clock import Deadline
from woomera_milter.errors import PermanentError, TemporaryError
from woomera_milter.message.envelope import Envelope
from woomera_milter.milter.counters import Counters
from woomera_milter.milter.session import OverLimit, Replacement
from woomera_milter.milter.transaction import Verdict


def fails_with(error: Exception) -> Interceptions:
    def fail(_: OverLimit, __: Deadline) -> None:
        raise error

    return Interceptions(fail)


# The decision.


@pytest.mark.parametrize(
    ("over_bytes", "is_intercepted"),
    [(-1, False), (0, False), (1, True)],
    ids=["a byte under", "at the limit", "a byte over"],
)
def test_message_is_intercepted_from_the_first_byte_over_the_limit(
    over_bytes: int, is_intercepted: bool, make_session: MakeSession
) -> None:
    interceptor = Interceptions(replaces)
    session = make_session(interceptor)
    body_bytes = LIMIT_BYTES - ALLOWANCE_BYTES - len(HEADERS) + over_bytes
    lines, rest = divmod(body_bytes - len(LINE), len(LINE))

    receive(session, LINE * lines + b"x" * rest + LINE)
    decision = session.decide(no_progress)

    assert isinstance(decision, Replacement) == is_intercepted
    assert [over.measured_bytes for over in interceptor.asked] == [LIMIT_BYTES + 1] * is_intercepted


@pytest.mark.parametrize(
    ("msg_size", "milter", "wants_body"),
    [
        pytest.param((LIMIT_BYTES - ALLOWANCE_BYTES) // 2, {}, False, id="proved small"),
        pytest.param((LIMIT_BYTES - ALLOWANCE_BYTES) // 2 + 1, {}, True, id="a byte too many for a proof"),
        pytest.param(None, {}, True, id="no {msg_size}"),
        pytest.param(100, {"trust_msg_size": "false"}, True, id="a filter before us changes bodies"),
    ],
)
def test_body_is_asked_for_unless_msg_size_proves_the_message_small(
    msg_size: int | None, milter: dict[str, str], wants_body: bool, make_session: MakeSession
) -> None:
    session = make_session(Interceptions(replaces), **milter)

    assert session.end_headers("4AO9Xk1S012345", msg_size) == wants_body


@pytest.mark.parametrize(("kept", "refused"), [(None, 0), (2, 0), (1, 1), (3, 0)])
def test_recipients_that_a_later_filter_refused_are_counted(
    kept: int | None, refused: int, make_session: MakeSession
) -> None:
    interceptor = Interceptions(replaces)
    session = make_session(interceptor)
    session.add_recipient("other@example.org", "relay")
    receive(session)
    if kept is not None:
        session.keep_recipients(kept)

    session.decide(no_progress)

    [over] = interceptor.asked
    assert over.envelope.refused_count == refused


def test_message_that_is_not_for_the_relay_passes(make_session: MakeSession) -> None:
    session = make_session(Interceptions(lambda over, deadline: None))

    receive(session)

    assert session.decide(no_progress) is Verdict.PASS


def test_interceptor_gets_the_message_as_sent_without_bcc_and_all_that_belongs_to_it(
    make_session: MakeSession,
) -> None:
    spooled: list[bytes] = []

    def read(over: OverLimit, deadline: Deadline) -> Replacement:
        spooled.append(octets_of(over))
        return replaces(over, deadline)

    interceptor = Interceptions(read)
    session = make_session(interceptor)
    session.add_recipient("first@example.org", "relay")
    session.add_recipient("second@example.org", "local")
    session.add_header("Subject", b" folded\n\tvalue, 8-bit: \xff")
    session.add_header("bCC", b" hidden@example.org,\n another@example.org")
    session.add_header("Resent-Bcc", b" hidden@example.org")
    session.add_header("X-Tight", b"tight")
    session.end_headers("4AO9Xk1S012345", None)
    session.add_body(OVER)

    decision = session.decide(no_progress)

    [over] = interceptor.asked
    assert decision == replaces(over, Deadline(0))
    assert spooled == [b"Subject: folded\r\n\tvalue, 8-bit: \xff\r\nX-Tight:tight\r\n\r\n" + OVER]
    assert over.envelope == Envelope("sender@example.com", ("first@example.org", "second@example.org"))
    assert over.mailers == {"relay", "local"}
    assert over.queue_id == "4AO9Xk1S012345"
    # Sendmail counts Bcc among the headers that a change names by their place.
    assert [header.name for header in over.headers] == ["Subject", "bCC", "Resent-Bcc", "X-Tight"]


# Failures.


@pytest.mark.parametrize("on_failure", ["tempfail", "pass", "reject"])
@pytest.mark.parametrize(
    "error",
    [
        pytest.param(TemporaryError("S3 is down", reason="store"), id="temporary"),
        pytest.param(PermanentError("no such bucket", reason="store"), id="permanent"),
        pytest.param(KeyError("recipient@example.org"), id="a mistake of ours"),
    ],
)
def test_any_failure_becomes_what_on_failure_says(
    error: Exception, on_failure: str, make_session: MakeSession
) -> None:
    session = make_session(fails_with(error), on_failure=on_failure)

    receive(session)

    assert session.decide(no_progress) is Verdict(on_failure)


def test_failure_is_logged_with_queue_id_reason_and_answer(
    make_session: MakeSession, caplog: pytest.LogCaptureFixture
) -> None:
    session = make_session(fails_with(TemporaryError("S3 is down", remedy="wait", reason="store")))

    receive(session)
    session.decide(no_progress)

    assert caplog.messages == [
        '4AO9Xk1S012345: failed reason=store answer=tempfail problem="S3 is down; wait"'
    ]


def test_mistake_of_ours_is_logged_by_its_place_and_without_its_text(
    make_session: MakeSession, caplog: pytest.LogCaptureFixture
) -> None:
    session = make_session(fails_with(KeyError("recipient@example.org")))

    receive(session)
    session.decide(no_progress)

    [line] = caplog.messages
    assert line.startswith("4AO9Xk1S012345: crashed answer=tempfail error=KeyError at=")
    assert "test_session.py" in line
    assert "example.org" not in line


def test_spool_that_fails_is_no_matter_for_a_message_within_the_limit(
    make_session: MakeSession, tmp_path: Path
) -> None:
    interceptor = Interceptions(replaces)
    session = make_session(interceptor, spool=str(tmp_path / "missing"))

    receive(session, b"short\r\n")

    assert session.decide(no_progress) is Verdict.PASS
    assert interceptor.asked == []


def test_spool_that_fails_is_a_failure_for_a_message_over_the_limit(
    make_session: MakeSession, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    interceptor = Interceptions(replaces)
    session = make_session(interceptor, spool=str(tmp_path / "missing"))

    receive(session)

    assert session.decide(no_progress) is Verdict.TEMPFAIL
    assert interceptor.asked == []
    assert "reason=spool" in caplog.text
    assert "milter.spool: " in caplog.text


def test_spool_that_fails_amid_the_body_is_a_failure_and_nothing_more_is_written(
    make_session: MakeSession,
) -> None:
    interceptor = Interceptions(replaces)
    session = make_session(interceptor)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    was_ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # else the limit ends the process
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        receive(session)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, was_ignored)

    assert session.decide(no_progress) is Verdict.TEMPFAIL
    assert interceptor.asked == []


@pytest.mark.parametrize(("on_failure", "passed"), [("tempfail", 0), ("reject", 0), ("pass", 1)])
@pytest.mark.parametrize(
    ("error", "reason"), [(TemporaryError("down", reason="store"), "store"), (KeyError("x"), "internal")]
)
def test_failure_counts_by_its_reason_and_where_it_passed_over_the_limit(
    error: Exception, reason: str, on_failure: str, passed: int, make_session: MakeSession, counters: Counters
) -> None:
    session = make_session(fails_with(error), on_failure=on_failure)
    receive(session)
    session.decide(no_progress)
    tally = only_tally(counters)
    assert (tally.failed, tally.passed_over_limit, tally.passed.count) == ({reason: 1}, passed, 0)
    assert [(it.queue_id, it.reason) for it in tally.recent_failures] == [("4AO9Xk1S012345", reason)]
