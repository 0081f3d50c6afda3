"""Promise 4: each recipient gets one notice, whatever the mail server says, and wherever it breaks off."""

import http.client
import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import boto3
import pytest

from rig.certificate import certificate
from rig.process import free_port
from rig.s3 import Moto
from rig.ses import Ses
from rig.ses_api import ApiError, LostReply, SesApi
from rig.smtp_server import HANG_UP, SmtpServer
from woomera_milter import config
from woomera_milter.errors import PermanentError, TemporaryError
from woomera_milter.mailer import (
    MAX_RECIPIENTS,
    PAUSES_S,
    Delivery,
    Mailer,
    Refusal,
    UnknownOutcomeError,
    UnsentError,
    from_config,
)

SENDER = "sender@example.com"
ANN, BOB, CAT = "ann@example.org", "bob@example.org", "cat@example.org"
MESSAGE = b"From: sender@example.com\r\nTo: ann@example.org\r\n\r\n.\r\n..\r\nlast\r\n"
KEYS = {"access_key_id": "AKIARIG0000000000000", "secret_access_key": "s" * 40}


class Pauses:
    """Waits for nothing, writes down for how long, and lets something happen at the pause of a number."""

    def __init__(self) -> None:
        self.taken_s: list[float] = []
        self.events: dict[int, Callable[[], None]] = {}

    def __call__(self, pause_s: float) -> None:
        self.taken_s.append(pause_s)
        self.events.get(len(self.taken_s), lambda: None)()


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


@pytest.fixture
def api() -> Iterator[SesApi]:
    with SesApi() as api:
        yield api


@pytest.fixture
def ses() -> Iterator[Ses]:
    with Ses() as ses:
        yield ses


def mailer(
    pauses: Pauses, storage: dict[str, Any] | None = None, *, jitter: float = 1.0, **mail: Any
) -> Mailer:
    section = {"bucket": "example-large-mail", "region": "us-east-1"} | (KEYS if storage is None else storage)
    configuration = config.validate({"storage": section, "mail": mail}, "config.yaml")
    return from_config(configuration, pause=pauses, jitter=lambda: jitter)


@pytest.fixture
def by_smtp(server: SmtpServer, pauses: Pauses) -> Iterator[Mailer]:
    with mailer(pauses, host=server.host, port=server.port) as by_smtp:
        yield by_smtp


@pytest.fixture
def by_api(api: SesApi, pauses: Pauses) -> Iterator[Mailer]:
    with mailer(pauses, via="ses", endpoint_url=api.endpoint_url) as by_api:
        yield by_api


# By SMTP.


def test_the_message_arrives_to_the_octet_and_the_envelope_with_it(ses: Ses, pauses: Pauses) -> None:
    with mailer(pauses, host=ses.host, port=ses.port) as by_smtp:
        delivery = by_smtp.send(SENDER, [ANN, BOB, ANN], MESSAGE)
    [sent] = ses.accepted
    assert (sent.envelope_sender, sent.recipients, sent.message) == (SENDER, (ANN, BOB), MESSAGE)
    assert delivery == Delivery(accepted=(ANN, BOB))


def test_the_null_sender_is_sent_as_such(ses: Ses, pauses: Pauses) -> None:
    with mailer(pauses, host=ses.host, port=ses.port) as by_smtp:
        by_smtp.send("", [ANN], MESSAGE)
    assert ses.accepted[0].envelope_sender == ""


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
    "a domain that is not ASCII": ("a@b\u00fccher.example", "characters beyond ASCII"),
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


# STARTTLS and passwords.


@pytest.fixture
def secure_server(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SmtpServer]:
    """Its certificate is trusted, and holds 127.0.0.1 or the address that is the fixture's parameter."""
    certificate_file, key_file = certificate(tmp_path, getattr(request, "param", "127.0.0.1"))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate_file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate_file, key_file)
    with SmtpServer(tls=context, extensions=("AUTH PLAIN",)) as server:
        yield server


LOGIN: dict[str, Any] = {"username": "AKIASMTP", "password": "hunter2"}


def test_the_password_and_the_message_go_over_tls(secure_server: SmtpServer, pauses: Pauses) -> None:
    server = secure_server
    with mailer(pauses, host=server.host, port=server.port, starttls=True, **LOGIN) as by_smtp:
        assert by_smtp.send(SENDER, [ANN], MESSAGE).accepted == (ANN,)
        assert by_smtp.send(SENDER, [ANN], MESSAGE).accepted == (ANN,)
    assert server.password == "hunter2"
    assert [line.split()[0] for line in server.heard[:4]] == ["EHLO", "STARTTLS", "tls", "tls"]
    assert all(line.startswith("tls ") for line in server.heard[2:])
    assert (server.connections, server.messages) == (1, [MESSAGE] * 2)


@pytest.mark.parametrize("secure_server", ["127.0.0.9"], indirect=True)
def test_a_certificate_of_another_host_gets_neither_password_nor_message(
    secure_server: SmtpServer, pauses: Pauses
) -> None:
    server = secure_server
    with (
        mailer(pauses, host=server.host, port=server.port, starttls=True, **LOGIN) as by_smtp,
        pytest.raises(PermanentError, match=r"cannot be trusted: IP address mismatch.*mail\.host"),
    ):
        by_smtp.send(SENDER, [ANN], MESSAGE)
    assert [line.split()[0] for line in server.heard] == ["EHLO", "STARTTLS"]


def test_a_certificate_of_an_unknown_issuer_gets_neither_password_nor_message(
    secure_server: SmtpServer, pauses: Pauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = secure_server
    monkeypatch.delenv("SSL_CERT_FILE")
    with (
        mailer(pauses, host=server.host, port=server.port, starttls=True, **LOGIN) as by_smtp,
        pytest.raises(PermanentError, match=r"cannot be trusted: self.signed certificate"),
    ):
        by_smtp.send(SENDER, [ANN], MESSAGE)
    assert [line.split()[0] for line in server.heard] == ["EHLO", "STARTTLS"]


def test_a_server_without_starttls_gets_neither_password_nor_message(pauses: Pauses) -> None:
    with (
        SmtpServer(extensions=("AUTH PLAIN",)) as server,
        mailer(pauses, host=server.host, port=server.port, starttls=True, **LOGIN) as by_smtp,
        pytest.raises(PermanentError, match=r"cannot do what mail asks for: STARTTLS .*see mail\.starttls"),
    ):
        by_smtp.send(SENDER, [ANN], MESSAGE)
    assert [line.split()[0] for line in server.heard] == ["EHLO"]


@pytest.mark.parametrize(
    ("reply", "error", "problem"),
    [
        ("535 5.7.8 Bad credentials", PermanentError, r"refuses the login; correct mail\.username"),
        ("454 4.7.0 Try later", UnsentError, "puts mail off: 454 4.7.0 Try later"),
        (HANG_UP, UnsentError, "failed: it hung up; see whether the mail server runs"),
    ],
    ids=["wrong password", "no answer for now", "hangs up"],
)
def test_a_login_that_fails_is_told_apart_from_a_message_that_fails(
    secure_server: SmtpServer, pauses: Pauses, reply: str, error: type[Exception], problem: str
) -> None:
    secure_server.answer("AUTH", *[reply] * (len(PAUSES_S) + 1))
    with (
        mailer(pauses, host=secure_server.host, port=secure_server.port, starttls=True, **LOGIN) as by_smtp,
        pytest.raises(error, match=problem) as caught,
    ):
        by_smtp.send(SENDER, [ANN], MESSAGE)
    assert "hunter2" not in str(caught.value)
    assert secure_server.messages == []


# By the API of SES.


def test_the_api_gets_the_message_to_the_octet_and_the_envelope_with_it(api: SesApi, by_api: Mailer) -> None:
    assert by_api.send(SENDER, [ANN, BOB], MESSAGE) == Delivery((ANN, BOB))
    [sent] = api.sent
    assert (sent.sender, sent.recipients, sent.message) == (SENDER, (ANN, BOB), MESSAGE)


def test_for_the_null_sender_the_api_is_left_to_take_that_of_from(api: SesApi, by_api: Mailer) -> None:
    by_api.send("", [ANN], MESSAGE)
    assert api.sent[0].sender is None


def test_the_api_is_called_for_fifty_recipients_at_a_time(api: SesApi, by_api: Mailer) -> None:
    recipients = tuple(f"r{number}@example.org" for number in range(MAX_RECIPIENTS + 1))
    assert by_api.send(SENDER, recipients, MESSAGE).accepted == recipients
    assert [sent.recipients for sent in api.sent] == [recipients[:-1], recipients[-1:]]


@pytest.mark.parametrize(
    "error",
    [
        ApiError("TooManyRequestsException", "Maximum sending rate exceeded.", 429),
        ApiError("LimitExceededException"),
        ApiError("ThrottlingException"),
        ApiError("ServiceUnavailable", status=503),
        ApiError("InternalFailure", status=500),
    ],
    ids=lambda error: error.code,
)
def test_a_throttled_call_is_made_again_after_growing_pauses(
    api: SesApi, by_api: Mailer, pauses: Pauses, error: ApiError
) -> None:
    api.answers = [error, error]
    assert by_api.send(SENDER, [ANN], MESSAGE).accepted == (ANN,)
    assert (api.calls, pauses.taken_s) == (3, list(PAUSES_S[:2]))


def test_api_throttling_that_does_not_end_is_a_temporary_error(api: SesApi, by_api: Mailer) -> None:
    api.answers = [ApiError("TooManyRequestsException", "Daily message quota exceeded.", 429)] * 20
    with pytest.raises(UnsentError, match=r"SES in us-east-1 puts mail off: TooManyReq.*quota exceeded"):
        by_api.send(SENDER, [ANN], MESSAGE)


@pytest.mark.parametrize("code", ["MessageRejected", "MailFromDomainNotVerifiedException"])
def test_what_the_api_refuses_is_refused_with_the_reason_and_not_tried_again(
    api: SesApi, by_api: Mailer, pauses: Pauses, code: str
) -> None:
    api.answers = [ApiError(code, "Email address is not verified.")]
    reason = f"{code}: Email address is not verified."
    assert by_api.send(SENDER, [ANN, BOB], MESSAGE) == Delivery(
        (), (Refusal(ANN, reason), Refusal(BOB, reason))
    )
    assert (api.calls, pauses.taken_s) == (1, [])


def test_a_recipient_that_spoils_the_call_does_not_keep_the_others_from_theirs(
    api: SesApi, by_api: Mailer
) -> None:
    api.bad_recipients = frozenset({BOB})
    delivery = by_api.send(SENDER, [ANN, BOB, CAT], MESSAGE)
    assert delivery == Delivery((ANN, CAT), (Refusal(BOB, "BadRequestException: Illegal address"),))
    assert [sent.recipients for sent in api.sent] == [(ANN,), (CAT,)]


def test_a_reply_that_the_api_lost_is_told_apart_and_not_tried_again(api: SesApi, by_api: Mailer) -> None:
    api.answers = [LostReply()]
    with pytest.raises(UnknownOutcomeError) as caught:
        by_api.send(SENDER, [ANN], MESSAGE)
    assert caught.value.delivery == Delivery(unsure=(ANN,))
    assert api.calls == 1


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("AccessDeniedException", "grant ses:SendEmail"),
        ("SendingPausedException", "sending is paused"),
        ("InvalidSignatureException", "the clock of this host"),
    ],
)
def test_rights_that_are_missing_are_an_error_of_the_configuration(
    api: SesApi, by_api: Mailer, code: str, remedy: str
) -> None:
    api.answers = [ApiError(code, "User: arn:aws:iam::123456789012:user/x is not authorized", 403)]
    with pytest.raises(
        PermanentError, match=f"sending by SES in us-east-1 failed: {code}; .*{remedy}"
    ) as caught:
        by_api.send(SENDER, [ANN], MESSAGE)
    assert "arn:" not in str(caught.value)


def test_an_api_out_of_reach_is_a_temporary_error_and_nothing_was_sent(api: SesApi, by_api: Mailer) -> None:
    api.go_dark()
    with pytest.raises(UnsentError, match=r"connecting to SES in us-east-1 failed: .*mail\.region") as caught:
        by_api.send(SENDER, [ANN], MESSAGE)
    assert caught.value.delivery == Delivery()


@pytest.fixture
def no_aws_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.mark.usefixtures("no_aws_settings")
def test_without_credentials_the_error_says_where_to_put_them(api: SesApi, pauses: Pauses) -> None:
    with (
        mailer(pauses, storage={}, via="ses", endpoint_url=api.endpoint_url) as by_api,
        pytest.raises(PermanentError, match=r"NoCredentialsError; give .* the instance a role"),
    ):
        by_api.send(SENDER, [ANN], MESSAGE)


@pytest.mark.usefixtures("no_aws_settings")
def test_a_profile_that_does_not_exist_is_an_error_of_the_configuration(pauses: Pauses) -> None:
    with pytest.raises(PermanentError, match=r"ProfileNotFound; correct storage\.profile"):
        mailer(pauses, storage={"profile": "nobody"}, via="ses")


@pytest.mark.usefixtures("no_aws_settings")
def test_keys_of_another_s3_server_are_not_shown_to_amazon(api: SesApi, pauses: Pauses) -> None:
    elsewhere = KEYS | {"endpoint_url": "https://s3.example.net"}
    with (
        mailer(pauses, storage=elsewhere, via="ses", endpoint_url=api.endpoint_url) as by_api,
        pytest.raises(PermanentError, match="NoCredentialsError"),
    ):
        by_api.send(SENDER, [ANN], MESSAGE)
    assert api.calls == 0


def test_motos_ses_takes_mail_of_verified_senders_alone(tmp_path: Path, pauses: Pauses) -> None:
    with Moto(tmp_path) as moto:
        session = boto3.Session("test", "test", region_name="us-east-1")
        client: Any = session.client("sesv2", endpoint_url=moto.endpoint_url)
        client.create_email_identity(EmailIdentity="example.com")
        client.close()
        with mailer(pauses, via="ses", endpoint_url=moto.endpoint_url) as by_api:
            accepted = by_api.send(SENDER, [ANN, BOB], MESSAGE)
            refused = by_api.send("sender@example.net", [ANN], MESSAGE)
        [sent] = messages_in(moto)
    assert accepted == Delivery((ANN, BOB))
    assert [it.recipient for it in refused.refused] == [ANN]
    assert refused.refused[0].reason.startswith("MessageRejected: ")
    assert (sent["source"], set(sent["destinations"])) == (SENDER, {ANN, BOB})
    assert sent["raw_data"].encode() == MESSAGE


def messages_in(moto: Moto) -> list[dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", moto.port)
    connection.request("GET", "/moto-api/data.json")
    data = json.loads(connection.getresponse().read())
    connection.close()
    messages: list[dict[str, Any]] = data["ses"]["RawMessage"]
    return messages
