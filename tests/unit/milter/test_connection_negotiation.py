"""What the milter asks of an MTA before it takes its mail; tests/protocol has what peers do to it."""

import re
from collections.abc import Iterator

import pytest

from rig.lab import Milter
from rig.mail import messages
from rig.mta.packets import Mta, head_of
from rig.process import free_port
from woomera_milter.check.milter_client import ACCEPT, ALL_ACTIONS, ALL_STEPS, VERSION

ADD_HEADERS, CHANGE_BODY, CHANGE_HEADERS, CHANGE_SENDER, SET_SYMBOLS = 0x01, 0x02, 0x10, 0x40, 0x100
LEADING_SPACE = 0x100000
END_OF_HEADERS_STAGE = 6
SMALL = messages.message()


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
    return milter.port


def numbers(answer: bytes) -> tuple[int, int, int]:
    """The version, actions and steps of the milter's answer."""
    version, actions, steps = (int.from_bytes(answer[at : at + 4], "big") for at in (0, 4, 8))
    return version, actions, steps


def assert_serves(port: int) -> None:
    """A small message on a new connection passes."""
    with Mta(port) as mta:
        assert mta.negotiate() is not None
        assert mta.begin(SMALL, msg_size=len(SMALL)) == ACCEPT


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
    macros = END_OF_HEADERS_STAGE.to_bytes(4, "big") + b"i {msg_size} j M\0"
    assert macros in answer[12:]


def test_milter_asks_for_no_macro_that_it_does_not_read(port: int) -> None:
    with Mta(port) as mta:
        answer = mta.negotiate()

    assert answer is not None
    lists = re.findall(rb"....([^\0]*)\0", answer[12:], re.DOTALL)
    assert b" ".join(lists).split() == [b"{rcpt_mailer}", b"{nrcpts}", b"i", b"{msg_size}", b"j", b"M"]


def test_mta_that_cannot_be_asked_for_macros_is_served(port: int) -> None:
    with Mta(port) as mta:
        answer = mta.negotiate(ALL_ACTIONS & ~SET_SYMBOLS)

        assert answer is not None
        assert mta.begin(SMALL, msg_size=len(SMALL)) == ACCEPT


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


@pytest.mark.parametrize(
    "queue_id", [b"x: intercepted id=x\nx", b"../x", b"\x1b[2Jx", "٣".encode(), b"\xff", b"x" * 65]
)
def test_what_is_no_queue_id_gets_into_no_key_header_or_line_of_the_log(
    queue_id: bytes, port: int, milter: Milter
) -> None:
    logged_before = len(milter.log_text())

    with Mta(port) as mta:
        mta.negotiate()
        mta.say(head_of(SMALL, queue_id=queue_id, msg_size=100))
        assert mta.read() == (ACCEPT, b"")

    assert milter.log_text()[logged_before:] == "-: passed why=small msg_size=100\n"
