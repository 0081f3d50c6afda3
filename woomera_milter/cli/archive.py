"""The commands of the archive: the milter that keeps copies, and what moves them to S3."""

import json
import socket
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import click

from woomera_milter import config, log
from woomera_milter.archive import journal
from woomera_milter.archive.importer import Imported, MboxFile, maildir_messages, open_mbox
from woomera_milter.archive.shipper import CONCURRENT, Result, Shipment, Shipper
from woomera_milter.archive.spool import ArchiveSpool, Copy
from woomera_milter.cli.common import say
from woomera_milter.config.values import format_size
from woomera_milter.errors import Reason, WoomeraError
from woomera_milter.milter import snapshots
from woomera_milter.milter.counters import Amount
from woomera_milter.store.keys import archive_day_key
from woomera_milter.store.objects import Store
from woomera_milter.text.wording import counted


def serve(configuration: config.Config) -> None:
    """Serve the archive milter until SIGTERM; raise WoomeraError where it cannot keep copies."""
    from woomera_milter.archive import (
        server,  # here, so that `woomera check` can say that libmilter is missing
    )

    server.serve(configuration)


class ManyValues(click.Command):
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


def run(
    configuration: config.Config,
    mboxes: Sequence[Path],
    maildirs: Sequence[Path],
    *,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Move or import, print what was done, and return the exit status; raise WoomeraError."""
    store = None if dry_run else Store(configuration.storage, max_connections=CONCURRENT)
    shipper = Shipper(store, configuration.archive.prefix)
    left_out: list[Path] = []
    with ExitStack() as stack:
        if mboxes or maildirs:
            files = [stack.enter_context(open_mbox(path)) for path in mboxes]
            left_out = [it.path for it in files if it.has_open_end]
            result = _import(shipper, files, maildirs)
        else:
            spool = _spool(configuration)
            if not dry_run:
                stack.enter_context(spool.locked())
                spool.remove_orphans()
            copies = spool.copies()
            result = _run(shipper, copies, sum(map(_size_bytes, copies)))
            if store is not None:
                _tell_report(store, spool)
    for path in left_out:
        log.warning(f"{path}: the last message may still be being written; run this again in a minute")
    if as_json:
        click.echo(_as_json(result, left_out))
    else:
        for line in _as_text(result, dry_run=dry_run):
            say(line)
    return result.exit_status or (1 if left_out else 0)


def _tell_report(store: Store, spool: ArchiveSpool) -> None:
    """Put what this host has shipped, and what still waits, where `woomera report` finds it.

    It has to be called with the spool locked. What goes wrong costs the report something, and nobody else.
    """
    now, host = datetime.now(UTC), socket.gethostname()
    try:
        waiting = spool.copies()
        oldest_at = min((copy.kept_at() for copy in waiting[:1]), default=None)
        days = {now.date(): Amount()} | journal.by_day(spool.folder)
        for day, archived in days.items():
            document = snapshots.archive_document(
                day, host, now, archived, Amount(len(waiting), sum(map(_size_bytes, waiting))), oldest_at
            )
            store.put_json(archive_day_key(day, host), document)
        journal.forget_before(spool.folder, now.date())
    except (WoomeraError, OSError) as error:
        log.not_counted(Reason.ARCHIVE, str(error))


def _import(shipper: Shipper, files: Sequence[MboxFile], maildirs: Sequence[Path]) -> Result:
    in_maildirs = [message for folder in maildirs for message in maildir_messages(folder)]
    total_bytes = sum(it.size_bytes for it in files) + sum(map(_size_bytes, in_maildirs))
    in_mboxes = chain.from_iterable(file.messages() for file in files)
    return _run(shipper, chain(in_mboxes, in_maildirs), total_bytes)


def _run(shipper: Shipper, shipments: Iterable[Shipment], total_bytes: int) -> Result:
    """Ship them behind a progress bar, which is about right: messages are a little longer in wire form."""
    with click.progressbar(
        length=total_bytes, label="archive", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as progress:
        return shipper.run(shipments, progress.update)


def _size_bytes(file: Copy | Imported) -> int:
    """0 where it has gone by now, which shipping it will tell."""
    return file.path.stat().st_size if file.path.exists() else 0


def _spool(configuration: config.Config) -> ArchiveSpool:
    return ArchiveSpool(configuration.archive.spool, configuration.archive.min_free)


def _as_json(result: Result, left_out: Sequence[Path]) -> str:
    failed = [{"name": name, "reason": str(error)} for name, error in result.failed]
    document = {
        "archived": {"count": result.count, "bytes": result.size_bytes},
        "failed": failed,
        "not_tried": result.not_tried,
        "left_out": [str(path) for path in left_out],
    }
    return json.dumps(document, indent=1, ensure_ascii=False)


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
