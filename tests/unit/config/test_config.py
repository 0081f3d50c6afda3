"""Promise 5 begins here: a configuration that cannot keep its word is refused, and the remedy told."""

import re
from collections.abc import Iterator
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
        if isinstance(value, dict) and value:
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
