"""The sendmail.cf that comes of the files in sendmail-config/, and what the real sendmail says of it."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.mta import sendmail_cf
from rig.mta.sendmail import Sendmail
from rig.mta.sendmail_cf import CfError, Settings

FIVE_DAYS = "5d"
UNIX_SOCKET = "S=unix:/run/woomera/milter.sock"
TIMEOUTS = "T=C:30s;S:2m;R:2m;E:10m"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """sendmail's m4 files with ours among them."""
    folder = tmp_path_factory.mktemp("sendmail") / "cf"
    sendmail_cf.install_features(folder)
    return folder


@pytest.fixture(scope="module")
def shipped_cf(tree: Path) -> str:
    return sendmail_cf.build((sendmail_cf.SHIPPED / "sendmail.mc").read_text(encoding="utf-8"), tree)


@pytest.fixture(scope="module")
def sendmail() -> Iterator[Sendmail]:
    sendmail = Sendmail(Settings(relay_port=9, milter_socket="inet:9@127.0.0.1"), {"root": "ops@example.org"})
    yield sendmail
    sendmail.close()


def test_rig_uses_the_checkouts_features_where_woomera_is_installed_too(tmp_path: Path) -> None:
    packaged = tmp_path / "packaged"
    (packaged / "feature").mkdir(parents=True)
    (packaged / "feature/woomera.m4").write_text("of an older version\n", encoding="utf-8")

    sendmail_cf.install_features(tmp_path / "cf", packaged)

    assert (tmp_path / "cf/feature/woomera.m4").samefile(sendmail_cf.SHIPPED / "woomera.m4")


def cf_with(tree: Path, *lines: str) -> str:
    head = ("include(`/usr/share/sendmail-cf/m4/cf.m4')", "OSTYPE(`linux')")
    return sendmail_cf.build("\n".join((*head, *lines, "MAILER(`local')", "MAILER(`smtp')", "")), tree)


def option(cf: str, name: str) -> str | None:
    """The value of `O name=` in `cf`, None where it is left to sendmail's default."""
    found = re.search(rf"^O {re.escape(name)}=(.*)$", cf, re.MULTILINE)
    return found and found[1]


def filter_line(cf: str, name: str = "woomera") -> str:
    found = re.search(rf"^X{name}, (.*)$", cf, re.MULTILINE)
    assert found is not None
    return found[1]


def macros(value: str | None) -> list[str]:
    assert value is not None
    return [macro.strip() for macro in value.split(",")]


def test_shipped_configuration_filters_through_woomera_and_makes_clients_wait_while_it_is_down(
    shipped_cf: str,
) -> None:
    assert filter_line(shipped_cf) == f"{UNIX_SOCKET}, F=T, {TIMEOUTS}"
    assert option(shipped_cf, "InputMailFilters") == "woomera"


def test_what_installs_command_makes_for_debian_goes_into_debians_own_configuration(
    shipped_cf: str, tree: Path, tmp_path: Path
) -> None:
    install = (sendmail_cf.SHIPPED.parent / "docs/install.md").read_text(encoding="utf-8")
    [command] = re.findall(r"^sed .*/etc/mail/m4/provider\.m4$", install.replace("\\\n", ""), re.MULTILINE)
    (tmp_path / "dialup.m4").touch()
    command = command.replace("/etc/mail/m4", str(tmp_path))
    subprocess.run(command, shell=True, cwd=sendmail_cf.SHIPPED.parent, check=True)
    mc = (tree / "debian/sendmail.mc").read_text(encoding="utf-8").replace("/etc/mail/m4", str(tmp_path))
    mc = mc.replace("include(`/usr/share/sendmail/cf/", "include(`/usr/share/sendmail-cf/")

    cf = sendmail_cf.build(mc, tree)

    assert filter_line(cf) == filter_line(shipped_cf)
    for name in ("MaxMessageSize", "Timeout.queuereturn", "AuthMechanisms", "SuperSafe", "Milter.macros.eoh"):
        assert (option(cf, name) or "missing") == option(shipped_cf, name)
    assert option(cf, "CACertFile") == "/etc/ssl/certs/ca-certificates.crt"
    assert re.findall(r"^Kaccess .*", cf, re.MULTILINE) == ["Kaccess hash -T<TMPF> /etc/mail/access"]
    assert re.findall(r"^DS(.*)", cf, re.MULTILINE) == re.findall(r"^DS(.*)", shipped_cf, re.MULTILINE)
    with (tmp_path / "provider.m4").open("a", encoding="utf-8") as provider:
        provider.write("FEATURE(`woomera_archive')dnl\n")
    assert option(sendmail_cf.build(mc, tree), "InputMailFilters") == "woomera, woomera_archive"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param("", f"{UNIX_SOCKET}, F=T, {TIMEOUTS}", id="defaults"),
        pytest.param(", `inet:8894@127.0.0.1'", f"S=inet:8894@127.0.0.1, F=T, {TIMEOUTS}", id="socket"),
        pytest.param(", `', `4'", f"{UNIX_SOCKET}, F=4, {TIMEOUTS}", id="flag 4"),
        pytest.param(", `', `R'", f"{UNIX_SOCKET}, F=R, {TIMEOUTS}", id="flag R"),
        pytest.param(", `', `none'", f"{UNIX_SOCKET}, {TIMEOUTS}", id="no flag"),
        pytest.param(", `', `', `R:5s;E:1m'", f"{UNIX_SOCKET}, F=T, T=R:5s;E:1m", id="timeouts"),
    ],
)
def test_feature_takes_socket_flag_and_timeouts(tree: Path, arguments: str, expected: str) -> None:
    # Another FEATURE after ours has arguments of its own, which must not become ours.
    cf = cf_with(tree, f"FEATURE(`woomera'{arguments})", "FEATURE(`access_db', `hash -T<TMPF> /a', `skip')")

    assert filter_line(cf) == expected


@pytest.mark.parametrize("flag", ["t", "X", "T R"])
def test_feature_names_a_failure_flag_that_sendmail_does_not_know(tree: Path, flag: str) -> None:
    with pytest.raises(CfError, match=f"failure flag .{flag}. is not T, 4, R or none"):
        cf_with(tree, f"FEATURE(`woomera', `', `{flag}')")


def test_filters_keep_the_order_of_their_lines(tree: Path) -> None:
    cf = cf_with(
        tree,
        "INPUT_MAIL_FILTER(`footer', `S=inet:1@127.0.0.1')",
        "FEATURE(`woomera')",
        "INPUT_MAIL_FILTER(`dkim', `S=inet:2@127.0.0.1')",
    )

    assert macros(option(cf, "InputMailFilters")) == ["footer", "woomera", "dkim"]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param("", "", ["{msg_size}"], id="nothing else"),
        pytest.param(
            "define(`confMILTER_MACROS_EOH', `i, {auth_type}')",
            "",
            ["i", "{auth_type}", "{msg_size}"],
            id="defined before, quoted once",
        ),
        pytest.param(
            "define(`confMILTER_MACROS_EOH', ``i, {auth_type}'')",
            "",
            ["i", "{auth_type}", "{msg_size}"],
            id="defined before, quoted twice",
        ),
        pytest.param(
            "define(`confMILTER_MACROS_EOH', `i, j')",
            "define(`confMILTER_MACROS_EOH', confMILTER_MACROS_EOH`, {auth_type}')",
            ["i", "j", "{msg_size}", "{auth_type}"],
            id="added to afterwards",
        ),
    ],
)
def test_message_size_is_added_to_the_macros_at_end_of_headers(
    tree: Path, before: str, after: str, expected: list[str]
) -> None:
    cf = cf_with(tree, before, "FEATURE(`woomera')", after)

    assert macros(option(cf, "Milter.macros.eoh")) == expected


@pytest.mark.parametrize("stage", ["connect", "helo", "envfrom", "envrcpt", "eom", "data"])
def test_macros_of_all_other_stages_stay_as_sendmail_has_them(tree: Path, stage: str) -> None:
    name = f"Milter.macros.{stage}"

    assert option(cf_with(tree, "FEATURE(`woomera')"), name) == option(
        cf_with(tree, "INPUT_MAIL_FILTER(`other', `S=inet:1@127.0.0.1')"), name
    )


def test_shipped_configuration_reaches_ses_on_587_with_at_most_50_recipients_a_message(
    shipped_cf: str,
) -> None:
    relay = re.search(r"^Mrelay,(?:.*\n)+?\s*A=(.*)$", shipped_cf, re.MULTILINE)

    assert "\nDSrelay:[email-smtp.us-east-1.amazonaws.com]\n" in shipped_cf
    assert relay is not None
    assert relay[1] == "TCP $h 587"
    assert re.search(r"\br=50,", relay[0])


def test_nothing_leaves_with_the_null_sender_that_ses_refuses(shipped_cf: str) -> None:
    relay = re.search(r"^Mrelay,.*\bF=(\w+)", shipped_cf, re.MULTILINE)

    assert relay is not None
    assert "g" in relay[1]
    assert re.search(r"^Ssender=1\n+R<@>\t\$@ \$n < @ \$j \. >$", shipped_cf, re.MULTILINE)


def test_maps_that_hold_credentials_and_the_demand_for_tls_are_never_skipped_silently(
    shipped_cf: str,
) -> None:
    maps = dict(re.findall(r"^K(authinfo|access) (.*)$", shipped_cf, re.MULTILINE))

    assert maps == {"authinfo": "hash /etc/mail/authinfo", "access": "hash -T<TMPF> /etc/mail/access"}


def test_shipped_configuration_takes_150_megabytes(shipped_cf: str) -> None:
    assert option(shipped_cf, "MaxMessageSize") == str(150 * 1024 * 1024)


def test_queued_notices_go_back_to_their_sender_before_their_links_end(shipped_cf: str) -> None:
    assert option(shipped_cf, "Timeout.queuereturn") == FIVE_DAYS


def test_shipped_configuration_listens_on_the_loopback_only(shipped_cf: str) -> None:
    listeners = re.findall(r"^O DaemonPortOptions=(.*)$", shipped_cf, re.MULTILINE)

    assert listeners == ["Port=smtp, Addr=127.0.0.1, Name=MTA"]


def test_sendmail_accepts_the_configuration_and_has_all_that_it_needs(sendmail: Sendmail) -> None:
    done = sendmail.run("-d0.1", "-bt")

    assert done.returncode == 0
    assert done.stderr == ""
    assert {"MILTER", "SASLv2", "STARTTLS"} <= set(done.stdout.split())


@pytest.mark.parametrize(
    ("address", "mailer"),
    [("someone@example.org", "relay"), ("root", "relay"), ("daemon", "local")],
    ids=["outside", "alias to the outside", "user of this host"],
)
def test_mail_for_the_outside_goes_to_the_relay(sendmail: Sendmail, address: str, mailer: str) -> None:
    assert f"deliverable: mailer {mailer}," in sendmail.run("-bv", address).stdout


def test_message_is_synced_once_after_the_filters_and_before_the_250(shipped_cf: str) -> None:
    assert option(shipped_cf, "SuperSafe") == "PostMilter"
