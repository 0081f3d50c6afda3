"""Promise 5: a link works for a stranger, until the moment that the notice names and not a second less."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.unit.store.signers import (
    KEY,
    MONTH,
    SIGNER_KEYS,
    STORAGE_KEYS,
    end_of,
    link_of,
    query,
    signer,
    write_keys,
)
from woomera_milter.errors import PermanentError, TemporaryError

REGIONS = {
    "us-east-1": "s3.us-east-1.amazonaws.com",
    "eu-west-1": "s3.eu-west-1.amazonaws.com",
    "eu-south-2": "s3.eu-south-2.amazonaws.com",
    "us-gov-west-1": "s3.us-gov-west-1.amazonaws.com",
    "cn-north-1": "s3.cn-north-1.amazonaws.com.cn",
}


pytestmark = pytest.mark.usefixtures("no_aws_settings_of_this_host")


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("bucket", ["example-large-mail", "mail.example.com"], ids=["plain", "with dots"])
def test_link_is_short_signed_by_sigv4_and_leads_to_the_host_of_the_buckets_region(
    bucket: str, region: str
) -> None:
    link = link_of(signer({"bucket": bucket, "region": region} | STORAGE_KEYS))

    # S3's certificates fit one label before the host, so a bucket with dots stands in the path.
    host = REGIONS[region]
    place = f"{host}/{bucket}" if "." in bucket else f"{bucket}.{host}"
    assert link.startswith(f"https://{place}/{KEY}?")
    fields = query(link)
    assert fields["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    assert fields["X-Amz-Credential"].split("/")[2:] == [region, "s3", "aws4_request"]
    assert len(link) < 500


def test_link_says_nothing_of_the_message() -> None:
    assert set(query(link_of(signer()))) == {
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature",
    }


@pytest.mark.parametrize("addressing", ["auto", "path", "virtual"])
def test_how_the_milter_reaches_the_bucket_does_not_show_in_the_link(addressing: str) -> None:
    storage = {"endpoint_url": "https://bucket.vpce-1a2b3c.s3.us-east-1.vpce.amazonaws.com"}

    link = link_of(signer(storage | {"addressing": addressing} | STORAGE_KEYS))

    assert urlsplit(link).netloc == "example-large-mail.s3.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ENDPOINT_URL", "https://s3.internal.example"),
        ("AWS_ENDPOINT_URL_S3", "https://s3.internal.example"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true"),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_REGION", "eu-north-1"),
    ],
)
def test_environment_does_not_lead_a_link_to_another_host(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    assert urlsplit(link_of(signer())).netloc == "example-large-mail.s3.us-east-1.amazonaws.com"


def test_profile_with_an_endpoint_of_its_own_does_not_lead_a_link_there(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        "[profile signer]\nservices = inside\n[services inside]\ns3 =\n  endpoint_url = https://s3.inside.example\n"
    )
    write_keys(tmp_path, "signer", SIGNER_KEYS)

    link = link_of(signer(profile="signer"))

    assert urlsplit(link).netloc == "example-large-mail.s3.us-east-1.amazonaws.com"


def test_without_storage_region_the_link_leads_to_the_region_in_which_the_milter_stores(
    tmp_path: Path,
) -> None:
    (tmp_path / "config").write_text(
        "[profile store]\nregion = eu-west-1\n[profile signer]\nregion = eu-south-2\n"
    )
    write_keys(tmp_path, "store", STORAGE_KEYS)
    write_keys(tmp_path, "signer", SIGNER_KEYS)

    link = link_of(signer({"region": None, "profile": "store"}, profile="signer"))

    assert urlsplit(link).netloc == "example-large-mail.s3.eu-west-1.amazonaws.com"


def test_host_that_recipients_reach_is_used_where_the_configuration_names_one() -> None:
    link = link_of(
        signer({"addressing": "path"} | STORAGE_KEYS, endpoint_url="https://mail.example.com:9000")
    )

    assert link.startswith(f"https://mail.example.com:9000/example-large-mail/{KEY}?")


def test_prefix_of_the_bucket_is_part_of_the_link() -> None:
    link = link_of(signer({"prefix": "woomera/"} | STORAGE_KEYS))

    assert urlsplit(link).path == f"/woomera/{KEY}"


@pytest.mark.parametrize(
    ("links", "object_lives", "link_lives"),
    [
        pytest.param({}, MONTH, timedelta(days=7), id="SigV4's 7 days"),
        pytest.param({"expires": "2d"}, MONTH, timedelta(days=2), id="links.expires"),
        pytest.param(
            {"expires": "36h"}, timedelta(days=3), timedelta(hours=36), id="before the object's end"
        ),
        pytest.param({}, timedelta(days=3), timedelta(days=3), id="the object's end"),
        pytest.param({"minimum": "0s"}, timedelta(minutes=5), timedelta(minutes=5), id="no minimum"),
    ],
)
def test_link_ends_at_the_earliest_end_of_all_and_says_so_to_the_second(
    links: dict[str, Any], object_lives: timedelta, link_lives: timedelta
) -> None:
    one = signer(**links)
    now = datetime.now(UTC)

    ends_at = one.ends_at(now, now + object_lives)
    link = one.sign(KEY, ends_at)

    assert ends_at == (now + link_lives).replace(microsecond=0)
    assert end_of(link) == ends_at
    assert int(query(link)["X-Amz-Expires"]) <= 604_800


def test_link_that_is_signed_later_still_ends_when_it_was_said_to() -> None:
    one = signer()
    decided_at = datetime.now(UTC) - timedelta(minutes=1)  # an upload took that long

    ends_at = one.ends_at(decided_at, decided_at + MONTH)

    assert end_of(one.sign(KEY, ends_at)) == ends_at


def test_link_that_a_clock_put_back_makes_too_long_for_s3_is_not_made() -> None:
    one = signer()
    decided_at = datetime.now(UTC) + timedelta(seconds=2)  # by the clock as it went before

    ends_at = one.ends_at(decided_at, decided_at + MONTH)

    with pytest.raises(TemporaryError, match="the clock was put back"):
        one.sign(KEY, ends_at)


def test_link_that_would_live_shorter_than_the_minimum_is_not_made() -> None:
    now = datetime.now(UTC)

    with pytest.raises(PermanentError, match=r"sooner than links\.minimum allows") as refusal:
        signer(minimum="2d").ends_at(now, now + timedelta(days=1))

    assert refusal.value.reason == "links"


def test_link_may_live_exactly_as_long_as_the_minimum_asks() -> None:
    now = datetime.now(UTC)

    ends_at = signer(minimum="7d").ends_at(now, now + MONTH)

    assert ends_at == (now + timedelta(days=7)).replace(microsecond=0)
