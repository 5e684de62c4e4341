"""What commands print: tables for people, JSON and CSV for programs.

On a terminal tables are drawn by rich; piped or written to a file they are plain columns.  Programs get every
digit: JSON and CSV hold the shortest decimal that reads back as the same number.
"""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from .files import write_file

__all__ = ["Block", "Table", "csv_text", "emit", "json_text", "note", "number", "show"]


@dataclass(frozen=True)
class Table:
    """Columns of text under their titles; columns named in `left` are flush left, others flush right."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: Sequence[str] = field(default=())
    title: str = ""


Block = str | Table


def number(value: float | None, digits: int = 6) -> str:
    """Number for people; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "-" if value is None or math.isnan(value) else str(value)
    return f"{value:.{digits}g}"


def json_text(content: Any) -> str:
    """JSON with every digit; NaN and infinity, which JSON has not, are refused."""
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def csv_text(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """CSV with every digit; None becomes an empty field."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n", extrasaction="raise")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def emit(text: str, target: Path | None) -> None:
    """Write finished text to standard output, or to a file with a word on standard error."""
    if target is None:
        sys.stdout.write(text)
        return
    write_file(target, text)
    note(f"wrote {target}")


def note(text: str) -> None:
    """Say something to the person, not to the program that reads standard output."""
    print(text, file=sys.stderr)


def show(blocks: Sequence[Block], target: Path | None = None) -> None:
    """Print text and tables, one under the other."""
    if target is None and sys.stdout.isatty():
        console = Console(file=sys.stdout, highlight=False)
        for block in blocks:
            console.print(_rich(block) if isinstance(block, Table) else escape(block))
        return
    emit("\n\n".join(_plain(block) if isinstance(block, Table) else block for block in blocks) + "\n", target)


def _rich(table: Table) -> RichTable:
    drawn = RichTable(box=box.SIMPLE_HEAD, title=escape(table.title) or None, title_justify="left")
    for column in table.columns:
        drawn.add_column(escape(column), justify="left" if column in table.left else "right", overflow="fold")
    for row in table.rows:
        drawn.add_row(*map(escape, row))
    drawn.show_header = _titled(table)
    return drawn


def _titled(table: Table) -> bool:
    return any(map(str.strip, table.columns))


def _plain(table: Table) -> str:
    lines = [list(table.columns)] * _titled(table) + [*map(list, table.rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(table.columns))]
    flush_left = [column in table.left for column in table.columns]
    text = [
        "  ".join(
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(line, widths, flush_left, strict=True)
        ).rstrip()
        for line in lines
    ]
    return "\n".join([table.title, *text] if table.title else text)
