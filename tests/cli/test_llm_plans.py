"""Dry runs refuse what the run would refuse, before any weights are loaded."""

import json
import math
import shutil

import pytest
from safetensors.numpy import load_file, save_file

from bitlaw.llm import models, workload
from bitlaw.theory.fitting import list_tensors
from bitlaw.theory.formats import parse_format

INT4 = "int4,block=channel,scale=absmax:float16"
WIDE = "int4,block=channel,rotation=hadamard:64"
ODD = "int4,block=channel,rotation=hadamard:32"  # rows are 32 and 80


@pytest.fixture
def dry(bitlaw, folder, monkeypatch, workspace):
    """Run a task on the small model as a dry run; weights must not be loaded."""

    def never(*_, **__):
        raise AssertionError("weights are loaded")

    monkeypatch.setattr(models, "read_model", never)
    monkeypatch.setattr(workload, "load_model", never)

    def run(task, *words, model=folder):
        return bitlaw("llm", task, "--model", model, *words, "--dry-run")

    return run


def refused(outcome, reason, *, planned=False):
    assert outcome.code == 2
    assert bool(outcome.out) == planned
    assert outcome.err.startswith("bitlaw: error: ")
    assert len(outcome.err.splitlines()) == 1
    assert reason in outcome.err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("report", "--device", "cuda"), "torch finds no GPU here"),
        (("stats", "--device", "gpu"), "device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got 'gpu'"),
        (("report", "--dtype", "int8"), "argument --dtype: invalid choice: 'int8'"),
        (("evaluate", "--formats", "nf4", "--text", "none.txt"), "text none.txt: there is no such file"),
        (("evaluate", "--formats", "nf4", "--text", "empty"), "text empty: the folder holds no .txt"),
        (("fisher", "--text", "short.txt"), "tokens, fewer than one sequence of 256"),
        (("fisher", "--text", "dataset:wikitext"), "must be dataset:NAME:SPLIT"),
        (("fisher", "--output", "none/f"), "the folder none does not exist"),
        (("fisher", "--output", "nf4.txt"), "the file exists; add --force"),
        (("quantise", "--format", "nf4", "--output", "empty"), "is there already"),
        (("quantise", "--format", "nf4", "--output", "none/new"), "the folder none does not exist"),
        (("report", "--output", "nf4.txt/new"), "nf4.txt is a file, a folder was expected"),
        (("report", "--output", "mine"), "--output mine: tensors.csv exists and bitlaw did not write it"),
    ],
)
def test_what_a_run_would_refuse_is_refused(dry, workspace, words, reason):
    (workspace / "short.txt").write_text("short")
    (workspace / "empty").mkdir()
    (workspace / "mine").mkdir()
    (workspace / "mine" / "tensors.csv").write_text("years of work")
    if words[0] == "report" and "--device" in words:
        torch = pytest.importorskip("torch")
        if torch.cuda.is_available():
            pytest.skip("there is a GPU")
    refused(dry(*words), reason)
    assert (workspace / "mine" / "tensors.csv").read_text() == "years of work"


def test_models_that_cannot_be_run_are_refused(dry, bitlaw, folder, workspace):
    for name, config in (("abacus", "abacus"), ("picture", "resnet")):
        shutil.copytree(folder, workspace / name)
        (workspace / name / "config.json").write_text(json.dumps({"model_type": config}))
        refused(dry("report", model=name), "not a causal language model that transformers knows")
        assert dry("stats", model=name).code == 0  # it only reads weights
    shutil.copytree(folder, workspace / "mute")
    for path in (workspace / "mute").glob("*token*"):
        path.unlink()
    refused(
        dry("report", model="mute"),
        "no tokenizer that transformers can read (such as tokenizer.json) lies beside the model",
    )
    path = workspace / "mute" / "model.safetensors"
    whole = path.read_bytes()
    path.unlink()
    path.write_bytes(whole[:100])
    refused(dry("stats", model="mute"), "truncated or damaged")
    path.unlink()
    refused(dry("stats", model="mute"), "holds no .safetensors file")


def test_tensors_that_cannot_be_stored_are_refused_after_the_plan(dry, workspace):
    outcome = dry("evaluate", "--formats", "int4_g64", WIDE)
    refused(outcome, "64 does not divide 32", planned=True)
    assert "rows of 32: the last block has 32 of 64" in outcome.out
    assert dry("evaluate", "--formats", "int4_g64").code == 0


def test_work_without_a_text_is_counted_in_weights(dry, folder):
    count = sum(math.prod(info.shape) for info in list_tensors(folder) if len(info.shape) == 2)
    assert f"{count:,} weights read once; no text is run" in dry("stats", "--formats", "int4_g16").out


def test_the_format_of_the_ends_is_for_the_outermost_tensors_alone(dry, folder, workspace):
    """A third layer between the two others, whose rows are of another width."""
    shutil.copytree(folder, workspace / "three")
    path = workspace / "three" / "model.safetensors"
    tensors = load_file(path)
    for name in [name for name in tensors if ".layers.1." in name]:
        tensors[name.replace(".1.", ".2.")] = tensors[name]
    tensors["model.layers.1.mlp.down_proj.weight"] = tensors["model.layers.1.mlp.down_proj.weight"][:, :72]
    path.unlink()
    save_file({name: tensor.copy() for name, tensor in tensors.items()}, path)
    plan = dry("report", "--formats", "int4_g16", "--ends", "int8_g16", "--json", model="three")
    found = {(one["format"], one["tensors"]) for one in json.loads(plan.out)["undivided"]}
    assert found == {("int4_g16", "model.layers.1.mlp.down_proj.weight")}
    outcome = dry("report", "--formats", "int4_g16", "--ends", ODD, model="three")
    refused(outcome, f"model.layers.0.mlp.down_proj.weight and 1 more in {ODD}", planned=True)
    words = ("--formats", "int4_g16", "--parts", "embedding", "--ends", "int4_g64", "--json")
    found = json.loads(dry("report", *words, model="three").out)["undivided"]
    assert {(one["format"], one["tensors"]) for one in found} == {("int4_g64", "model.embed_tokens.weight")}


def test_a_budget_that_no_format_meets_is_refused_with_the_least_that_is_needed(dry, bitlaw, folder):
    # A scale of 16 bits for each row of 32 or 80, and codes of 4 bits.
    weights = {name: t for name, t in load_file(folder / "model.safetensors").items() if ".layers." in name}
    matrices = [t for t in weights.values() if t.ndim == 2]
    least = sum(t.size * 4 + 16 * len(t) for t in matrices) / sum(t.size for t in matrices)
    reason = f"--bits 0.5: the budget must be at least {least:.6g} bits for each weight"
    refused(dry("allocate", "--bits", "0.5", "--formats", INT4, "nf4,block=8"), reason, planned=True)
    refused(bitlaw("llm", "allocate", "--model", folder, "--bits", "0.5", "--formats", INT4), reason)
    assert dry("allocate", "--bits", math.ceil(least * 1e6) / 1e6, "--formats", INT4).code == 0
    # An entropy code may come to anything.
    assert parse_format(f"{INT4},code=entropy").code == "entropy"
    assert dry("allocate", "--bits", "0.5", "--formats", f"{INT4},code=entropy").code == 0


def test_a_study_is_planned_with_what_it_would_refuse(bitlaw, folder, workspace):
    def plan(text):
        (workspace / "sweep.toml").write_text(f'models = ["{folder}"]\n{text}')
        outcome = bitlaw("llm", "study", "sweep.toml", "--dry-run")
        assert not list(workspace.glob("sweep.[!t]*"))
        return outcome

    assert plan(f'formats = ["{INT4}"]\n[text]\nlength = 24\n').code == 0
    refused(plan(f'formats = ["{WIDE}"]\n'), "64 does not divide 32", planned=True)
    refused(plan(f'formats = ["{INT4}"]\n[text]\nsource = "no.txt"\n'), "no.txt: there is no such file")
    told = "allocation 'decoder at 2 bits', bits = 2.0: the budget must be at least"
    refused(plan(f'formats = ["{INT4}"]\n[[allocation]]\nbits = 2.0\n'), told, planned=True)
    told = "allocation 'decoder at 9 bytes', bytes = 9: the budget must be at least"
    refused(plan(f'formats = ["{INT4}"]\n[[allocation]]\nbytes = 9\n'), told, planned=True)
    (workspace / "chosen.json").write_text('{"tensors": [{"name": "a", "format": "nf4"}]}')
    text = f'formats = ["{INT4}"]\n[[allocation]]\nname = "mine"\nfile = "chosen.json"\n'
    refused(plan(text), f"allocation 'mine': {folder} has no weight tensor a", planned=True)
    refused(plan(f'formats = ["{INT4}"]\n[[allocation]]\nends = "{WIDE}"\n'), "64 does not", planned=True)
    refused(plan(f'formats = ["{INT4}"]\n[run]\ndevice = "tpu"\n'), "device must be 'auto'")
