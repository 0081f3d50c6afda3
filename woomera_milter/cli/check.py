"""The command check: what was found, for people and for programs."""

import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from woomera_milter.check import check
from woomera_milter.check.check import Area
from woomera_milter.check.finding import Finding, Status
from woomera_milter.check.sendmail import DEFAULT_CF
from woomera_milter.cli.output import say_json
from woomera_milter.errors import EX_CONFIG, EX_TEMPFAIL
from woomera_milter.text.wording import counted

_COLOURS: dict[Status, str] = {"pass": "green", "warning": "yellow", "failure": "red"}
_STATUS_WIDTH, _SUBJECT_WIDTH, _LONGEST_LINE = 7, 18, 110
_INDENT = " " * (_STATUS_WIDTH + _SUBJECT_WIDTH + 4)
_ARROW = "-> "


@click.command("check")
@click.option("--offline", is_flag=True, help="Look at the configuration alone.")
@click.option(
    "--sendmail-cf",
    "cf_path",
    type=click.Path(path_type=Path),
    default=DEFAULT_CF,
    show_default=True,
    help="What sendmail runs with; submit.cf is looked for beside it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def check_command(path: Path, offline: bool, cf_path: Path, as_json: bool) -> None:
    """Tell whether this host will work, and what to do where it will not.

    Exit status: 0 without failures, 75 where the outside world fails, 78 where something has to be mended.
    """
    areas = []
    width = min(shutil.get_terminal_size().columns, _LONGEST_LINE) if sys.stdout.isatty() else None
    for area in check.run(path, cf_path, offline=offline):
        areas.append(area)
        if not as_json:
            click.echo(as_text(area, width))
    if as_json:
        found = [{"area": area.name, **asdict(it)} for area in areas for it in area.findings]
        say_json(found)
    else:
        click.echo(_summary(areas))
    sys.exit(exit_status(areas))


def exit_status(areas: Iterable[Area]) -> int:
    """Return 0 without failures, EX_TEMPFAIL where all of them may pass by themselves, else EX_CONFIG."""
    failures = [it for area in areas for it in area.findings if it.status == "failure"]
    if not failures:
        return 0
    return EX_TEMPFAIL if all(it.temporary for it in failures) else EX_CONFIG


def as_text(area: Area, width: int | None) -> str:
    """Return an area for people, in lines of `width` columns; None: one line for each finding."""
    lines = [line for it in area.findings for line in _lines(it, width)]
    return "\n".join([click.style(area.name, bold=True), *lines, ""])


def _lines(finding: Finding, width: int | None) -> Iterator[str]:
    status = click.style(f"{finding.status:{_STATUS_WIDTH}}", fg=_COLOURS[finding.status])
    head = f"{status}  {finding.subject:{_SUBJECT_WIDTH}}  "
    if width is None:
        remedy = f"; {finding.remedy}" if finding.remedy else ""
        yield f"{head}{finding.detail}{remedy}"
        return
    text = _wrapped(finding.detail, width)
    if len(finding.subject) > _SUBJECT_WIDTH:
        yield head.rstrip()
        head = _INDENT
    yield f"{head}{text[0]}"
    yield from (f"{_INDENT}{line}" for line in text[1:])
    for number, line in enumerate(_wrapped(finding.remedy, width - len(_ARROW))):
        yield f"{_INDENT}{' ' * len(_ARROW) if number else _ARROW}{line}"


def _wrapped(text: str, width: int) -> Sequence[str]:
    most = max(width - len(_INDENT), 30)
    return textwrap.wrap(text, most, break_long_words=False, break_on_hyphens=False)


def _summary(areas: Iterable[Area]) -> str:
    statuses = [it.status for area in areas for it in area.findings]
    warnings, failures = statuses.count("warning"), statuses.count("failure")
    return f"{statuses.count('pass')} passed, {counted(warnings, 'warning')}, {counted(failures, 'failure')}"
