"""STARTTLS and passwords: neither password nor message goes to a server that is not proven the right one."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rig.servers.certificate import certificate
from rig.servers.smtp_server import HANG_UP, SmtpServer
from tests.unit.submission.mailers import ANN, MESSAGE, SENDER, Pauses, mailer
from woomera_milter.errors import PermanentError
from woomera_milter.submission.mailer import PAUSES_S, UnsentError


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
