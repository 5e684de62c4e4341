"""`bitlaw llm sensitivity`: a sweep beside its predictions, in files, and taken up again."""

import csv
import json
import os
from contextlib import contextmanager

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from bitlaw.llm import sensitivity, workload
from bitlaw.llm.models import load_model, weight_tensors

ON = ("--sequences", 4, "--length", 24, "--device", "cpu")
SOME = ("--tensors", "*layers.0.mlp*", "lm_head*")


@pytest.fixture
def sweep(bitlaw, folder):
    """Run the task on the small model."""

    def run(*words):
        return bitlaw("llm", "sensitivity", "--model", folder, *ON, *words)

    return run


@contextmanager
def interrupted(after):
    """Let so many measurements through, then interrupt; the tensors that were measured."""
    whole, seen = sensitivity.noise_sensitivity, []

    def measure(*args, **kwargs):
        if len(seen) == after:
            raise KeyboardInterrupt
        seen.append(kwargs["names"])
        return whole(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sensitivity, "noise_sensitivity", measure)
        yield seen


def test_a_sweep_tells_measured_and_predicted_and_sums_up(sweep):
    record = json.loads(sweep(*SOME, "--noise", 0.02, 0.04, "--json").out)
    names = {row["tensor"] for row in record["tensors"]}
    assert names == {f"model.layers.0.mlp.{kind}_proj.weight" for kind in ("gate", "up", "down")} | {
        "lm_head.weight"
    }
    assert len(record["tensors"]) == 8
    for row in record["tensors"]:
        assert row["ratio"] == pytest.approx(row["kl"] / row["predicted_kl"])
        assert row["outside"] == (not row["kl_lower"] <= row["predicted_kl"] <= row["kl_upper"])
    low, high = record["summary"]
    assert (low["noise"], high["noise"], low["tensors"]) == (0.02, 0.04, 4)
    of_low = [row for row in record["tensors"] if row["noise"] == 0.02]
    assert low["outside"] == sum(row["outside"] for row in of_low)
    assert low["most_sensitive"] == max(of_low, key=lambda row: row["kl"])["tensor"]
    assert low["least_ratio"] <= low["median_ratio"] <= low["largest_ratio"]
    # The same directions at twice the size: four times the divergence.
    pairs = zip(of_low, (row for row in record["tensors"] if row["noise"] == 0.04), strict=True)
    assert all(b["kl"] / a["kl"] == pytest.approx(4, rel=0.2) for a, b in pairs)


def test_tables_name_every_tensor(sweep, folder):
    outcome = sweep("--fisher", "none")
    assert outcome.code == 0
    names = [w.name for w in weight_tensors(load_model(folder, device="cpu").model)]
    lines = [line.split() for line in outcome.out.splitlines()]
    assert [line[0] for line in lines if line and line[0] in names] == names
    assert {line[2] for line in lines if line and line[0] in names} == {"-"}


def test_a_file_of_fisher_information_is_as_good_as_computing_it(sweep, bitlaw, folder, tmp_path):
    file = tmp_path / "fisher.safetensors"
    bitlaw("llm", "fisher", "--model", folder, *ON, "--output", file)
    read, made = (
        json.loads(sweep(*SOME, *words, "--json").out)["tensors"] for words in (("--fisher", file), ())
    )
    assert read == made


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_an_interrupted_sweep_goes_on_where_it_stopped(sweep, tmp_path, kind):
    target = tmp_path / f"noise.{kind}"
    expected = json.loads(sweep(*SOME, "--json").out)
    with interrupted(after=2) as seen:
        assert sweep(*SOME, "--output", target).code != 0
    part = tmp_path / f"noise.{kind}.part"
    assert (len(seen), target.exists(), len(part.read_text().splitlines())) == (2, False, 3)
    with part.open("a") as file:
        file.write('{"tensor": "lm_h')  # killed while a line was written
    with interrupted(after=99) as seen:
        outcome = sweep(*SOME, "--output", target, "--json")
    assert outcome.code == 0
    assert "going on after 2 measurements" in outcome.err
    assert len(seen) == 2
    assert json.loads(outcome.out) == expected
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    if kind == "json":
        assert json.loads(target.read_text()) == expected
    else:
        rows = list(csv.DictReader(target.read_text().splitlines()))
        assert [float(row["kl"]) for row in rows] == [row["kl"] for row in expected["tensors"]]


def test_parts_of_other_sweeps_are_refused(sweep, tmp_path):
    target = tmp_path / "noise.csv"
    with interrupted(after=1):
        sweep(*SOME, "--fisher", "none", "--output", target)
    part = tmp_path / "noise.csv.part"
    kept = part.read_text()
    outcome = sweep(*SOME, "--fisher", "none", "--seed", 1, "--output", target)
    assert outcome.code == 2
    assert f"{part}: is of an interrupted sweep of another model, text, seed" in outcome.err
    assert part.read_text() == kept
    part.write_text("{}{\n" + kept)
    assert "damaged" in sweep(*SOME, "--fisher", "none", "--output", target).err


def test_a_plan_counts_the_passes(sweep, monkeypatch):
    def never(*_, **__):
        raise AssertionError("weights are loaded")

    monkeypatch.setattr(workload, "load_model", never)

    plan = json.loads(sweep(*SOME, "--noise", 0.01, 0.02, "--dry-run", "--json").out)
    # The reference, four tensors at two strengths, and a Fisher pass of three; two operations a weight and token.
    assert plan["operations"] == 2 * plan["parameters"] * 96 * (1 + 8 + 3)
    without = json.loads(sweep(*SOME, "--fisher", "none", "--dry-run", "--json").out)
    assert without["operations"] == 2 * plan["parameters"] * 96 * 5


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--noise", "0"), "--noise: noise must be positive and finite, got '0'"),
        (("--noise", "loud"), "--noise: noise must be positive and finite, got 'loud'"),
        (("--tensors", "*nothing*"), "--tensors: the pattern '*nothing*' fits no tensor of the model"),
        (("--tensors", "*nothing*", "--dry-run"), "--tensors: the pattern '*nothing*' fits no tensor"),
        (("--fisher", "none.safetensors"), "--fisher none.safetensors: there is no such file"),
        (("--fisher", "short.txt"), "short.txt: "),
        (("--output", "noise.txt"), "--output noise.txt: must end in .csv or .json"),
        (("--output", "none/noise.csv"), "the folder none does not exist"),
    ],
)
def test_faults_are_named(sweep, workspace, words, reason):
    (workspace / "short.txt").write_text("no safetensors")
    outcome = sweep(*words)
    assert (outcome.code, outcome.out) == (2, "")
    assert reason in outcome.err
    assert len(outcome.err.splitlines()) == 1
