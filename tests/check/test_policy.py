"""`woomera check` tells of a bucket's policy that ends links early, or opens them to some networks alone."""

import json
from typing import Any

import pytest

from rig.lab import BUCKET
from rig.servers.s3 import S3Server
from woomera_milter.check.bucket import policy
from woomera_milter.check.finding import Finding

from .conftest import configuration_of, configured, look_at_bucket, make_sound, the_trouble, troubles

HOUR_MS = 3_600_000


def deny(condition: dict[str, Any], **changes: Any) -> dict[str, Any]:
    known = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::large-mail/*",
    }
    return known | {"Condition": condition} | changes


OLD = {"NumericGreaterThan": {"s3:signatureAge": HOUR_MS}}
BOTH = ["REST-HEADER", "REST-QUERY-STRING"]
ABROAD = {"NotIpAddress": {"aws:SourceIp": ["192.0.2.0/24"]}}


def judged(*statements: dict[str, Any]) -> list[Finding]:
    return list(policy.judge(statements, configured()))


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        pytest.param(deny(OLD), "after 1h (s3:signatureAge), while links.expires says 7d", id="age"),
        pytest.param(
            deny({"NumericGreaterThanIfExists": {"S3:SignatureAge": ["60000"]}}),
            "after 1m",
            id="other words",
        ),
        pytest.param(deny(ABROAD), "aws:SourceIp", id="address"),
        pytest.param(deny({"StringNotEquals": {"aws:SourceVpce": "v"}}), "aws:SourceVpce", id="endpoint"),
        pytest.param(
            deny({"ForAnyValue:StringNotLike": {"aws:sourcevpc": "vpc-*"}}), "aws:SourceVpc", id="network"
        ),
        pytest.param(deny({"StringNotEquals": {"s3:authType": "REST-HEADER"}}), "s3:authType", id="header"),
        pytest.param(deny({"StringEquals": {"s3:authType": "REST-QUERY-STRING"}}), "s3:authType", id="link"),
        pytest.param(deny(ABROAD, Action=["s3:List*", "S3:Get*"]), "aws:SourceIp", id="one of some actions"),
        pytest.param(deny(ABROAD, Resource="*"), "aws:SourceIp", id="all resources"),
        pytest.param(
            deny(ABROAD, Resource="arn:aws-cn:s3:::large-mail/messages/*/*.???"),
            "aws:SourceIp",
            id="a part",
        ),
    ],
)
def test_a_deny_that_breaks_links_is_a_warning(statement: dict[str, Any], words: str) -> None:
    found = the_trouble(judged(statement, statement))
    assert (found.status, found.subject) == ("warning", "policy")
    assert words in found.detail


def test_what_is_not_acted_on_or_not_meant_counts() -> None:
    statement = deny(ABROAD)
    for name, values in (("Action", ["s3:PutObject"]), ("Resource", ["arn:aws:s3:::large-mail/archive/*"])):
        changed = {f"Not{name}" if key == name else key: it for key, it in statement.items()}
        assert troubles(judged(changed | {f"Not{name}": values}))
        assert not troubles(judged(changed | {f"Not{name}": statement[name]}))


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(deny(OLD, Effect="Allow"), id="allowed"),
        pytest.param(deny(OLD, Action="s3:PutObject"), id="another action"),
        pytest.param(deny(OLD, Resource="arn:aws:s3:::large-mail/archive/*"), id="another folder"),
        pytest.param(deny(OLD, Resource="arn:aws:s3:::large-mail"), id="the bucket itself"),
        pytest.param(deny({"NumericGreaterThan": {"s3:signatureAge": 7 * 24 * HOUR_MS}}), id="age enough"),
        pytest.param(deny({"NumericGreaterThan": {"s3:signatureAge": "soon"}}), id="no number"),
        pytest.param(deny({"Bool": {"aws:SecureTransport": "false"}}), id="clear text"),
        pytest.param(
            deny({"StringNotEquals": {"s3:authType": ["REST-HEADER", "REST-QUERY-STRING"]}}), id="both"
        ),
        pytest.param({"Effect": "Deny", "Condition": ["x"], "Action": "*", "Resource": "*"}, id="no policy"),
    ],
)
def test_a_statement_that_leaves_links_alone_passes(statement: dict[str, Any]) -> None:
    assert troubles(judged(statement)) == []


def test_the_age_of_a_signature_is_nothing_to_cloudfronts_links() -> None:
    ours = configured()
    cloudfront = ours.model_copy(update={"links": ours.links.model_copy(update={"kind": "cloudfront"})})
    assert troubles(policy.judge([deny(OLD)], cloudfront)) == []
    assert troubles(policy.judge([deny(ABROAD)], cloudfront))


@pytest.mark.parametrize("is_listed", [True, False])
def test_the_policy_is_the_buckets_own(moto: S3Server, *, is_listed: bool) -> None:
    make_sound(moto)
    statement = deny(OLD, Resource=f"arn:aws:s3:::{BUCKET}/messages/*")
    client: Any = moto.client()
    document = {"Version": "2012-10-17", "Statement": [statement] if is_listed else statement}
    client.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(document))
    try:
        found = {it.subject: it for it in look_at_bucket(configuration_of(moto))}["policy"]
    finally:
        client.delete_bucket_policy(Bucket=BUCKET)
        client.close()
    assert found.status == "warning"
    assert {it.subject: it for it in look_at_bucket(configuration_of(moto))}["policy"].status == "pass"
