"""The command report."""

import re
import sys
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import click
from rich.console import Console
from rich.text import Text

from woomera_milter import config
from woomera_milter.cli import wiring
from woomera_milter.cli.common import EX_PARTLY, load
from woomera_milter.cli.output import say_json
from woomera_milter.cli.progress import ReportBar
from woomera_milter.errors import ConfigError
from woomera_milter.report import letter, report, view
from woomera_milter.report.figures import Statistics
from woomera_milter.report.period import Period, PeriodKind
from woomera_milter.report.report import ReportOutcome, ReportState
from woomera_milter.store.keys import report_key
from woomera_milter.submission import mailer

_SETTLES_WITHIN = timedelta(minutes=10)
"""Snapshots of a day that has just ended are still on their way, and a report is sent once."""

_FIRST_DAY = date(1970, 1, 1)
"""Far from the first day that there is, so that periods before it can be reckoned with."""

_HEADING = re.compile(r"^[A-Z][A-Z0-9 ,()-]{5,}(?=:|$)", re.MULTILINE)


class _Day(click.ParamType[date]):
    """A day, YYYY-MM-DD."""

    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> date:
        """Return the day; fail with a usage error."""
        try:
            day = value if isinstance(value, date) else date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value} is not a day such as 2026-11-24")
        if day < _FIRST_DAY:
            self.fail(f"{value} is before {_FIRST_DAY}; give a day such as 2026-11-24")
        return day


@dataclass(frozen=True, slots=True)
class Look:
    """The ways to look at a report."""

    as_text: bool
    html_path: Path | None
    as_json: bool


@click.command("report")
@click.option("--period", "kind", type=click.Choice(get_args(PeriodKind)), help="Instead of report.period.")
@click.option(
    "--until",
    type=_Day(),
    help="The period that ends before this day (UTC). Without: the last that ended; a week ends with Sunday.",
)
@click.option("--print", "as_text", is_flag=True, help="Show the report as text; send nothing.")
@click.option(
    "--html", "html_path", type=click.Path(path_type=Path), help="Write the report as HTML; send nothing."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON document.")
@click.option("--dry-run", is_flag=True, help="Tell what would be sent, and send and write nothing.")
@click.pass_obj
def report_command(
    path: Path,
    kind: PeriodKind | None,
    until: date | None,
    as_text: bool,
    html_path: Path | None,
    as_json: bool,
    dry_run: bool,
) -> None:
    """Mail administrators the statistics of a period, once, however many hosts run this."""
    if as_text and as_json:
        raise click.UsageError("--print and --json both write to stdout; give one of them")
    configuration = load(path)
    now = datetime.now(UTC)
    kind, today = kind or configuration.report.period, (now - _SETTLES_WITHIN).date()
    period = Period.before(kind, until) if until else Period.last(kind, today)
    period = replace(period, so_far=period.until > today)
    sends = not dry_run and bool(configuration.report.to)
    if as_text or html_path or (as_json and not sends):
        _look(_gathered(configuration, period, now), Look(as_text, html_path, as_json), configuration, now)
        return
    if not configuration.report.to:
        raise ConfigError(["report.to: names nobody; write whom to send it to, or look at it with --print"])
    if dry_run:
        _tell_what_is_due(_gathered(configuration, period, now), configuration.report, now)
        return
    outcome = _send(configuration, period, now)
    if as_json:
        click.echo(_line(outcome, period), err=True)
        _look(_gathered(configuration, period, now), Look(False, None, as_json), configuration, now)
    else:
        click.echo(_line(outcome, period))
    for refusal in outcome.refused:
        click.echo(f"failed for {refusal.recipient}: {refusal.reason}", err=as_json)
    if outcome.refused:
        sys.exit(EX_PARTLY)


def _gathered(configuration: config.Config, period: Period, now: datetime) -> Statistics:
    statistics = Statistics(period, configuration.links.expires, now)
    with ReportBar() as bar:
        wiring.reader(configuration, bar.read).fill(statistics, now)
    return statistics


def _look(statistics: Statistics, look: Look, configuration: config.Config, now: datetime) -> None:
    made = view.bulletin(statistics, configuration.report.timezone, now)
    if look.html_path is not None:
        try:
            look.html_path.write_text(letter.as_html(made), encoding="utf-8")
        except OSError as error:
            problem = f"{look.html_path} cannot be written ({error.strerror}); name a file that can"
            raise click.BadParameter(problem, param_hint="'--html'") from error
    if look.as_text:
        text = Text(letter.as_text(made))
        text.highlight_regex(_HEADING, "bold")
        Console(file=sys.stdout, highlight=False, soft_wrap=True).print(text)
    if look.as_json:
        say_json(view.document(statistics))


def _tell_what_is_due(statistics: Statistics, settings: config.Report, now: datetime) -> None:
    message = report.message_of(statistics, settings, now)
    if message is None:
        click.echo(f"{statistics.period.title}: nothing happened; report.quiet is skip, so no mail is due")
    else:
        subject = view.bulletin(statistics, settings.timezone, now).subject
        click.echo(f"would go to {', '.join(settings.to)}: {subject} ({len(message):,} bytes)")


def _send(configuration: config.Config, period: Period, now: datetime) -> ReportOutcome:
    with mailer.from_config(configuration) as postman:
        job = wiring.report_job(configuration, postman)
        return job.send(period, lambda: _gathered(configuration, period, now), now)


def _line(outcome: ReportOutcome, period: Period) -> str:
    match outcome.state:
        case ReportState.SENT:
            return f"{period.title}: the report was sent to {', '.join(outcome.accepted)}"
        case ReportState.NOT_SENT:
            return f"{period.title}: the report was sent to nobody"
        case ReportState.ALREADY_DONE:
            return f"{period.title}: {outcome.host} has seen to the report already ({_claim(period)})"
        case ReportState.IN_PROGRESS:
            return f"{period.title}: another run is at it ({_claim(period)})"
        case ReportState.QUIET:
            return f"{period.title}: nothing happened; report.quiet is skip, so no mail was sent"


def _claim(period: Period) -> str:
    return report_key(period.name)
