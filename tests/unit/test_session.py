"""Promises 1 and 2, where they are decided: one message's session; the test plays what stores messages."""

import contextlib
import logging
import os
import resource
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from woomera_milter import config, log
from woomera_milter.counters import Amount, Counters, Tally
from woomera_milter.errors import PermanentError, TemporaryError
from woomera_milter.intercept import Interceptor, OverLimit, Replacement
from woomera_milter.session import Session, Verdict
from woomera_milter.spool import Deadline, Envelope

LIMIT_BYTES = 1024 * 1024
ALLOWANCE_BYTES = 2048
LINE = b"x" * 78 + b"\r\n"
HEADERS = b"Subject: figures\r\n\r\n"
OVER = LINE * (LIMIT_BYTES // len(LINE))
PATIENCE_S = 10
LINKS_END = datetime(2026, 12, 1, 9, tzinfo=UTC)


class Interceptions(Interceptor):
    """Plays the interceptor: remembers what it was asked for and does what the test says."""

    def __init__(self, answer: Callable[[OverLimit, Deadline], Replacement | None]) -> None:
        self._answer = answer
        self.asked: list[OverLimit] = []

    def intercept(self, over: OverLimit, deadline: Deadline) -> Replacement | None:
        self.asked.append(over)
        return self._answer(over, deadline)


def replaces(over: OverLimit, _: Deadline) -> Replacement:
    return Replacement(
        over.queue_id,
        header_changes=(),
        body=b"notice\r\n",
        message_id="id",
        measured_bytes=over.measured_bytes,
        store_s=0.3,
        links_expire_at=LINKS_END,
    )


def fails_with(error: Exception) -> Interceptions:
    def fail(_: OverLimit, __: Deadline) -> None:
        raise error

    return Interceptions(fail)


@pytest.fixture
def workers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


MakeSession = Callable[..., Session]


@pytest.fixture
def counters() -> Counters:
    return Counters()


@pytest.fixture
def make_session(workers: ThreadPoolExecutor, counters: Counters, tmp_path: Path) -> Iterator[MakeSession]:
    """make_session(interceptor, **keys of milter): a session that has seen MAIL FROM."""
    sessions = []

    def make(interceptor: Interceptor, **milter: Any) -> Session:
        settings = {"spool": str(tmp_path)} | milter
        data = {"limit": "1MB", "storage": {"bucket": "example-large-mail"}, "milter": settings}
        configuration = config.validate(data, "config.yaml")
        session = Session(configuration, interceptor, workers, counters, "sender@example.com")
        sessions.append(session)
        return session

    yield make
    for session in sessions:
        session.close()


def receive(session: Session, body: bytes = OVER, *, msg_size: int | None = None) -> None:
    """Let the session see a message up to its end, as libmilter would."""
    session.add_recipient("recipient@example.org", "relay")
    session.add_header("Subject", b" figures")
    if session.end_headers("4AO9Xk1S012345", msg_size):
        for start in range(0, len(body), 65_535):
            session.add_body(body[start : start + 65_535])


def no_progress() -> None:
    pass


def octets_of(over: OverLimit) -> bytes:
    return os.pread(over.message.fileno(), over.message.size_bytes, 0)


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
    decision = session.end_message(no_progress)

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


def test_message_that_is_not_for_the_relay_passes(make_session: MakeSession) -> None:
    session = make_session(Interceptions(lambda over, deadline: None))

    receive(session)

    assert session.end_message(no_progress) is Verdict.PASS


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

    decision = session.end_message(no_progress)

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

    assert session.end_message(no_progress) is Verdict(on_failure)


def test_failure_is_logged_with_queue_id_reason_and_answer(
    make_session: MakeSession, caplog: pytest.LogCaptureFixture
) -> None:
    session = make_session(fails_with(TemporaryError("S3 is down", remedy="wait", reason="store")))

    receive(session)
    session.end_message(no_progress)

    assert caplog.messages == [
        '4AO9Xk1S012345: failed reason=store answer=tempfail problem="S3 is down; wait"'
    ]


def test_mistake_of_ours_is_logged_by_its_place_and_without_its_text(
    make_session: MakeSession, caplog: pytest.LogCaptureFixture
) -> None:
    session = make_session(fails_with(KeyError("recipient@example.org")))

    receive(session)
    session.end_message(no_progress)

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

    assert session.end_message(no_progress) is Verdict.PASS
    assert interceptor.asked == []


def test_spool_that_fails_is_a_failure_for_a_message_over_the_limit(
    make_session: MakeSession, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    interceptor = Interceptions(replaces)
    session = make_session(interceptor, spool=str(tmp_path / "missing"))

    receive(session)

    assert session.end_message(no_progress) is Verdict.TEMPFAIL
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

    assert session.end_message(no_progress) is Verdict.TEMPFAIL
    assert interceptor.asked == []


# Waiting.


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

    decision = session.end_message(no_progress)
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

    session.end_message(no_progress)
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
        decisions = [clients.submit(session.end_message, no_progress) for session in (first, second)]
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
        storing = client.submit(first.end_message, no_progress)
        assert gate.entered.wait(PATIENCE_S)
        decision = second.end_message(no_progress)
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

    decision = session.end_message(progress=gate.opened.set)  # without progress it would never be stored

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
        client.submit(first.end_message, no_progress)
        assert gate.entered.wait(PATIENCE_S)
        decision = second.end_message(hung_up)
        assert open_files_below(tmp_path) == 1
        gate.opened.set()
    workers.shutdown(wait=True)

    assert decision is Verdict.TEMPFAIL
    assert waiting.asked == []


# The counts.


def only_tally(counters: Counters) -> Tally:
    [tally] = counters.by_day().values()
    return tally


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
    session.end_message(no_progress)
    assert only_tally(counters).passed == Amount(1, len(HEADERS + b"short\r\n"))


def test_message_not_for_the_relay_counts_as_passed(make_session: MakeSession, counters: Counters) -> None:
    session = make_session(Interceptions(lambda over, deadline: None))
    receive(session)
    session.end_message(no_progress)
    assert only_tally(counters).passed == Amount(1, len(HEADERS + OVER))


def test_message_counts_and_is_logged_as_intercepted_once_the_mta_has_its_replacement(
    make_session: MakeSession, counters: Counters, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, log.logger.name)
    session = make_session(Interceptions(replaces))
    receive(session)
    decision = session.end_message(no_progress)
    assert isinstance(decision, Replacement)
    assert only_tally(counters) == Tally()
    assert caplog.messages == []

    session.replaced(decision)

    tally = only_tally(counters)
    assert (tally.intercepted, tally.store_seconds) == (Amount(1, len(HEADERS + OVER)), {"0.5": 1})
    assert [line.split()[1:3] for line in caplog.messages] == [["intercepted", "id=id"]]


def test_replacement_that_the_mta_refuses_counts_as_failed_alone(
    make_session: MakeSession, counters: Counters
) -> None:
    session = make_session(Interceptions(replaces), on_failure="pass")
    receive(session)
    decision = session.end_message(no_progress)
    assert isinstance(decision, Replacement)

    assert session.not_replaced(decision) is Verdict.TEMPFAIL

    tally = only_tally(counters)
    assert (tally.intercepted.count, tally.failed, tally.passed_over_limit) == (0, {"mta": 1}, 0)


@pytest.mark.parametrize(("on_failure", "passed"), [("tempfail", 0), ("reject", 0), ("pass", 1)])
@pytest.mark.parametrize(
    ("error", "reason"), [(TemporaryError("down", reason="store"), "store"), (KeyError("x"), "internal")]
)
def test_failure_counts_by_its_reason_and_where_it_passed_over_the_limit(
    error: Exception, reason: str, on_failure: str, passed: int, make_session: MakeSession, counters: Counters
) -> None:
    session = make_session(fails_with(error), on_failure=on_failure)
    receive(session)
    session.end_message(no_progress)
    tally = only_tally(counters)
    assert (tally.failed, tally.passed_over_limit, tally.passed.count) == ({reason: 1}, passed, 0)
    assert [(it.queue_id, it.reason) for it in tally.recent_failures] == [("4AO9Xk1S012345", reason)]


def test_message_that_its_client_breaks_off_counts_nowhere(
    make_session: MakeSession, counters: Counters
) -> None:
    session = make_session(Interceptions(replaces))
    receive(session)
    session.close()
    assert only_tally(counters) == Tally()


# The spool's file.


def open_files_below(folder: Path) -> int:
    """How many files below `folder` this process has open; spooled messages have no name, but a place."""
    count = 0
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            count += str(link.readlink()).startswith(str(folder))
    return count


def leave_at_once(session: Session) -> None:
    session.end_headers("4AO9Xk1S012345", None)


def leave_amid_the_body(session: Session) -> None:
    receive(session, b"short\r\n")


def end_within_the_limit(session: Session) -> None:
    receive(session, b"short\r\n")
    session.end_message(no_progress)


def end_over_the_limit(session: Session) -> None:
    receive(session)
    session.end_message(no_progress)


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
