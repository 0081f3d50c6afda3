"""Promises 2 and 3: what is in S3 is what we have, whole; or the failure is known before any 250."""

import base64
import hashlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from rig.faults import Answer, Corrupt, Fault, FaultProxy, LoseReply, Refuse, Reset, Slow
from rig.s3 import Juicefs, Ministack, S3Server
from woomera_milter import config
from woomera_milter.errors import DeadlineError, PermanentError, TemporaryError, WoomeraError
from woomera_milter.spool import Deadline, SpooledMessage
from woomera_milter.store import Store, message_key, sidecar_key

BUCKET = "large-mail"
KEY = "messages/2026/11/24/4AO9Xk1S012345-0123456789abcdef/message.eml"
WIRE = b"Subject: figures\r\n\r\n" + b"0123456789abcdef\r\n" * 20_000
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_aws_settings_of_this_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.fixture(scope="module")
def juicefs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Juicefs]:
    with Juicefs(tmp_path_factory.mktemp("juicefs")) as server:
        server.make_bucket(BUCKET)
        yield server


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    with Ministack(tmp_path_factory.mktemp("ministack")) as server:
        server.make_bucket(BUCKET)
        yield server


@pytest.fixture
def spooled(tmp_path: Path) -> Iterator[SpooledMessage]:
    message = SpooledMessage(tmp_path)
    message.write(WIRE)
    yield message
    message.close()


def store_at(endpoint_url: str, keys: dict[str, str], **storage: Any) -> Store:
    section = {
        "bucket": BUCKET,
        "region": "us-east-1",
        "endpoint_url": endpoint_url,
        "addressing": "path",
        "encryption": "none",
    }
    configuration = config.validate({"storage": section | keys | storage}, "config.yaml")
    return Store(configuration.storage, max_connections=4)


def keys_of(server: S3Server) -> dict[str, str]:
    return {"access_key_id": server.access_key, "secret_access_key": server.secret_key}


def put(
    store: Store, message: SpooledMessage, *, file_name: str = "figures.eml", timeout_s: float = 30
) -> datetime:
    """Store the message and return until when it surely lives."""
    return store.put_message(KEY, message, file_name, Deadline(timeout_s), NOW).ends_at


def stored(server: S3Server, key: str = KEY) -> dict[str, Any]:
    client = server.client()
    found = client.get_object(Bucket=BUCKET, Key=key)
    answer = {**found, "Body": found["Body"].read()}
    client.close()
    return answer


def assert_safe_to_log(error: WoomeraError) -> None:
    """An error's text goes to the log: it names the object and the remedy, and opens nothing."""
    text = str(error)
    assert f"s3://{BUCKET}/{KEY}" in text
    assert error.remedy
    for forbidden in ("http", "?", "X-Amz", "secret-key", "wrong-secret"):
        assert forbidden not in text
    assert error.reason == "store"


# What is stored.


@pytest.mark.parametrize("name", ["juicefs", "ministack"])
def test_message_is_stored_byte_for_byte_as_an_attachment(
    name: str, spooled: SpooledMessage, request: pytest.FixtureRequest
) -> None:
    server: S3Server = request.getfixturevalue(name)

    put(store_at(server.endpoint_url, keys_of(server)), spooled)

    found = stored(server)
    assert found["Body"] == WIRE
    assert found["ContentType"] == "message/rfc822"
    assert found["ContentDisposition"].startswith("attachment; ")


def test_everything_is_stored_below_the_prefix(juicefs: Juicefs, spooled: SpooledMessage) -> None:
    put(store_at(juicefs.endpoint_url, keys_of(juicefs), prefix="woomera/"), spooled)

    assert stored(juicefs, f"woomera/{KEY}")["Body"] == WIRE


def test_sidecar_is_readable_json(juicefs: Juicefs) -> None:
    store = store_at(juicefs.endpoint_url, keys_of(juicefs))

    store.put_json("sidecar", {"subject": "Größe", "recipients": ["a@example.org"]}, Deadline(30))

    found = stored(juicefs, "sidecar")
    assert found["Body"].decode() == '{\n "subject": "Größe",\n "recipients": [\n  "a@example.org"\n ]\n}'
    assert found["ContentType"] == "application/json"


def test_keys_stand_in_the_folder_of_the_utc_day() -> None:
    received_at = datetime(2026, 11, 24, 1, 30, tzinfo=UTC).astimezone(None) - timedelta(hours=2)

    assert message_key("Q-1", received_at) == "messages/2026/11/23/Q-1/message.eml"
    assert sidecar_key("Q-1", received_at) == "messages/2026/11/23/Q-1/envelope.json"


@pytest.mark.parametrize(
    ("file_name", "ascii_name"),
    [
        pytest.param("figures.eml", "figures.eml", id="plain"),
        pytest.param("Zürich €.eml", "Z_rich _.eml", id="not ASCII"),
        pytest.param("日本語.eml", "___.eml", id="nothing ASCII"),
        pytest.param('a"; filename="b.exe', "a_; filename=_b.exe", id="a quote"),
        pytest.param("back\\slash %41.eml", "back_slash _41.eml", id="backslash and percent"),
        pytest.param("a\r\nX-Injected: 1", "a__X-Injected: 1", id="line end"),
    ],
)
def test_file_name_is_what_a_browser_saves_whatever_it_holds(
    file_name: str, ascii_name: str, juicefs: Juicefs, spooled: SpooledMessage
) -> None:
    put(store_at(juicefs.endpoint_url, keys_of(juicefs)), spooled, file_name=file_name)

    # RFC 6266 Appendix D: filename for old browsers, then filename* (RFC 8187) for the others.
    encoded = quote(file_name, safe="")
    found = stored(juicefs)["ContentDisposition"]
    assert found == f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{encoded}"


# Damage on the way.


@pytest.mark.parametrize("name", ["juicefs", "ministack"])
@pytest.mark.parametrize("at_byte", [0, 100_000, len(WIRE) - 1], ids=["first octet", "middle", "last octet"])
def test_message_that_is_damaged_on_its_way_is_refused_by_the_server(
    name: str, at_byte: int, spooled: SpooledMessage, request: pytest.FixtureRequest
) -> None:
    server: S3Server = request.getfixturevalue(name)
    with FaultProxy(server.port) as proxy:
        proxy.set(Corrupt(at_byte))
        with pytest.raises(TemporaryError) as failure:
            put(store_at(proxy.endpoint_url, keys_of(server), prefix=f"damaged-{at_byte}/"), spooled)

    assert "BadDigest" in failure.value.problem
    client = server.client()
    assert client.list_objects_v2(Bucket=BUCKET, Prefix=f"damaged-{at_byte}/")["KeyCount"] == 0
    client.close()


# A server that says what a test tells it to: for what no server of the rig does.


class Script(ThreadingHTTPServer):
    """Takes each request whole and answers as the script says; the last answer serves for ever after."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ScriptHandler)
        self.answers: list[tuple[int, dict[str, str], bytes]] = [(200, {}, b"")]
        self.requests: list[tuple[dict[str, str], bytes]] = []

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class ScriptHandler(BaseHTTPRequestHandler):
    server: Script
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append((headers, self.rfile.read(int(headers["content-length"]))))
        answers = self.server.answers
        status, extra, body = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        for name, value in (extra | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def script() -> Iterator[Script]:
    with Script() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def refusal(status: int, code: str) -> tuple[int, dict[str, str], bytes]:
    body = f"<Error><Code>{code}</Code><Message>https://example.com/?X-Amz-Signature=1</Message></Error>"
    return status, {"Content-Type": "application/xml"}, body.encode()


SCRIPT_KEYS = {"access_key_id": "AKIASCRIPT0000000000", "secret_access_key": "wrong-secret" * 3}


def test_server_is_told_both_digests(script: Script, spooled: SpooledMessage) -> None:
    put(store_at(script.endpoint_url, SCRIPT_KEYS), spooled)

    [(headers, body)] = script.requests
    assert body == WIRE
    assert headers["content-md5"] == base64.b64encode(hashlib.md5(WIRE).digest()).decode()
    assert headers["x-amz-checksum-sha256"] == base64.b64encode(hashlib.sha256(WIRE).digest()).decode()
    assert "content-md5" in headers["authorization"]  # signed, so that nobody on the way can change both


@pytest.mark.parametrize(
    ("storage", "expected"),
    [
        pytest.param({"encryption": "none"}, {}, id="none"),
        pytest.param({"encryption": "AES256"}, {"x-amz-server-side-encryption": "AES256"}, id="AES256"),
        pytest.param({"encryption": "aws:kms"}, {"x-amz-server-side-encryption": "aws:kms"}, id="KMS"),
        pytest.param(
            {"encryption": "aws:kms", "kms_key_id": "alias/mail"},
            {
                "x-amz-server-side-encryption": "aws:kms",
                "x-amz-server-side-encryption-aws-kms-key-id": "alias/mail",
            },
            id="KMS with a key of one's own",
        ),
    ],
)
def test_encryption_is_asked_for_as_configured_for_message_and_sidecar(
    storage: dict[str, str], expected: dict[str, str], script: Script, spooled: SpooledMessage
) -> None:
    store = store_at(script.endpoint_url, SCRIPT_KEYS, **storage)

    put(store, spooled)
    store.put_json("sidecar", {}, Deadline(30))

    for headers, _ in script.requests:
        asked = {name: headers[name] for name in headers if name.startswith("x-amz-server-side-encryption")}
        assert asked == expected


@pytest.mark.parametrize(
    "storage",
    [{"encryption": "AES256"}, {"encryption": "aws:kms", "kms_key_id": "alias/mail"}],
    ids=["AES256", "KMS"],
)
def test_server_encrypts_as_it_was_asked_to(
    storage: dict[str, str], ministack: Ministack, spooled: SpooledMessage
) -> None:
    put(store_at(ministack.endpoint_url, keys_of(ministack), **storage), spooled)

    assert stored(ministack)["ServerSideEncryption"] == storage["encryption"]


@pytest.mark.parametrize(
    ("expiration", "ends_at"),
    [
        pytest.param(None, NOW + timedelta(days=30), id="no rule"),
        pytest.param(
            'expiry-date="Fri, 27 Nov 2026 00:00:00 GMT", rule-id="three days"',
            datetime(2026, 11, 27, tzinfo=UTC),
            id="a rule that deletes sooner than storage.retention",
        ),
        pytest.param(
            'expiry-date="Fri, 26 Nov 2027 00:00:00 GMT", rule-id="a year"',
            NOW + timedelta(days=30),
            id="a rule that deletes later",
        ),
        pytest.param('rule-id="odd"', NOW + timedelta(days=30), id="a rule without a date"),
        pytest.param('expiry-date="soon", rule-id="odd"', NOW + timedelta(days=30), id="no date at all"),
    ],
)
def test_object_lives_until_the_lifecycle_deletes_it(
    expiration: str | None, ends_at: datetime, script: Script, spooled: SpooledMessage
) -> None:
    script.answers = [(200, {"x-amz-expiration": expiration} if expiration else {}, b"")]

    assert put(store_at(script.endpoint_url, SCRIPT_KEYS, retention="30d"), spooled) == ends_at


# Credentials that change under a running milter.


def write_credentials(folder: Path, server: S3Server) -> None:
    (folder / "credentials").write_text(
        f"[mail]\naws_access_key_id = {server.access_key}\naws_secret_access_key = {server.secret_key}\n"
    )


def test_keys_that_rotated_in_the_profile_are_read_anew(tmp_path: Path, spooled: SpooledMessage) -> None:
    (tmp_path / "juicefs").mkdir()
    server = Juicefs(tmp_path / "juicefs")
    with server, FaultProxy(server.port) as proxy:
        server.make_bucket(BUCKET)
        write_credentials(tmp_path, server)
        store = store_at(proxy.endpoint_url, {"profile": "mail"})
        put(store, spooled)

        server.stop()
        server.access_key, server.secret_key = "rotated-access-key", "rotated-secret-key"
        server.start()
        write_credentials(tmp_path, server)
        put(store, spooled)

        assert stored(server)["Body"] == WIRE
    assert len(proxy.requests) == 3  # the second was refused for its keys, the third had the new ones


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "ExpiredToken"),
        (400, "InvalidToken"),
        (400, "TokenRefreshRequired"),
        (403, "InvalidAccessKeyId"),
        (403, "SignatureDoesNotMatch"),
        (403, "AccessDenied"),
    ],
)
def test_refused_credentials_are_had_anew_once_and_the_whole_message_is_sent_again(
    status: int, code: str, script: Script, spooled: SpooledMessage
) -> None:
    script.answers = [refusal(status, code), (200, {}, b"")]

    put(store_at(script.endpoint_url, SCRIPT_KEYS), spooled)

    assert [body == WIRE for _, body in script.requests] == [True, True]


def test_credentials_that_are_refused_again_are_a_failure(script: Script, spooled: SpooledMessage) -> None:
    script.answers = [refusal(400, "ExpiredToken")]

    with pytest.raises(PermanentError, match="ExpiredToken") as failure:
        put(store_at(script.endpoint_url, SCRIPT_KEYS), spooled)

    assert len(script.requests) == 2
    assert_safe_to_log(failure.value)
    assert "credentials" in failure.value.remedy


# Failures that stay until somebody acts.


def test_missing_bucket_is_named(juicefs: Juicefs, spooled: SpooledMessage) -> None:
    with pytest.raises(PermanentError, match="NoSuchBucket") as failure:
        store_at(juicefs.endpoint_url, keys_of(juicefs), bucket="no-such-bucket").put_message(
            KEY, spooled, "a.eml", Deadline(30), NOW
        )

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
    [({}, "NoCredentialsError"), ({"profile": "missing"}, "ProfileNotFound")],
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
