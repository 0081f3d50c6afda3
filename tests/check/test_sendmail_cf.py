"""What sendmail.cf says is read as sendmail reads it, from files that m4 made."""

from datetime import timedelta
from pathlib import Path

import pytest

from woomera_milter.check import sendmail_cf
from woomera_milter.check.sendmail_cf import Daemon, Filter, SmartHost, parse_time
from woomera_milter.errors import PermanentError

from .conftest import ARCHIVE, MILTER, SMTP_PORT, MakeCf


def parsed(text: str) -> sendmail_cf.SendmailCf:
    return sendmail_cf.parse(text, Path("sendmail.cf"))


def test_shipped_filter_is_read_with_its_flag_and_timeouts(make_cf: MakeCf) -> None:
    timeouts = {"C": 30, "S": 120, "R": 120, "E": 600}

    assert make_cf().filters == [
        Filter("woomera", MILTER, "T", {it: timedelta(seconds=span) for it, span in timeouts.items()})
    ]


def test_filters_have_the_order_in_which_they_see_mail(make_cf: MakeCf) -> None:
    cf = make_cf(filters_before=["inet:1@127.0.0.1", "inet:2@127.0.0.1"], archive_socket=ARCHIVE)

    assert [it.name for it in cf.filters] == ["before0", "before1", "woomera", "woomera_archive"]


def test_filter_without_timeouts_has_those_of_sendmail() -> None:
    cf = parsed("O InputMailFilters=a\nXa, S=inet:1@127.0.0.1, T=R:1m30s\n")

    assert cf.filters[0].flag == ""
    assert cf.filters[0].timeouts == sendmail_cf.DEFAULT_TIMEOUTS | {"R": timedelta(seconds=90)}


def test_filter_that_input_mail_filters_leaves_out_sees_no_mail(make_cf: MakeCf) -> None:
    cf = make_cf(extra_mc="define(`confINPUT_MAIL_FILTERS', `other')")

    assert cf.filters == []
    assert "woomera" in cf.defined_filters


@pytest.mark.parametrize(
    ("in_cf", "in_config", "same"),
    [
        (MILTER, MILTER, True),
        ("local:/run/woomera/milter.sock", MILTER, True),
        ("inet:8894@localhost", "inet:8894@127.0.0.1", True),
        ("inet6:8894@::1", "inet6:8894@localhost", True),
        ("inet:8894@127.0.0.1", "inet:8895@127.0.0.1", False),
        ("inet:8894@10.0.0.1", "inet:8894@127.0.0.1", False),
        ("inet:8894@10.0.0.1", "inet:8894@10.0.0.1", True),
    ],
)
def test_one_socket_may_be_written_in_several_ways(in_cf: str, in_config: str, same: bool) -> None:
    assert Filter("a", in_cf, "", {}).listens_at(in_config) is same


def test_smart_host_is_read_with_its_mailer_and_that_one_with_its_port(make_cf: MakeCf) -> None:
    assert make_cf(relay_port=587).smart_host == SmartHost("relay", "127.0.0.3", 587)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("DS", None),
        ("DSmail.example.com", SmartHost("relay", "mail.example.com", 25)),
        ("DS[IPv6:2001:db8::1]", SmartHost("relay", "2001:db8::1", 25)),
        ("DSesmtp:[10.0.0.1]", SmartHost("esmtp", "10.0.0.1", 25)),
    ],
)
def test_smart_host_may_be_written_in_several_ways(line: str, expected: SmartHost | None) -> None:
    assert parsed(f"{line}\n").smart_host == expected


def test_submission_leads_to_the_daemon(make_cf: MakeCf) -> None:
    path = make_cf().path.with_name("submit.cf")

    assert sendmail_cf.load(path).submission_host == SmartHost("relay", "127.0.0.1", SMTP_PORT)


def test_daemons_are_read_with_their_ports_and_filters_of_their_own() -> None:
    cf = parsed(
        "O DaemonPortOptions=Port=smtp, Addr=127.0.0.1, Name=MTA\n"
        "O DaemonPortOptions=Name=MSA, port=submission, M=Ea, InputMailFilters=a;b\n"
    )

    assert cf.daemons == [Daemon(25, None), Daemon(587, ("a", "b"))]


def test_sendmail_without_daemon_options_listens_on_port_25() -> None:
    assert parsed("").daemons == [Daemon(25, None)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", timedelta(days=5)),
        ("5d", timedelta(days=5)),
        ("1h30m", timedelta(minutes=90)),
        ("2w", timedelta(weeks=2)),
        ("0", timedelta()),
    ],
)
def test_times_are_read_as_sendmail_writes_them(text: str, expected: timedelta) -> None:
    assert parse_time(text, "d") == expected


def test_longest_time_in_the_queue_is_that_of_any_priority() -> None:
    lines = ("queuereturn=5d", "queuereturn.normal=3d", "queuereturn.non-urgent=7d", "queuewarn=9d")

    assert parsed("".join(f"O Timeout.{it}\n" for it in lines)).queue_return == timedelta(days=7)


def test_missing_file_is_an_error_that_says_how_to_name_it(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match=r"No such file .*--sendmail-cf"):
        sendmail_cf.load(tmp_path / "sendmail.cf")
