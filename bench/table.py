"""Tables of figures, for a terminal and for Markdown."""

from collections.abc import Iterable, Sequence

from bench.figures import Ratio

Cell = str | Ratio


def text_table(headings: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return the table in columns; each missed target is marked."""
    lines = [list(headings), *([_shown(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
    )


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return the same in Markdown."""
    lines = [headings, ["---:"] * len(headings), *([_shown(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _shown(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell
    shown = f"{cell.median:.3f} [{cell.low:.3f}, {cell.high:.3f}]"
    if cell.target is None:
        return shown
    return f"{shown} (at most {cell.target:.2f}{', MISSED' if cell.missed else ''})"
