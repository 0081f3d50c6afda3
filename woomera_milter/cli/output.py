"""What commands print: lines for people, JSON for programs, errors for both. Imports little."""

import io
import json
import sys

import click

from woomera_milter.errors import WoomeraError
from woomera_milter.text.lines import line_for_people


def survive_any_terminal() -> None:
    """Have characters that a terminal's encoding lacks come out as escapes, rather than end the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(line: str) -> None:
    """Print a line. Strangers choose addresses and file names, and none may give orders to a terminal."""
    click.echo(line_for_people(line))


def say_json(document: object) -> None:
    """Print one JSON document. JSON is UTF-8 (RFC 8259, section 8.1), or ASCII where the terminal is not."""
    is_unicode = sys.stdout.encoding.lower().startswith("utf")
    click.echo(json.dumps(document, indent=1, ensure_ascii=not is_unicode))


def say_error(error: WoomeraError) -> None:
    """Print an error on stderr, one line for each problem."""
    for line in str(error).splitlines():
        click.echo(f"woomera: {line}", err=True)
