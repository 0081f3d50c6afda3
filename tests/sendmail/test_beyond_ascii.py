"""Addresses beyond ASCII behind the real sendmail, and an SES that refuses them.

Where sendmail was built without USE_EAI, as Debian's was, it takes no SMTPUTF8, yet lets octets from 0xA0 on
pass in an address; tests/protocol has those that it does not.
"""

import pytest

from rig.jobs import run_argv
from rig.mail import messages
from rig.mta.smtp import SmtpClient
from rig.promises.checker import Sent
from rig.trial import Trial, hand_over
from tests.sendmail.cases import OVER_BYTES

SENDER = "sender@example.com"


@pytest.mark.parametrize(
    ("recipient", "sought"),
    [("jörg@example.org", "JÖRG@"), ("a@bücher.example", "xn--bcher-kva.example")],
)
def test_message_is_stored_and_found_and_its_sender_hears_that_ses_refuses_the_address(
    recipient: str, sought: str, trial: Trial
) -> None:
    lab = trial.lab
    with SmtpClient(lab.sendmail.smtp_port) as client:
        parameters = "SMTPUTF8" if "SMTPUTF8" in client.ehlo.lines else ""
    sent = Sent(messages.message(OVER_BYTES), SENDER, (recipient,))

    exchange = hand_over(lab.sendmail, sent, mail_parameters=parameters)

    assert exchange.ok
    [sidecar] = run_argv(lab.milter.command_line("list", "--json", "--recipient", sought)).document
    assert sidecar["recipients"] == [recipient]
    [bounce] = trial.aftermath(exchange).accepted
    assert bounce.recipients == (SENDER,)
    assert sidecar["id"].encode() in bounce.message
