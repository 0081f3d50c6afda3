"""The command milter."""

from pathlib import Path

import click

from woomera_milter.cli import wiring
from woomera_milter.cli.common import load
from woomera_milter.milter import server
from woomera_milter.milter.counters import Counters


@click.command("milter")
@click.pass_obj
def milter_command(path: Path) -> None:
    """Serve sendmail's milter socket in the foreground, until SIGTERM."""
    configuration = load(path)
    counters = Counters()
    snapshots = wiring.snapshots(configuration, counters)
    server.serve_main(configuration, wiring.interceptor(configuration).intercept, counters, snapshots)
