"""`woomera check`, run by whoever may read the map authinfo, tries the login that sendmail would use."""

import subprocess
from pathlib import Path

import pytest

from rig.servers.smtp_server import SmtpServer
from woomera_milter.check import login
from woomera_milter.check.finding import Finding
from woomera_milter.check.sendmail_cf import SmartHost, parse

from .conftest import MakeCf, the_trouble, troubles

SES_HOST = "email-smtp.us-east-1.amazonaws.com"
ENTRY = 'AuthInfo:127.0.0.1\t"U:root" "I:AKIASMTP" "P:pass word:1" "M:PLAIN"\n'


def look(server: SmtpServer, folder: Path, entries: str | None, kind: str = "hash") -> list[Finding]:
    if entries is not None:
        argv = ["/usr/sbin/makemap", kind, str(folder / "authinfo")]
        subprocess.run(argv, input=entries.encode(), check=True)
    cf = parse(f"Kauthinfo {kind} -o -T<TMPF> {folder}/authinfo\n", folder / "sendmail.cf")
    return list(login.look(cf, SmartHost("relay", server.host, server.port)))


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(ENTRY, id="of the host"),
        pytest.param(ENTRY.replace("127.0.0.1", ""), id="of all hosts"),
        pytest.param(ENTRY.replace('"P:pass word:1"', '"P=cGFzcyB3b3JkOjE="'), id="base64"),
        pytest.param(ENTRY.replace('"I:AKIASMTP"', "").replace("U:root", "U:AKIASMTP"), id="no I"),
        pytest.param(ENTRY + 'AuthInfo:\t"U:x" "P:y"\n', id="the host's before that of all"),
    ],
)
def test_a_login_that_the_relay_takes_passes_and_goes_encrypted(
    entry: str, secure_server: SmtpServer, tmp_path: Path
) -> None:
    found = look(secure_server, tmp_path, entry)

    assert [(it.status, it.subject) for it in found] == [("pass", "login")]
    assert secure_server.password == "pass word:1"
    assert all(it.startswith("tls ") for it in secure_server.heard if "AUTH" in it)
    assert secure_server.messages == []


@pytest.mark.parametrize(("reply", "is_temporary"), [("535 Credentials Invalid", False), ("454 Later", True)])
def test_a_login_that_the_relay_refuses_is_a_failure_without_the_password(
    reply: str, is_temporary: bool, secure_server: SmtpServer, tmp_path: Path
) -> None:
    secure_server.answer("AUTH", *[reply] * 3)
    found = the_trouble(look(secure_server, tmp_path, ENTRY, "btree"))

    assert (found.status, found.temporary) == ("failure", is_temporary)
    assert reply in found.detail
    assert "pass word" not in str(found)


def test_a_login_is_not_tried_in_clear(tmp_path: Path) -> None:
    with SmtpServer(extensions=("AUTH PLAIN LOGIN",)) as server:
        assert look(server, tmp_path, ENTRY) == []
        assert not [it for it in server.heard if "AUTH" in it]


def test_a_login_is_not_tried_where_the_certificate_is_not_trusted(
    secure_server: SmtpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")

    assert look(secure_server, tmp_path, ENTRY) == []
    assert not [it for it in secure_server.heard if "AUTH" in it]


@pytest.mark.parametrize("octets", [None, b"no map"])
def test_a_map_that_cannot_be_read_says_nothing(
    octets: bytes | None, secure_server: SmtpServer, tmp_path: Path
) -> None:
    if octets is not None:
        (tmp_path / "authinfo.db").write_bytes(octets)
    assert look(secure_server, tmp_path, None) == []
    assert secure_server.heard == []


def test_ses_without_a_login_is_a_failure(secure_server: SmtpServer, tmp_path: Path) -> None:
    look(secure_server, tmp_path, ENTRY)
    cf = parse(f"Kauthinfo hash {tmp_path}/authinfo\n", tmp_path / "sendmail.cf")

    assert SES_HOST in the_trouble(login.look(cf, SmartHost("relay", SES_HOST, 587))).detail
    assert troubles(login.look(cf, SmartHost("relay", "mail.example.com", 587))) == []


def test_our_own_sendmail_mc_names_the_map(make_cf: MakeCf) -> None:
    found = make_cf().maps["authinfo"]

    assert (found.kind, found.path.name) == ("hash", "authinfo")
