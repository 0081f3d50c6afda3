"""What holds between the keys of config.yaml, to the byte and to the second."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.config.config_cases import MINIMAL, SECRET, problems_of
from woomera_milter import config


@pytest.mark.parametrize(
    "data",
    [
        {"links": {"expires": "7d"}},
        {"links": {"expires": "7d", "minimum": "7d"}},
        {"limit": "100KB", "archive": {"min_size": 0}},
        {"archive": {"min_size": (10 * 1024 * 1024 - 2048) // 2}},
        {"notice": {"include_text": "64KB"}},
        {"mail": {"username": "a", "password": "b"}},
        {"mail": {"host": "smtp.example.com", "username": "a", "password": "b", "starttls": "true"}},
        {"mail": {"via": "ses"}},
        {"storage": {"bucket": "large-mail", "region": "garage", "endpoint_url": "https://s3.example.com"}},
        {"storage": {"bucket": "mail.example.com", "addressing": "auto"}},
        {"storage": {"bucket": "large-mail", "encryption": "aws:kms", "kms_key_id": "alias/mail"}},
        {"storage": {"bucket": "large-mail", "profile": "mail"}},
        {
            "storage": {
                "bucket": "large-mail",
                "access_key_id": "AKIAIOSFODNN7EXAMPLE",
                "secret_access_key": SECRET,
            }
        },
    ],
    ids=repr,
)
def test_what_is_just_allowed_is_allowed(data: dict[str, Any]) -> None:
    config.validate({**MINIMAL, **data}, "config.yaml")


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"links": {"expires": "604801s"}}, "links.expires"),
        ({"links": {"expires": "1d", "minimum": "86401s"}}, "links.minimum"),
        ({"limit": 100 * 1024 - 1, "archive": {"min_size": 0}}, "limit"),
        ({"archive": {"min_size": (10 * 1024 * 1024 - 2048) // 2 + 1}}, "archive.min_size"),
        ({"notice": {"include_text": 64 * 1024 + 1}}, "notice.include_text"),
    ],
    ids=repr,
)
def test_what_is_just_too_much_is_refused(data: dict[str, Any], key: str) -> None:
    [problem] = problems_of({**MINIMAL, **data})
    assert problem.startswith(f"config.yaml: {key}: ")


def test_links_of_cloudfront_may_live_longer_than_7_days(tmp_path: Path) -> None:
    key_file = tmp_path / "cloudfront.pem"
    key_file.touch(mode=0o600)
    cloudfront = {
        "domain": "files.example.com",
        "key_pair_id": "K2JCJMDEHXQW5F",
        "private_key_file": str(key_file),
    }
    links = {"kind": "cloudfront", "expires": "30d", "cloudfront": cloudfront}
    loaded = config.validate({**MINIMAL, "links": links}, "config.yaml")
    assert loaded.links.expires == timedelta(days=30)


def test_a_key_that_is_broken_itself_is_not_blamed_by_a_rule_too() -> None:
    problems = problems_of({**MINIMAL, "links": {"expires": "a week", "minimum": "8d"}, "limit": "10"})
    assert [problem.split(": ")[1] for problem in problems] == ["links.expires", "limit"]


def test_a_socket_that_is_the_other_milters_default_is_refused() -> None:
    [problem] = problems_of({**MINIMAL, "archive": {"socket": "unix:/run/woomera/milter.sock"}})
    assert problem == (
        "config.yaml: archive.socket: unix:/run/woomera/milter.sock is that of milter too; "
        "give each a socket of its own"
    )
