"""`woomera check` sees what the S3 server really does, and which rights are missing."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest

from rig.lab import BUCKET
from rig.servers.faults import Answer, FaultProxy, Refuse, Rewrite
from rig.servers.s3 import Moto, S3Server
from woomera_milter.errors import TemporaryError
from woomera_milter.store.keys import probe_key

from .conftest import HOST, configuration_of, keys_in, look_at_bucket, make_sound, the_trouble, troubles

KEY = probe_key(HOST)


# The bucket.


def test_sound_bucket_passes_and_nothing_is_left_in_it(ministack: S3Server) -> None:
    make_sound(ministack)

    assert troubles(look_at_bucket(configuration_of(ministack))) == []
    assert keys_in(ministack) == []


def test_server_without_conditions_and_settings_gets_warnings(juicefs: S3Server) -> None:
    found = troubles(look_at_bucket(configuration_of(juicefs, encryption="none")))

    assert {it.subject: it.status for it in found} == {
        "encryption": "warning",
        "conditional writes": "warning",
        "public access": "warning",
        "lifecycle": "warning",
    }


def test_server_that_takes_damaged_objects_is_a_failure(moto: S3Server) -> None:
    make_sound(moto)
    found = the_trouble(look_at_bucket(configuration_of(moto)))

    assert (found.status, found.subject) == ("failure", "digest")


def test_missing_bucket_is_one_failure(ministack: S3Server) -> None:
    found = the_trouble(look_at_bucket(configuration_of(ministack, bucket="no-such-bucket")))

    assert (found.status, found.subject) == ("failure", "bucket")


def test_bucket_of_another_region_is_a_failure(ministack: S3Server) -> None:
    make_sound(ministack)
    found = the_trouble(look_at_bucket(configuration_of(ministack, region="eu-west-1")))

    assert (found.status, found.subject) == ("failure", "region")
    assert found.remedy == "set storage.region: us-east-1"


@pytest.mark.parametrize(
    ("off", "status"),
    [
        (timedelta(minutes=-5), "warning"),
        (timedelta(minutes=5), "warning"),
        (timedelta(minutes=20), "failure"),
    ],
)
def test_clock_that_is_off_is_told(ministack: S3Server, off: timedelta, status: str) -> None:
    make_sound(ministack)
    found = the_trouble(look_at_bucket(configuration_of(ministack), datetime.now(UTC) + off))

    assert (found.status, found.subject) == (status, "clock")


def test_server_that_is_down_is_an_error_that_may_pass(ministack: S3Server, proxy: FaultProxy) -> None:
    proxy.set(Refuse())

    with pytest.raises(TemporaryError, match="nobody answers there"):
        look_at_bucket(configuration_of(ministack, proxy.endpoint_url))


# What the milter does, by its own code.


def test_proxy_that_takes_small_bodies_only_is_a_failure(ministack: S3Server, proxy: FaultProxy) -> None:
    proxy.set(Answer(413, "RequestEntityTooLarge"), above_bytes=5_000_000)
    found = the_trouble(look_at_bucket(configuration_of(ministack, proxy.endpoint_url)))

    assert (found.status, found.subject) == ("failure", "store")
    assert "413" in found.detail


@pytest.mark.parametrize("header", ["x-amz-checksum-sha256", "content-md5", "content-disposition"])
def test_server_that_refuses_a_header_of_the_milters_is_a_failure(
    ministack: S3Server, proxy: FaultProxy, header: str
) -> None:
    proxy.set(Answer(400, "InvalidArgument"), with_header=header)
    found = the_trouble(look_at_bucket(configuration_of(ministack, proxy.endpoint_url)))

    assert (found.status, found.subject) == ("failure", "store")


def test_what_comes_back_damaged_is_a_failure(ministack: S3Server, proxy: FaultProxy) -> None:
    proxy.set(Rewrite(lambda it: it.replace(b"deleted", b"damaged", 1)), applies_to=f"GET /{BUCKET}/{KEY}")
    found = the_trouble(look_at_bucket(configuration_of(ministack, proxy.endpoint_url)))

    assert (found.status, found.subject) == ("failure", "read")


def test_listing_that_does_not_go_on_is_a_failure(ministack: S3Server, proxy: FaultProxy) -> None:
    proxy.set(Answer(501, "NotImplemented"), applies_to="continuation-token=")
    found = the_trouble(look_at_bucket(configuration_of(ministack, proxy.endpoint_url)))

    assert (found.status, found.subject) == ("failure", "list")


def test_listing_that_ends_too_soon_is_a_failure(ministack: S3Server, proxy: FaultProxy) -> None:
    ended = b"<IsTruncated>false"
    proxy.set(Rewrite(lambda it: it.replace(b"<IsTruncated>true", ended)), applies_to="list-type=2")
    found = the_trouble(look_at_bucket(configuration_of(ministack, proxy.endpoint_url)))

    assert (found.status, found.subject) == ("failure", "list")
    assert "sweeps would miss mail" in found.detail


# Rights.


@pytest.mark.parametrize(
    ("request_line", "subject", "right"),
    [
        (f"GET /{BUCKET}?lifecycle", "lifecycle", "s3:GetLifecycleConfiguration"),
        (f"GET /{BUCKET}?publicAccessBlock", "public access", "s3:GetBucketPublicAccessBlock"),
        (f"GET /{BUCKET}?policy", "policy", "s3:GetBucketPolicy"),
        (f"GET /{BUCKET}/{KEY}", "read", "s3:GetObject"),
        (f"GET /{BUCKET}?list-type=2", "list", "s3:ListBucket"),
    ],
)
def test_missing_right_is_a_warning_that_names_it(
    ministack: S3Server, proxy: FaultProxy, request_line: str, subject: str, right: str
) -> None:
    proxy.set(Answer(403, "AccessDenied"), applies_to=request_line)
    found = the_trouble(look_at_bucket(configuration_of(ministack, proxy.endpoint_url)))

    assert (found.status, found.subject) == ("warning", subject)
    assert right in found.detail
    assert right in found.remedy


def test_credentials_that_may_not_store_are_a_failure(ministack: S3Server, proxy: FaultProxy) -> None:
    proxy.set(Answer(403, "AccessDenied"), applies_to="PUT ")
    found = the_trouble(look_at_bucket(configuration_of(ministack, proxy.endpoint_url)))

    assert (found.status, found.subject) == ("failure", "store")
    assert "s3:PutObject" in found.remedy


def test_credentials_that_may_not_delete_are_enough(ministack: S3Server, proxy: FaultProxy) -> None:
    proxy.set(Answer(403, "AccessDenied"), applies_to="DELETE ")

    assert troubles(look_at_bucket(configuration_of(ministack, proxy.endpoint_url))) == []
    assert keys_in(ministack) == [KEY.replace(".txt", ".json"), KEY]


def test_credentials_that_may_not_look_at_the_bucket_still_learn_the_rest(
    ministack: S3Server, proxy: FaultProxy
) -> None:
    proxy.set(Answer(403, "AccessDenied"), applies_to="HEAD ")

    assert troubles(look_at_bucket(configuration_of(ministack, proxy.endpoint_url))) == []


@pytest.fixture
def enforcing_moto(tmp_path: Path) -> Iterator[S3Server]:
    """A server of its own, since it minds IAM's policies from `grant` on."""
    with Moto(tmp_path) as server:
        server.make_bucket(BUCKET)
        make_sound(server)
        yield server


def grant(server: S3Server, *rights: str) -> dict[str, str]:
    """Return the keys, as storage has them, of a user with these rights on the bucket and nothing else."""
    iam: Any = boto3.client(
        "iam",
        region_name="us-east-1",
        endpoint_url=server.endpoint_url,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
    )
    bucket = f"arn:aws:s3:::{BUCKET}"
    resources = [bucket, f"{bucket}/messages/*"]
    statement = {"Effect": "Allow", "Action": list(rights), "Resource": resources}
    iam.create_user(UserName="host")
    iam.put_user_policy(
        UserName="host",
        PolicyName="rights",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    keys = iam.create_access_key(UserName="host")["AccessKey"]
    iam.close()
    plain = {"Content-Type": "text/plain"}  # moto does not find what comes as a form
    urlopen(
        Request(f"{server.endpoint_url}/moto-api/reset-auth", data=b"0", headers=plain), timeout=10
    ).close()
    return {"access_key_id": keys["AccessKeyId"], "secret_access_key": keys["SecretAccessKey"]}


def test_least_rights_store_and_all_others_are_named(enforcing_moto: S3Server) -> None:
    keys = grant(enforcing_moto, "s3:PutObject")
    found = {it.subject: it for it in look_at_bucket(configuration_of(enforcing_moto, **keys))}

    assert found["store"].status == "pass"
    missing = {
        subject: re.search(r"s3:\w+", it.remedy) for subject, it in found.items() if it.status == "warning"
    }
    assert {subject: right and right[0] for subject, right in missing.items()} == {
        "read": "s3:GetObject",
        "list": "s3:ListBucket",
        "default encryption": "s3:GetEncryptionConfiguration",
        "public access": "s3:GetBucketPublicAccessBlock",
        "policy": "s3:GetBucketPolicy",
        "lifecycle": "s3:GetLifecycleConfiguration",
    }


def test_rights_that_are_named_are_enough_to_see_everything(enforcing_moto: S3Server) -> None:
    keys = grant(
        enforcing_moto,
        "s3:PutObject",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:GetEncryptionConfiguration",
        "s3:GetBucketPublicAccessBlock",
        "s3:GetBucketPolicy",
        "s3:GetLifecycleConfiguration",
        "s3:GetBucketVersioning",
    )

    # moto verifies no digest, whatever the rights.
    assert the_trouble(look_at_bucket(configuration_of(enforcing_moto, **keys))).subject == "digest"


# Encryption.


@pytest.mark.parametrize(
    ("encryption", "is_warned"), [("AES256", True), ("aws:kms", True), ("bucket", False), ("none", False)]
)
def test_header_that_overrides_the_buckets_own_key_is_a_warning(
    ministack: S3Server, encryption: str, is_warned: bool
) -> None:
    make_sound(ministack)
    client: Any = ministack.client()
    key = "arn:aws:kms:us-east-1:123456789012:key/1"
    default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    client.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": [default]})
    try:
        found = troubles(look_at_bucket(configuration_of(ministack, encryption=encryption)))
    finally:
        client.delete_bucket_encryption(Bucket=BUCKET)
        client.close()

    assert [it.subject for it in found if "overrides" in it.detail] == ["default encryption"] * is_warned


# Public access.


def test_block_with_a_gap_is_a_warning(ministack: S3Server) -> None:
    make_sound(ministack, block={"BlockPublicPolicy": False})
    found = the_trouble(look_at_bucket(configuration_of(ministack)))

    assert (found.status, found.subject) == ("warning", "public access")
    assert "leaves BlockPublicPolicy off" in found.detail


def test_bucket_without_a_block_is_a_warning(ministack: S3Server) -> None:
    make_sound(ministack)
    client = ministack.client()
    client.delete_public_access_block(Bucket=BUCKET)
    client.close()

    assert the_trouble(look_at_bucket(configuration_of(ministack))).subject == "public access"
