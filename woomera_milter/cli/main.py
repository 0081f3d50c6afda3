"""The commands: builds collaborators from the config, and turns errors into exit statuses."""

import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from woomera_milter import config, log
from woomera_milter.cli import archive, check, report, stored, sweep
from woomera_milter.cli.common import exits, load
from woomera_milter.errors import TemporaryError
from woomera_milter.message.spool import SpooledMessage
from woomera_milter.milter.counters import Counters
from woomera_milter.milter.destinations import Destinations
from woomera_milter.milter.intercept import Interceptor
from woomera_milter.milter.snapshots import SnapshotWriter
from woomera_milter.notice.notice import Composer
from woomera_milter.offload import attachments
from woomera_milter.offload.offload import Offload
from woomera_milter.store.links import Signer
from woomera_milter.store.objects import Store


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    envvar="WOOMERA_CONFIG",
    default="/etc/woomera/config.yaml",
    show_default=True,
    show_envvar=True,
    help="The configuration file.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
    default="info",
    show_default=True,
    help="What is logged to stderr; debug adds a line for each message that passes.",
)
@click.version_option(package_name="ses-woomera", prog_name="woomera")
@click.pass_context
def main(context: click.Context, path: Path, log_level: str) -> None:
    """Keep mail that is over the relay's size limit from being lost.

    Over-limit messages go to S3; their recipients get a small notice with a link.
    """
    log.set_up(log_level)
    context.obj = path


@main.command("milter")
@click.pass_obj
@exits
def milter_command(path: Path) -> None:
    """Serve sendmail's milter socket in the foreground, until SIGTERM."""
    from woomera_milter.milter import (
        server,  # here, so that `woomera check` can say that libmilter is missing
    )

    configuration = load(path)
    counters = Counters()
    snapshots = SnapshotWriter(
        Store(configuration.storage, max_connections=1),
        counters,
        socket.gethostname(),
        configuration.milter.stats_every,
    )
    server.serve_main(configuration, _interceptor(configuration).intercept, counters, snapshots)


@main.command("archive-milter")
@click.pass_obj
@exits
def archive_milter_command(path: Path) -> None:
    """Serve the archive's milter socket in the foreground, until SIGTERM: it keeps local copies of mail."""
    archive.serve(load(path))


_EXISTING = click.Path(exists=True, path_type=Path)


@main.command("archive", cls=archive.ManyValues)
@click.option("--mbox", "mboxes", type=_EXISTING, multiple=True, help="Import mbox files instead.")
@click.option("--maildir", "maildirs", type=_EXISTING, multiple=True, help="Import Maildirs instead.")
@click.option("--dry-run", is_flag=True, help="Read everything, store nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
@exits
def archive_command(
    path: Path, mboxes: tuple[Path, ...], maildirs: tuple[Path, ...], dry_run: bool, as_json: bool
) -> None:
    """Move the archive milter's copies to S3, one object a message; or import others."""
    sys.exit(archive.run(load(path), mboxes, maildirs, dry_run=dry_run, as_json=as_json))


def _interceptor(configuration: config.Config) -> Interceptor:
    """Build what stores messages, and raise where this host's configuration cannot work."""
    settings = configuration.milter
    signer = Signer(configuration.links, configuration.storage)
    now = datetime.now(UTC)
    try:
        signer.ends_at(now, now + configuration.storage.retention)
    except TemporaryError as error:
        # Small mail needs no links, and over-limit mail is better off with on_failure than without a milter.
        log.warning(str(error))
    SpooledMessage(settings.spool).close()
    connections = settings.max_concurrent + attachments.AT_ONCE
    store = Store(configuration.storage, connections, signer.forget_credentials)
    return Interceptor(
        configuration,
        Destinations(settings.mailers, settings.sendmail),
        Offload(configuration, store, signer),
        Composer(configuration.notice),
    )


main.add_command(check.check_command)
main.add_command(sweep.sweep_command)
main.add_command(report.report_command)
main.add_command(stored.list_command)
main.add_command(stored.resend_command)
