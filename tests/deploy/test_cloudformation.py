"""The CloudFormation template: accepted by its linter, and what it makes of a bucket."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import boto3
import pytest
from cfnlint.decode import decode

from rig.lab import BUCKET
from rig.servers.s3 import Ministack, Moto
from rig.servers.stack import TEMPLATE, create_stack
from tests.deploy.conftest import CHECKOUT

template: dict[str, Any] = json.loads(json.dumps(decode(str(TEMPLATE))[0]))
resources: dict[str, Any] = template["Resources"]
INSTALL = CHECKOUT / "docs/install.md"


@pytest.fixture(scope="module")
def s3_of_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of ministack, which was given the bucket and its policy; the rest it does not know."""
    ours = template | {
        "Resources": {name: resources[name] for name in ("Bucket", "BucketPolicy")},
        "Outputs": {},
    }
    with Ministack(tmp_path_factory.mktemp("ministack")) as ministack:
        session = boto3.Session("test", "test", region_name=ministack.region)
        cloudformation = session.client("cloudformation", endpoint_url=ministack.endpoint_url)
        cloudformation.create_stack(
            StackName="woomera",
            TemplateBody=json.dumps(ours),
            Parameters=[{"ParameterKey": "BucketName", "ParameterValue": BUCKET}],
        )
        cloudformation.get_waiter("stack_create_complete").wait(StackName="woomera")
        cloudformation.close()
        client = session.client("s3", endpoint_url=ministack.endpoint_url)
        yield client
        client.close()


def test_the_linter_has_nothing_to_say() -> None:
    linter = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run([linter, TEMPLATE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_bucket_is_never_public(s3_of_stack: Any) -> None:
    blocked = s3_of_stack.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    assert len(blocked) == 4
    assert all(blocked.values())
    owned = s3_of_stack.get_bucket_ownership_controls(Bucket=BUCKET)["OwnershipControls"]
    assert owned == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


def test_the_bucket_encrypts_what_it_is_given(s3_of_stack: Any) -> None:
    (rule,) = s3_of_stack.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


def test_the_bucket_refuses_all_that_is_not_tls(s3_of_stack: Any) -> None:
    (statement,) = json.loads(s3_of_stack.get_bucket_policy(Bucket=BUCKET)["Policy"])["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Resource"] == [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_with_every_option_but_cloudfront_the_stack_is_created(tmp_path: Path) -> None:
    kms_key = "arn:aws:kms:us-east-1:123456789012:key/1"
    options = {
        "BucketName": BUCKET,
        "Prefix": "woomera/",
        "KmsKeyArn": kms_key,
        "SesIdentityArn": "arn:aws:ses:us-east-1:123456789012:identity/example.com",
        "AlarmEmail": "postmaster@example.com",
    }
    with Moto(tmp_path) as moto:
        session: Any = boto3.Session("test", "test", region_name=moto.region)
        clients = [
            session.client(it, endpoint_url=moto.endpoint_url) for it in ("cloudformation", "iam", "events")
        ]
        cloudformation, iam, events = clients
        ids = create_stack(cloudformation, options)
        policies = [
            iam.get_role_policy(RoleName=ids["HostRole"], PolicyName=name)["PolicyDocument"]["Statement"]
            for name in iam.list_role_policies(RoleName=ids["HostRole"])["PolicyNames"]
        ]
        (rule,) = events.list_rules()["Rules"]
        for client in clients:
            client.close()
    rights = {it["Sid"]: it["Resource"] for it in chain.from_iterable(policies)}
    assert rights["StoreMessages"] == f"arn:aws:s3:::{BUCKET}/woomera/messages/*"
    assert rights["UseKmsKey"] == kms_key
    assert rights["SendNotices"] == rights["CheckIdentity"] == options["SesIdentityArn"]
    assert rights["CheckAccount"] == "*"
    assert json.loads(rule["EventPattern"])["detail"]["object"] == {
        "key": [{"prefix": "woomera/archive/"}],
        "size": [{"numeric": [">", 10_485_760]}],
    }


def test_what_only_check_needs_is_granted_as_the_document_says() -> None:
    [sentence] = re.findall(
        r"to see everything it wants(.*?)which nothing else needs", INSTALL.read_text("utf-8"), re.DOTALL
    )
    policies = [resources[name]["Properties"]["PolicyDocument"] for name in ("HostPolicy", "HostSesPolicy")]
    statements = chain.from_iterable(policy["Statement"] for policy in policies)
    actions = [it["Action"] for it in statements if it["Sid"].startswith("Check")]
    granted = chain.from_iterable([it] if isinstance(it, str) else it for it in actions)
    assert sorted(granted) == sorted(re.findall(r"`(\w+:\w+)`", sentence))


def test_a_claim_outlives_every_copy_it_speaks_of() -> None:
    rules = {it["Id"]: it for it in resources["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]}
    assert rules["archive"]["ExpirationInDays"] == {"Ref": "ArchiveDays"}
    assert rules["processed"]["ExpirationInDays"] > template["Parameters"]["ArchiveDays"]["MaxValue"]


def test_every_folder_but_the_watermarks_is_cleaned_up_by_the_lifecycle() -> None:
    rules = resources["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    folders = {it["Prefix"]["Fn::Sub"] for it in rules if "Prefix" in it}
    assert folders == {f"${{Prefix}}{it}/" for it in ("messages", "archive", "processed", "stats", "reports")}
    assert [it["AbortIncompleteMultipartUpload"] for it in rules if "Prefix" not in it] == [
        {"DaysAfterInitiation": 1}
    ]


def test_the_bucket_outlives_the_stack() -> None:
    assert resources["Bucket"]["DeletionPolicy"] == resources["Bucket"]["UpdateReplacePolicy"] == "Retain"


def test_cloudfront_serves_none_but_signed_links_to_messages() -> None:
    behaviour = resources["Distribution"]["Properties"]["DistributionConfig"]["DefaultCacheBehavior"]
    assert behaviour["TrustedKeyGroups"] == [{"Ref": "LinkKeyGroup"}]
    assert behaviour["ViewerProtocolPolicy"] == "https-only"
    assert behaviour["ResponseHeadersPolicyId"] == "67f7725c-6f97-4210-82d7-5512b31e9d03"  # with nosniff
    _, optional = resources["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    condition, statement, otherwise = optional["Fn::If"]
    assert (condition, otherwise) == ("HasCloudFront", {"Ref": "AWS::NoValue"})
    assert statement["Resource"] == {"Fn::Sub": "${Bucket.Arn}/${Prefix}messages/*"}
    assert statement["Condition"]["StringEquals"]["AWS:SourceArn"]


def test_no_output_shows_a_secret_key() -> None:
    assert "SecretAccessKey" not in json.dumps(template["Outputs"])
