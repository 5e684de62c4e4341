"""The file of results: rows whole or absent, whatever kills, fills or locks it, and exported digit for digit."""

from __future__ import annotations

import csv
import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from bitlaw.llm.study_export import export_results
from bitlaw.llm.study_results import Results

from .studies import ROOT, row, tensor


def test_a_row_without_its_tensors_is_never_seen(tmp_path: Path) -> None:
    path = tmp_path / "results.sqlite"
    with Results(path) as results, pytest.raises(ValueError, match=r"not a results file, or damaged"):
        results.add(row(), [tensor(), tensor()])
    with Results(path) as results:
        assert results.rows() == []
        assert results.add(row(), [tensor("v"), tensor("w")])
        assert not results.add(row() | {"kl": 9.0}, [])
        assert [(one["kl"], one["warnings"]) for one in results.rows()] == [(0.25, ["one"])]
        assert [one["name"] for one in results.rows("tensors")] == ["v", "w"]
        with pytest.raises(ValueError, match="table must be runs or tensors, got 'x'"):
            results.rows("x")


# A process that goes away when the row of a run is written and those of its tensors are not.
COMMITTER = """
import os, signal, sys
from tests.llm.studies import Results, row, tensor

def trace(statement):
    if statement.startswith("INSERT INTO tensors"):
        os.kill(os.getpid(), signal.SIGKILL)

with Results(sys.argv[1]) as results:
    results.add(row("first"), [])
    results._connection.set_trace_callback(trace)
    results.add(row("second"), [tensor()])
"""


def test_a_kill_inside_a_commit_leaves_nothing_of_it(tmp_path: Path) -> None:
    path = tmp_path / "results.sqlite"
    done = subprocess.run([sys.executable, "-c", COMMITTER, str(path)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    with Results(path) as results:
        assert results.fingerprints() == {"first"}
        assert results.add(row("second"), [tensor()])


def test_a_full_disk_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    with Results(tmp_path / "results.sqlite") as results:
        results.add(row("first"), [tensor()])
        results._connection.execute("PRAGMA max_page_count = 6")
        with pytest.raises(OSError, match="disk is full; what was committed is safe"):
            results.add(row("second"), [tensor("w" * 200_000)])
        assert results.fingerprints() == {"first"}
        results._connection.execute("PRAGMA max_page_count = 100000")
        assert results.add(row("second"), [tensor("w" * 200_000)])


def test_a_locked_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "results.sqlite"
    with Results(path, patience=0.05) as results:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OSError, match="another program keeps it locked"):
            results.add(row(), [])
        other.execute("ROLLBACK")
        other.close()
        assert results.add(row(), [])


def test_files_that_are_no_results_are_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "text.sqlite"
    text.write_text("these are not results " * 100)
    with pytest.raises(ValueError, match=r"text\.sqlite: not a results file"):
        Results(text)
    other = tmp_path / "other.sqlite"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE runs (fingerprint TEXT)")
    connection.close()
    with pytest.raises(ValueError, match="made by another version of bitlaw"):
        Results(other)
    with pytest.raises(OSError, match="cannot be opened or written"):
        Results(tmp_path / "none" / "results.sqlite")


def test_csv_holds_every_digit(finished: Path, tmp_path: Path) -> None:
    with Results(finished / "results.sqlite") as results:
        assert export_results(results, tmp_path / "runs.csv") == 3
        assert export_results(results, tmp_path / "tensors.csv", "tensors") == len(results.rows("tensors"))
        rows = results.rows()
        with (tmp_path / "runs.csv").open(encoding="utf-8", newline="") as file:
            read = list(csv.DictReader(file))
        assert [float(one["kl"]) for one in read] == [one["kl"] for one in rows]
        assert [json.loads(one["warnings"]) for one in read] == [one["warnings"] for one in rows]
        with pytest.raises(ValueError, match=r"ending must be \.csv or \.parquet"):
            export_results(results, tmp_path / "runs.xls")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["runs.csv", "tensors.csv"]


def test_parquet_holds_the_same(finished: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    with Results(finished / "results.sqlite") as results:
        export_results(results, tmp_path / "runs.parquet")
        read = parquet.read_table(tmp_path / "runs.parquet").to_pylist()
        assert [one["kl"] for one in read] == [one["kl"] for one in results.rows()]


def test_a_missing_export_library_is_named(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with (
        Results(finished / "results.sqlite") as results,
        pytest.raises(ImportError, match="pip install pyarrow"),
    ):
        export_results(results, tmp_path / "runs.parquet")
    assert list(tmp_path.iterdir()) == []
