"""What a connection tells the MTA, and what it does where the MTA does not keep to the order of things."""

import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext

import milter
import pytest

from woomera_milter.errors import Reason, TemporaryError
from woomera_milter.milter.connection import (
    ACCEPT,
    CONTINUE,
    COPYING,
    MAIN,
    TEMPFAIL,
    Connection,
    Role,
    report_unraised,
)
from woomera_milter.milter.transaction import Mta, Transaction, Verdict
from woomera_milter.notice.header_edits import HeaderChange

CHANGES = [HeaderChange("Subject", 1, " Plans"), HeaderChange("DKIM-Signature", 2, None)]


class Context:
    """Plays libmilter: notes what is asked of the MTA, which hangs up at `hangs_up_at`."""

    def __init__(self, hangs_up_at: str = "", **macros: str) -> None:
        self.asked: list[tuple[object, ...]] = []
        self._hangs_up_at = hangs_up_at
        self._macros = macros

    def setpriv(self, _: object) -> None:
        pass

    def getsymval(self, name: str) -> str | None:
        return self._macros.get(name)

    def __getattr__(self, name: str) -> Callable[..., None]:
        def ask(*arguments: object) -> None:
            if name == self._hangs_up_at:
                raise milter.error("cannot " + name)
            self.asked.append((name, *arguments))

        return ask


class Heard(Transaction):
    """A message that takes whatever comes, and ends as the test says."""

    def __init__(self, sender: str, end: Callable[[Mta], Verdict]) -> None:
        super().__init__(sender)
        self._end = end
        self.headers_ended: tuple[str, int | None, Sequence[str]] | None = None
        self.body = b""
        self.closed = 0

    def end_headers(self, queue_id: str, msg_size: int | None, own_names: Sequence[str] = ()) -> bool:
        self.headers_ended = queue_id, msg_size, own_names
        return msg_size != 1

    def add_body(self, octets: bytes) -> None:
        if octets == b"breaks":
            raise ZeroDivisionError
        self.body += octets

    def end_message(self, mta: Mta) -> Verdict:
        return self._end(mta)

    def close(self) -> None:
        self.closed += 1


class Peer:
    """A connection, what it asks of the MTA, and the messages that it has seen."""

    def __init__(
        self, context: Context, role: Role = MAIN, end: Callable[[Mta], Verdict] = lambda _: Verdict.PASS
    ) -> None:
        self.messages: list[Heard] = []
        self.context = context

        def new_transaction(sender: str) -> Heard:
            self.messages.append(Heard(sender, end))
            return self.messages[-1]

        self.connection = Connection(role, new_transaction, nullcontext)
        self.connection._setctx(context)


# What it asks of the MTA.


def test_headers_are_changed_before_the_body_is_replaced() -> None:
    context = Context()

    Peer(context).connection.replace_message(CHANGES, b"notice\r\n")

    # sendmail cuts its copy of the message at the first octet of the new body: nothing may fail after it.
    assert context.asked == [
        ("chgheader", "Subject", 1, " Plans"),
        ("chgheader", "DKIM-Signature", 2, None),
        ("replacebody", b"notice\r\n"),
    ]


def test_recipient_is_added_before_the_body_is_replaced() -> None:
    context = Context()

    Peer(context, COPYING).connection.replace_message([], b"notice\r\n", "sender@example.com")

    assert context.asked == [("addrcpt", "<sender@example.com>", None), ("replacebody", b"notice\r\n")]


@pytest.mark.parametrize("hangs_up_at", ["chgheader", "addrcpt", "replacebody"])
def test_change_that_the_mta_refuses_is_an_error_to_try_again_after(hangs_up_at: str) -> None:
    connection = Peer(Context(hangs_up_at), COPYING).connection

    with pytest.raises(TemporaryError, match="refused a change") as raised:
        connection.replace_message(CHANGES, b"notice\r\n", "sender@example.com")

    assert raised.value.reason is Reason.MTA


def test_mta_that_hears_of_no_progress_any_more_has_hung_up() -> None:
    Peer(context := Context()).connection.report_progress()
    assert context.asked == [("progress",)]

    with pytest.raises(TemporaryError, match="hung up") as raised:
        Peer(Context("progress")).connection.report_progress()

    assert raised.value.reason is Reason.MTA


@pytest.mark.parametrize(
    ("verdict", "answer", "replies"),
    [
        (Verdict.PASS, ACCEPT, []),
        (Verdict.TEMPFAIL, TEMPFAIL, [("451", "4.3.0")]),
        (Verdict.REJECT, milter.REJECT, [("554", "5.3.0")]),
    ],
)
def test_client_hears_what_was_decided_of_its_message(
    verdict: Verdict, answer: int, replies: list[tuple[str, str]]
) -> None:
    peer = Peer(context := Context(), end=lambda _: verdict)
    peer.connection.envfrom("<sender@example.com>")

    assert peer.connection.eom() == answer

    assert [asked[1:3] for asked in context.asked if asked[0] == "setreply"] == replies
    assert [message.closed for message in peer.messages] == [1]


# Order.


@pytest.mark.parametrize(("on_trouble"), [TEMPFAIL, CONTINUE])
def test_end_of_a_message_that_never_began_is_not_taken_for_one_that_passes(on_trouble: int) -> None:
    role = Role(MAIN.name, MAIN.section, MAIN.actions, on_trouble=on_trouble)
    connection = Peer(Context(), role).connection

    assert connection.envrcpt("<recipient@example.org>") == CONTINUE
    assert connection.header("Subject", b" x") == CONTINUE
    assert connection.eoh() == on_trouble
    assert connection.body(b"x\r\n") == CONTINUE
    assert connection.eom() == on_trouble


def test_message_that_has_ended_is_not_ended_again() -> None:
    peer = Peer(Context())
    peer.connection.envfrom("<sender@example.com>")
    peer.connection.eom()

    assert peer.connection.eom() == TEMPFAIL


@pytest.mark.parametrize("leave", ["abort", "close"])
def test_message_that_ends_early_is_given_back_and_forgotten(leave: str) -> None:
    peer = Peer(Context())
    peer.connection.envfrom("<sender@example.com>")

    assert getattr(peer.connection, leave)() == CONTINUE

    assert peer.messages[0].closed == 1
    assert peer.connection.eom() == TEMPFAIL


def test_new_message_ends_the_one_before() -> None:
    peer = Peer(Context())
    peer.connection.envfrom("<first@example.com>")
    peer.connection.envfrom("<>")

    assert [message.closed for message in peer.messages] == [1, 0]
    assert [message._envelope_sender for message in peer.messages] == ["first@example.com", ""]


# What a message is told.


def test_message_is_told_what_the_mta_knows_of_it() -> None:
    macros = {"i": "4AO9Xk1S012345", "{msg_size}": "2000", "j": "mail.example.com", "{rcpt_mailer}": "relay"}
    peer = Peer(Context(**macros))
    peer.connection.envfrom("<sender@example.com>", "SIZE=2000")
    peer.connection.envrcpt("<recipient@example.org>")
    peer.connection.header("Subject", b" \xff")

    assert peer.connection.eoh() == CONTINUE
    peer.connection.body(b"text\r\n")

    [message] = peer.messages
    assert message.headers_ended == ("4AO9Xk1S012345", 2000, ["mail.example.com"])
    assert (message._recipients, message._mailers) == (["recipient@example.org"], {"relay"})
    assert message._headers == [("Subject", b" \xff")]
    assert message.body == b"text\r\n"


def test_body_that_is_not_needed_is_not_asked_for() -> None:
    peer = Peer(Context(**{"{msg_size}": "1"}))
    peer.connection.envfrom("<sender@example.com>")

    assert peer.connection.eoh() == ACCEPT


def test_message_hears_at_its_end_how_many_recipients_are_left_of_those_that_were_named() -> None:
    left: list[int] = []

    class Counted(Heard):
        def keep_recipients(self, count: int) -> None:
            left.append(count)

    for count in ("2", "many", ""):
        peer = Peer(Context(**{"{nrcpts}": count}))
        peer.connection._new_transaction = lambda sender: Counted(sender, lambda _: Verdict.PASS)
        peer.connection.envfrom("<sender@example.com>")
        assert peer.connection.eom() == ACCEPT

    assert left == [2]


# Mistakes of ours.


def test_message_amid_which_a_callback_breaks_is_answered_at_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    peer = Peer(Context())
    peer.connection.envfrom("<sender@example.com>")

    assert peer.connection.body(b"breaks") == CONTINUE  # the MTA does not wait for an answer
    assert peer.connection.body(b"more") == CONTINUE

    assert [(message.body, message.closed) for message in peer.messages] == [(b"", 1)]
    [line] = caplog.messages
    assert line.startswith("-: crashed answer=tempfail error=ZeroDivisionError at=")
    assert peer.connection.eom() == TEMPFAIL


def breaks(_: Mta) -> Verdict:
    raise ZeroDivisionError


@pytest.mark.parametrize(("on_trouble", "word"), [(TEMPFAIL, "tempfail"), (CONTINUE, "pass")])
def test_end_that_breaks_has_the_answer_that_is_logged(
    on_trouble: int, word: str, caplog: pytest.LogCaptureFixture
) -> None:
    peer = Peer(Context(), Role(MAIN.name, MAIN.section, MAIN.actions, on_trouble=on_trouble), breaks)
    peer.connection.envfrom("<sender@example.com>")

    assert peer.connection.eom() == on_trouble

    assert f"crashed answer={word} " in caplog.text
    assert [message.closed for message in peer.messages] == [1]


def test_what_reaches_no_callback_breaks_the_message_of_that_thread(caplog: pytest.LogCaptureFixture) -> None:
    peer = Peer(Context())
    peer.connection.envfrom("<sender@example.com>")

    report_unraised(MAIN, UnicodeDecodeError, UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"), None)

    assert [message.closed for message in peer.messages] == [1]
    assert peer.connection.eom() == TEMPFAIL
    assert "crashed answer=tempfail error=UnicodeDecodeError" in caplog.text


@pytest.mark.parametrize("lost", [False, True])
def test_mta_is_answered_where_it_waits_though_no_message_began(
    lost: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    policies: list[int] = []
    monkeypatch.setattr(milter, "set_exception_policy", policies.append)

    def happen() -> None:  # in a thread of its own, in which no callback has run yet
        if not lost:
            Peer(Context()).connection.close()
        report_unraised(MAIN, ZeroDivisionError, ZeroDivisionError(), None)

    thread = threading.Thread(target=happen)
    thread.start()
    thread.join()

    assert policies == [TEMPFAIL if lost else CONTINUE]
    assert "crashed answer=tempfail error=ZeroDivisionError" in caplog.text
