"""A smallest configuration, a secret to look for, and ways to have a configuration read or refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from woomera_milter import config
from woomera_milter.errors import ConfigError

MINIMAL = {"storage": {"bucket": "example-large-mail", "region": "us-east-1"}}
SECRET = "hunter2-hunter2"


def load_text(folder: Path, text: str) -> config.Config:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o640)
    return config.load(path)


def problems_of(data: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config.validate(data, "config.yaml")
    return caught.value.problems


def leaves(section: type[config.Section], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every key that holds a value, dotted, with its default."""
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, config.Section):
            yield from leaves(field.annotation, f"{above}{name}.")
        else:
            yield f"{above}{name}", field.get_default()
