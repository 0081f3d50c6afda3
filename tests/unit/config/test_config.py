"""Promise 5 begins here: a configuration that cannot keep its word is refused, and the remedy told."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.config.config_cases import MINIMAL, SECRET, leaves, load_text, problems_of
from woomera_milter import config
from woomera_milter.errors import ConfigError

REPOSITORY = Path(__file__).parents[3]
BAD_CONFIGS = sorted((REPOSITORY / "tests" / "bad_configs").iterdir())
SAMPLE = REPOSITORY / "config.yaml"


def leaf_values(data: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in data.items():
        if isinstance(value, dict):
            yield from leaf_values(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


# The broken configurations


@pytest.mark.parametrize("folder", BAD_CONFIGS, ids=lambda folder: folder.name)
def test_a_broken_config_gets_exactly_the_expected_messages(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = (folder / "expected.txt").read_text(encoding="utf-8")
    assert expected, "an expectation that is empty expects nothing"
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigError) as caught:
        config.load(Path("config.yaml"))
    assert str(caught.value) + "\n" == expected


def test_there_are_broken_configs_to_try() -> None:
    assert len(BAD_CONFIGS) >= 25


@pytest.mark.parametrize("folder", BAD_CONFIGS, ids=lambda folder: folder.name)
def test_no_expected_message_shows_a_secret_or_lacks_a_remedy(folder: Path) -> None:
    for line in (folder / "expected.txt").read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r"config\.yaml(:[0-9]+(:[0-9]+)?)?: .+; .+", line)
        assert "hunter2" not in line
        assert "wJalr" not in line


# The sample


def test_the_sample_is_valid_and_gives_no_warning(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, SAMPLE.read_text(encoding="utf-8"))
    assert config.warnings(loaded, tmp_path / "config.yaml") == []


def test_the_sample_shows_every_key_and_no_other() -> None:
    shown = dict(leaf_values(yaml.safe_load(SAMPLE.read_text(encoding="utf-8"))))
    assert set(shown) == {key for key, _ in leaves(config.Config)}


def test_the_sample_shows_the_defaults_but_for_the_examples() -> None:
    loaded = config.load(SAMPLE)
    examples = {
        "storage.bucket",
        "storage.region",
        "notice.organization",
        "notice.contact",
        "report.sender",
        "report.to",
    }
    for key, default in leaves(config.Config):
        value: Any = loaded
        for step in key.split("."):
            value = getattr(value, step)
        assert (value == default) is (key not in examples), key


# Keys that depend on each other


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


# Secrets


def test_secrets_show_in_no_representation_of_the_config() -> None:
    keys = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": SECRET}
    loaded = config.validate(
        {
            "storage": {**MINIMAL["storage"], **keys},
            "links": keys,
            "mail": {"username": "woomera", "password": SECRET},
        },
        "config.yaml",
    )
    assert loaded.mail.password is not None
    assert loaded.mail.password.get_secret_value() == SECRET
    for text in (
        repr(loaded),
        str(loaded),
        f"{loaded.storage} {loaded.links!r} {loaded.mail}",
        loaded.model_dump_json(),
    ):
        assert SECRET not in text


@pytest.mark.parametrize(
    "value",
    [[SECRET], {SECRET: 1}, f" {SECRET}", f"{SECRET}\n", f"{SECRET}\x00", 2718281828, True, ""],
    ids=repr,
)
@pytest.mark.parametrize(
    "key", ["storage.access_key_id", "storage.secret_access_key", "links.secret_access_key", "mail.password"]
)
def test_no_message_shows_a_secret_that_is_wrong(key: str, value: object) -> None:
    section, name = key.split(".")
    data: dict[str, Any] = {**MINIMAL, section: {**MINIMAL.get(section, {}), name: value}}
    text = "\n".join(problems_of(data))
    assert f"config.yaml: {key}: " in text
    assert SECRET not in text
    assert "2718281828" not in text
