"""What commands share: how errors become exit statuses, how the configuration and moments are read."""

import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import click

from woomera_milter import config, log
from woomera_milter.config.values import parse_duration
from woomera_milter.errors import WoomeraError
from woomera_milter.text.lines import line_for_people

P = ParamSpec("P")

EX_PARTLY = 1
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def exits(command: Callable[P, None]) -> Callable[P, None]:
    """Turn an error of ours into one line on stderr for each problem, and its exit status."""

    @wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except WoomeraError as error:
            say_error(error)
            sys.exit(error.exit_status)

    return wrapper


def say_error(error: WoomeraError) -> None:
    """Print an error on stderr, one line for each problem."""
    for line in str(error).splitlines():
        click.echo(f"woomera: {line}", err=True)


def say(line: str) -> None:
    """Print a line. Strangers choose addresses and file names, and none may give orders to a terminal."""
    click.echo(line_for_people(line))


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
