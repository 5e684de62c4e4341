"""Results of studies in one SQLite file: a row for each run, committed together with its tensors' rows or not at all.

The file is in write-ahead mode, so that readers and a second study beside this one do not stop it; it must lie on a
local disk.  A fingerprint is the key: what is there is never computed or stored twice.
"""

from __future__ import annotations

import errno
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

__all__ = ["RUN_COLUMNS", "TENSOR_COLUMNS", "Results"]

# Column -> SQLite type.  Every column of a run is described in docs/models.md.
RUN_COLUMNS: dict[str, str] = {
    "fingerprint": "TEXT PRIMARY KEY",
    "model": "TEXT",
    "text": "TEXT",
    "sequences": "INTEGER",
    "length": "INTEGER",
    "allocation": "TEXT",
    "format": "TEXT",
    "specification": "TEXT",
    "weights": "TEXT",
    "tokens": "TEXT",
    "code": "TEXT",
    "device": "TEXT",
    "bits": "REAL",
    "model_bits": "REAL",
    "decoder_bits": "REAL",
    "predicted_bits": "REAL",
    "element_bits": "REAL",
    "scale_bits": "REAL",
    "outlier_bits": "REAL",
    "codebook_bits": "REAL",
    "predicted_r": "REAL",
    "r": "REAL",
    "median_r_ratio": "REAL",
    "predicted_kl": "REAL",
    "kl": "REAL",
    "kl_lower": "REAL",
    "kl_upper": "REAL",
    "kl_standard_error": "REAL",
    "kl_median": "REAL",
    "kl_99": "REAL",
    "top_kl": "REAL",
    "loss": "REAL",
    "loss_change": "REAL",
    "loss_change_lower": "REAL",
    "loss_change_upper": "REAL",
    "reference_loss": "REAL",
    "perplexity": "REAL",
    "reference_perplexity": "REAL",
    "same_top": "REAL",
    "seconds": "REAL",
    "finished": "TEXT",
    "warnings": "TEXT",
}
TENSOR_COLUMNS: dict[str, str] = {
    "fingerprint": "TEXT NOT NULL REFERENCES runs(fingerprint)",
    "position": "INTEGER",
    "name": "TEXT NOT NULL",
    "part": "TEXT",
    "format": "TEXT",
    "elements": "INTEGER",
    "rms": "REAL",
    "bits": "REAL",
    "predicted_bits": "REAL",
    "entropy": "REAL",
    "r": "REAL",
    "gain": "REAL",
    "predicted_r": "REAL",
    "predicted_kl": "REAL",
}
_TABLES = {"runs": RUN_COLUMNS, "tensors": TENSOR_COLUMNS}

# Seconds that a writer waits for another one; a commit takes milliseconds.
_PATIENCE = 30.0


class Results:
    """The results file, open.

    Parameters
    ----------
    path : path
        Made where it is missing; its folder must exist.
    patience : float
        Seconds to wait for another writer.

    Raises
    ------
    OSError
        If it cannot be opened or written, or another program keeps it locked.
    ValueError
        If it is no results file of a study.
    """

    def __init__(self, path: str | os.PathLike[str], *, patience: float = _PATIENCE) -> None:
        self.path = Path(path)
        with self._told_plainly():
            self._connection = sqlite3.connect(self.path, timeout=patience, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        for table, columns in _TABLES.items():
            found = [row[1] for row in self._connection.execute(f"PRAGMA table_info({table})")]
            if found and found != list(columns):
                raise ValueError(
                    f"{self.path}: made by another version of bitlaw; choose another results file"
                )
            if not found:
                told = ", ".join(f"{name} {kind}" for name, kind in columns.items())
                extra = ", PRIMARY KEY (fingerprint, name)" if table == "tensors" else ""
                self._connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({told}{extra})")

    def __enter__(self) -> Results:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def fingerprints(self) -> set[str]:
        """Fingerprints of all runs that are there."""
        with self._told_plainly():
            return {row[0] for row in self._connection.execute("SELECT fingerprint FROM runs")}

    def add(self, run: Mapping[str, Any], tensors: Sequence[Mapping[str, Any]]) -> bool:
        """Commit a run with its tensors.

        Parameters
        ----------
        run : mapping
            A value for every one of `RUN_COLUMNS`; warnings as a list.
        tensors : sequence of mappings
            Values for `TENSOR_COLUMNS` but the fingerprint and the position.

        Returns
        -------
        bool
            False if the run was there already.

        Raises
        ------
        OSError
            If the disk is full or the file is locked; nothing of the run is stored then.
        """
        whole = dict(run) | {"warnings": json.dumps(list(run["warnings"]))}
        key = run["fingerprint"]
        rows = [dict(row) | {"fingerprint": key, "position": k} for k, row in enumerate(tensors)]
        with self._told_plainly(), self._transaction():
            if self._connection.execute(_insert("runs"), whole).rowcount == 0:
                return False
            self._connection.executemany(_insert("tensors"), rows)
        return True

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def rows(self, table: str = "runs") -> list[dict[str, Any]]:
        """Rows of a table in the order in which they were committed; warnings as lists.

        Raises
        ------
        ValueError
            If the table is neither "runs" nor "tensors".
        """
        if table not in _TABLES:
            raise ValueError(f"table must be runs or tensors, got {table!r}")
        columns = list(_TABLES[table])
        with self._told_plainly():
            found = self._connection.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY rowid")
            rows = [dict(zip(columns, row, strict=True)) for row in found]
        for row in rows if table == "runs" else []:
            row["warnings"] = json.loads(row["warnings"])
        return rows

    @contextmanager
    def _told_plainly(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise self._plain(error) from error
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{self.path}: not a results file, or damaged ({error})") from error

    def _plain(self, error: sqlite3.OperationalError) -> OSError:
        words = str(error)
        safe = "what was committed is safe, and the study goes on from there when it is started again"
        if "full" in words:
            return OSError(errno.ENOSPC, f"the disk is full; {safe}", str(self.path))
        if "locked" in words:
            return OSError(errno.EAGAIN, f"another program keeps it locked; {safe}", str(self.path))
        return OSError(errno.EIO, f"cannot be opened or written ({words})", str(self.path))


def _insert(table: str) -> str:
    names = list(_TABLES[table])
    once = " ON CONFLICT (fingerprint) DO NOTHING" if table == "runs" else ""
    return (
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)}){once}"
    )
