"""notice.copy_to_sender at the socket: what is asked of the MTA, and for whom the notice is then."""

import pytest

from rig.lab import Milter
from rig.mta.packets import Mta, Outcome, body_of, head_of
from tests.protocol.conftest import OVER, SMALL, StartTarget, Target
from woomera_milter.check.milter_client import ACCEPT, ALL_ACTIONS

ADD_RECIPIENTS = 0x04
SENDER, RECIPIENT = "sender@example.com", "recipient@example.org"


@pytest.fixture(scope="module")
def target(start_target: StartTarget, tmp_path_factory: pytest.TempPathFactory) -> Target:
    return start_target(Milter, tmp_path_factory.mktemp("copying"), notice={"copy_to_sender": True})


def handed_over(
    target: Target, *, sender: str = SENDER, recipient: str = RECIPIENT, field: bytes = b""
) -> Outcome:
    message = field + OVER
    with target.connect() as mta:
        mta.say(head_of(message, sender=sender, recipient=recipient))
        assert mta.read()
        mta.say(body_of(message))
        return mta.outcome()


def test_sender_becomes_a_recipient_of_the_notice(target: Target) -> None:
    outcome = handed_over(target)

    assert outcome.added_recipients == [b"<sender@example.com>"]
    target.assert_served(outcome)


@pytest.mark.parametrize(
    ("sender", "recipient", "field"),
    [
        pytest.param("", RECIPIENT, b"", id="null sender"),
        pytest.param("list-bounces@example.com", RECIPIENT, b"", id="a list's bounces"),
        pytest.param(SENDER, RECIPIENT, b"List-Id: <list.example.com>\r\n", id="a list"),
        pytest.param(SENDER, RECIPIENT, b"Precedence: bulk\r\n", id="bulk"),
        pytest.param(SENDER, RECIPIENT, b"Auto-Submitted: auto-generated\r\n", id="a program"),
        pytest.param(SENDER, "SENDER@example.com", b"", id="is a recipient"),
    ],
)
def test_sender_is_added_to_nothing_else(sender: str, recipient: str, field: bytes, target: Target) -> None:
    outcome = handed_over(target, sender=sender, recipient=recipient, field=field)

    assert outcome.added_recipients == []
    target.assert_served(outcome)


def test_message_within_the_limit_has_the_recipients_that_it_had(target: Target) -> None:
    with target.connect() as mta:
        assert mta.hand_over(SMALL) == Outcome(ACCEPT)


def test_sender_beyond_ascii_is_added_as_it_came(target: Target) -> None:
    outcome = handed_over(target, sender="jörg@bücher.example")

    assert outcome.added_recipients == ["<jörg@bücher.example>".encode()]


def test_mta_that_adds_no_recipients_is_refused_with_a_line_that_says_so(target: Target) -> None:
    target.new_log_text()

    with Mta(target.port) as mta:
        assert mta.negotiate(ALL_ACTIONS & ~ADD_RECIPIENTS) is None

    assert target.new_log_text() == '-: refused-mta missing="add recipients"\n'


def test_adding_recipients_is_asked_for(target: Target) -> None:
    with Mta(target.port) as mta:
        answer = mta.negotiate()

    assert answer is not None
    assert int.from_bytes(answer[4:8], "big") & ADD_RECIPIENTS
