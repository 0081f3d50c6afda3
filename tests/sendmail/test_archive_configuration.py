"""FEATURE(`woomera_archive') in sendmail's .cf, alone and beside FEATURE(`woomera')."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.mta import sendmail_cf
from rig.mta.sendmail import Sendmail
from rig.mta.sendmail_cf import Settings

UNIX_SOCKET = "S=unix:/run/woomera/archive.sock"
TIMEOUTS = "T=C:5s;S:30s;R:1m;E:3m"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sendmail") / "cf"
    sendmail_cf.install_features(folder)
    return folder


@pytest.fixture(scope="module")
def sendmail() -> Iterator[Sendmail]:
    settings = Settings(relay_port=9, milter_socket="inet:9@127.0.0.1", archive_socket="inet:10@127.0.0.1")
    sendmail = Sendmail(settings)
    yield sendmail
    sendmail.close()


def cf_with(tree: Path, *lines: str) -> str:
    head = ("include(`/usr/share/sendmail-cf/m4/cf.m4')", "OSTYPE(`linux')")
    return sendmail_cf.build("\n".join((*head, *lines, "MAILER(`local')", "MAILER(`smtp')", "")), tree)


def option(cf: str, name: str) -> list[str]:
    """The members of the list that is the value of `O name=`."""
    found = re.search(rf"^O {re.escape(name)}=(.*)$", cf, re.MULTILINE)
    assert found is not None
    return [member.strip() for member in found[1].split(",")]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param("", f"{UNIX_SOCKET}, {TIMEOUTS}", id="defaults"),
        pytest.param(", `inet:8895@127.0.0.1'", f"S=inet:8895@127.0.0.1, {TIMEOUTS}", id="socket"),
        pytest.param(", `', `R:5s;E:1m'", f"{UNIX_SOCKET}, T=R:5s;E:1m", id="timeouts"),
    ],
)
def test_feature_takes_socket_and_timeouts_and_never_has_a_failure_flag(
    tree: Path, arguments: str, expected: str
) -> None:
    # Another FEATURE after ours has arguments of its own, which must not become ours.
    cf = cf_with(
        tree, f"FEATURE(`woomera_archive'{arguments})", "FEATURE(`access_db', `hash -T<TMPF> /a', `skip')"
    )

    assert re.findall(r"^Xwoomera_archive, (.*)$", cf, re.MULTILINE) == [expected]


def test_archive_sees_mail_after_the_main_milter(tree: Path) -> None:
    cf = cf_with(tree, "FEATURE(`woomera')", "FEATURE(`woomera_archive')")

    assert option(cf, "InputMailFilters") == ["woomera", "woomera_archive"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(["FEATURE(`woomera_archive')"], ["{msg_size}"], id="alone"),
        pytest.param(["FEATURE(`woomera')", "FEATURE(`woomera_archive')"], ["{msg_size}"], id="both"),
        pytest.param(
            ["define(`confMILTER_MACROS_EOH', `i, {auth_type}')", "FEATURE(`woomera_archive')"],
            ["i", "{auth_type}", "{msg_size}"],
            id="behind a define",
        ),
        pytest.param(
            [
                "FEATURE(`woomera')",
                "FEATURE(`woomera_archive')",
                "define(`confMILTER_MACROS_EOH', confMILTER_MACROS_EOH`, {auth_type}')",
            ],
            ["{msg_size}", "{auth_type}"],
            id="added to afterwards",
        ),
    ],
)
def test_message_size_is_asked_for_once(tree: Path, lines: list[str], expected: list[str]) -> None:
    assert option(cf_with(tree, *lines), "Milter.macros.eoh") == expected


def test_sendmail_accepts_the_configuration_with_both_milters(sendmail: Sendmail) -> None:
    done = sendmail.run("-d0.1", "-bt")

    assert (done.returncode, done.stderr) == (0, "")
    assert "sendmail.cf: line" not in done.stdout
