"""What commands share: how the configuration and moments are read, and the exit status of half a job."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from woomera_milter import config, log
from woomera_milter.config.values import parse_duration

EX_PARTLY = 1
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def load(path: Path) -> config.Config:
    """Return the configuration; log what deserves a warning. Raise ConfigError."""
    configuration = config.load(path)
    for problem in config.warnings(configuration, path):
        log.warning(problem)
    return configuration


class Since(click.ParamType[datetime]):
    """A moment: a span of time back from now, or the beginning of a day in UTC."""

    name = "span|YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> datetime:
        """Return the moment; fail with a usage error."""
        if isinstance(value, datetime):
            return value
        try:
            if _DAY.fullmatch(value):
                return datetime.fromisoformat(value).replace(tzinfo=UTC)
            return datetime.now(UTC) - parse_duration(value)
        except (ValueError, OverflowError):
            self.fail(f"{value} is neither a span of time such as 12h or 7d, nor a day such as 2026-11-24")
