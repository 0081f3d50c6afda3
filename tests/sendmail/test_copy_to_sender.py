"""notice.copy_to_sender: whoever sent the message sees what the others got, and nobody gets two."""

from collections.abc import Iterator

import pytest

from rig.jobs import run_argv
from rig.lab import Lab
from rig.mail import messages
from rig.mta.sendmail_cf import HOST_NAME
from rig.promises.bucket import Bucket
from rig.promises.checker import Sent
from rig.servers.s3 import Juicefs
from rig.trial import Plain, Trial, hand_over
from tests.sendmail.cases import OVER_BYTES
from tests.sendmail.conftest import SMALL_LIMIT

SENDER, RECIPIENT = "sender@example.com", "recipient@example.org"
POSTMASTER = "postmaster@example.net"
ALIASES = {"app": "ops@example.org", "team": f"{RECIPIENT}, {SENDER}", "postmaster": POSTMASTER}


@pytest.fixture(scope="module")
def copying_lab(s3: Juicefs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    configuration = SMALL_LIMIT | {"notice": {"copy_to_sender": True}}
    with Lab(tmp_path_factory.mktemp("copying-lab"), s3, configuration=configuration, aliases=ALIASES) as lab:
        yield lab


@pytest.fixture(scope="module")
def aliased_plain() -> Iterator[Plain]:
    with Plain(ALIASES) as plain:
        yield plain


@pytest.fixture
def copying(copying_lab: Lab, bucket: Bucket, aliased_plain: Plain) -> Trial:
    return Trial(copying_lab, bucket, aliased_plain)


def over_limit(*, extra_headers: bytes = b"") -> bytes:
    return messages.message(OVER_BYTES, extra_headers=extra_headers)


def test_sender_gets_the_notice_too_and_resend_goes_to_the_messages_recipients(copying: Trial) -> None:
    lab = copying.lab

    copying.intercepts(Sent(over_limit(), SENDER, (RECIPIENT,)), relayed_to=[RECIPIENT, SENDER])

    (sidecar,) = run_argv(lab.milter.command_line("list", "--json")).document
    assert sidecar["recipients"] == [RECIPIENT]
    again = run_argv(lab.milter.command_line("resend", sidecar["id"], "--dry-run", "--json")).document
    assert again["to"] == [RECIPIENT]
    assert "copy=sender" in lab.milter.log_text()


@pytest.mark.parametrize(
    ("sender", "recipients", "relayed_to", "extra_headers"),
    [
        pytest.param(SENDER, (RECIPIENT, SENDER), None, b"", id="is a recipient"),
        pytest.param(SENDER, (RECIPIENT, "Sender@Example.com"), None, b"", id="in capitals"),
        pytest.param(SENDER, ("team",), [RECIPIENT, SENDER], b"", id="by an alias"),
        pytest.param("", (RECIPIENT,), None, b"", id="null sender"),
        pytest.param("list-bounces@example.com", (RECIPIENT,), None, b"", id="a list's bounces"),
        pytest.param(SENDER, (RECIPIENT,), None, b"List-Id: <list.example.com>\r\n", id="a list"),
        pytest.param(SENDER, (RECIPIENT,), None, b"Auto-Submitted: auto-generated\r\n", id="a program"),
    ],
)
def test_sender_gets_no_second_notice_and_none_that_nobody_reads(
    sender: str,
    recipients: tuple[str, ...],
    relayed_to: list[str] | None,
    extra_headers: bytes,
    copying: Trial,
) -> None:
    sent = Sent(over_limit(extra_headers=extra_headers), sender, recipients)

    copying.intercepts(sent, relayed_to=relayed_to)


def test_50_recipients_and_the_sender_go_in_transactions_that_ses_takes(copying: Trial) -> None:
    recipients = tuple(f"recipient{number}@example.org" for number in range(50))

    copying.intercepts(Sent(over_limit(), SENDER, recipients), relayed_to=[*recipients, SENDER])


def test_copy_for_a_user_of_this_host_goes_where_his_aliases_lead(copying: Trial) -> None:
    exchange = hand_over(copying.lab.sendmail, Sent(over_limit(), f"app@{HOST_NAME}", (RECIPIENT,)))

    assert exchange.ok
    assert not copying.lab.ses.refused
    [notice] = copying.lab.ses.accepted
    assert sorted(notice.recipients) == ["ops@example.org", RECIPIENT]


def test_copy_for_a_user_of_this_host_without_a_mailbox_comes_to_postmaster(copying: Trial) -> None:
    exchange = hand_over(copying.lab.sendmail, Sent(over_limit(), f"ghost@{HOST_NAME}", (RECIPIENT,)))

    aftermath = copying.aftermath(exchange)
    assert [it.recipients for it in aftermath.accepted] == [(RECIPIENT,), (POSTMASTER,)]
    assert b"ghost" in aftermath.accepted[1].message
    assert aftermath.queue_ids == []


def test_message_within_the_limit_goes_to_its_recipients_alone(copying: Trial) -> None:
    copying.passes(Sent(messages.message(), SENDER, (RECIPIENT,)))
