"""`bitlaw tables`: certified quantisers of all named families."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bitlaw.theory import Source
from bitlaw.theory.source_names import parse_source, source_name
from bitlaw.theory.tables import (
    TABLE_LEVELS,
    TABLE_RATES,
    TABLE_SOURCES,
    TableRow,
    entropy_constrained_table,
    lloyd_max_table,
)

from .arguments import add_workers, integers, positive_list, subparser, workers_for
from .files import make_folder, write_file
from .output import Table, csv_text, json_text, number, show
from .progress import progress_bars

__all__ = ["add_parser", "add_table_options", "compute_tables", "run", "tables_record", "write_tables"]

EXAMPLES = """\
  bitlaw tables --output tables
      all tables, as JSON (with codebooks) and CSV
  bitlaw tables --sources normal,student-t:5 --levels 2,4,8,16 --rates 1,2
      a small selection on the screen
  bitlaw tables --sources laplace --levels 2-8 --rates 1 --json
      the same content as the files, on standard output"""

_DESCRIPTION = f"""\
Compute certified tables: Lloyd-Max quantisers by levels and entropy-constrained quantisers by rate.

Each row carries its distortion, the residual of its conditions of optimality, why it is the global optimum,
and the Shannon lower bound. All laws have unit variance. Defaults:
  levels   {", ".join(map(str, TABLE_LEVELS))}
  rates    {", ".join(f"{rate:g}" for rate in TABLE_RATES)}
  sources  {textwrap.fill(", ".join(map(source_name, TABLE_SOURCES)), 98, subsequent_indent=" " * 11)}
Files of the same names in the folder are replaced; others are left alone."""

Tables = dict[str, list[TableRow]]


def add_parser(commands: Any) -> None:
    """Add the sub-command to the program's parser."""
    parser = subparser(commands, "tables", "certified tables of all families", _DESCRIPTION, EXAMPLES)
    parser.set_defaults(run=run)
    parser.add_argument(
        "--output", metavar="DIR", help="folder for lloyd_max and entropy_constrained .json, .csv"
    )
    add_table_options(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_table_options(parser: argparse.ArgumentParser) -> None:
    """Options that choose the rows."""
    parser.add_argument(
        "--sources", type=_sources, default=TABLE_SOURCES, metavar="LIST", help="such as normal,student-t:5"
    )
    parser.add_argument(
        "--levels", type=integers, default=TABLE_LEVELS, metavar="LIST", help="such as 2,4,8-16"
    )
    parser.add_argument(
        "--rates", type=positive_list, default=TABLE_RATES, metavar="LIST", help="bits, such as 0.5,1,2"
    )
    add_workers(parser)


def run(args: argparse.Namespace) -> int:
    """Compute, write, print."""
    folder = None if args.output is None else make_folder(args.output)
    tables = compute_tables(args)
    paths = [] if folder is None else write_tables(folder, tables)
    if args.json:
        show_text = json_text(
            tables_record(tables) if folder is None else {"files": [str(path) for path in paths]}
        )
        print(show_text, end="")
    elif folder is None:
        show([_table(name, rows) for name, rows in tables.items()])
    else:
        show(["\n".join(f"wrote {path}" for path in paths)])
    return 0


def compute_tables(args: argparse.Namespace) -> Tables:
    """Rows of both tables, with progress on standard error."""
    sources, levels, rates = args.sources, args.levels, args.rates
    with progress_bars() as bars:
        return {
            "lloyd_max": lloyd_max_table(
                sources,
                levels,
                workers=workers_for(args.workers, len(sources) * len(levels)),
                progress=bars.bar("Lloyd-Max"),
            ),
            "entropy_constrained": entropy_constrained_table(
                sources,
                rates,
                workers=workers_for(args.workers, len(sources) * len(rates)),
                progress=bars.bar("entropy-constrained"),
            ),
        }


def tables_record(tables: Tables) -> dict[str, Any]:
    """Both tables as plain values."""
    units = {
        "distortion": "mean squared error, unit variance",
        "rate": "bits",
        "entropy": "bits",
        "slope": "per bit",
    }
    return {"units": units, **{name: [row.to_dict() for row in rows] for name, rows in tables.items()}}


def write_tables(folder: Path, tables: Tables) -> list[Path]:
    """Write each table as JSON and CSV."""
    record = tables_record(tables)
    paths = []
    for name, rows in tables.items():
        flat = [row.to_flat_dict() for row in rows]
        contents = {
            f"{name}.json": json_text({"units": record["units"], name: record[name]}),
            f"{name}.csv": csv_text(flat, [*flat[0]]),
        }
        for file, content in contents.items():
            write_file(folder / file, content)
            paths.append(folder / file)
    return paths


def _sources(text: str) -> tuple[Source, ...]:
    try:
        return tuple(parse_source(name) for name in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _table(name: str, rows: Sequence[TableRow]) -> Table:
    columns = ("source", "levels", "rate", "distortion", "gap_bits", "residual", "certificate")
    lines = []
    for row in rows:
        flat = row.to_flat_dict()
        shown = (f"{flat['rate']:.6g}", f"{flat['distortion']:.12g}", number(flat["gap_bits"], 5))
        lines.append(
            (flat["source"], str(flat["levels"]), *shown, f"{flat['residual']:.0e}", flat["certificate"])
        )
    return Table(columns, lines, left=("source", "certificate"), title=name)
