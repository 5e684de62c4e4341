"""Studies: what a file may say, rows that are committed once, and nothing lost when a study is killed."""

from __future__ import annotations

import csv
import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors import SafetensorError

from bitlaw.llm import study as study_module
from bitlaw.llm.audit import audit
from bitlaw.llm.audit_record import BIT_PARTS
from bitlaw.llm.quantise import assign
from bitlaw.llm.study import Outcome, run_fingerprint, run_study
from bitlaw.llm.study_config import Allocation, Run, Study, read_study
from bitlaw.llm.study_export import export_results
from bitlaw.llm.study_results import RUN_COLUMNS, TENSOR_COLUMNS, Results
from bitlaw.llm.workload import Workload, code_fingerprint, open_workload, prepare_parts
from bitlaw.theory import parse_format

ROOT = Path(__file__).parents[2]
FORMATS = {
    "int4": "int4,block=channel,scale=absmax:float16",
    "int3_g32": "int3_g32",
    "e2m1": "e2m1,block=channel,scale=absmax:float16",
}
WORKLOAD = Workload(sequences=6, length=24, batch=3, device="cpu")


def small(model: Path, *names: str, allocations: tuple[Allocation, ...] = (Allocation(),)) -> Study:
    formats = {name: parse_format(FORMATS[name]) for name in names or FORMATS}
    return Study((str(model),), formats, allocations, WORKLOAD)


def carry_out(study: Study, folder: Path, **options: Any) -> tuple[Outcome, list[dict[str, Any]]]:
    with Results(folder / "results.sqlite") as results:
        return run_study(study, results, folder / "work", **options), results.rows()


def row(fingerprint: str = "a") -> dict[str, Any]:
    return dict.fromkeys(RUN_COLUMNS) | {"fingerprint": fingerprint, "warnings": ["one"], "kl": 0.25}


def tensor(name: str = "w") -> dict[str, Any]:
    return dict.fromkeys(TENSOR_COLUMNS) | {"name": name}


@pytest.fixture(scope="module")
def finished(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a study that went through."""
    folder = tmp_path_factory.mktemp("study")
    outcome, rows = carry_out(small(tiny_folder), folder)
    assert (outcome, len(rows)) == (Outcome(3, 0, ()), 3)
    return folder


def test_rows_are_what_an_audit_says(finished: Path, tiny_folder: Path) -> None:
    opened = open_workload(str(tiny_folder), WORKLOAD)
    parts = prepare_parts(opened)
    model = opened.language_model
    format = parse_format(FORMATS["int3_g32"])
    found = audit(model, assign(model.model, format), parts.reference, parts.statistics, parts.fisher)
    with Results(finished / "results.sqlite") as results:
        (got,) = [one for one in results.rows() if one["format"] == "int3_g32"]
        tensors = [one for one in results.rows("tensors") if one["fingerprint"] == got["fingerprint"]]
    assert got["kl"] == found.measured.mean().value
    assert got["kl_lower"] == found.measured.mean().lower
    # Statistics went through a file, which keeps every digit.
    assert got["predicted_kl"] == found.predicted_kl
    assert got["decoder_bits"] == found.bits.per_decoder_parameter
    assert got["perplexity"] == found.measured.perplexity
    assert got["loss_change_lower"] <= got["loss_change"] <= got["loss_change_upper"]
    assert got["loss_change"] == pytest.approx(got["loss"] - got["reference_loss"], rel=1e-9)
    parts = [got[f"{name}_bits"] for name in BIT_PARTS]
    assert sum(parts) == pytest.approx(got["predicted_bits"], rel=1e-12)
    assert parts[0] == pytest.approx(3)
    assert parts[1] >= 16 / 32  # short last blocks have a whole scale
    assert parts[2:] == [0, 0]
    assert got["same_top"] == found.measured.same_top.mean()
    assert got["warnings"] == list(found.warnings)
    assert got["specification"] == str(format)
    assert [one["name"] for one in tensors] == [t.record.name for t in found.tensors]
    assert [one["r"] for one in tensors] == [t.record.error for t in found.tensors]
    assert [one["predicted_r"] for one in tensors] == [t.prediction.R for t in found.tensors]
    errors = sum(one["elements"] * (one["rms"] * one["r"]) ** 2 for one in tensors)
    energy = sum(one["elements"] * one["rms"] ** 2 for one in tensors)
    assert got["r"] == pytest.approx((errors / energy) ** 0.5, rel=1e-12)


def test_a_budget_is_spent_among_the_formats_of_the_study(tiny_folder: Path, tmp_path: Path) -> None:
    budget = Allocation("budget", bits=4.0, fused=True)
    study = small(tiny_folder, "int4", "int3_g32", allocations=(Allocation(), budget))
    assert len(study) == 3
    outcome, rows = carry_out(study, tmp_path)
    assert outcome == Outcome(3, 0, ())
    four, three, allocated = rows
    assert (allocated["format"], allocated["allocation"]) == ("allocated", "budget")
    assert allocated["specification"] == f"{four['specification']} | {three['specification']}"
    assert allocated["bits"] <= 4.0
    affordable = [one["predicted_kl"] for one in (four, three) if one["predicted_bits"] <= 4.0]
    assert allocated["predicted_kl"] <= min(affordable) * (1 + 1e-9)
    assert any("predicted KL" in words for words in allocated["warnings"])
    with Results(tmp_path / "results.sqlite") as results:
        formats = {
            one["name"].split("layers.")[-1]: one["format"]
            for one in results.rows("tensors")
            if one["fingerprint"] == allocated["fingerprint"]
        }
    assert len(set(formats.values())) == 2
    assert formats["0.self_attn.q_proj.weight"] == formats["0.self_attn.k_proj.weight"]


def test_nothing_is_run_twice(finished: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("this was there already")

    monkeypatch.setattr(study_module, "prepare_parts", never)
    outcome, rows = carry_out(small(tiny_folder), finished)
    assert (outcome, len(rows)) == (Outcome(0, 3, ()), 3)


def test_fingerprint_changes_with_whatever_changes_a_number() -> None:
    digests = {"weights": "w", "tokens": "t", "measuring": "m", "code": "c"}
    format = parse_format("int4_g32")
    first = run_fingerprint(Run("a", (format,), "x", Allocation()), digests)
    # Names are for people.
    assert run_fingerprint(Run("b", (format,), "y", Allocation("z")), digests) == first
    others = [
        run_fingerprint(Run("a", (parse_format("int4_g64"),), "x", Allocation()), digests),
        run_fingerprint(Run("a", (format,), "x", Allocation(parts=("head",))), digests),
        run_fingerprint(Run("a", (format,), "x", Allocation(ends=format)), digests),
        *(run_fingerprint(Run("a", (format,), "x", Allocation()), digests | {name: "?"}) for name in digests),
    ]
    assert len({first, *others}) == len(others) + 1


def test_a_run_that_cannot_be_is_told_and_the_others_are_done(tiny_folder: Path, tmp_path: Path) -> None:
    formats = {
        "rotated": parse_format("int4,block=channel,rotation=hadamard:64"),
        "int4": parse_format(FORMATS["int4"]),
    }
    outcome, rows = carry_out(Study((str(tiny_folder),), formats, workload=WORKLOAD), tmp_path)
    assert outcome.done == 1
    ((run, reason),) = outcome.failures
    assert run.format_name == "rotated"
    assert "64 does not divide 32" in reason
    assert [one["format"] for one in rows] == ["int4"]


# A study that stops for good in the middle of its second run, its weights overwritten and nothing committed.
CHILD = """
import sys, time
from pathlib import Path
from bitlaw.llm import workload
from tests.llm.test_study import carry_out, small

workload.code_fingerprint = lambda: sys.argv[3]  # sources may be edited while tests run

def progress(words):
    if "int3_g32" in words and words.endswith("measuring"):
        print("ready", flush=True)
        time.sleep(600)

carry_out(small(Path(sys.argv[1])), Path(sys.argv[2]), progress=progress)
"""


def test_a_killed_study_goes_on_where_it_was(
    finished: Path, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tiny_folder), str(tmp_path), code_fingerprint()],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        finally:
            child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    with Results(tmp_path / "results.sqlite") as results:
        before = results.rows()
        assert [one["format"] for one in before] == ["int4"]
    kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "work").rglob("*.safetensors")}
    assert kept

    def never(*_: object, **__: object) -> None:
        raise AssertionError("shared parts were there already")

    monkeypatch.setattr("bitlaw.llm.workload.fisher_information", never)
    monkeypatch.setattr("bitlaw.llm.workload.model_statistics", never)
    outcome, rows = carry_out(small(tiny_folder), tmp_path)
    assert outcome == Outcome(2, 1, ())
    assert rows[0] == before[0]
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "work").rglob("*.safetensors")} == kept
    with Results(finished / "results.sqlite") as results:
        uninterrupted = results.rows()
    own = {"seconds", "finished"}
    assert [{k: v for k, v in one.items() if k not in own} for one in rows] == [
        {k: v for k, v in one.items() if k not in own} for one in uninterrupted
    ]


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
from tests.llm.test_study import Results, row, tensor

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


def test_shared_parts_that_cannot_be_kept_are_told(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("bitlaw.llm.reference.save_file", full)
    opened = open_workload(str(tiny_folder), WORKLOAD)
    with pytest.raises(OSError, match=r"cannot keep what was computed .*No space left"):
        prepare_parts(opened, tmp_path)


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


def test_runs_are_spread_over_two_workers(finished: Path, tiny_folder: Path, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0
    )
    with cluster:
        outcome, rows = carry_out(small(tiny_folder), tmp_path, cluster=cluster.scheduler_address)
    assert outcome == Outcome(3, 0, ())
    with Results(finished / "results.sqlite") as results:
        alone = {one["fingerprint"]: one["kl"] for one in results.rows()}
    assert {one["fingerprint"]: one["kl"] for one in rows} == pytest.approx(alone)


def test_missing_extras_are_named(
    finished: Path, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pyarrow", "distributed"):
        monkeypatch.setitem(sys.modules, name, None)
    with (
        Results(finished / "results.sqlite") as results,
        pytest.raises(ImportError, match="pip install pyarrow"),
    ):
        export_results(results, tmp_path / "runs.parquet")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ImportError, match="pip install distributed"):
        next(study_module._spread({}, None, tmp_path, "tcp://nowhere:1"))  # type: ignore[arg-type]


def test_a_study_file_is_read(tmp_path: Path, tiny_folder: Path) -> None:
    (tmp_path / "words.txt").write_text("words " * 500)
    file = tmp_path / "study.toml"
    file.write_text(
        f"""
        models = ["{tiny_folder}", "embedded"]
        formats = ["nf4", "int4_g64"]
        [text]
        source = "words.txt"
        length = 32
        [run]
        dtype = "bfloat16"
        [fisher]
        targets = "text"
        [[allocation]]
        [[allocation]]
        name = "ends"
        parts = ["decoder", "head"]
        ends = "q8_0"
        """
    )
    study = read_study(file)
    assert study.models == (str(tiny_folder), "embedded")
    assert study.formats == {name: parse_format(name) for name in ("nf4", "int4_g64")}
    assert study.workload.text == str(tmp_path / "words.txt")
    assert (study.workload.length, study.workload.targets, study.workload.dtype) == (32, "text", "bfloat16")
    assert study.allocations == (
        Allocation(),
        Allocation("ends", ("decoder", "head"), parse_format("q8_0")),
    )
    assert len(study) == 8
    assert [str(run) for run in study.runs("embedded")] == [
        "embedded, nf4, decoder",
        "embedded, int4_g64, decoder",
        "embedded, nf4, ends",
        "embedded, int4_g64, ends",
    ]


GOOD = 'models = ["embedded"]\nformats = ["nf4"]\n'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("models = [3\nx", r"study\.toml: not TOML: .*line 2"),
        ('formats = ["nf4"]', "models is missing or empty"),
        ('models = ["embedded"]\nformats = []', "formats is missing or empty"),
        (
            'models = "embedded"\nformats = ["nf4"]',
            "models must be a list of texts in quotes, got 'embedded'",
        ),
        (GOOD + "modles = 1", "unknown key modles; did you mean models"),
        (GOOD + "[text]\nlenght = 3", "unknown key text.lenght; did you mean length"),
        (GOOD + "[text]\nlength = 1", "text.length must be a whole number of at least 2, got 1"),
        (GOOD + "[text]\nsequences = true", "text.sequences must be a whole number"),
        (GOOD + "[text]\nsource = 3", "text.source must be text in quotes, got 3"),
        (GOOD + "text = 3", r"text must be a table, \[text\], got 3"),
        (GOOD + '[run]\ndtype = "int8"', "run.dtype must be one of auto, float32"),
        (GOOD + '[fisher]\ntargets = "none"', "fisher.targets must be one of sampled, text"),
        (GOOD + '[allocation]\nname = "x"', r"allocation must be tables, each under \[\[allocation\]\]"),
        (GOOD + '[[allocation]]\nparts = ["tail"]', r"allocation\[0\].parts must hold embedding, .*'tail'"),
        (GOOD + '[[allocation]]\nends = "nf44"', r"allocation\[0\].ends: 'nf44' is no format"),
        (GOOD + "[[allocation]]\nbits = 0", r"allocation\[0\].bits must be a positive number, got 0"),
        (GOOD + "[[allocation]]\nfused = 1", r"allocation\[0\].fused must be true or false, got 1"),
        (GOOD + "[[allocation]]\nfused = true", r"allocation\[0\]: fused is of no use without bits"),
        (GOOD + '[[allocation]]\nbits = 3\nends = "nf4"', r"allocation\[0\]: bits and ends cannot both"),
        (GOOD + "[[allocation]]\nbit = 3", r"unknown key allocation\[0\].bit"),
        (GOOD + "[[allocation]]\n[[allocation]]", "the name 'decoder' is given to 2 of them"),
        ('models = ["embedded"]\nformats = ["nf5x"]', "formats: 'nf5x' is no format"),
    ],
)
def test_faults_of_a_study_file_are_named(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "study.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=reason):
        read_study(file)


def test_missing_study_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no such file"):
        read_study(tmp_path / "none.toml")
    with pytest.raises(ValueError, match="is a folder"):
        read_study(tmp_path)
