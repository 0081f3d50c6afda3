"""Promise 3: what is in S3 is what we have, whole, encrypted as configured, for as long as a link says."""

import base64
import hashlib
import re
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rig.servers.certificate import certificate
from rig.servers.faults import Corrupt, FaultProxy
from rig.servers.s3 import Juicefs, Ministack, S3Server
from tests.unit.store.script import SCRIPT_KEYS, Script
from tests.unit.store.stores import BUCKET, KEY, NOW, WIRE, keys_of, put, store_at, stored
from woomera_milter.clock import Deadline
from woomera_milter.errors import DeadlineError, TemporaryError
from woomera_milter.message.spool import SpooledMessage

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


# Reading.


def test_reading_an_object_ends_when_the_deadline_passes_midway(juicefs: Juicefs) -> None:
    store = store_at(juicefs.endpoint_url, keys_of(juicefs))
    store.put(KEY, WIRE * 3, "message/rfc822", Deadline(30), NOW)
    deadline = Deadline(30)
    chunks = store.read(KEY, deadline)

    assert WIRE.startswith(next(chunks))
    deadline._at = time.monotonic()

    with pytest.raises(DeadlineError, match=re.escape(f"reading s3://{BUCKET}/{KEY} took longer")):
        next(chunks)


# What a server is told, and what it answers.


def test_server_is_told_both_digests(script: Script, spooled: SpooledMessage) -> None:
    put(store_at(script.endpoint_url, SCRIPT_KEYS), spooled)

    [(headers, body)] = script.requests
    assert body == WIRE
    assert headers["content-md5"] == base64.b64encode(hashlib.md5(WIRE).digest()).decode()
    assert headers["x-amz-checksum-sha256"] == base64.b64encode(hashlib.sha256(WIRE).digest()).decode()
    assert "content-md5" in headers["authorization"]  # signed, so that nobody on the way can change both


def test_server_that_refuses_other_checksums_is_told_md5_alone(
    script: Script, spooled: SpooledMessage
) -> None:
    store = store_at(script.endpoint_url, SCRIPT_KEYS, checksum="md5")

    put(store, spooled)
    store.put("part", spooled, "text/plain", Deadline(30), NOW, file_name="a.txt", with_md5=False)
    store.put_json("sidecar", {}, Deadline(30))

    for headers, body in script.requests:
        assert headers["content-md5"] == base64.b64encode(hashlib.md5(body).digest()).decode()
        assert [name for name in headers if "checksum" in name] == []


def test_tags_and_acl_that_a_policy_asks_for_are_put_on_each_object(
    script: Script, spooled: SpooledMessage
) -> None:
    storage = {"tags": {"cost centre": "a=b"}, "acl": "bucket-owner-full-control"}
    store = store_at(script.endpoint_url, SCRIPT_KEYS, **storage)

    put(store, spooled)
    store.put_json("sidecar", {}, Deadline(30))

    asked = [(headers["x-amz-tagging"], headers["x-amz-acl"]) for headers, _ in script.requests]
    assert asked == [("cost+centre=a%3Db", "bucket-owner-full-control")] * 2


def test_server_with_a_private_authority_is_trusted_by_its_bundle_alone(
    juicefs: Juicefs, spooled: SpooledMessage, tmp_path: Path
) -> None:
    certificate_file, key_file = certificate(tmp_path, "127.0.0.1")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate_file, key_file)
    with FaultProxy(juicefs.port, tls=tls) as front:
        with pytest.raises(TemporaryError, match="TLS cannot be had") as failure:
            put(store_at(front.endpoint_url, keys_of(juicefs)), spooled)
        put(store_at(front.endpoint_url, keys_of(juicefs), ca_bundle=str(certificate_file)), spooled)

    assert "storage.ca_bundle" in failure.value.remedy
    assert stored(juicefs)["Body"] == WIRE


@pytest.mark.parametrize(
    ("storage", "expected"),
    [
        pytest.param({}, {}, id="the bucket's own"),
        pytest.param({"encryption": "bucket"}, {}, id="the bucket's own, said"),
        pytest.param({"encryption": "none"}, {}, id="the bucket's own, by its old name"),
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
