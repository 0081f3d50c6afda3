"""`python -m bench`: measures, prints tables, writes JSON. Ends 0 whatever the figures are."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import click

from bench import archive_milter, extras, interception, latency, machine, mbox, memory, peers
from bench.bed import Bed
from bench.client import DeliveryError
from bench.peer_bed import PeerBed
from bench.table import markdown_table, text_table
from rig.process import StartError
from woomera_milter.config.values import MB, parse_size

Row = (
    latency.Latency
    | interception.Interception
    | memory.Memory
    | archive_milter.ArchiveCost
    | mbox.Split
    | extras.ExtrasCost
    | peers.Passed
    | peers.Replaced
    | peers.Held
)
RESULTS = Path(__file__).parent / "results"
LIMIT_BYTES = 10 * MB
TITLES = {
    "a": f"(a) Mail under the limit: latency, {latency.CLIENTS} clients at once",
    "b": "(b) Mail over the limit: interception",
    "c": "(c) Peak memory of the milter",
    "d": "(d) The archive milter",
    "e": "(e) Taking an mbox apart",
    "f": "(f) Attachments and page",
    "g": f"(g) Peers: mail that passes, {latency.CLIENTS} clients at once; mail that is replaced; memory",
}


def _sizes(_context: click.Context, _parameter: click.Parameter, value: str | None) -> list[int] | None:
    try:
        return [parse_size(size) for size in value.split(",")] if value else None
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--only", type=click.Choice(list(TITLES)), multiple=True, help="Not all of them; may be repeated."
)
@click.option("--rounds", type=click.IntRange(min=1), help="Paired rounds of (a), (b), (d), (f) and (g).")
@click.option(
    "--sizes",
    callback=_sizes,
    help="2KB,4MB,25MB: up to 10MB mail that passes, above that mail that is replaced, of (a), (b) and (g).",
)
@click.option(
    "--json", "json_path", type=click.Path(path_type=Path), help="Where all figures go, a round each."
)
@click.option("--markdown", is_flag=True, help="Print the tables in Markdown.")
def main(
    only: Sequence[str], rounds: int | None, sizes: list[int] | None, json_path: Path | None, markdown: bool
) -> None:
    """Measure what Woomera costs; docs/benchmarks.md explains the figures."""
    facts = machine.facts()
    try:
        results = _measure(only or tuple(TITLES), rounds, sizes)
    except (DeliveryError, StartError) as error:
        raise click.ClickException(str(error)) from error
    finally:
        _say("")
    table = markdown_table if markdown else text_table
    click.echo(", ".join(f"{name} {value}" for name, value in facts.items()))
    for part, rows in results.items():
        if rows:
            click.echo(f"\n{TITLES[part]}")
        for headings, alike in groupby(rows, lambda row: row.HEADINGS):
            click.echo(f"\n{table(headings, [row.row() for row in alike])}")
    _write(
        json_path,
        {"machine": facts} | {part: [asdict(row) for row in rows] for part, rows in results.items()},
    )


def _measure(parts: Sequence[str], rounds: int | None, sizes: list[int] | None) -> dict[str, list[Row]]:
    results: dict[str, list[Row]] = {}
    if "a" in parts:
        small = [it for it in sizes or latency.SIZES if it < LIMIT_BYTES]
        with Bed() as bed:
            results["a"] = [*latency.measure(bed, small, rounds or latency.ROUNDS, _say)]
    if "b" in parts:
        large = [it for it in sizes or interception.SIZES if it >= LIMIT_BYTES]
        with Bed() as bed:
            results["b"] = [*interception.measure(bed, large, rounds or interception.ROUNDS, _say)]
    if "c" in parts:
        with Bed() as bed:  # a milter whose peak nobody has raised yet
            results["c"] = [memory.measure(bed, _say)]
    if "d" in parts:
        with Bed() as bed:
            results["d"] = [*archive_milter.measure(bed, rounds or archive_milter.ROUNDS, _say)]
    if "e" in parts:
        results["e"] = [mbox.measure(_say)]
    if "f" in parts:
        with Bed() as bed:
            results["f"] = [extras.measure(bed, rounds or extras.ROUNDS, _say)]
    if "g" in parts:
        small = [it for it in sizes or peers.PASSED_SIZES if it < LIMIT_BYTES]
        large = [it for it in sizes or peers.REPLACED_SIZES if it >= LIMIT_BYTES]
        with PeerBed() as bed:
            passed = peers.passed(bed, small, rounds or peers.ROUNDS, _say)
            replaced = peers.replaced(bed, large, rounds or peers.ROUNDS, _say)
        with PeerBed() as bed:  # filters whose peak nobody has raised yet
            results["g"] = [*passed, *replaced, *peers.held(bed, _say)]
    return results


def _say(progress: str) -> None:
    """Show how far it is, on one line of a terminal that the next one replaces."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{progress}", err=True, nl=False)


def _write(path: Path | None, document: dict[str, object]) -> None:
    taken_at = datetime.now(UTC)
    if path is None:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{taken_at:%Y%m%dT%H%M%SZ}.json"
    document = {"taken_at": taken_at.isoformat(timespec="seconds"), **document}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    click.echo(f"\nAll figures: {path}", err=True)


if __name__ == "__main__":
    main(prog_name="python -m bench")
