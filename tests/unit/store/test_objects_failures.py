"""Promise 2: where a message cannot be stored the failure is known before any 250, and named safely."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rig.servers.broken_tls import BrokenTls
from rig.servers.faults import Answer, Fault, FaultProxy, LoseReply, Refuse, Reset, Slow
from rig.servers.s3 import Juicefs
from tests.unit.store.script import SCRIPT_KEYS, Script, refusal
from tests.unit.store.stores import KEY, WIRE, assert_safe_to_log, keys_of, put, store_at
from woomera_milter.clock import Deadline
from woomera_milter.errors import DeadlineError, PermanentError, TemporaryError
from woomera_milter.message.spool import SpooledMessage
from woomera_milter.store.s3_store import S3Store

# Failures that stay until somebody acts.


def test_missing_bucket_is_named(juicefs: Juicefs, spooled: SpooledMessage) -> None:
    with pytest.raises(PermanentError, match="NoSuchBucket") as failure:
        put(store_at(juicefs.endpoint_url, keys_of(juicefs), bucket="no-such-bucket"), spooled)

    assert "s3://no-such-bucket/" in failure.value.problem
    assert "storage.bucket" in failure.value.remedy


@pytest.mark.parametrize(
    ("keys", "code", "remedy"),
    [
        ({"access_key_id": "nobodys-key"}, "InvalidAccessKeyId", "access key of storage"),
        ({"secret_access_key": "wrong-secret"}, "SignatureDoesNotMatch", "secret key of storage"),
    ],
    ids=["unknown key", "wrong secret"],
)
def test_wrong_keys_are_named_and_not_shown(
    keys: dict[str, str], code: str, remedy: str, juicefs: Juicefs, spooled: SpooledMessage
) -> None:
    with pytest.raises(PermanentError, match=code) as failure:
        put(store_at(juicefs.endpoint_url, keys_of(juicefs) | keys), spooled)

    assert remedy in failure.value.remedy
    assert_safe_to_log(failure.value)


@pytest.mark.parametrize(
    ("keys", "code"),
    [({}, "there are no credentials"), ({"profile": "missing"}, "there is no such profile")],
    ids=["no credentials", "no such profile"],
)
def test_missing_credentials_are_named(
    keys: dict[str, str], code: str, script: Script, spooled: SpooledMessage
) -> None:
    with pytest.raises(PermanentError, match=code) as failure:
        put(store_at(script.endpoint_url, keys), spooled)

    assert_safe_to_log(failure.value)
    assert script.requests == []


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        (400, "KMS.DisabledException", "see the KMS key"),
        (400, "KMS.NotFoundException", "see the KMS key"),
        (400, "InvalidArgument", "storage.checksum: md5"),
        (403, "AccessDenied", "a policy that asks for encryption, a tag or an ACL"),
        (403, "SomethingElse", "see the bucket's policy, proxies on the way"),
        (413, "RequestEntityTooLarge", "take bodies as large as mail may be"),
        (501, "NotImplemented", "storage.encryption: bucket"),
    ],
)
def test_refusal_has_the_remedy_of_a_refusal(
    status: int, code: str, remedy: str, script: Script, spooled: SpooledMessage
) -> None:
    script.answers = [refusal(status, code)]

    with pytest.raises(PermanentError, match=f"{code} .{status}.") as failure:
        put(store_at(script.endpoint_url, SCRIPT_KEYS), spooled)

    assert remedy in failure.value.remedy
    assert "network" not in failure.value.remedy


def test_outage_is_told_from_a_network_that_leads_nowhere(
    script: Script, juicefs: Juicefs, spooled: SpooledMessage
) -> None:
    script.answers = [refusal(503, "ServiceUnavailable")]
    with FaultProxy(juicefs.port) as nowhere:
        nowhere.set(Refuse())
        remedies = []
        for url in (script.endpoint_url, nowhere.endpoint_url):
            with pytest.raises(TemporaryError) as failure:
                put(store_at(url, SCRIPT_KEYS), spooled)
            remedies.append(failure.value.remedy)

    assert "wait until S3 is well" in remedies[0]
    assert "see storage.endpoint_url and the network" in remedies[1]


@pytest.mark.parametrize(
    ("status", "code"), [(301, "PermanentRedirect"), (400, "AuthorizationHeaderMalformed")]
)
def test_bucket_of_another_region_is_a_mistake_in_the_configuration(
    status: int, code: str, script: Script, spooled: SpooledMessage
) -> None:
    script.answers = [refusal(status, code)]

    with pytest.raises(PermanentError, match=code) as failure:
        put(store_at(script.endpoint_url, SCRIPT_KEYS), spooled)

    assert "storage.region" in failure.value.remedy
    assert_safe_to_log(failure.value)


# Failures that pass.


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Refuse(), id="S3 is down"),
        pytest.param(Reset(), id="the connection is reset at once"),
        pytest.param(Reset(after_bytes=100_000), id="the connection is reset amid the body"),
        pytest.param(Answer(503, "SlowDown"), id="S3 throttles"),
        pytest.param(Answer(500, "InternalError"), id="S3 has an internal error"),
        pytest.param(LoseReply(), id="the reply is lost"),
        pytest.param(LoseReply(after_bytes=len("HTTP/1.1 2")), id="the reply is cut"),
    ],
)
def test_failure_that_may_pass_is_temporary(fault: Fault, juicefs: Juicefs, spooled: SpooledMessage) -> None:
    with FaultProxy(juicefs.port) as proxy:
        proxy.set(fault)
        with pytest.raises(TemporaryError) as failure:
            put(store_at(proxy.endpoint_url, keys_of(juicefs)), spooled)

    assert_safe_to_log(failure.value)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "BadDigest"),
        (400, "IncompleteBody"),
        (400, "RequestTimeout"),
        (400, "ThrottlingException"),
        (408, "RequestTimeout"),
        (408, "Gateway"),
        (429, "TooManyRequests"),
    ],
)
def test_refusal_that_another_try_may_not_hear_is_temporary(
    status: int, code: str, script: Script, spooled: SpooledMessage
) -> None:
    script.answers = [refusal(status, code)]

    with pytest.raises(TemporaryError, match=code):
        put(store_at(script.endpoint_url, SCRIPT_KEYS), spooled)


@pytest.mark.parametrize("read", [S3Store.get_json, lambda store, key: list(store.read(key, Deadline(30)))])
def test_encryption_that_breaks_amid_an_object_is_temporary(
    read: Callable[[S3Store, str], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beginning = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"
    with BrokenTls(tmp_path, beginning) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(server.certificate_file))
        with pytest.raises(TemporaryError) as failure:
            read(store_at(server.endpoint_url, SCRIPT_KEYS), KEY)

    assert_safe_to_log(failure.value)


def test_passing_failure_is_tried_again_with_the_whole_message(
    script: Script, spooled: SpooledMessage
) -> None:
    script.answers = [refusal(503, "SlowDown"), refusal(500, "InternalError"), (200, {}, b"")]

    put(store_at(script.endpoint_url, SCRIPT_KEYS), spooled)

    assert [body == WIRE for _, body in script.requests] == [True, True, True]


def test_upload_that_nobody_waits_for_any_more_ends_by_itself(
    juicefs: Juicefs, spooled: SpooledMessage
) -> None:
    for _ in range(100):  # far more than the sockets' buffers between us and the server hold
        spooled.write(WIRE)
    with FaultProxy(juicefs.port) as proxy:
        proxy.set(Slow(bytes_per_s=2_000_000))
        with pytest.raises(DeadlineError):
            put(store_at(proxy.endpoint_url, keys_of(juicefs)), spooled, timeout_s=1)


def test_nothing_is_sent_once_the_deadline_has_passed(script: Script, spooled: SpooledMessage) -> None:
    with pytest.raises(DeadlineError):
        put(store_at(script.endpoint_url, SCRIPT_KEYS), spooled, timeout_s=0)

    assert script.requests == []
