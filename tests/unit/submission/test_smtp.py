"""Promise 4: each recipient gets one notice, whatever the mail server says, and wherever it breaks off."""

from collections.abc import Iterator
from threading import Barrier, Thread

import pytest

from rig.process import free_port
from rig.servers.ses import Ses
from rig.servers.smtp_server import HANG_UP, SmtpServer
from tests.unit.submission.mailers import ANN, BOB, CAT, MESSAGE, SENDER, Pauses, mailer
from woomera_milter.errors import PermanentError, TemporaryError
from woomera_milter.submission.mailer import (
    MAX_RECIPIENTS,
    PAUSES_S,
    Delivery,
    Mailer,
    Refusal,
    UnknownOutcomeError,
    UnsentError,
)


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


@pytest.fixture
def ses() -> Iterator[Ses]:
    with Ses() as ses:
        yield ses


@pytest.fixture
def by_smtp(server: SmtpServer, pauses: Pauses) -> Iterator[Mailer]:
    with mailer(pauses, host=server.host, port=server.port) as by_smtp:
        yield by_smtp


def test_the_message_arrives_to_the_octet_and_the_envelope_with_it(ses: Ses, pauses: Pauses) -> None:
    with mailer(pauses, host=ses.host, port=ses.port) as by_smtp:
        delivery = by_smtp.send(SENDER, [ANN, BOB, ANN], MESSAGE)
    [sent] = ses.accepted
    assert (sent.envelope_sender, sent.recipients, sent.message) == (SENDER, (ANN, BOB), MESSAGE)
    assert delivery == Delivery(accepted=(ANN, BOB))


def test_the_null_sender_is_sent_as_such(server: SmtpServer, by_smtp: Mailer) -> None:
    by_smtp.send("", [ANN], MESSAGE)
    assert "MAIL FROM:<>" in server.heard


def test_a_message_without_a_last_line_end_gets_one(server: SmtpServer, by_smtp: Mailer) -> None:
    by_smtp.send(SENDER, [ANN], MESSAGE[:-2])
    assert server.messages == [MESSAGE]


def test_a_throttled_message_is_sent_again_after_growing_pauses(ses: Ses, pauses: Pauses) -> None:
    ses.throttled = True
    pauses.events[3] = lambda: setattr(ses, "throttled", False)
    with mailer(pauses, host=ses.host, port=ses.port) as by_smtp:
        delivery = by_smtp.send(SENDER, [ANN], MESSAGE)
    assert delivery.accepted == (ANN,)
    assert pauses.taken_s == list(PAUSES_S[:3])
    assert len(ses.accepted) == 1


def test_many_throttled_at_once_do_not_come_back_at_once(ses: Ses, pauses: Pauses) -> None:
    ses.throttled = True
    with mailer(pauses, host=ses.host, port=ses.port, jitter=0.5) as by_smtp, pytest.raises(UnsentError):
        by_smtp.send(SENDER, [ANN], MESSAGE)
    assert pauses.taken_s == [0.75 * pause_s for pause_s in PAUSES_S]


def test_throttling_that_does_not_end_is_a_temporary_error(ses: Ses, pauses: Pauses) -> None:
    ses.throttled = True
    with (
        mailer(pauses, host=ses.host, port=ses.port) as by_smtp,
        pytest.raises(
            UnsentError, match=r"puts mail off: 454 Throttling failure: .*; try again later"
        ) as caught,
    ):
        by_smtp.send(SENDER, [ANN], MESSAGE)
    assert isinstance(caught.value, TemporaryError)
    assert caught.value.delivery == Delivery()
    assert len(ses.refused) == len(PAUSES_S) + 1


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(50, [50]), (51, [50, 1]), (120, [50, 50, 20])],
    ids=["50", "51", "120"],
)
def test_more_than_fifty_recipients_are_split(ses: Ses, pauses: Pauses, count: int, sizes: list[int]) -> None:
    recipients = tuple(f"r{number}@example.org" for number in range(count))
    with mailer(pauses, host=ses.host, port=ses.port) as by_smtp:
        delivery = by_smtp.send(SENDER, recipients, MESSAGE)
    assert [len(sent.recipients) for sent in ses.accepted] == sizes
    assert sum((sent.recipients for sent in ses.accepted), ()) == delivery.accepted == recipients
    assert {sent.message for sent in ses.accepted} == {MESSAGE}


def test_after_half_of_it_went_well_the_error_says_who_is_served(server: SmtpServer, by_smtp: Mailer) -> None:
    recipients = tuple(f"r{number}@example.org" for number in range(MAX_RECIPIENTS + 2))
    server.answer("message", "250 Ok", *["454 Throttling failure"] * (len(PAUSES_S) + 1))
    server.answer(f"RCPT TO:<{recipients[0]}>", "550 5.1.1 No such user")
    with pytest.raises(UnsentError) as caught:
        by_smtp.send(SENDER, recipients, MESSAGE)
    assert caught.value.delivery.accepted == recipients[1:MAX_RECIPIENTS]
    assert caught.value.delivery.refused == (Refusal(recipients[0], "550 5.1.1 No such user"),)


def test_a_sender_that_is_not_verified_is_refused_with_the_reason_and_not_tried_again(
    ses: Ses, pauses: Pauses
) -> None:
    ses.unverified_senders = frozenset({SENDER})
    with mailer(pauses, host=ses.host, port=ses.port) as by_smtp:
        delivery = by_smtp.send(SENDER, [ANN, BOB], MESSAGE)
    assert [it.recipient for it in delivery.refused] == [ANN, BOB]
    assert delivery.refused[0].reason.startswith("554 Message rejected: Email address is not verified.")
    assert (len(ses.refused), pauses.taken_s) == (1, [])


@pytest.mark.parametrize("command", ["MAIL", "DATA", "message"])
def test_a_refusal_of_the_message_is_one_of_each_recipient(
    server: SmtpServer, by_smtp: Mailer, command: str
) -> None:
    server.answer(command, "554-5.7.1 No:\r\n554 see https://example.net/why?k=v for more")
    delivery = by_smtp.send(SENDER, [ANN, BOB], MESSAGE)
    reason = "554 5.7.1 No: see (link) for more"
    assert delivery == Delivery(refused=(Refusal(ANN, reason), Refusal(BOB, reason)))


def test_one_bad_recipient_does_not_keep_the_others_from_theirs(
    server: SmtpServer, by_smtp: Mailer, pauses: Pauses
) -> None:
    server.answer(f"RCPT TO:<{BOB}>", "550 5.1.1 No such user")
    delivery = by_smtp.send(SENDER, [ANN, BOB, CAT], MESSAGE)
    assert delivery == Delivery((ANN, CAT), (Refusal(BOB, "550 5.1.1 No such user"),))
    assert (len(server.messages), pauses.taken_s) == (1, [])


def test_where_all_recipients_are_refused_no_message_is_sent(server: SmtpServer, by_smtp: Mailer) -> None:
    server.answer("RCPT", "550 5.1.1 No", "501 5.1.3 Bad address")
    delivery = by_smtp.send(SENDER, [ANN, BOB], MESSAGE)
    assert [it.reason for it in delivery.refused] == ["550 5.1.1 No", "501 5.1.3 Bad address"]
    assert "DATA" not in server.heard


def test_a_recipient_put_off_gets_the_message_later_and_the_others_not_again(
    server: SmtpServer, by_smtp: Mailer, pauses: Pauses
) -> None:
    server.answer(f"RCPT TO:<{BOB}>", "450 4.2.0 Greylisted", "450 4.2.0 Greylisted")
    assert by_smtp.send(SENDER, [ANN, BOB], MESSAGE) == Delivery((ANN, BOB))
    assert [line for line in server.heard if line.startswith("RCPT")] == [
        f"RCPT TO:<{ANN}>",
        *[f"RCPT TO:<{BOB}>"] * 3,
    ]
    assert (len(server.messages), len(pauses.taken_s)) == (2, 1)


def test_the_error_of_a_recipient_put_off_for_too_long_names_no_address(
    server: SmtpServer, by_smtp: Mailer
) -> None:
    server.answer(f"RCPT TO:<{BOB}>", *[f"452 4.2.2 <{BOB}> is full"] * (len(PAUSES_S) + 2))
    with pytest.raises(UnsentError, match=r"452 4\.2\.2 \.\.\. is full") as caught:
        by_smtp.send(SENDER, [ANN, BOB], MESSAGE)
    assert caught.value.delivery == Delivery((ANN,))


@pytest.mark.parametrize("command", ["greeting", "MAIL", "RCPT", "DATA", "message"])
@pytest.mark.parametrize("reply", ["421 4.3.2 Closing", "451 4.3.0 Later", "454 Throttling failure"])
def test_put_off_at_any_step_it_is_sent_once_in_the_end(
    server: SmtpServer, by_smtp: Mailer, pauses: Pauses, command: str, reply: str
) -> None:
    server.answer(command, reply, reply)
    assert by_smtp.send(SENDER, [ANN], MESSAGE).accepted == (ANN,)
    assert (len(server.messages), len(pauses.taken_s)) == (1, 2)


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("reply", [HANG_UP, "nonsense"], ids=["hangs up", "nonsense"])
def test_a_connection_that_breaks_before_the_message_is_made_anew(
    server: SmtpServer, by_smtp: Mailer, command: str, reply: str
) -> None:
    server.answer(command, reply)
    assert by_smtp.send(SENDER, [ANN], MESSAGE).accepted == (ANN,)
    assert len(server.messages) == 1


def test_a_yes_to_data_without_an_invitation_is_no_acceptance(server: SmtpServer, by_smtp: Mailer) -> None:
    server.answer("DATA", "250 Ok")
    assert by_smtp.send(SENDER, [ANN], MESSAGE).accepted == (ANN,)
    assert server.messages == [MESSAGE]


@pytest.mark.parametrize("reply", [HANG_UP, "nonsense", "354 Go on"], ids=["hangs up", "nonsense", "354"])
def test_a_lost_reply_to_the_message_is_told_apart_and_not_tried_again(
    server: SmtpServer, by_smtp: Mailer, reply: str
) -> None:
    recipients = tuple(f"r{number}@example.org" for number in range(2 * MAX_RECIPIENTS))
    server.answer("message", "250 Ok", reply)
    with pytest.raises(UnknownOutcomeError, match="may have it already") as caught:
        by_smtp.send(SENDER, recipients, MESSAGE)
    assert caught.value.delivery == Delivery(recipients[:MAX_RECIPIENTS], (), recipients[MAX_RECIPIENTS:])
    assert server.heard.count("message") == 2


def test_one_connection_serves_several_messages(server: SmtpServer, by_smtp: Mailer) -> None:
    server.answer("MAIL", "250 Ok", "550 5.7.1 Not you")
    results = [by_smtp.send(SENDER, [ANN], MESSAGE).accepted for _ in range(3)]
    assert results == [(ANN,), (), (ANN,)]
    assert (server.connections, len(server.messages)) == (1, 2)


def test_a_connection_that_died_between_messages_is_opened_anew(
    server: SmtpServer, by_smtp: Mailer, pauses: Pauses
) -> None:
    by_smtp.send(SENDER, [ANN], MESSAGE)
    server.go_dark()
    server.listen()
    assert by_smtp.send(SENDER, [ANN], MESSAGE).accepted == (ANN,)
    assert (server.connections, len(server.messages), pauses.taken_s) == (2, 2, [])


def test_many_threads_share_a_mailer(server: SmtpServer, by_smtp: Mailer) -> None:
    together = Barrier(8)

    def send_some(name: str) -> None:
        together.wait()
        for number in range(5):
            by_smtp.send(SENDER, [f"{name}.{number}@example.org"], MESSAGE)

    threads = [Thread(target=send_some, args=(f"t{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.messages == [MESSAGE] * 40
    assert server.connections <= 8


def test_leaving_says_quit(server: SmtpServer, pauses: Pauses) -> None:
    with mailer(pauses, host=server.host, port=server.port) as by_smtp:
        by_smtp.send(SENDER, [ANN], MESSAGE)
    assert server.heard[-1] == "QUIT"


def test_where_nothing_listens_the_error_says_what_to_look_at(pauses: Pauses) -> None:
    port = free_port()
    with (
        mailer(pauses, host="127.0.0.1", port=port) as by_smtp,
        pytest.raises(
            UnsentError, match=f"connecting to 127.0.0.1:{port} failed: Connection refused; see wh"
        ),
    ):
        by_smtp.send(SENDER, [ANN], MESSAGE)
    assert pauses.taken_s == []


@pytest.mark.parametrize(
    ("command", "reply", "problem"),
    [
        ("greeting", "554 No service", "does not serve us: 554 No service"),
        ("MAIL", "530 5.7.0 Must issue a STARTTLS command first", "does not serve us: 530 .* mail.starttls"),
    ],
    ids=["no service", "more is asked for"],
)
def test_what_no_message_could_pass_is_an_error_of_the_configuration(
    server: SmtpServer, by_smtp: Mailer, command: str, reply: str, problem: str
) -> None:
    server.answer(command, reply)
    with pytest.raises(PermanentError, match=problem):
        by_smtp.send(SENDER, [ANN], MESSAGE)


def test_a_configuration_that_stops_working_halfway_leaves_the_rest_unsent(
    server: SmtpServer, by_smtp: Mailer
) -> None:
    recipients = tuple(f"r{number}@example.org" for number in range(MAX_RECIPIENTS + 1))
    server.answer("MAIL", "250 Ok", "530 5.7.0 Authentication required")
    with pytest.raises(UnsentError) as caught:
        by_smtp.send(SENDER, recipients, MESSAGE)
    assert caught.value.delivery == Delivery(recipients[:MAX_RECIPIENTS])


UNFIT = {
    "not ASCII": ("j\u00fc@example.org", "characters beyond ASCII"),
    "a domain that is none": ("a@b\u00fccher..example", "none that SMTP could carry"),
    "a second command beyond ASCII": ("j\u00fc@example.org>\r\nRCPT TO:<b@example.org", "none that SMTP"),
    "a line end beyond ASCII": ("j\u2028\u00fc@example.org", "none that SMTP could carry"),
    "a blank beyond ASCII": ("j\u3000\u00fc@example.org", "none that SMTP could carry"),
    "octets that were no UTF-8": ("j\ufffd@example.org", "none that SMTP could carry"),
    "too long in UTF-8": ("\u00fc" * 33 + "@example.org", "none that SMTP could carry"),
    "no domain": ("root", "none that SMTP could carry"),
    "a second command": ("a@example.org>\r\nRCPT TO:<b@example.org", "none that SMTP could carry"),
    "a parameter": ("a@example.org> NOTIFY=NEVER", "none that SMTP could carry"),
    "empty": ("", "none that SMTP could carry"),
    "too long": ("a" * 65 + "@example.org", "none that SMTP could carry"),
}


@pytest.mark.parametrize(("address", "reason"), UNFIT.values(), ids=UNFIT)
def test_an_address_that_cannot_be_sent_is_refused_before_anything_is_said(
    server: SmtpServer, by_smtp: Mailer, address: str, reason: str
) -> None:
    delivery = by_smtp.send(SENDER, [address, ANN], MESSAGE)
    assert delivery.accepted == (ANN,)
    assert [(it.recipient, reason in it.reason) for it in delivery.refused] == [(address, True)]
    assert len([line for line in server.heard if line.startswith("RCPT")]) == 1


@pytest.mark.parametrize("address", ['"a b>"@example.org', "a..b.@[192.0.2.1]", "o'neil+x=y@a_b.example.org"])
def test_unusual_addresses_are_sent_as_they_are(server: SmtpServer, by_smtp: Mailer, address: str) -> None:
    assert by_smtp.send(SENDER, [address], MESSAGE).accepted == (address,)
    assert f"RCPT TO:<{address}>" in server.heard


def test_an_unfit_sender_is_refused_before_anything_is_said(server: SmtpServer, by_smtp: Mailer) -> None:
    delivery = by_smtp.send("a@example.com> SIZE=1", [ANN], MESSAGE)
    assert delivery == Delivery(refused=(Refusal(ANN, "the sender's address is none that SMTP could carry"),))
    assert server.heard == []


def test_fields_of_ones_own_stand_on_each_mail_in_place_of_the_same_field(ses: Ses, pauses: Pauses) -> None:
    headers = {"X-SES-CONFIGURATION-SET": "notices", "X-Team": "mail"}
    rest = MESSAGE.replace(b"To:", b"X-Other: 1\r\nTo:")
    original = b"x-ses-configuration-set: of the\r\n original\r\n" + rest
    with mailer(pauses, host=ses.host, port=ses.port, headers=headers) as by_smtp:
        by_smtp.send(SENDER, [ANN], original)
        by_smtp.send(SENDER, [BOB], b"X-Team: theirs\r\n\r\nbody\r\n")
    ours = b"X-SES-CONFIGURATION-SET: notices\r\nX-Team: mail\r\n"
    assert [it.message for it in ses.accepted] == [
        ours + rest,
        ours + b"\r\nbody\r\n",
    ]
