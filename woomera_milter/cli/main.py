"""The group of commands: a command's module is imported when it runs, so that no other has to wait for it.

Here, too, errors become exit statuses, whichever command they come from.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

import click

from woomera_milter import log
from woomera_milter.cli.output import say_error, survive_any_terminal
from woomera_milter.errors import EX_CONFIG, EX_TEMPFAIL, WoomeraError

# A command's name, the module it is in, and the first sentence of its help.
_SERVICES = {
    "milter": ("milter", "Serve sendmail's milter socket in the foreground, until SIGTERM."),
    "archive-milter": (
        "archive_milter",
        "Serve the archive's milter socket in the foreground, until SIGTERM: it keeps local copies of mail.",
    ),
}
_JOBS = {
    "archive": (
        "archive",
        "Move the archive milter's copies to S3, one object a message; or import others.",
    ),
    "check": ("check", "Tell whether this host will work, and what to do where it will not."),
    "list": ("stored", "Show stored messages, newest first."),
    "report": (
        "report",
        "Mail administrators the statistics of a period, once, however many hosts run this.",
    ),
    "resend": (
        "stored",
        "Make fresh links for the stored message ID (`woomera list` shows ids), and send its notice again.",
    ),
    "sweep": (
        "sweep",
        "Find over-limit messages in the archive, and mail their recipients a notice, once.",
    ),
}


class Commands(click.Group):
    """The commands, by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, as the manual has them."""
        return sorted(_SERVICES | _JOBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None where there is none of that name."""
        known = (_SERVICES | _JOBS).get(cmd_name)
        if known is None:
            return None
        module = import_module(f"woomera_milter.cli.{known[0]}")
        command: click.Command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each command with the whole of its purpose, and services apart from what ends by itself."""
        for title, commands in ("Services", _SERVICES), ("Jobs", _JOBS):
            with formatter.section(title):
                formatter.write_dl([(name, purpose) for name, (_, purpose) in commands.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an error of ours ends it with a line for each problem, and its exit status."""
        survive_any_terminal()
        try:
            return super().invoke(ctx)
        except WoomeraError as error:
            say_error(error)
            ctx.exit(error.exit_status)
        except ImportError as error:
            remedy = "see what `woomera check` says of libmilter, or install woomera again"
            click.echo(f"woomera: this installation lacks a part ({error}); {remedy}", err=True)
            ctx.exit(EX_CONFIG)
        except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise  # click's own, and those that it knows what to do with
        except Exception as error:  # the last boundary: no traceback, which might quote a message
            log.traceback(error)
            click.echo(
                f"woomera: a mistake of ours ({type(error).__name__}) ends this command; "
                "report it, with what --log-level debug tells of it",
                err=True,
            )
            ctx.exit(EX_TEMPFAIL)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
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
