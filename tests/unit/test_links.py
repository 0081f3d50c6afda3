"""Promise 5: a link works for a stranger, until the moment that the notice names and not a second less."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from woomera_milter import config
from woomera_milter.errors import PermanentError
from woomera_milter.links import Signer

KEY = "messages/2026/11/24/4AO9Xk1S012345-0123456789abcdef/message.eml"
STORAGE_KEYS = {"access_key_id": "AKIASTORAGE000000000", "secret_access_key": "s" * 40}
SIGNER_KEYS = {"access_key_id": "AKIASIGNER0000000000", "secret_access_key": "l" * 40}
MONTH = timedelta(days=30)
REGIONS = {
    "us-east-1": "s3.us-east-1.amazonaws.com",
    "eu-west-1": "s3.eu-west-1.amazonaws.com",
    "eu-south-2": "s3.eu-south-2.amazonaws.com",
    "us-gov-west-1": "s3.us-gov-west-1.amazonaws.com",
    "cn-north-1": "s3.cn-north-1.amazonaws.com.cn",
}


@pytest.fixture(autouse=True)
def no_aws_settings_of_this_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def signer(storage: dict[str, Any] | None = None, **links: Any) -> Signer:
    """A signer for that configuration; an IAM user's keys, where `storage` is not given."""
    section = {"bucket": "example-large-mail", "region": "us-east-1"}
    section |= STORAGE_KEYS if storage is None else storage
    configuration = config.validate({"storage": section, "links": links}, "config.yaml")
    return Signer(configuration.links, configuration.storage)


def link_of(signer: Signer) -> str:
    now = datetime.now(UTC)
    return signer.sign(KEY, signer.ends_at(now, now + MONTH))


def query(link: str) -> dict[str, str]:
    return {name: value for name, [value] in parse_qs(urlsplit(link).query).items()}


def end_of(link: str) -> datetime:
    """When S3 stops honouring the link (S3 API reference, "Authenticating requests: query parameters")."""
    fields = query(link)
    signed_at = datetime.strptime(fields["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return signed_at + timedelta(seconds=int(fields["X-Amz-Expires"]))


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


def test_link_that_would_live_shorter_than_the_minimum_is_not_made() -> None:
    now = datetime.now(UTC)

    with pytest.raises(PermanentError, match=r"sooner than links\.minimum allows") as refusal:
        signer(minimum="2d").ends_at(now, now + timedelta(days=1))

    assert refusal.value.reason == "links"


def test_link_may_live_exactly_as_long_as_the_minimum_asks() -> None:
    now = datetime.now(UTC)

    ends_at = signer(minimum="7d").ends_at(now, now + MONTH)

    assert ends_at == (now + timedelta(days=7)).replace(microsecond=0)


# Credentials of a role.


class Role:
    """A profile whose keys come from a program and end, as those of an instance role do.

    Each call of the program hands out the next of the lifetimes, the last of them for ever after.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._calls = folder / "calls"

    def lives(self, *lifetimes: timedelta | None) -> None:
        """Say how long the keys live that the next calls hand out; None: without saying how long."""
        now = datetime.now(UTC)
        ends = [None if lifetime is None else (now + lifetime).isoformat() for lifetime in lifetimes]
        program = self._folder / "role.py"
        program.write_text(
            "import json, pathlib\n"
            f"calls = pathlib.Path({str(self._calls)!r})\n"
            f"ends = {ends!r}\n"
            "count = len(calls.read_text()) if calls.exists() else 0\n"
            "calls.write_text('x' * (count + 1))\n"
            "keys = {'Version': 1, 'AccessKeyId': f'ASIAROLE{count:012}', 'SecretAccessKey': 'r' * 40}\n"
            "keys['SessionToken'] = 'token' * 200\n"
            "end = ends[min(count, len(ends) - 1)]\n"
            "print(json.dumps(keys | ({'Expiration': end} if end else {})))\n"
        )
        (self._folder / "config").write_text(
            f"[profile role]\ncredential_process = {sys.executable} {program}\n"
        )

    @property
    def calls(self) -> int:
        """How often keys were handed out."""
        return len(self._calls.read_text()) if self._calls.exists() else 0


@pytest.fixture
def role(tmp_path: Path) -> Role:
    return Role(tmp_path)


def test_link_ends_with_the_credentials_that_sign_it(role: Role) -> None:
    role.lives(timedelta(hours=36))
    one = signer({"profile": "role"})
    now = datetime.now(UTC)

    ends_at = one.ends_at(now, now + MONTH)

    assert abs(ends_at - (now + timedelta(hours=36))) < timedelta(seconds=5)
    assert end_of(one.sign(KEY, ends_at)) == ends_at


def test_credentials_near_their_end_are_had_anew_once(role: Role) -> None:
    role.lives(timedelta(hours=6), timedelta(hours=36))
    now = datetime.now(UTC)

    ends_at = signer({"profile": "role"}).ends_at(now, now + MONTH)

    assert role.calls == 2
    assert abs(ends_at - (now + timedelta(hours=36))) < timedelta(seconds=5)


def test_role_whose_sessions_are_too_short_is_refused_with_the_remedy(role: Role) -> None:
    role.lives(timedelta(hours=6))
    now = datetime.now(UTC)

    with pytest.raises(PermanentError) as refusal:
        signer({"profile": "role"}).ends_at(now, now + MONTH)

    assert role.calls == 2
    assert refusal.value.exit_status == 78
    assert "sooner than links.minimum allows" in refusal.value.problem
    assert "IAM user's keys" in refusal.value.remedy


def test_role_that_hands_out_keys_past_their_end_is_refused(role: Role) -> None:
    role.lives(timedelta(hours=-1))
    now = datetime.now(UTC)

    with pytest.raises(PermanentError, match="links"):
        signer({"profile": "role"}).ends_at(now, now + MONTH)


def test_session_token_that_does_not_say_when_it_ends_is_refused(role: Role) -> None:
    role.lives(None)
    now = datetime.now(UTC)

    with pytest.raises(PermanentError, match="does not say when it ends"):
        signer({"profile": "role"}).ends_at(now, now + MONTH)


def test_session_token_in_the_environment_does_not_say_when_it_ends_and_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIAENVIRONMENT00000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "e" * 40)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    now = datetime.now(UTC)

    with pytest.raises(PermanentError, match="does not say when it ends"):
        signer({}).ends_at(now, now + MONTH)


# A signer of its own.


def write_keys(folder: Path, profile: str, keys: dict[str, str]) -> None:
    with (folder / "credentials").open("a") as file:
        file.write(
            f"[{profile}]\naws_access_key_id = {keys['access_key_id']}\n"
            f"aws_secret_access_key = {keys['secret_access_key']}\n"
        )


def by_keys(_: Path) -> dict[str, Any]:
    return dict(SIGNER_KEYS)


def by_profile(folder: Path) -> dict[str, Any]:
    write_keys(folder, "signer", SIGNER_KEYS)
    return {"profile": "signer"}


@pytest.mark.parametrize("named", [by_keys, by_profile])
def test_signer_of_its_own_signs_where_the_role_that_stores_would_not_live_long_enough(
    named: Callable[[Path], dict[str, Any]], role: Role, tmp_path: Path
) -> None:
    role.lives(timedelta(hours=6))
    links = named(tmp_path)

    link = link_of(signer({"profile": "role"}, **links))

    assert query(link)["X-Amz-Credential"].startswith(SIGNER_KEYS["access_key_id"])
    assert "X-Amz-Security-Token" not in query(link)
    assert role.calls == 0


def test_storages_keys_sign_where_links_has_none_of_its_own() -> None:
    assert query(link_of(signer()))["X-Amz-Credential"].startswith(STORAGE_KEYS["access_key_id"])


@pytest.mark.parametrize(
    ("storage", "links", "what"),
    [
        pytest.param({}, {}, "no credentials", id="no credentials at all"),
        pytest.param({}, {"profile": "missing"}, "ProfileNotFound", id="no such profile"),
    ],
)
def test_signer_without_credentials_is_refused_with_the_remedy(
    storage: dict[str, Any], links: dict[str, Any], what: str
) -> None:
    now = datetime.now(UTC)

    with pytest.raises(PermanentError, match=what) as refusal:
        signer(storage, **links).ends_at(now, now + MONTH)

    assert "links.profile" in refusal.value.remedy


def test_program_that_hands_out_no_keys_is_named_without_what_it_printed(tmp_path: Path) -> None:
    program = f"{sys.executable} -c \"print('{json.dumps({'Version': 1, 'SecretAccessKey': 'leak'})[:-1]}')\""
    (tmp_path / "config").write_text(f"[profile broken]\ncredential_process = {program}\n")
    now = datetime.now(UTC)

    with pytest.raises(PermanentError, match="cannot be had") as refusal:
        signer({"profile": "broken"}).ends_at(now, now + MONTH)

    assert "leak" not in str(refusal.value)
