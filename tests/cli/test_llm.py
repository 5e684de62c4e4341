"""Tasks on language models: plans without weights, tables beside the library's numbers, errors."""

import importlib
import json
import math
import os
import shlex
import sys

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from bitlaw.cli.llm import TASKS
from bitlaw.cli.main import build_parser
from bitlaw.llm import models, workload
from bitlaw.theory.fitting import list_tensors

INT4 = "int4,block=channel,scale=absmax:float16"
INT8 = "int8,block=channel,scale=absmax:float16"
ON = ("--sequences", 4, "--length", 24, "--device", "cpu")


@pytest.fixture
def llm(bitlaw, folder):
    """Run a task on the small model."""

    def run(task, *words):
        return bitlaw("llm", task, "--model", folder, *words)

    return run


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_help_with_examples_that_parse(bitlaw, task):
    outcome = bitlaw("llm", task, "--help")
    assert outcome.code == 0
    assert "--json" in outcome.out
    assert "--dry-run" in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 120
    lines = [shlex.split(line)[1:] for line in outcome.out.splitlines() if line.startswith("  bitlaw llm")]
    assert lines
    for line in lines:
        assert build_parser(["llm"]).parse_args(line).task == task


def test_commands_do_not_import_torch():
    for task in TASKS:
        module = importlib.import_module(f"bitlaw.cli.llm.{task}")
        assert not any(getattr(value, "__name__", "") == "torch" for value in vars(module).values())
        assert not any(
            str(getattr(value, "__module__", "")).startswith("bitlaw.llm") for value in vars(module).values()
        )


def test_a_plan_tells_what_the_headers_say(llm, folder):
    words = ("--formats", "int4_g64", "int4,block=channel,rotation=hadamard:64", "--parts", "all")
    plan = json.loads(llm("report", *ON, *words, "--dry-run", "--json").out)
    infos = list_tensors(folder)
    assert plan["parameters"] == sum(math.prod(info.shape) for info in infos)
    assert plan["matrices"] == sum(len(info.shape) == 2 for info in infos)
    assert plan["tokens"] == 4 * 24
    # Three forward passes and a Fisher pass of three, two operations a weight.
    assert plan["operations"] == 2 * plan["parameters"] * 96 * 6
    reasons = {(one["format"], one["reason"]) for one in plan["undivided"]}
    assert ("int4_g64", "rows of 32: the last block has 32 of 64") in reasons
    assert any("64 does not divide 32" in reason for _, reason in reasons)


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("report", ()),
        ("evaluate", ("--formats", "nf4")),
        ("quantise", ("--format", "nf4", "--output", "new")),
        ("stats", ()),
        ("fisher", ()),
        ("allocate", ("--bits", "4")),
    ],
)
def test_a_plan_loads_no_weights(llm, monkeypatch, workspace, task, words):
    def never(*_, **__):
        raise AssertionError("weights are loaded")

    monkeypatch.setattr(models, "load_model", never)
    monkeypatch.setattr(workload, "load_model", never)
    outcome = llm(task, *words, "--dry-run")
    assert (outcome.code, outcome.err) == (0, "")
    assert "14 in the decoder" in outcome.out


def test_a_report_sets_both_sides_in_a_table_and_on_a_page(llm, tmp_path):
    outcome = llm("report", *ON, "--formats", INT8, INT4, "--output", tmp_path / "page")
    assert outcome.code == 0
    assert "R / predicted" in outcome.out
    record = json.loads((tmp_path / "page" / "report.json").read_text())
    for row in record["formats"]:
        assert row["r"] == pytest.approx(row["predicted_r"], rel=0.05)
        assert row["kl_lower"] < row["kl"] < row["kl_upper"]
        assert row["predicted_bits"] == pytest.approx(row["bits"], rel=1e-6)
    assert record["formats"][0]["kl"] < record["formats"][1]["kl"]
    assert len(record["tensors"]) == 28
    page = (tmp_path / "page" / "index.html").read_text()
    assert page.count("<table>") == 4
    assert page.count("<svg ") == 2
    assert (tmp_path / "page" / "report.md").read_text().count("| tensor ") == 2
    assert len((tmp_path / "page" / "tensors.csv").read_text().splitlines()) == 29
    (tmp_path / "page" / "index.html").write_text("mine")
    again = llm("report", *ON, "--output", tmp_path / "page")
    assert (again.code, again.out) == (2, "")
    assert "bitlaw did not write it" in again.err


def test_an_evaluation_has_intervals_and_paired_differences(llm):
    record = json.loads(llm("evaluate", *ON, "--formats", INT4, INT8, "--json").out)
    first, second = record["formats"]
    assert first["kl_lower"] < first["kl"] < first["kl_upper"]
    assert record["noise_floor"] < 1e-3 * second["kl"]
    (difference,) = record["differences"]
    assert difference["kl"] == pytest.approx(second["kl"] - first["kl"])
    assert difference["kl_upper"] < 0
    single = llm("evaluate", "--sequences", 1, "--length", 24, "--device", "cpu", "--formats", INT4)
    assert single.code == 0
    assert "  -  " in single.out


def test_a_quantised_folder_is_a_model_of_its_own(llm, bitlaw, tmp_path):
    target = tmp_path / "four"
    outcome = llm("quantise", "--format", INT4, "--output", target, "--device", "cpu", "--json")
    assert outcome.code == 0
    record = json.loads(outcome.out)
    assert record["decoder_bits"] < record["bits"]
    again = bitlaw("llm", "stats", "--model", target, "--formats", INT4, "--device", "cpu", "--json")
    errors = [one["formats"][0]["r"] for one in json.loads(again.out)["tensors"] if one["part"] == "decoder"]
    assert max(errors) < 2e-3  # what it restores, it restores again, but for the rounding of the scale
    refused = llm("quantise", "--format", INT4, "--output", target)
    assert (refused.code, "is there already" in refused.err) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["four"]


def test_statistics_are_listed_with_predictions(llm):
    outcome = llm("stats", "--formats", INT4, "--device", "cpu")
    assert outcome.code == 0
    assert "law within rows" in outcome.out
    assert INT4 in outcome.out
    assert outcome.out.count("model.layers.0.mlp.up_proj.weight") == 2


def test_fisher_information_is_written(llm, tmp_path):
    target = tmp_path / "fisher.safetensors"
    outcome = llm("fisher", *ON, "--output", target, "--json")
    assert outcome.code == 0
    record = json.loads(outcome.out)
    assert record["tokens"] == 4 * 23
    assert {info.name for info in list_tensors(target)} == {one["name"] for one in record["tensors"]}
    assert all(one["sum"] > 0 for one in record["tensors"])
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_sums_along_rows_are_those_of_the_diagonal(llm, tmp_path):
    target = tmp_path / "rows.safetensors"
    rows, whole = (
        json.loads(llm("fisher", *ON, *words, "--json").out)["tensors"]
        for words in (("--rows", "--output", target), ())
    )
    for one, other in zip(rows, whole, strict=True):
        assert (one["name"], one["elements"], one["largest"]) == (other["name"], other["elements"], None)
        assert one["sum"] == pytest.approx(other["sum"], rel=1e-5)
        assert one["mean"] == pytest.approx(other["mean"], rel=1e-5)
    told = {info.name: math.prod(info.shape) for info in list_tensors(target)}
    assert told.keys() == {one["name"] for one in rows}
    memory = [
        json.loads(llm("fisher", *ON, *words, "--dry-run", "--json").out)["memory_bytes"]
        for words in ((), ("--rows",))
    ]
    assert memory[0] - memory[1] == 4 * sum(one["elements"] for one in whole) - 8 * sum(told.values())
    assert "  -" in llm("fisher", *ON, "--rows").out


def test_predictions_need_sums_along_rows_alone(llm):
    words = ("--bits", 6.5, "--formats", INT4, INT8, "--json")
    rows, whole = (json.loads(llm("allocate", *ON, *words, *more).out) for more in (("--rows",), ()))
    for one, other in zip(rows["tensors"], whole["tensors"], strict=True):
        assert one["format"] == other["format"]
        assert one["predicted_kl"] == pytest.approx(other["predicted_kl"], rel=1e-5)
    told = json.loads(llm("report", *ON, "--formats", INT4, "--rows", "--json").out)
    assert any("kept by rows alone" in words for words in told["formats"][0]["warnings"])


def test_an_allocation_stands_beside_its_control(llm):
    words = ("--bits", 6.5, "--formats", INT4, INT8, "--fused", "--measure")
    record = json.loads(llm("allocate", *ON, *words, "--json").out)
    assert record["bits"] <= 6.5
    assert record["bound"] <= record["predicted_kl"] <= record["uniform"]["predicted_kl"]
    assert record["measured"]["kl"] <= record["measured"]["uniform_kl"]
    chosen = {one["name"]: one["format"] for one in record["tensors"]}
    assert (
        chosen["model.layers.0.self_attn.q_proj.weight"] == chosen["model.layers.0.self_attn.k_proj.weight"]
    )
    low = llm("allocate", *ON, "--bits", 1, "--formats", INT4)
    assert (low.code, "the budget must be at least" in low.err) == (2, True)


def test_a_study_is_run_exported_and_taken_up(bitlaw, folder, tmp_path):
    file = tmp_path / "sweep.toml"
    file.write_text(
        f'models = ["{folder}"]\nformats = ["{INT4}", "int4,block=channel,rotation=hadamard:64"]\n'
        '[text]\nsequences = 4\nlength = 24\n[run]\ndevice = "cpu"\n'
    )
    plan = json.loads(bitlaw("llm", "study", file, "--dry-run", "--json").out)
    assert plan[0]["runs"] == 2
    assert any("64 does not divide 32" in one["reason"] for one in plan[0]["undivided"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sweep.toml"]
    outcome = bitlaw("llm", "study", file, "--export", tmp_path / "runs.csv", tmp_path / "tensors.csv")
    assert outcome.code == 2  # the run that cannot be is told when the others are done
    assert "1 runs done, 0 found" in outcome.err
    assert "1 runs cannot be carried out" in outcome.err
    assert len((tmp_path / "runs.csv").read_text().splitlines()) == 2
    assert len((tmp_path / "tensors.csv").read_text().splitlines()) == 15
    again = bitlaw("llm", "study", file, "--json")
    assert "0 runs done, 1 found" in again.err
    assert [row["format"] for row in json.loads(again.out)] == [INT4]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("report", "--model", "./none"), "there is no such folder"),
        (("report", "--model", "./none", "--dry-run"), "no such folder, and a dry run downloads nothing"),
        (("report", "--formats", "nf44"), "--formats nf44: width must be 2 to 8 bits"),
        (("report", "--formats", "file:none,block=8"), "--formats file:none,block=8: none: No such file"),
        (("report", "--ends", "nf44", "--dry-run"), "--ends nf44: width must be 2 to 8 bits"),
        (("quantise", "--ends", "nf44", "--format", "nf4", "--output", "x"), "--ends nf44: width must be"),
        (("quantise", "--format", "nf44", "--output", "x"), "--format nf44: width must be 2 to 8 bits"),
        (("report", "--parts", "tail"), "unknown --parts 'tail'"),
        (("report", "--length", "1"), "length must be at least 2"),
        (("report", "--sequences", "many"), "sequences must be an integer"),
        (("evaluate",), "--formats"),
        (("allocate", "--bits", "-1"), "--bits must be positive"),
        (("quantise", "--format", "nf4", "--output", "none/new"), "the folder none does not exist"),
        (("study", "none.toml"), "there is no such file"),
        (("fisher", "--output", "none/f.safetensors"), "does not exist"),
        (("frobnicate",), "invalid choice: 'frobnicate'"),
        ((), "the following arguments are required: TASK"),
    ],
)
def test_faults_of_the_command_line_are_named(bitlaw, workspace, words, reason):
    outcome = bitlaw("llm", *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("bitlaw: error: ")
    assert reason in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_faults_of_model_and_text_are_named(llm, bitlaw, workspace):
    (workspace / "short.txt").write_text("too short")
    (workspace / "empty").mkdir()
    assert "fewer than one sequence" in llm("report", "--text", "short.txt", "--device", "cpu").err
    assert "no such file or folder" in llm("evaluate", "--formats", "nf4", "--text", "none.txt").err
    assert "holds no config.json" in bitlaw("llm", "stats", "--model", "empty").err
    assert "holds no config.json" in bitlaw("llm", "stats", "--model", "empty", "--dry-run").err
    (workspace / "empty" / "config.json").write_text('{"model_type": "nonesuch"}')
    assert "not a causal language model" in bitlaw("llm", "report", "--model", "./empty").err
    assert "holds no .safetensors file" in bitlaw("llm", "stats", "--model", "./empty").err


def test_missing_torch_is_told(llm, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    outcome = llm("report")
    assert (outcome.code, outcome.out) == (2, "")
    assert "pip install 'bitlaw[llm]'" in outcome.err
