"""The stand-in must refuse what SES refuses, or a notice that SES would refuse passes every test."""

import socket
from collections.abc import Iterator

import pytest

from rig.mail.messages import MB, RECIPIENT, SENDER, message
from rig.mta.smtp import SmtpClient, dot_stuffed, send
from rig.servers.ses import SES_LIMIT_BYTES, SINGLE_FIELDS, Ses


@pytest.fixture
def ses() -> Iterator[Ses]:
    with Ses() as server:
        yield server


def reply_to(ses: Ses, wire: bytes, recipients: list[str] | None = None) -> str:
    return str(send(ses.port, wire, sender=SENDER, recipients=recipients or [RECIPIENT], host=ses.host).last)


def test_ses_announces_neither_size_nor_dsn(ses: Ses) -> None:
    with SmtpClient(ses.port, ses.host) as client:
        assert client.ehlo.lines[1:] == ("8BITMIME", "Ok")


def test_every_octet_and_the_envelope_are_kept(ses: Ses) -> None:
    body = b".\r\n..\r\n.x\r\n\r\n \xff\x00\x80\r\n.\r\n"
    wire = b"Subject: dots\r\n\r\n" + body
    assert reply_to(ses, wire, ["a@example.org", "b@example.org"]).startswith("250")
    [taken] = ses.wait_for(1)
    assert (taken.envelope_sender, taken.recipients) == (SENDER, ("a@example.org", "b@example.org"))
    assert taken.message == wire


def test_an_empty_message_ends_at_its_first_dot(ses: Ses) -> None:
    with SmtpClient(ses.port, ses.host) as client:
        client.command(f"MAIL FROM:<{SENDER}>")
        client.command(f"RCPT TO:<{RECIPIENT}>")
        client.command("DATA")
        assert client.command(".").ok
    assert ses.accepted[0].message == b""


@pytest.mark.parametrize(("octets_over", "code"), [(0, "250"), (1, "552")], ids=["at the limit", "one over"])
def test_the_limit_counts_the_octets_before_dots_are_stuffed(ses: Ses, octets_over: int, code: str) -> None:
    headers = b"Subject: dots\r\n\r\n"
    wire = (headers + b".\r\n" * SES_LIMIT_BYTES)[: SES_LIMIT_BYTES + octets_over - 2] + b"\r\n"
    assert len(dot_stuffed(wire)) > SES_LIMIT_BYTES + 1000
    assert reply_to(ses, wire).startswith(code)


@pytest.mark.parametrize(("count", "code"), [(50, "250"), (51, "554")], ids=["50", "51"])
def test_ses_takes_fifty_recipients(ses: Ses, count: int, code: str) -> None:
    recipients = [f"r{number}@example.org" for number in range(count)]
    assert reply_to(ses, message(), recipients).startswith(code)


@pytest.mark.parametrize("name", sorted(SINGLE_FIELDS))
def test_single_fields_are_refused_when_doubled(ses: Ses, name: str) -> None:
    wire = f"{name}: a\r\nX-Between: b\r\n folded\r\n{name.upper()} : c\r\n\r\nbody\r\n".encode()
    assert reply_to(ses, wire) == f"554 Transaction failed: Duplicate header '{name}'."


def test_other_fields_may_be_doubled(ses: Ses) -> None:
    assert reply_to(ses, b"Received: a\r\nReceived: b\r\n\r\nSubject: c\r\nSubject: d\r\n").startswith("250")


@pytest.mark.parametrize(
    "header",
    ["Subject: größer".encode(), b"X-A: a\r\n \xff", b"X-A: " + b"a" * 994],
    ids=["8-bit", "8-bit in a fold", "999 octets"],
)
def test_headers_that_a_notice_must_not_have_are_refused(ses: Ses, header: bytes) -> None:
    assert reply_to(ses, header + b"\r\n\r\nbody\r\n").startswith("554")


def test_the_body_may_be_8_bit_and_have_long_lines(ses: Ses) -> None:
    wire = b"Subject: a\r\nX-A: " + b"a" * 993 + b"\r\n\r\n" + b"\xff" * 5000 + b"\r\n"
    assert reply_to(ses, wire).startswith("250")


def test_a_throttled_ses_drops_the_message_and_says_try_again(ses: Ses) -> None:
    ses.throttled = True
    assert reply_to(ses, message()).startswith("454")
    ses.throttled = False
    assert reply_to(ses, message()).startswith("250")
    assert (len(ses.accepted), len(ses.refused)) == (1, 1)


def test_a_refused_message_is_kept_with_its_reply(ses: Ses) -> None:
    wire = b"Date: a\r\nDate: b\r\n\r\n"
    reply = reply_to(ses, wire)
    assert [(it.message, it.reply) for it in ses.refused] == [(wire, reply)]


def test_ses_can_be_away_and_come_back_on_its_port(ses: Ses) -> None:
    ses.go_dark()
    with pytest.raises(ConnectionRefusedError):
        reply_to(ses, message())
    ses.listen()
    assert reply_to(ses, message()).startswith("250")


def test_waiting_for_mail_that_stays_away_says_what_was_refused(ses: Ses) -> None:
    reply_to(ses, b"Date: a\r\nDate: b\r\n\r\n")
    with pytest.raises(TimeoutError, match=r"0 of 1 messages.*Duplicate header 'date'"):
        ses.wait_for(1, timeout_s=0.01)


def test_a_client_that_leaves_amid_its_message_has_sent_none(ses: Ses) -> None:
    client = SmtpClient(ses.port, ses.host)
    client.command(f"MAIL FROM:<{SENDER}>")
    client.command(f"RCPT TO:<{RECIPIENT}>")
    client.abort_in_data(b"Subject: half\r\n")
    assert reply_to(ses, message()).startswith("250")
    assert len(ses.accepted) == 1


def test_what_a_client_sent_before_it_died_is_there_once_ses_has_finished(ses: Ses) -> None:
    sent = message(5 * MB)
    with socket.create_connection((ses.host, ses.port)) as client:
        client.sendall(
            f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{RECIPIENT}>\r\nDATA\r\n".encode() + sent + b".\r\n"
        )
        client.shutdown(socket.SHUT_WR)

        ses.finish()

    assert [it.message for it in ses.accepted] == [sent]


def test_ses_that_waits_for_a_client_that_stays_says_so(ses: Ses) -> None:
    with SmtpClient(ses.port, ses.host), pytest.raises(TimeoutError):
        ses.finish(timeout_s=0.01)


def test_ses_takes_no_null_sender(ses: Ses) -> None:
    with SmtpClient(ses.port, ses.host) as client:
        assert str(client.command("MAIL FROM:<>")) == "501 Invalid MAIL FROM address provided"
        assert client.command(f"RCPT TO:<{RECIPIENT}>").code == 503


def test_commands_out_of_order_and_unknown_parameters_are_refused(ses: Ses) -> None:
    with SmtpClient(ses.port, ses.host) as client:
        assert client.command("DATA").code == 503
        assert client.command("RCPT TO:<a@example.org>").code == 503
        assert client.command("MAIL FROM:a@example.org").code == 501
        assert client.command("MAIL FROM:<> SIZE=10").code == 555
        assert client.command(f"MAIL FROM:<{SENDER}> BODY=8BITMIME").code == 250
        assert client.command("RSET").code == 250
        assert client.command("RCPT TO:<a@example.org>").code == 503
        assert client.command("VRFY a").code == 502
