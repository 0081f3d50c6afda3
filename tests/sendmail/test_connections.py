"""Several messages on one connection, and on many at once: nothing of one shows in another."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from rig.mail import messages
from rig.mta.smtp import Exchange, SmtpClient
from rig.promises.checker import Aftermath, Sent, check
from rig.promises.notices import read_notice
from rig.promises.stored import check_nothing_else_stored
from rig.trial import Trial
from tests.sendmail.cases import OVER_BYTES

RECIPIENT = "recipient@example.org"


def distinct(number: int, size_bytes: int | None = None) -> Sent:
    """A message that shares neither sender nor subject nor text nor recipient with another `number`."""
    text = b"Only in message %d.\r\n" % number
    sender = f"sender{number}@example.com"
    message = messages.message(
        size_bytes,
        sender=sender,
        subject=f"Message {number}",
        extra_headers=b"X-Rig-Number: %d\r\n" % number,
        content=messages.text_part(text * 3),
    )
    return Sent(message, sender, (f"recipient{number}@example.org",))


def give(client: SmtpClient, sent: Sent) -> Exchange:
    return client.send(sent.message, sender=sent.envelope_sender, recipients=sent.recipients)


def hold(trial: Trial, all_sent: list[Sent], exchanges: list[Exchange]) -> None:
    """Hold each message against the promises; its transactions are those with its sender."""
    whole = trial.aftermath(None)
    assert not whole.refused
    assert not whole.queue_ids
    found = []
    for sent, exchange in zip(all_sent, exchanges, strict=True):
        accepted = [it for it in whole.accepted if it.envelope_sender == sent.envelope_sender]
        interception = check(sent, Aftermath(exchange, accepted, [], []), trial.bucket, trial.limits)
        number = re.findall(rb"\d+", sent.envelope_sender.encode())[0]
        for transaction in accepted:
            named = re.findall(
                rb"(?:Only in message|X-Rig-Number:|Subject: Message) (\d+)", transaction.message
            )
            assert set(named) == {number}
        if interception is not None:
            assert re.findall(r"Only in message (\d+)", interception.notice.text)[0] == number.decode()
            found.append(interception.stored)
    assert len(whole.accepted) == len(all_sent)
    check_nothing_else_stored(trial.bucket, found)


def test_messages_on_one_connection_have_nothing_of_each_other(trial: Trial) -> None:
    all_sent = [
        distinct(1, OVER_BYTES),
        distinct(2),
        distinct(3, OVER_BYTES + 5000),
        distinct(4, OVER_BYTES // 2),
        distinct(5, OVER_BYTES),
    ]

    with SmtpClient(trial.lab.sendmail.smtp_port) as client:
        exchanges = [give(client, sent) for sent in all_sent]

    assert all(exchange.ok for exchange in exchanges)
    hold(trial, all_sent, exchanges)


@pytest.mark.parametrize("command", ["RSET", "EHLO again.example"])
def test_envelope_that_was_given_up_leaves_nothing_for_the_next(trial: Trial, command: str) -> None:
    sent = distinct(1, OVER_BYTES)
    with SmtpClient(trial.lab.sendmail.smtp_port) as client:
        client.command("MAIL FROM:<forgotten@example.com>")
        client.command("RCPT TO:<nobody@example.org>")
        assert client.command(command).ok
        exchange = give(client, sent)

    hold(trial, [sent], [exchange])


@pytest.mark.parametrize("size_bytes", [1000, OVER_BYTES * 2], ids=["small", "over"])
def test_data_cut_off_by_the_client_is_no_message(trial: Trial, size_bytes: int) -> None:
    given_up, sent = distinct(1, OVER_BYTES * 3), distinct(2, OVER_BYTES)
    with SmtpClient(trial.lab.sendmail.smtp_port) as client:
        client.command(f"MAIL FROM:<{given_up.envelope_sender}>")
        client.command(f"RCPT TO:<{RECIPIENT}>")
        client.abort_in_data(given_up.message[:size_bytes])

    with SmtpClient(trial.lab.sendmail.smtp_port) as client:
        exchange = give(client, sent)

    hold(trial, [sent], [exchange])


def test_messages_of_many_clients_at_once_have_nothing_of_each_other(trial: Trial) -> None:
    all_sent = [distinct(number, OVER_BYTES + number if number % 3 else None) for number in range(1, 13)]

    def one_client(own: list[Sent]) -> list[Exchange]:
        with SmtpClient(trial.lab.sendmail.smtp_port) as client:
            return [give(client, sent) for sent in own]

    with ThreadPoolExecutor(4) as clients:
        exchanges = [
            exchange
            for answers in clients.map(one_client, [all_sent[at : at + 3] for at in range(0, 12, 3)])
            for exchange in answers
        ]

    assert all(exchange.ok for exchange in exchanges)
    hold(trial, all_sent, exchanges)


def test_mail_of_the_sendmail_command_is_intercepted_too(trial: Trial) -> None:
    message = messages.message(OVER_BYTES)

    done = trial.lab.sendmail.submit(
        "-f", "sender@example.com", RECIPIENT, message=message.replace(b"\r\n", b"\n")
    )

    assert done.returncode == 0
    aftermath = trial.aftermath(None)
    notice = read_notice(aftermath.accepted[0].message)
    assert [it.recipients for it in aftermath.accepted] == [(RECIPIENT,)]
    (stored,) = [key for key in trial.bucket.list_keys() if key.endswith(f"/{notice.id}/message.eml")]
    # It is submitted with header fields that the command adds, Received for one.
    assert trial.bucket.read(stored).endswith(message.partition(b"\r\n\r\n")[2])
