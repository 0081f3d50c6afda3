"""Promise 4 by the API of SES: each recipient gets one notice, whatever the API says."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from rig.servers.broken_tls import BrokenTls
from rig.servers.s3 import Moto
from rig.servers.ses_api import ApiError, LostReply, SesApi
from tests.unit.submission.mailers import ANN, BOB, CAT, KEYS, MESSAGE, SENDER, Pauses, mailer
from woomera_milter.errors import PermanentError
from woomera_milter.submission.mailer import (
    MAX_RECIPIENTS,
    PAUSES_S,
    Delivery,
    Mailer,
    Refusal,
    UnknownOutcomeError,
    UnsentError,
)


@pytest.fixture
def api() -> Iterator[SesApi]:
    with SesApi() as api:
        yield api


@pytest.fixture
def by_api(api: SesApi, pauses: Pauses) -> Iterator[Mailer]:
    with mailer(pauses, via="ses", endpoint_url=api.endpoint_url) as by_api:
        yield by_api


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


def test_encryption_that_breaks_after_the_message_is_a_lost_reply(
    tmp_path: Path, pauses: Pauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    with BrokenTls(tmp_path) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(server.certificate_file))
        with (
            mailer(pauses, via="ses", endpoint_url=server.endpoint_url) as by_api,
            pytest.raises(UnknownOutcomeError) as caught,
        ):
            by_api.send(SENDER, [ANN], MESSAGE)
    assert caught.value.delivery == Delivery(unsure=(ANN,))
    assert server.requests == 1


def test_an_api_whose_certificate_is_not_trusted_is_sent_nothing(tmp_path: Path, pauses: Pauses) -> None:
    with (
        BrokenTls(tmp_path) as server,
        mailer(pauses, via="ses", endpoint_url=server.endpoint_url) as by_api,
        pytest.raises(UnsentError, match="SES in us-east-1 failed: TLS cannot be had") as caught,
    ):
        by_api.send(SENDER, [ANN], MESSAGE)
    assert not isinstance(caught.value, UnknownOutcomeError)
    assert server.requests == 0


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("AccessDeniedException", "grant ses:SendRawEmail"),
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
        pytest.raises(PermanentError, match=r"there are no credentials; give .* the instance a role"),
    ):
        by_api.send(SENDER, [ANN], MESSAGE)


@pytest.mark.usefixtures("no_aws_settings")
def test_a_profile_that_does_not_exist_is_an_error_of_the_configuration(pauses: Pauses) -> None:
    with pytest.raises(PermanentError, match=r"there is no such profile; correct storage\.profile"):
        mailer(pauses, storage={"profile": "nobody"}, via="ses")


@pytest.mark.usefixtures("no_aws_settings")
def test_keys_of_another_s3_server_are_not_shown_to_amazon(api: SesApi, pauses: Pauses) -> None:
    elsewhere = KEYS | {"endpoint_url": "https://s3.example.net"}
    with (
        mailer(pauses, storage=elsewhere, via="ses", endpoint_url=api.endpoint_url) as by_api,
        pytest.raises(PermanentError, match="there are no credentials"),
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
