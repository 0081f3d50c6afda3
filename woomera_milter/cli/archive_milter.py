"""The command archive-milter. It has to stay small: nothing that knows S3 or notices is imported here."""

from pathlib import Path

import click

from woomera_milter.archive import server
from woomera_milter.cli.common import load


@click.command("archive-milter")
@click.pass_obj
def archive_milter_command(path: Path) -> None:
    """Serve the archive's milter socket in the foreground, until SIGTERM: it keeps local copies of mail."""
    server.serve(load(path))
