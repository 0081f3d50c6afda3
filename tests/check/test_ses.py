"""`woomera check` tells whether SES sends for this host, as far as its rights let it see."""

from collections.abc import Callable, Iterable, Iterator

import pytest

from rig.servers.ses_api import SesApi
from woomera_milter.check import ses as check_ses
from woomera_milter.check.finding import Finding
from woomera_milter.errors import TemporaryError
from woomera_milter.submission.ses import Ses

from .conftest import configured, the_trouble, troubles

Look = Callable[[Ses, Iterable[str]], Iterator[Finding]]


@pytest.fixture
def api() -> Iterator[SesApi]:
    with SesApi() as api:
        api.verified = frozenset({"example.com", "ann@example.net"})
        yield api


def look(api: SesApi, *senders: str, by: Look = check_ses.look) -> list[Finding]:
    keys = {"access_key_id": "AKIARIG0000000000000", "secret_access_key": "s" * 40}
    mail = {"via": "ses", "region": "us-east-1", "endpoint_url": api.endpoint_url}
    configuration = configured(storage=keys, mail=mail)
    ses = Ses(configuration.mail, configuration.storage)
    try:
        return list(by(ses, senders))
    finally:
        ses.close()


@pytest.mark.parametrize(
    "sender", ["woomera@example.com", "a@host.example.com", "ann@example.net", "example.com"]
)
def test_account_that_may_send_for_its_senders_passes(api: SesApi, sender: str) -> None:
    assert troubles(look(api, sender)) == []


@pytest.mark.parametrize("sender", ["bob@example.net", "example.org", "a@notexample.com"])
def test_sender_that_is_not_verified_is_a_failure(api: SesApi, sender: str) -> None:
    found = the_trouble(look(api, sender))

    assert (found.status, found.subject) == ("failure", sender)


@pytest.mark.parametrize(
    ("changes", "status", "subject"),
    [
        ({"SendingEnabled": False}, "failure", "account"),
        ({"ProductionAccessEnabled": False}, "warning", "sandbox"),
        (
            {"SendQuota": {"Max24HourSend": 200.0, "MaxSendRate": 1.0, "SentLast24Hours": 190.0}},
            "warning",
            "quota",
        ),
    ],
)
def test_account_that_may_not_send_as_it_should_is_told(
    api: SesApi, changes: dict[str, object], status: str, subject: str
) -> None:
    api.account |= changes
    found = the_trouble(look(api))

    assert (found.status, found.subject) == (status, subject)


def test_account_without_a_quota_passes(api: SesApi) -> None:
    api.account["SendQuota"] = {"Max24HourSend": -1.0, "MaxSendRate": 14.0, "SentLast24Hours": 1.0}

    assert troubles(look(api)) == []


@pytest.mark.parametrize(
    ("operation", "right"), [("GetAccount", "ses:GetAccount"), ("GetEmailIdentity", "ses:GetEmailIdentity")]
)
def test_missing_right_is_a_warning_that_names_it(api: SesApi, operation: str, right: str) -> None:
    api.denied = frozenset({operation})
    found = the_trouble(look(api, "woomera@example.com"))

    assert found.status == "warning"
    assert right in found.detail


@pytest.mark.parametrize(("granted", "expected"), [("example.com", []), ("example.org", ["warning"])])
def test_right_to_see_the_identity_that_is_verified_is_enough(
    granted: str, expected: list[str], api: SesApi
) -> None:
    """As the stack grants it: for one identity, which may be the domain of the address."""
    api.visible = frozenset({granted})

    assert [it.status for it in troubles(look(api, "woomera@example.com"))] == expected


def test_ses_that_is_down_is_an_error_that_may_pass(api: SesApi) -> None:
    api.go_dark()

    with pytest.raises(TemporaryError, match="connecting to SES in us-east-1 failed"):
        look(api)


def test_api_that_a_host_does_not_send_by_may_be_out_of_reach(api: SesApi) -> None:
    api.go_dark()

    assert the_trouble(look(api, by=check_ses.look_aside)).status == "warning"
