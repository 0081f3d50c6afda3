"""The command sweep, with its own flags and those of the first Woomera."""

import json
import socket
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click
from click.core import ParameterSource
from rich.console import Console
from rich.table import Table

from woomera_milter import config, log
from woomera_milter.cli.common import EX_PARTLY, Since, exits, load, say
from woomera_milter.cli.progress import SweepProgress
from woomera_milter.errors import ConfigError
from woomera_milter.message.spool import SpooledMessage
from woomera_milter.notice.notice import Composer
from woomera_milter.offload import attachments
from woomera_milter.offload.offload import Offload
from woomera_milter.report.sweep_mail import SweepFigures, statistics_mail
from woomera_milter.store.claims import Claims
from woomera_milter.store.links import Signer
from woomera_milter.store.objects import Store
from woomera_milter.submission import mailer
from woomera_milter.sweep import processed_mail, watermark
from woomera_milter.sweep.listing import ArchiveListing, lies_in_own
from woomera_milter.sweep.notifier import Notifier
from woomera_milter.sweep.sweep import AT_ONCE, Sweep, SweepResult
from woomera_milter.sweep.watermark import EVERYTHING, SweepRange, Watermark

AnySection = TypeVar("AnySection", bound=config.Section)


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


@dataclass(frozen=True, slots=True)
class Options:
    """The sweep's own flags."""

    since: datetime | None
    full: bool
    limit: int
    single_host: bool
    dry_run: bool
    as_json: bool


@click.command("sweep")
@click.option(
    "--since",
    type=Since(),
    help="Only what was archived since then: 12h or 7d ago, or that day.",
)
@click.option("--full", is_flag=True, help="All of the archive, whatever earlier sweeps have seen.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=500,
    show_default=True,
    help="Send nothing at all where more notices than this are due.",
)
@click.option(
    "--single-host",
    is_flag=True,
    help="For S3 servers without conditional writes: you see to it that one sweep runs at a time.",
)
@click.option("--dry-run", is_flag=True, help="Tell what is due, and send and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--bucket", "-b", help="The bucket (with the first Woomera's flags no config file is needed).")
@click.option("--prefix", "-p", help="The archive's prefix, from the bucket's root.")
@click.option("--region", "-r", help="The region of the bucket and of SES, by which mail then goes.")
@click.option("--processedEmails", "-e", "processed_emails", help="The key of the JSON of processed mail.")
@click.option("--accessKey", "-k", "access_key", help="Visible to other users of this host; avoid it.")
@click.option("--secretKey", "-s", "secret_key", help="Visible to other users of this host; avoid it.")
@click.option("--adminEmail", "-a", "admin_email", help="Who gets the statistics mail.")
@click.pass_context
@exits
def sweep_command(
    context: click.Context,
    /,
    since: datetime | None,
    full: bool,
    limit: int,
    single_host: bool,
    dry_run: bool,
    as_json: bool,
    **flags: str | None,
) -> None:
    """Find over-limit messages in the archive, and mail their recipients a notice, once."""
    if since and full:
        raise click.UsageError("--since and --full contradict each other; give one of them")
    options = Options(since, full, limit, single_host, dry_run, as_json)
    given = Flags(**flags)
    with ExitStack() as cleanup:
        configuration, spool = _configuration(context, given, cleanup)
        postman = cleanup.enter_context(mailer.from_config(configuration))
        result = _sweep(configuration, spool, postman, given, options)
    if result.failed or (result.too_many and not dry_run):
        sys.exit(EX_PARTLY)


def _sweep(
    configuration: config.Config, spool: Path, postman: mailer.Mailer, flags: Flags, options: Options
) -> SweepResult:
    storage = configuration.storage
    prefix = storage.prefix + configuration.sweep.prefix if flags.prefix is None else flags.prefix
    if lies_in_own(prefix, storage.prefix):
        problem = f"sweep.prefix: {prefix} is a folder of our own, where no sweep may look"
        raise ConfigError([f"{problem}; write the archive's prefix"])
    now = datetime.now(UTC)
    signer = Signer(configuration.links, storage)
    store = Store(storage, 2 * AT_ONCE + attachments.AT_ONCE, signer.forget_credentials)
    bucket = Store(storage.model_copy(update={"prefix": ""}), max_connections=2 * AT_ONCE)
    if not options.dry_run:
        signer.ends_at(now, now + storage.retention)
        SpooledMessage(spool).close()
    ledger = processed_mail.ProcessedMail(bucket, flags.processed_emails) if flags.processed_emails else None
    claims = Claims(store, socket.gethostname(), configuration.sweep.lease, single_host=options.single_host)
    offload, composer = Offload(configuration, store, signer), Composer(configuration.notice)
    notifier = Notifier(configuration, bucket, claims, offload, composer, postman, spool, ledger)
    listing = ArchiveListing(bucket, prefix, storage.prefix)
    sweep = Sweep(configuration, bucket, listing, claims, notifier, spool, ledger)

    # The first Woomera's invocation looks at all of its prefix, as it always did.
    keeps_watermark = options.since is None and flags.prefix is None
    before = watermark.load(store, prefix) if keeps_watermark else None
    span = _range(options, before, now)
    with SweepProgress() as progress:
        result = sweep.run(span, most=options.limit, dry_run=options.dry_run, progress=progress)
    _print(result, options)  # before its records are written, since that may fail
    if options.dry_run:
        return result
    if ledger is not None:
        ledger.save()
    if keeps_watermark and not result.too_many:
        watermark.save(store, watermark.advanced(before, prefix, span, now, result.unsettled))
    if flags.admin_email:
        figures = SweepFigures(
            result.scanned,
            result.over_limit,
            result.notified,
            [(it.key, it.reason) for it in result.failed],
            held_back=result.due_count if result.too_many else 0,
            processed=ledger.count if ledger is not None else 0,
        )
        message = statistics_mail(flags.admin_email, figures, now)
        for refusal in postman.send(flags.admin_email, [flags.admin_email], message).refused:
            log.warning(f"--adminEmail: the statistics mail was refused: {refusal.reason}")
    return result


def _range(options: Options, before: Watermark | None, now: datetime) -> SweepRange:
    if options.since:
        return SweepRange(options.since.date(), options.since)
    return EVERYTHING if options.full or before is None else before.next_range(now)


def _configuration(context: click.Context, flags: Flags, cleanup: ExitStack) -> tuple[config.Config, Path]:
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
        configuration = load(path)
        return _laid_over(configuration, flags), configuration.milter.spool
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


def _print(result: SweepResult, options: Options) -> None:
    if options.as_json:
        document = {
            "scanned": result.scanned,
            "over_limit": result.over_limit,
            "notified": result.notified,
            "already_done": result.already_done,
            "failed": [{"key": it.key, "reason": it.reason} for it in result.failed],
            "in_progress": result.in_progress,
            "due": result.due,
        }
        click.echo(json.dumps(document, indent=1, ensure_ascii=False))
    else:
        _print_table(result)
    if result.too_many:
        click.echo(
            f"woomera: {result.due_count} notices are due, more than --limit {options.limit} allows, "
            "so none was sent; look at them with --dry-run, then give "
            f"--limit {result.due_count}, or --since for the recent ones alone",
            err=True,
        )


def _print_table(result: SweepResult) -> None:
    table = Table(box=None, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    rows = {
        "scanned": result.scanned,
        "over the limit": result.over_limit,
        "notified": result.notified,
        "already done": result.already_done,
        "in another sweep's hands": result.in_progress,
        "due": result.due_count,
        "failed": len(result.failed),
    }
    for name, number in rows.items():
        table.add_row(name, f"{number:,}")
    Console(file=sys.stdout, highlight=False).print(table)
    for key in result.due:
        say(f"due: {key}")
    for failure in result.failed:
        say(f"failed: {failure.key}: {failure.reason}")
