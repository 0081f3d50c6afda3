"""The command archive: what moves copies to S3, or imports others."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from woomera_milter.archive.importer import import_into
from woomera_milter.archive.shipper import Result
from woomera_milter.archive.spool import ArchiveSpool
from woomera_milter.cli import wiring
from woomera_milter.cli.common import EX_PARTLY, load
from woomera_milter.cli.output import say, say_json
from woomera_milter.cli.progress import ArchiveBar
from woomera_milter.config.values import format_size
from woomera_milter.text.wording import counted

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


class _ManyValues(click.Command):
    """Takes `--mbox a b` for `--mbox a --mbox b`, so that the shell's `--mbox *.mbox` works."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat the option before each further value."""
        spread: list[str] = []
        option, has_value = "", False
        for arg in args:
            if arg.startswith("-"):
                option, has_value = (arg if arg in ("--mbox", "--maildir") else ""), False
            elif option and has_value:
                spread.append(option)
            has_value = has_value or not arg.startswith("-")
            spread.append(arg)
        return super().parse_args(ctx, spread)


@click.command("archive", cls=_ManyValues)
@click.option("--mbox", "mboxes", type=_FILE, multiple=True, help="Import mbox files instead.")
@click.option("--maildir", "maildirs", type=_FOLDER, multiple=True, help="Import Maildirs instead.")
@click.option("--dry-run", is_flag=True, help="Read everything, store nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def archive_command(
    path: Path, mboxes: tuple[Path, ...], maildirs: tuple[Path, ...], dry_run: bool, as_json: bool
) -> None:
    """Move the archive milter's copies to S3, one object a message; or import others."""
    configuration = load(path)
    shipper = wiring.shipper(configuration, dry_run=dry_run)
    left_out: list[Path] = []
    with ArchiveBar() as bar:
        if mboxes or maildirs:
            result, left_out = import_into(shipper, mboxes, maildirs, bar)
        else:
            result = shipper.move(
                ArchiveSpool(configuration.archive.spool, configuration.archive.min_free), bar
            )
    if as_json:
        say_json(_document(result, left_out))
    else:
        for line in _as_text(result, dry_run=dry_run):
            say(line)
    sys.exit(result.exit_status or (EX_PARTLY if left_out else 0))


def _document(result: Result, left_out: Sequence[Path]) -> dict[str, object]:
    failed = [{"name": name, "reason": str(error)} for name, error in result.failed]
    return {
        "archived": {"count": result.count, "bytes": result.size_bytes},
        "failed": failed,
        "not_tried": result.not_tried,
        "left_out": [str(path) for path in left_out],
    }


def _as_text(result: Result, *, dry_run: bool) -> list[str]:
    did = "would be stored" if dry_run else "stored"
    lines = []
    if result.count:
        lines.append(f"{counted(result.count, 'message')}, {format_size(result.size_bytes)}, {did}")
    lines += result.keys
    lines += [f"failed: {name}: {error}" for name, error in result.failed]
    if result.not_tried:
        lines.append(f"{result.not_tried} messages were not tried, since S3 takes none")
    return lines or ["nothing to store"]
