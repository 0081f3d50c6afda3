"""The command sweep."""

import sys
from contextlib import ExitStack
from datetime import datetime

import click
from rich.console import Console
from rich.table import Table

from woomera_milter.cli import first_woomera, wiring
from woomera_milter.cli.common import EX_PARTLY, Since
from woomera_milter.cli.output import say, say_json
from woomera_milter.cli.progress import SweepBars
from woomera_milter.report import sweep_mail
from woomera_milter.report.sweep_mail import SweepFigures
from woomera_milter.submission import mailer
from woomera_milter.sweep.sweep import SweepResult


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
@first_woomera.options
@click.pass_context
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
    given = first_woomera.Flags(**flags)
    with ExitStack() as cleanup:
        configuration, spool = first_woomera.configuration(context, given, cleanup)
        postman = cleanup.enter_context(mailer.from_config(configuration))
        job = wiring.sweep_job(
            configuration,
            postman,
            spool,
            prefix=given.prefix,
            processed_emails=given.processed_emails,
            single_host=single_host,
            dry_run=dry_run,
        )
        with SweepBars() as bars:
            result = job.run(since, full=full, most=limit, dry_run=dry_run, observer=bars)
        _print(result, limit, as_json=as_json)  # before its records are written, since that may fail
        if not dry_run:
            job.record(result)
            if given.admin_email:
                figures = _figures(result, job.processed_count)
                sweep_mail.send_statistics(given.admin_email, figures, postman, job.started_at)
    if result.failed or (result.too_many and not dry_run):
        sys.exit(EX_PARTLY)


def _figures(result: SweepResult, processed_count: int) -> SweepFigures:
    return SweepFigures(
        result.scanned,
        result.over_limit,
        result.notified,
        [(failure.key, failure.reason) for failure in result.failed],
        held_back=result.due_count if result.too_many else 0,
        processed=processed_count,
    )


def _print(result: SweepResult, limit: int, *, as_json: bool) -> None:
    if as_json:
        document = {
            "scanned": result.scanned,
            "over_limit": result.over_limit,
            "notified": result.notified,
            "already_done": result.already_done,
            "failed": [{"key": it.key, "reason": it.reason} for it in result.failed],
            "in_progress": result.in_progress,
            "given_up": result.given_up,
            "due": result.due,
        }
        say_json(document)
    else:
        _print_table(result)
    if result.too_many:
        click.echo(
            f"woomera: {result.due_count} notices are due, more than --limit {limit} allows, "
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
        "given up, since nobody can read them": result.given_up,
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
