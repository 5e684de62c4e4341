"""Results of studies as files for other programs: CSV and Parquet."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .files import write_whole
from .study_results import Results

__all__ = ["export_results", "is_export"]


def export_results(results: Results, path: str | os.PathLike[str], table: str = "runs") -> int:
    """Write a table of results; the file is complete or not there.

    Parameters
    ----------
    results : Results
    path : path
        Ending in .csv or .parquet; replaced where it exists.
    table : {"runs", "tensors"}

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    ValueError
        If the ending is another one, or the table is unknown.
    ImportError
        If Parquet is asked for and pyarrow is not installed.
    OSError
        If the file cannot be written.
    """
    target = Path(path)
    writers: dict[str, Callable[[Path, list[dict[str, Any]]], None]] = {".csv": _csv, ".parquet": _parquet}
    if target.suffix not in writers:
        raise ValueError(f"{target}: the ending must be .csv or .parquet")
    rows = results.rows(table)
    for row in rows:
        if "warnings" in row:
            row["warnings"] = json.dumps(row["warnings"])
    if not rows:
        raise ValueError(f"{results.path}: holds no {table} to export")
    write_whole(target, lambda file: writers[target.suffix](file, rows))
    return len(rows)


def is_export(path: Path) -> bool:
    """Whether a file is a table that `export_results` wrote, by its columns."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            return "fingerprint" in next(csv.reader(file), [])
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        return False
    try:
        return "fingerprint" in parquet.read_schema(path).names
    except ArrowException:
        return False


def _csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise ImportError("Parquet needs pyarrow: install it with  pip install pyarrow") from None
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
