"""Commands in an order that no MTA would choose, and negotiations that are none."""

import pytest

from rig.mta.packets import BODY, DATA, END_OF_MESSAGE, HELO, QUIT_CONNECTION, REPLY, UNKNOWN, Mta
from tests.protocol.conftest import MARK, OVER, Target
from woomera_milter.check.milter_client import (
    ABORT,
    CONTINUE,
    END_OF_HEADERS,
    HEADER,
    MACROS,
    MAIL,
    NEGOTIATE,
    QUIT,
    RCPT,
    Packet,
    offer,
)

SENDER: Packet = (MAIL, b"<" + MARK + b"@example.com>\0")
RECIPIENT: Packet = (RCPT, b"<" + MARK + b"@example.org>\0")
SUBJECT: Packet = (HEADER, b"Subject\0 " + MARK + b"\0")
HEADERS_END: Packet = (END_OF_HEADERS, b"")
TEXT: Packet = (BODY, MARK)
END: Packet = (END_OF_MESSAGE, b"")
MESSAGE = [SENDER, RECIPIENT, SUBJECT, HEADERS_END, TEXT]


@pytest.mark.parametrize(
    "packets",
    [
        pytest.param([TEXT], id="a body before all else"),
        pytest.param([END], id="end of message before all else"),
        pytest.param([HEADERS_END], id="end of headers before all else"),
        pytest.param([RECIPIENT], id="a recipient without a sender"),
        pytest.param([SUBJECT], id="a header without a sender"),
        pytest.param([SENDER, SENDER], id="two senders"),
        pytest.param([SENDER, RECIPIENT, SENDER, HEADERS_END], id="a sender after the recipients"),
        pytest.param([SENDER, RECIPIENT, (DATA, b""), RECIPIENT], id="a recipient after DATA"),
        pytest.param([SENDER, RECIPIENT, (DATA, b""), (DATA, b"")], id="DATA twice"),
        pytest.param([*MESSAGE[:3], RECIPIENT, HEADERS_END], id="a recipient among the headers"),
        pytest.param([*MESSAGE[:4], HEADERS_END, END], id="end of headers twice"),
        pytest.param([*MESSAGE[:4], SUBJECT, END], id="a header after their end"),
        pytest.param([*MESSAGE, SUBJECT, END], id="a header after the body"),
        pytest.param([*MESSAGE, END, END], id="end of message twice"),
        pytest.param([*MESSAGE, END, TEXT, END], id="a body after the end of message"),
        pytest.param([*MESSAGE, (HELO, b"x\0"), END], id="HELO within the body"),
        pytest.param([*MESSAGE, SENDER, END], id="a sender within the body"),
        pytest.param([SENDER, (UNKNOWN, b"XYZZY\0"), *MESSAGE[1:]], id="an SMTP command that nobody knows"),
        pytest.param([(MACROS, b"N{msg_size}\0001\0"), TEXT], id="macros for nothing"),
        pytest.param([(QUIT, b""), *MESSAGE, END], id="a message after QUIT"),
    ],
)
def test_mta_out_of_step_ends_its_connection_at_most(packets: list[Packet], target: Target) -> None:
    with target.connect() as mta:
        mta.say(packets)
        mta.hang_up()


@pytest.mark.parametrize("count", range(len(MESSAGE) + 1))
def test_abort_in_any_state_leaves_the_connection_for_the_next_message(count: int, target: Target) -> None:
    begun = MESSAGE[:count]
    with target.connect() as mta:
        mta.say(begun)
        if HEADERS_END in begun:
            assert mta.read() == (CONTINUE, b"")
        mta.say([(ABORT, b""), (ABORT, b"")])

        target.assert_served(mta.hand_over(OVER))


def test_connection_that_is_handed_on_serves_the_next_client(target: Target) -> None:
    with target.connect() as mta:
        mta.say([SENDER, RECIPIENT, (QUIT_CONNECTION, b"")] * 3)

        target.assert_served(mta.hand_over(OVER))


@pytest.mark.parametrize("before", [[], [(QUIT_CONNECTION, b"")]], ids=["at once", "once handed on"])
def test_second_negotiation_takes_nothing_back(before: list[Packet], target: Target) -> None:
    with target.connect() as mta:
        mta.say([*before, (NEGOTIATE, offer(actions=0))])

        target.assert_served(mta.hand_over(OVER))


@pytest.mark.parametrize("version", range(2, 8))
def test_version_of_the_protocol_is_no_matter_as_long_as_all_is_offered(version: int, target: Target) -> None:
    with Mta(target.port) as mta:
        mta.send(NEGOTIATE, offer(version))
        assert mta.read()
        target.assert_served(mta.hand_over(OVER))


@pytest.mark.parametrize("version", range(2, 6))
def test_mta_that_is_too_old_to_offer_all_is_refused_with_a_line_that_says_why(
    version: int, target: Target
) -> None:
    with Mta(target.port) as mta:
        mta.send(NEGOTIATE, offer(version, actions=0x3F, steps=0x7F))  # as sendmail 8.13 does
        assert mta.read() is None

    assert target.new_log_text() == (
        '-: refused-mta missing="leave header values as they are (SMFIP_HDR_LEADSPC)"\n'
    )


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 12, offer(1), offer()[:11]], ids=["nothing", "zeros", "version 1", "cut short"]
)
def test_offer_that_is_none_ends_its_connection(data: bytes, target: Target) -> None:
    with Mta(target.port) as mta:
        assert mta.ask(NEGOTIATE, data) is None


def test_mail_without_any_negotiation_is_not_let_pass(target: Target) -> None:
    with Mta(target.port) as mta:
        mta.say(MESSAGE)
        answer = mta.read()
        mta.hang_up()

    # pymilter has no object of ours to call, and would print where it missed one.
    assert answer is not None
    assert answer[0] == (CONTINUE if target.is_archive else REPLY)
    log = target.new_log_text()
    assert "error=AttributeError" in log
    assert "Traceback" not in log
    assert MARK.decode() not in log
