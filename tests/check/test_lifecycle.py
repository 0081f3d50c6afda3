"""`woomera check` tells what the bucket's lifecycle makes of large messages and of records."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rig.lab import BUCKET
from rig.servers.s3 import S3Server
from woomera_milter.check.bucket import lifecycle

from .conftest import (
    MESSAGES_RULE,
    UPLOADS_RULE,
    configuration_of,
    configured,
    look_at_bucket,
    make_sound,
    rule,
    the_trouble,
    troubles,
)

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
TAGGED = {"tags": {"team": "mail"}}


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param([rule("", 30)], id="whole bucket"),
        pytest.param([rule("messages/", 30), rule("archive/", 90)], id="archive longer"),
        pytest.param([rule("messages/", 30), rule("messages/", 10, Status="Disabled")], id="disabled"),
        pytest.param(
            [rule("messages/", 30), rule("", 1, Filter={"Tag": {"Key": "a", "Value": "b"}})], id="of a tag"
        ),
        pytest.param(
            [rule("messages/", 30), rule("archive/", 10), rule("processed/", 20)], id="records stay longer"
        ),
        pytest.param(
            [
                rule("messages/", 30),
                rule("", 1, Filter={"And": {"Prefix": "messages/", "ObjectSizeLessThan": 9_000}}),
            ],
            id="of small ones",
        ),
        pytest.param(
            [rule("", 30, Filter={"And": {"Prefix": "messages/", "ObjectSizeGreaterThan": 1_000_000}})],
            id="of large ones",
        ),
        pytest.param([rule("", 30, Filter={"Tag": {"Key": "team", "Value": "mail"}})], id="of our tag"),
        pytest.param(
            [rule("messages/", 30, Transitions=[{"Days": 30, "StorageClass": "GLACIER"}])], id="archived late"
        ),
        pytest.param(
            [rule("messages/", 30, Transitions=[{"Days": 1, "StorageClass": "GLACIER_IR"}])], id="cheaper"
        ),
        pytest.param(
            [rule("messages/", 0, Expiration={"Date": NOW + timedelta(days=30)})], id="of a date, in time"
        ),
    ],
)
def test_lifecycle_that_keeps_messages_as_long_as_it_should_passes(rules: list[dict[str, Any]]) -> None:
    assert troubles(lifecycle.judge([*rules, UPLOADS_RULE], configured(storage=TAGGED), NOW)) == []


@pytest.mark.parametrize(
    ("rules", "status", "words"),
    [
        pytest.param([rule("archive/", 30)], "warning", "no rule deletes large messages", id="none"),
        pytest.param(
            [rule("messages/", 10)], "warning", "after 10d, and storage.retention says 30d", id="sooner"
        ),
        pytest.param(
            [rule("messages/", 60)], "warning", "after 60d, and storage.retention says 30d", id="later"
        ),
        pytest.param(
            [rule("messages/", 30), rule("archive/", 30), rule("processed/", 20)],
            "failure",
            "sweeps would notify people again",
            id="records go",
        ),
        pytest.param(
            [rule("", 30, Filter={"And": {"Prefix": "messages/", "ObjectSizeLessThan": 1_000_000}})],
            "warning",
            "no rule deletes large messages",
            id="large ones stay",
        ),
        pytest.param(
            [rule("messages/", 0, Expiration={"Date": NOW - timedelta(days=30)})],
            "warning",
            "after 0s",
            id="of a date that is past",
        ),
        pytest.param(
            [rule("messages/", 30, Transitions=[{"Days": 3, "StorageClass": "GLACIER"}])],
            "failure",
            "into an archive class after 3d, while links live 7d",
            id="archived before links end",
        ),
        pytest.param(
            [rule("messages/", 30, Transitions=[{"Date": NOW, "StorageClass": "DEEP_ARCHIVE"}])],
            "failure",
            "into an archive class after 0s",
            id="archived at once",
        ),
        pytest.param(
            [rule("messages/", 30, Transitions=[{"Days": 14, "StorageClass": "GLACIER"}])],
            "warning",
            "`woomera resend` cannot read them",
            id="archived after links end",
        ),
    ],
)
def test_what_is_wrong_with_the_lifecycle_is_one_line(
    rules: list[dict[str, Any]], status: str, words: str
) -> None:
    found = the_trouble(lifecycle.judge([*rules, UPLOADS_RULE], configured(storage=TAGGED), NOW))

    assert (found.status, found.subject) == (status, "lifecycle")
    assert words in found.detail


@pytest.mark.parametrize("days", [None, 1])
def test_versions_that_stay_are_a_warning(ministack: S3Server, days: int | None) -> None:
    noncurrent = {"NoncurrentVersionExpiration": {"NoncurrentDays": days}} if days else {}
    make_sound(ministack, rule("messages/", 30, **noncurrent), UPLOADS_RULE)
    client = ministack.client()
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    try:
        found = troubles(look_at_bucket(configuration_of(ministack)))
    finally:
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
        client.close()

    assert [it.subject for it in found] == ([] if days else ["versions"])


def test_incomplete_uploads_that_stay_are_a_warning(ministack: S3Server) -> None:
    make_sound(ministack, MESSAGES_RULE)

    assert the_trouble(look_at_bucket(configuration_of(ministack))).subject == "incomplete uploads"


def test_prefix_of_ours_counts(ministack: S3Server) -> None:
    make_sound(ministack, rule("woomera/messages/", 30), UPLOADS_RULE)

    assert troubles(look_at_bucket(configuration_of(ministack, prefix="woomera/"))) == []
