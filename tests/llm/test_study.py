"""Studies: rows that an audit would give, committed once, and nothing lost when a study is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from safetensors import SafetensorError

from bitlaw.llm import study as study_module
from bitlaw.llm.audit import audit
from bitlaw.llm.audit_record import BIT_PARTS
from bitlaw.llm.quantise import assign
from bitlaw.llm.study import Outcome, run_fingerprint
from bitlaw.llm.study_claims import one_at_a_time
from bitlaw.llm.study_config import Allocation, Run, Study
from bitlaw.llm.study_results import Results
from bitlaw.llm.workload import code_fingerprint, open_workload, prepare_parts
from bitlaw.theory import parse_format

from .studies import FORMATS, ROOT, WORKLOAD, carry_out, small


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


def test_a_model_that_cannot_be_read_keeps_no_other_waiting(tiny_folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_text("{}")
    alone = small(broken, "int4", "e2m1")
    with pytest.raises(ValueError, match="broken: not a causal language model"):
        carry_out(alone, tmp_path)
    both = Study((str(broken), str(tiny_folder)), alone.formats, alone.allocations, alone.workload)
    outcome, rows = carry_out(both, tmp_path)
    assert (outcome.done, outcome.found) == (2, 0)
    assert [one["model"] for one in rows] == [str(tiny_folder)] * 2
    assert [run.model for run, _ in outcome.failures] == [str(broken)] * 2
    assert all("broken: not a causal language model" in reason for _, reason in outcome.failures)


# A study that stops for good in the middle of its second run, its weights overwritten and nothing committed.
CHILD = """
import sys, time
from pathlib import Path
from bitlaw.llm import workload
from tests.llm.studies import carry_out, small

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


def test_shared_parts_that_cannot_be_kept_are_told(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("bitlaw.llm.reference.save_file", full)
    opened = open_workload(str(tiny_folder), WORKLOAD)
    with pytest.raises(OSError, match=r"cannot keep what was computed .*No space left"):
        prepare_parts(opened, tmp_path)


def test_runs_are_spread_over_two_workers(finished: Path, tiny_folder: Path, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")

    def agree(fingerprint: str) -> None:  # sources may be edited while tests run
        from bitlaw.llm import workload

        workload.code_fingerprint = lambda: fingerprint  # type: ignore[assignment, misc]

    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0
    )
    with cluster:
        with distributed.Client(cluster, set_as_default=False) as client:
            client.run(agree, code_fingerprint())
        outcome, rows = carry_out(small(tiny_folder), tmp_path, cluster=cluster.scheduler_address)
    assert outcome == Outcome(3, 0, ())
    with Results(finished / "results.sqlite") as results:
        alone = {one["fingerprint"]: one["kl"] for one in results.rows()}
    assert {one["fingerprint"]: one["kl"] for one in rows} == pytest.approx(alone)


def test_a_missing_cluster_library_is_named(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match="pip install distributed"):
        carry_out(small(tiny_folder), tmp_path, cluster="tcp://nowhere:1")


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nowhere"])
def test_a_cluster_that_does_not_answer_is_told_before_anything_is_done(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(study_module, "_CONNECTING", 0.5)
    with pytest.raises(ConnectionError, match=f"no Dask scheduler answers at {address}"):
        carry_out(small(tiny_folder), tmp_path, cluster=address)
    assert not (tmp_path / "work").exists()


def test_studies_beside_one_another_share_the_runs(finished: Path, tiny_folder: Path, tmp_path: Path) -> None:
    told: list[str] = []
    second: list[Future[tuple[Outcome, list[dict[str, Any]]]]] = []

    with ThreadPoolExecutor(1) as pool:

        def begin_the_second(words: str) -> None:
            """In the middle of the first run of one study, another one does all that is left."""
            if "int4" not in words or not words.endswith("measuring") or second:
                return
            second.append(pool.submit(carry_out, small(tiny_folder), tmp_path, progress=told.append))
            while not any("e2m1" in line and line.endswith("done") for line in told):
                assert not second[0].done()
                time.sleep(0.01)

        first, _ = carry_out(small(tiny_folder), tmp_path, progress=begin_the_second)
        other, rows = second[0].result()
    assert first == Outcome(1, 2, ())
    assert other == Outcome(2, 1, ())
    assert sorted(one["format"] for one in rows) == sorted(FORMATS)
    with Results(finished / "results.sqlite") as results:
        alone = {one["fingerprint"]: one["kl"] for one in results.rows()}
    assert {one["fingerprint"]: one["kl"] for one in rows} == pytest.approx(alone)


def test_shared_parts_are_made_by_one_study_at_a_time(tmp_path: Path) -> None:
    told: list[str] = []
    with ThreadPoolExecutor(1) as pool:

        def wait() -> None:
            with one_at_a_time(tmp_path, told.append):
                told.append("within")

        with one_at_a_time(tmp_path, told.append):
            waiting = pool.submit(wait)
            while not told:
                time.sleep(0.01)
            assert told == ["waiting for another study on the same work folder"]
        waiting.result()
    assert told[1:] == ["within"]
