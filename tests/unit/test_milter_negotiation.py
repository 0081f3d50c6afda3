"""What the milter asks of an MTA before it takes its mail, and what no peer on its socket can do to it.

Speaks libmilter's protocol by hand, version 6 (sendmail's include/libmilter/mfdef.h): a packet is its length
in 4 octets, a command in one, and data.
"""

import contextlib
import os
import re
import socket
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import pytest

from rig.lab import Milter
from rig.process import free_port

VERSION = 6
ADD_HEADERS, CHANGE_BODY, CHANGE_HEADERS, CHANGE_SENDER, SET_SYMBOLS = 0x01, 0x02, 0x10, 0x40, 0x100
ALL_ACTIONS = 0x1FF
LEADING_SPACE = 0x100000
ALL_STEPS = 0x1FFFFF
END_OF_HEADERS_STAGE = 6
NEGOTIATE, MACROS, MAIL, RCPT, HEADER, END_OF_HEADERS, BODY, END_OF_MESSAGE = tuple("ODMRLNBE")
ACCEPT, CONTINUE = "a", "c"


class Mta:
    """A connection to the milter, as an MTA makes one."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._reader = self._socket.makefile("rb")

    def send(self, command: str, data: bytes = b"") -> None:
        self.send_raw((len(data) + 1).to_bytes(4, "big") + command.encode() + data)

    def send_raw(self, octets: bytes) -> None:
        self._socket.sendall(octets)

    def read(self) -> tuple[str, bytes] | None:
        """The milter's next packet; None where it has hung up."""
        try:
            length = self._reader.read(4)
        except ConnectionResetError:
            return None
        if not length:
            return None
        packet = self._reader.read(int.from_bytes(length, "big"))
        return chr(packet[0]), packet[1:]

    def ask(self, command: str, data: bytes = b"") -> str | None:
        """Send a command and return the answer to it."""
        self.send(command, data)
        answer = self.read()
        return answer and answer[0]

    def negotiate(self, actions: int = ALL_ACTIONS, steps: int = ALL_STEPS) -> bytes | None:
        """Offer these; return what the milter wants of them, or None where it hangs up."""
        offer = b"".join(number.to_bytes(4, "big") for number in (VERSION, actions, steps))
        self.send(NEGOTIATE, offer)
        answer = self.read()
        return answer and answer[1]

    def hang_up(self) -> None:
        with contextlib.suppress(OSError):  # the milter may have been the first to
            self._socket.shutdown(socket.SHUT_WR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()
        self._socket.close()


@pytest.fixture(scope="module")
def milter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Milter]:
    folder = tmp_path_factory.mktemp("milter")
    milter = Milter(
        {
            "storage": {
                "bucket": "example-large-mail",
                "region": "us-east-1",
                "access_key_id": "AKIANEVERUSED0000000",
                "secret_access_key": "k" * 40,
            },
            "milter": {"socket": f"inet:{free_port()}@127.0.0.1", "spool": str(folder)},
        },
        folder,
    )
    milter.start()
    yield milter
    milter.kill()
    assert "Traceback" not in milter.log_text()


@pytest.fixture
def port(milter: Milter) -> int:
    return int(milter.configuration["milter"]["socket"].partition(":")[2].partition("@")[0])


def numbers(answer: bytes) -> tuple[int, int, int]:
    """The version, actions and steps of the milter's answer."""
    version, actions, steps = (int.from_bytes(answer[at : at + 4], "big") for at in (0, 4, 8))
    return version, actions, steps


def assert_serves(port: int) -> None:
    """A small message on a new connection passes."""
    with Mta(port) as mta:
        assert mta.negotiate() is not None
        assert pass_small_message(mta) == ACCEPT


def pass_small_message(mta: Mta, queue_id: bytes = b"4AO9Xk1S012345") -> str | None:
    mta.send(MAIL, b"<sender@example.com>\0")
    mta.send(MACROS, b"R{rcpt_mailer}\0relay\0")
    mta.send(RCPT, b"<recipient@example.org>\0")
    mta.send(HEADER, b"Subject\0 figures\0")
    mta.send(MACROS, b"Ni\0%s\0{msg_size}\000100\0" % queue_id)
    return mta.ask(END_OF_HEADERS)


# What it asks for.


def test_milter_asks_for_what_it_needs_and_for_nothing_else(port: int) -> None:
    with Mta(port) as mta:
        answer = mta.negotiate()

    assert answer is not None
    version, actions, steps = numbers(answer)
    assert version == VERSION
    assert actions & ~SET_SYMBOLS == ADD_HEADERS | CHANGE_BODY | CHANGE_HEADERS
    assert steps & LEADING_SPACE


def test_milter_asks_for_the_size_of_the_message_so_that_sendmail_mc_need_not(port: int) -> None:
    with Mta(port) as mta:
        answer = mta.negotiate()

    assert answer is not None
    macros = END_OF_HEADERS_STAGE.to_bytes(4, "big") + b"i {msg_size}\0"
    assert macros in answer[12:]


def test_milter_asks_for_no_macro_that_it_does_not_read(port: int) -> None:
    with Mta(port) as mta:
        answer = mta.negotiate()

    assert answer is not None
    lists = re.findall(rb"....([^\0]*)\0", answer[12:], re.DOTALL)
    assert b" ".join(lists).split() == [b"{rcpt_mailer}", b"i", b"{msg_size}"]


def test_mta_that_cannot_be_asked_for_macros_is_served(port: int) -> None:
    with Mta(port) as mta:
        answer = mta.negotiate(ALL_ACTIONS & ~SET_SYMBOLS)

        assert answer is not None
        assert pass_small_message(mta) == ACCEPT


# Whom it refuses.


@pytest.mark.parametrize(
    ("actions", "steps", "missing"),
    [
        pytest.param(ALL_ACTIONS & ~CHANGE_HEADERS, ALL_STEPS, "change headers", id="headers stay"),
        pytest.param(ALL_ACTIONS & ~ADD_HEADERS, ALL_STEPS, "add headers", id="no header is added"),
        pytest.param(ALL_ACTIONS & ~CHANGE_BODY, ALL_STEPS, "change the body", id="the body stays"),
        pytest.param(
            ALL_ACTIONS,
            ALL_STEPS & ~LEADING_SPACE,
            "leave header values as they are (SMFIP_HDR_LEADSPC)",
            id="headers come unfolded",
        ),
        pytest.param(
            CHANGE_SENDER,
            0,
            "change headers, add headers, change the body, "
            "leave header values as they are (SMFIP_HDR_LEADSPC)",
            id="nothing that we need",
        ),
    ],
)
def test_mta_that_lacks_what_we_need_is_refused_with_a_line_that_says_what(
    actions: int, steps: int, missing: str, port: int, milter: Milter
) -> None:
    logged_before = len(milter.log_text())

    with Mta(port) as mta:
        assert mta.negotiate(actions, steps) is None

    lines = milter.log_text()[logged_before:].splitlines()
    assert f'-: refused-mta missing="{missing}"' in lines
    assert_serves(port)


# What no peer can do.

LENGTH_OF_TWO_GIGABYTES = (2**31 - 1).to_bytes(4, "big")


@pytest.mark.parametrize("queue_id", [b"x: intercepted id=x\nx", b"../x", b"\x1b[2Jx", "٣".encode()])
def test_what_is_no_queue_id_gets_into_no_key_header_or_line_of_the_log(
    queue_id: bytes, port: int, milter: Milter
) -> None:
    logged_before = len(milter.log_text())

    with Mta(port) as mta:
        mta.negotiate()
        assert pass_small_message(mta, queue_id) == ACCEPT

    assert milter.log_text()[logged_before:] == "-: passed why=small msg_size=100\n"


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\0\0", id="half a length"),
        pytest.param(b"\0\0\0\0", id="an empty packet"),
        pytest.param(LENGTH_OF_TWO_GIGABYTES + b"O", id="a packet of 2 GB"),
        pytest.param(b"\xff" * 4096, id="ones"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", id="HTTP"),
        pytest.param(b"EHLO client.example.com\r\n", id="SMTP"),
        pytest.param(b"\0\0\0\x01O", id="an offer of nothing"),
        pytest.param(b"\0\0\0\x0dO" + b"\0" * 12, id="an offer in version 0"),
        pytest.param(b"\0\0\0\x01E", id="end of message before all else"),
        pytest.param(b"\0\0\0\x05Babcd", id="a body before all else"),
        pytest.param(os.urandom(4096), id="random octets"),
    ],
)
def test_garbage_on_the_socket_does_not_stop_the_milter(octets: bytes, port: int) -> None:
    with Mta(port) as mta:
        mta.send_raw(octets)
        mta.hang_up()
        while mta.read():
            pass

    assert_serves(port)


@pytest.mark.parametrize(
    "packets",
    [
        pytest.param([(END_OF_MESSAGE, b"")], id="end of message without a sender"),
        pytest.param([(BODY, b"text")], id="a body without a sender"),
        pytest.param([(HEADER, b"Subject\0 x\0")], id="a header without a sender"),
        pytest.param([(MAIL, b"<a@example.com>\0"), (MAIL, b"<b@example.com>\0")], id="two senders"),
        pytest.param([(MAIL, b"")], id="a sender without an address"),
        pytest.param([(MAIL, b"<a@example.com>")], id="a sender without an end"),
        pytest.param([(MAIL, b"<a@example.com>\0"), (HEADER, b"Subject")], id="a header without a value"),
        pytest.param([(MACROS, b"M")], id="macros without a name"),
        pytest.param([("z", b"?")], id="an unknown command"),
    ],
)
def test_mta_out_of_step_does_not_stop_the_milter(packets: list[tuple[str, bytes]], port: int) -> None:
    with Mta(port) as mta:
        mta.negotiate()
        for command, data in packets:
            mta.send(command, data)
        mta.hang_up()
        while mta.read():
            pass

    assert_serves(port)


@pytest.mark.parametrize(
    ("header", "envelope_sender"),
    [
        pytest.param(b"Subject\0 \xff\xfe\0", b"<sender@example.com>\0", id="a header's value"),
        pytest.param(b"Subject\0 x\0", b"<\xff\xfe@example.com>\0", id="the sender's address"),
    ],
)
def test_octets_that_are_no_utf_8_get_an_answer_and_stop_nothing(
    header: bytes, envelope_sender: bytes, port: int
) -> None:
    with Mta(port) as mta:
        mta.negotiate()
        mta.send(MAIL, envelope_sender)
        mta.send(RCPT, b"<recipient@example.org>\0")
        mta.send(HEADER, header)
        answer = mta.ask(END_OF_HEADERS)

    assert answer == CONTINUE  # the body is asked for
    assert_serves(port)
