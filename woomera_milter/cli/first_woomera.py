"""The first Woomera's flags of `woomera sweep`, laid over the configuration."""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from woomera_milter import config, log
from woomera_milter.cli.common import load

AnySection = TypeVar("AnySection", bound=config.Section)

_OPTIONS = (
    click.option(
        "--bucket", "-b", help="The bucket (with the first Woomera's flags no config file is needed)."
    ),
    click.option("--prefix", "-p", help="The archive's prefix, from the bucket's root."),
    click.option("--region", "-r", help="The region of the bucket and of SES, by which mail then goes."),
    click.option(
        "--processedEmails", "-e", "processed_emails", help="The key of the JSON of processed mail."
    ),
    click.option("--accessKey", "-k", "access_key", help="Visible to other users of this host; avoid it."),
    click.option("--secretKey", "-s", "secret_key", help="Visible to other users of this host; avoid it."),
    click.option("--adminEmail", "-a", "admin_email", help="Who gets the statistics mail."),
)


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the flags."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Flags:
    """The first Woomera's flags; None where one was not given."""

    bucket: str | None
    prefix: str | None
    region: str | None
    processed_emails: str | None
    access_key: str | None
    secret_key: str | None
    admin_email: str | None


def configuration(context: click.Context, flags: Flags, cleanup: ExitStack) -> tuple[config.Config, Path]:
    """Return the configuration, what the flags say laid over it, and where messages are spooled.

    With the first Woomera's flags no file is needed, unless one was named.
    """
    if flags.secret_key:
        log.warning("--secretKey: other users of this host can read a command line; use a profile or a role")
    path: Path = context.obj
    named = context.find_root().get_parameter_source("path") is not ParameterSource.DEFAULT
    required = {
        "--bucket": flags.bucket,
        "--prefix": flags.prefix,
        "--region": flags.region,
        "--processedEmails": flags.processed_emails,
    }
    if named or path.exists() or all(value is None for value in required.values()):
        of_file = load(path)
        return _laid_over(of_file, flags), of_file.milter.spool
    if missing := [name for name, value in required.items() if value is None]:
        raise click.UsageError(f"without a config file, {' and '.join(missing)} must be given too")
    spool = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="woomera-"))
    return _said_by(flags, ""), Path(spool)


def _said_by(flags: Flags, bucket: str) -> config.Config:
    """Return what the flags alone say, validated; all else is at its default."""
    storage = {
        "bucket": flags.bucket or bucket,
        "region": flags.region,
        "access_key_id": flags.access_key,
        "secret_access_key": flags.secret_key,
    }
    mail = {"via": "ses", "region": flags.region} if flags.region else {}
    given = {key: value for key, value in storage.items() if value is not None}
    return config.validate({"storage": given, "mail": mail}, "command line")


def _laid_over(configuration: config.Config, flags: Flags) -> config.Config:
    over = _said_by(flags, configuration.storage.bucket)
    storage = _merged(configuration.storage, over.storage)
    if flags.access_key:
        storage = storage.model_copy(update={"profile": None})
    return configuration.model_copy(
        update={"storage": storage, "mail": _merged(configuration.mail, over.mail)}
    )


def _merged(section: AnySection, over: AnySection) -> AnySection:
    return section.model_copy(update={key: getattr(over, key) for key in over.model_fields_set})
