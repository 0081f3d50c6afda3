"""`woomera check` tells what the relay says of itself, and when limit is not the relay's."""

import pytest

from rig.process import free_port
from rig.servers.smtp_server import HANG_UP, SmtpServer
from woomera_milter.check import relay as check_relay
from woomera_milter.check.finding import Finding
from woomera_milter.check.sendmail_cf import SmartHost
from woomera_milter.config.values import MB
from woomera_milter.errors import TemporaryError
from woomera_milter.submission.smtp import ServerGreeting

from .conftest import configured, troubles

SES_HOST = "email-smtp.us-east-1.amazonaws.com"


def look(server: SmtpServer) -> list[Finding]:
    return list(check_relay.look(SmartHost("relay", server.host, server.port), 10 * MB))


def test_relay_that_encrypts_and_has_our_limit_passes_and_gets_no_mail(secure_server: SmtpServer) -> None:
    found = look(secure_server)

    assert troubles(found) == []
    assert "AUTH PLAIN LOGIN" in found[0].detail
    assert secure_server.messages == []


def test_relay_whose_certificate_is_not_trusted_is_a_failure(
    secure_server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    found = {it.subject: it for it in look(secure_server)}["encryption"]

    assert found.status == "failure"
    assert "cannot be trusted: self-signed certificate" in found.detail


@pytest.mark.parametrize(("host", "status"), [("127.0.0.1", "pass"), ("mail.example.com", "warning")])
def test_relay_without_encryption_is_a_warning_unless_it_is_this_host(host: str, status: str) -> None:
    relay = SmartHost("relay", host, 25)

    assert check_relay.encryption(relay, ServerGreeting({}, encrypted=False)).status == status


def test_relay_that_is_down_is_an_error_that_may_pass() -> None:
    with pytest.raises(TemporaryError, match=r"does not answer as a mail server: Connection refused"):
        list(check_relay.look(SmartHost("relay", "127.0.0.1", free_port()), 10 * MB))


def test_relay_that_hangs_up_is_an_error_that_may_pass() -> None:
    with SmtpServer() as server:
        server.answer("greeting", HANG_UP)

        with pytest.raises(TemporaryError, match="does not answer"):
            look(server)


@pytest.mark.parametrize(
    ("host", "size", "limit_bytes", "status", "words"),
    [
        ("mail.example.com", "10485760", 10 * MB, "pass", "as the relay announces"),
        ("mail.example.com", "5242880", 10 * MB, "failure", "refuses what is above 5MB"),
        ("mail.example.com", "52428800", 10 * MB, "warning", "takes up to 50MB"),
        ("mail.example.com", "0", 10 * MB, "warning", "does not announce its own"),
        ("mail.example.com", None, 10 * MB, "warning", "does not announce its own"),
        (SES_HOST, None, 10 * MB, "warning", "would tell people of mail that did arrive"),
        (SES_HOST, None, 40 * MB, "pass", "as AWS documents"),
        (SES_HOST, "10485760", 10 * MB, "pass", "as the relay announces"),
    ],
)
def test_limit_is_compared_with_what_the_relay_takes(
    host: str, size: str | None, limit_bytes: int, status: str, words: str
) -> None:
    greeting = ServerGreeting({} if size is None else {"size": size}, encrypted=True)
    found = check_relay.limit(SmartHost("relay", host, 587), greeting, limit_bytes)

    assert found.status == status
    assert words in found.detail


@pytest.mark.parametrize("is_up", [True, False])
def test_server_of_the_jobs_mail_is_asked(is_up: bool) -> None:
    with SmtpServer() as server:
        port = server.port if is_up else free_port()
        found = check_relay.mail_host(configured(mail={"host": "127.0.0.1", "port": port}).mail)

    assert (found.status, found.temporary) == (("pass", False) if is_up else ("failure", True))
