"""`woomera check` names what in a sendmail.cf would let over-limit mail by, each with one line."""

import os
from typing import Any

import pytest

from woomera_milter.check import filters, sendmail
from woomera_milter.check.sendmail import ses_region

from .conftest import ARCHIVE, MakeCf, configured, the_trouble, troubles

LOCAL = "inet:1@127.0.0.1"
SES = "define(`SMART_HOST', `relay:[email-smtp.eu-west-1.amazonaws.com]')"


# The filters.


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="ours alone"),
        pytest.param({"failure_flag": "4"}, id="flag 4"),
        pytest.param({"archive_socket": ARCHIVE}, id="with the archive"),
        pytest.param(
            {"failure_flag": "T", "extra_mc": f"INPUT_MAIL_FILTER(`dkim', `S={LOCAL}')"}, id="signer last"
        ),
    ],
)
def test_sound_filters_pass(make_cf: MakeCf, changes: dict[str, Any]) -> None:
    assert troubles(filters.look(make_cf(**changes), configured())) == []


def test_filter_before_ours_passes_where_the_size_is_not_trusted(make_cf: MakeCf) -> None:
    configuration = configured(milter={"trust_msg_size": False})

    assert troubles(filters.look(make_cf(filters_before=[LOCAL]), configuration)) == []


@pytest.mark.parametrize(
    ("changes", "status", "subject", "words"),
    [
        pytest.param(
            {"milter_socket": "inet:8894@127.0.0.1"},
            "failure",
            "filter",
            "sendmail looks for the milter at inet:8894@127.0.0.1, but milter.socket is unix:",
            id="another socket",
        ),
        pytest.param(
            {"extra_mc": "define(`confINPUT_MAIL_FILTERS', `woomera_archive')", "archive_socket": ARCHIVE},
            "failure",
            "filter",
            "InputMailFilters leaves it out",
            id="left out",
        ),
        pytest.param(
            {"extra_mc": "DAEMON_OPTIONS(`Port=587, Name=MSA, InputMailFilters=other')"},
            "failure",
            "filter",
            "the daemon on port 587 has filters of its own, and woomera is not one",
            id="daemon without it",
        ),
        pytest.param({"failure_flag": "R"}, "warning", "failure flag", "refused for good", id="flag R"),
        pytest.param(
            {"milter_timeouts": "S:2m;R:2m;E:1m"},
            "failure",
            "filter's timeouts",
            "sendmail gives up after E, 1m, while storing may take milter.deadline, 1m",
            id="E too short",
        ),
        pytest.param(
            {"milter_timeouts": "S:2m;E:10m"},
            "warning",
            "filter's timeouts",
            "R:10s: on a busy host",
            id="R is the default",
        ),
        pytest.param(
            {"filters_before": [LOCAL]},
            "warning",
            "order of filters",
            "before0 comes first",
            id="filter before",
        ),
        pytest.param(
            {"filters_before": ["unix:/run/opendkim/opendkim.sock"]},
            "warning",
            "order of filters",
            "before0 signs before woomera",
            id="signer before",
        ),
        pytest.param(
            {"archive_socket": ARCHIVE, "extra_mc": f"INPUT_MAIL_FILTER(`dkim', `S={LOCAL}')"},
            "failure",
            "archive filter",
            "as it was before dkim",
            id="archive not last",
        ),
    ],
)
def test_what_is_wrong_with_the_filters_is_one_line(
    make_cf: MakeCf, changes: dict[str, Any], status: str, subject: str, words: str
) -> None:
    found = the_trouble(filters.look(make_cf(**changes), configured()))

    assert (found.status, found.subject) == (status, subject)
    assert words in found.detail


def test_no_filter_at_all_is_a_failure(make_cf: MakeCf) -> None:
    found = the_trouble(filters.look(make_cf(milter_socket=None), configured()))

    assert (found.status, found.subject) == ("failure", "filter")


def test_filter_without_a_flag_wants_an_archive(make_cf: MakeCf) -> None:
    alone = troubles(filters.look(make_cf(failure_flag="none"), configured()))
    with_archive = make_cf(failure_flag="none", archive_socket=ARCHIVE)

    assert [it.subject for it in alone] == ["failure flag", "archive filter"]
    assert the_trouble(filters.look(with_archive, configured())).subject == "failure flag"


def test_archive_filter_with_a_flag_is_a_failure(make_cf: MakeCf) -> None:
    cf = make_cf(extra_mc=f"INPUT_MAIL_FILTER(`keeper', `S={ARCHIVE}, F=T')")

    assert "has the flag T" in the_trouble(filters.look(cf, configured())).detail


# sendmail itself.


def test_shipped_configuration_passes(make_cf: MakeCf) -> None:
    assert troubles(sendmail.look(make_cf(), configured())) == []


@pytest.mark.parametrize(
    ("extra_mc", "status", "subject", "words"),
    [
        pytest.param("define(`confRUN_AS_USER', `mail')", "warning", "RunAsUser", "runs as mail", id="user"),
        pytest.param(
            "define(`confMAX_MESSAGE_SIZE', `0')", "warning", "MaxMessageSize", "any size", id="no size"
        ),
        pytest.param(
            "define(`confMAX_MESSAGE_SIZE', `10485760')",
            "failure",
            "MaxMessageSize",
            "above 10MB (552)",
            id="size",
        ),
        pytest.param(
            "define(`confTO_QUEUERETURN', `7d')",
            "warning",
            "queue return",
            "for 7d, and its links live 7d",
            id="queue",
        ),
        pytest.param("define(`SMART_HOST', `')", "warning", "smart host", "none", id="no relay"),
        pytest.param(
            "define(`SMART_HOST', `uucp-dom:[10.0.0.1]')",
            "failure",
            "smart host",
            "by the mailer uucp-dom, which milter.mailers does not name",
            id="mailer",
        ),
        pytest.param(
            f"{SES}\ndefine(`SMTP_MAILER_MAXRCPTS', `100')",
            "warning",
            "recipients",
            "more than 50",
            id="recipients",
        ),
        pytest.param(
            f"{SES}\nMODIFY_MAILER_FLAGS(`RELAY', `mDFMuXa8')",
            "warning",
            "bounces",
            "takes no null sender",
            id="bounces",
        ),
    ],
)
def test_what_is_wrong_with_sendmail_is_one_line(
    make_cf: MakeCf, extra_mc: str, status: str, subject: str, words: str
) -> None:
    found = the_trouble(sendmail.look(make_cf(extra_mc=extra_mc), configured()))

    assert (found.status, found.subject) == (status, subject)
    assert words in found.detail


def test_file_that_changed_after_sendmail_had_read_it_is_a_warning(make_cf: MakeCf) -> None:
    cf = make_cf()
    os.utime(cf.path.with_name("sendmail.pid"), (0, 0))

    assert "has changed since" in the_trouble(sendmail.look(cf, configured())).detail


def test_sendmail_that_does_not_run_is_a_warning(make_cf: MakeCf) -> None:
    cf = make_cf()
    cf.path.with_name("sendmail.pid").unlink()

    assert "cannot be seen" in the_trouble(sendmail.look(cf, configured())).detail


@pytest.mark.parametrize(
    ("old", "new", "status", "words"),
    [
        ("D{MTAHost}[127.0.0.1]", "D{MTAHost}[10.0.0.1]", "warning", "to 10.0.0.1, past our filter"),
        ("A=TCP $h 2525", "A=TCP $h 26", "failure", "to port 26, where sendmail does not listen"),
    ],
    ids=["another host", "another port"],
)
def test_submission_that_avoids_the_daemon_is_told(
    make_cf: MakeCf, old: str, new: str, status: str, words: str
) -> None:
    cf = make_cf()
    path = cf.path.with_name("submit.cf")
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    found = the_trouble(sendmail.look(cf, configured()))

    assert (found.status, found.subject) == (status, "submission")
    assert words in found.detail


def test_missing_submit_cf_is_a_warning(make_cf: MakeCf) -> None:
    cf = make_cf()
    cf.path.with_name("submit.cf").unlink()

    assert the_trouble(sendmail.look(cf, configured())).subject == "submission"


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("email-smtp.us-east-1.amazonaws.com", "us-east-1"),
        ("email-smtp-fips.us-gov-west-1.amazonaws.com.", "us-gov-west-1"),
        ("email-smtp.eu-west-1.api.aws", "eu-west-1"),
        ("vpce-0a1b2c-3d4e5f.email-smtp.us-east-2.vpce.amazonaws.com", "us-east-2"),
        ("vpce-0a1b2c-3d4e5f-us-east-2a.email-smtp.us-east-2.vpce.amazonaws.com", "us-east-2"),
        ("email-smtp.us-east-1.amazonaws.com.example.com", None),
        ("mail.example.com", None),
    ],
)
def test_region_of_ses_is_known_by_its_host(host: str, region: str | None) -> None:
    assert ses_region(host) == region
