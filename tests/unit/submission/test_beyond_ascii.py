"""Addresses beyond ASCII (RFC 6531) go out where the server can carry them, else the refusal says why."""

from collections.abc import Iterator

import pytest

from rig.servers.ses import Ses
from rig.servers.ses_api import SesApi
from rig.servers.smtp_server import SmtpServer
from tests.unit.submission.mailers import ANN, MESSAGE, SENDER, Pauses, mailer
from woomera_milter.submission.mailer import MAX_RECIPIENTS, Delivery, Mailer

JOERG = "jörg@example.org"
WANG = "王@例子.公司"
BOOKS, BOOKS_IN_ASCII = "a@bücher.example", "a@xn--bcher-kva.example"


@pytest.fixture
def ses() -> Iterator[Ses]:
    with Ses() as ses:
        yield ses


@pytest.fixture
def api() -> Iterator[SesApi]:
    with SesApi() as api:
        yield api


@pytest.fixture
def relay() -> Iterator[Ses]:
    """A mail server that takes SMTPUTF8."""
    with Ses(smtputf8=True) as relay:
        yield relay


def by(server: Ses, pauses: Pauses) -> Mailer:
    return mailer(pauses, host=server.host, port=server.port)


# A domain.


def test_domain_goes_out_in_its_ascii_form_and_the_recipient_keeps_its_name(ses: Ses, pauses: Pauses) -> None:
    with by(ses, pauses) as by_smtp:
        delivery = by_smtp.send("b@straße.example", [BOOKS, ANN], MESSAGE)

    assert delivery == Delivery(accepted=(BOOKS, ANN))
    [sent] = ses.accepted
    assert (sent.envelope_sender, sent.recipients) == ("b@xn--strae-oqa.example", (BOOKS_IN_ASCII, ANN))


def test_address_in_both_forms_gets_one_message(ses: Ses, pauses: Pauses) -> None:
    with by(ses, pauses) as by_smtp:
        delivery = by_smtp.send(SENDER, [BOOKS, BOOKS_IN_ASCII], MESSAGE)

    assert delivery.accepted == (BOOKS, BOOKS_IN_ASCII)
    assert [sent.recipients for sent in ses.accepted] == [(BOOKS_IN_ASCII,)]


def test_domain_goes_to_the_api_in_its_ascii_form_too(api: SesApi, pauses: Pauses) -> None:
    with mailer(pauses, via="ses", endpoint_url=api.endpoint_url) as by_api:
        delivery = by_api.send("b@straße.example", [BOOKS, BOOKS_IN_ASCII, ANN], MESSAGE)

    assert delivery.accepted == (BOOKS, BOOKS_IN_ASCII, ANN)
    [sent] = api.sent
    assert (sent.sender, sent.recipients) == ("b@xn--strae-oqa.example", (BOOKS_IN_ASCII, ANN))


# A local-part, where the server takes SMTPUTF8.


def test_local_part_goes_out_in_utf_8_and_with_smtputf8(relay: Ses, pauses: Pauses) -> None:
    with by(relay, pauses) as by_smtp:
        delivery = by_smtp.send(JOERG, [WANG], MESSAGE)

    assert delivery == Delivery(accepted=(WANG,))
    [sent] = relay.accepted
    assert (sent.envelope_sender, sent.recipients) == (JOERG, ("王@xn--fsqu00a.xn--55qx5d",))
    assert sent.message == MESSAGE


def test_what_is_said_is_utf_8() -> None:
    with (
        SmtpServer(extensions=("SMTPUTF8",)) as server,
        mailer(Pauses(), host=server.host, port=server.port) as by_smtp,
    ):
        by_smtp.send(JOERG, [JOERG], MESSAGE)

    heard = [line.encode("latin-1").decode() for line in server.heard]
    assert f"MAIL FROM:<{JOERG}> SMTPUTF8" in heard
    assert f"RCPT TO:<{JOERG}>" in heard


def test_others_are_sent_to_without_smtputf8_which_their_own_servers_may_lack(
    relay: Ses, pauses: Pauses
) -> None:
    others = [f"r{number}@example.org" for number in range(MAX_RECIPIENTS + 1)]
    with by(relay, pauses) as by_smtp:
        delivery = by_smtp.send(SENDER, [JOERG, *others, WANG], MESSAGE)

    assert sorted(delivery.accepted) == sorted([JOERG, *others, WANG])
    assert [len(sent.recipients) for sent in relay.accepted] == [MAX_RECIPIENTS, 1, 2]


def test_refusal_of_a_server_that_takes_smtputf8_is_its_own() -> None:
    with (
        SmtpServer(extensions=("SMTPUTF8",)) as server,
        mailer(Pauses(), host=server.host, port=server.port) as by_smtp,
    ):
        server.answer("RCPT", "553 5.6.7 The next server does not take SMTPUTF8")
        delivery = by_smtp.send(SENDER, [JOERG, ANN], MESSAGE)
        server.answer("RCPT", "250 Ok", "553 5.6.7 The next server does not take SMTPUTF8")
        again = by_smtp.send(SENDER, [JOERG, ANN], MESSAGE)

    assert [it.recipient for it in delivery.refused] == [ANN]  # those that need no SMTPUTF8 come first
    assert [(it.recipient, it.reason[:9]) for it in again.refused] == [(JOERG, "553 5.6.7")]


# A local-part, where it does not.


def test_recipient_is_refused_with_reason_and_remedy_and_the_others_get_theirs(
    ses: Ses, pauses: Pauses
) -> None:
    with by(ses, pauses) as by_smtp:
        delivery = by_smtp.send(SENDER, [JOERG, ANN, WANG], MESSAGE)

    assert delivery.accepted == (ANN,)
    assert [it.recipient for it in delivery.refused] == [JOERG, WANG]
    assert {it.reason for it in delivery.refused} == {
        f"the address has characters beyond ASCII before its @, and {ses.host}:{ses.port} does not take "
        "SMTPUTF8; set mail.host to a server that does, or forward it by hand"
    }
    assert [sent.recipients for sent in ses.transactions] == [(ANN,)]


def test_sender_is_refused_with_a_remedy_of_its_own(ses: Ses, pauses: Pauses) -> None:
    with by(ses, pauses) as by_smtp:
        delivery = by_smtp.send(JOERG, [ANN, WANG], MESSAGE)

    assert [it.recipient for it in delivery.refused] == [ANN, WANG]
    assert all("the sender's address has" in it.reason for it in delivery.refused)
    assert all(it.reason.endswith("; set sweep.sender") for it in delivery.refused)
    assert ses.transactions == []


def test_api_is_not_asked_for_what_it_does_not_do(api: SesApi, pauses: Pauses) -> None:
    with mailer(pauses, via="ses", endpoint_url=api.endpoint_url) as by_api:
        delivery = by_api.send(SENDER, [JOERG, ANN], MESSAGE)
        nobody = by_api.send(JOERG, [ANN], MESSAGE)

    assert delivery.accepted == (ANN,)
    assert [sent.recipients for sent in api.sent] == [(ANN,)]
    assert "SES in us-east-1 does not take SMTPUTF8" in delivery.refused[0].reason
    assert "set sweep.sender" in nobody.refused[0].reason
