"""Results of a sweep over tensors: kept line by line while it runs, written whole when it is done."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..files import check_target, write_file
from ..output import csv_text, json_text, note

__all__ = ["COLUMNS", "SweepFile", "sweep_target", "write_sweep"]

COLUMNS = ("tensor", "part", "noise", "kl", "kl_lower", "kl_upper", "predicted_kl", "ratio", "outside")

Row = dict[str, Any]


def sweep_target(path: str | None, force: bool) -> Path | None:
    """Path of the results, checked before any work is done.

    Raises
    ------
    UsageError
        If it is neither CSV nor JSON, is there already, or cannot be written.
    """
    if path is not None and Path(path).suffix not in (".csv", ".json"):
        raise UsageError(f"--output {path}: must end in .csv or .json")
    return check_target(path, force)


def write_sweep(target: Path, record: Mapping[str, Any]) -> None:
    """Write all results: JSON with everything, CSV with a line for each measurement."""
    rows = record["tensors"]
    write_file(target, csv_text(rows, COLUMNS) if target.suffix == ".csv" else json_text(record))
    note(f"wrote {target}")


class SweepFile:
    """Measurements that are finished, by tensor and noise, in a file beside the results where there is one.

    Parameters
    ----------
    target : Path, optional
        Of the results.
    run : mapping of str to str
        What decides every number: a file of another run is refused.
    """

    def __init__(self, target: Path | None, run: Mapping[str, str]) -> None:
        self.rows: dict[tuple[str, float], Row] = {}
        self._path = None if target is None else target.with_name(f"{target.name}.part")
        if self._path is None:
            return
        lines = _complete_lines(self._path)
        if lines and lines[0] != {"run": run}:
            raise UsageError(
                f"{self._path}: is of an interrupted sweep of another model, text, seed, Fisher information or "
                "version of bitlaw; remove it to start anew"
            )
        self.rows = {(row["tensor"], row["noise"]): row for row in lines[1:]}
        if self.rows:
            note(f"going on after {len(self.rows)} measurements in {self._path}")
        # What a kill left unfinished must not stand before the next line.
        write_file(self._path, "".join(map(_line, [{"run": run}, *self.rows.values()])))

    def add(self, row: Row) -> None:
        """Keep a measurement."""
        self.rows[row["tensor"], row["noise"]] = row
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(_line(row))
                file.flush()
                os.fsync(file.fileno())

    def remove(self) -> None:
        """Let the file go when the results are written."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _line(content: Mapping[str, Any]) -> str:
    return json.dumps(content) + "\n"


def _complete_lines(path: Path) -> Sequence[Row]:
    """Lines of a file; the last one is left out where it was cut."""
    if not path.exists():
        return []
    *lines, _cut = path.read_text(encoding="utf-8", errors="replace").split("\n")
    try:
        return [json.loads(line) for line in lines]
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}: damaged ({error}); remove it to start anew") from error
