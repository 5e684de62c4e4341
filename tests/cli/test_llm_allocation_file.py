"""An allocation goes into a file, the file into a model, and the model measures as the allocation did."""

import errno
import json
import os

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from bitlaw.llm import quantised_files
from bitlaw.llm.divergence import measure_divergence
from bitlaw.llm.models import load_model
from bitlaw.llm.reference import build_reference
from bitlaw.llm.text import token_sequences

INT4 = "int4,block=channel,scale=absmax:float16"
INT8 = "int8,block=channel,scale=absmax:float16"
ON = ("--sequences", 4, "--length", 24, "--device", "cpu")
FIRST = "model.layers.0.self_attn.q_proj.weight"


@pytest.fixture(scope="module")
def names(folder):
    model = load_model(folder, device="cpu").model
    return [name for name, p in model.named_parameters() if p.ndim == 2 and ".layers." in name]


@pytest.fixture
def write(names, tmp_path):
    """Write an allocation of the decoder, changed in places."""

    def run(changed=(), left_out=()):
        formats = dict.fromkeys(names, INT4) | dict(changed)
        tensors = [{"name": n, "format": f} for n, f in formats.items() if n not in left_out]
        path = tmp_path / "allocation.json"
        path.write_text(json.dumps({"tensors": tensors}))
        return path

    return run


@pytest.fixture
def quantise(bitlaw, folder, tmp_path):
    def run(path, *words):
        wanted = ("--allocation", path, "--output", tmp_path / "new", "--device", "cpu")
        return bitlaw("llm", "quantise", "--model", folder, *wanted, *words)

    return run


def test_a_model_as_allocated_measures_as_the_allocation_did(bitlaw, quantise, folder, tmp_path):
    file = tmp_path / "chosen.json"
    words = ("--bits", 6.5, "--formats", INT4, INT8, "--measure", "--output", file, "--json")
    outcome = bitlaw("llm", "allocate", "--model", folder, *ON, *words)
    assert outcome.code == 0
    chosen = json.loads(file.read_text())
    assert chosen == json.loads(outcome.out)
    assert len({one["format"] for one in chosen["tensors"]}) == 2
    record = json.loads(quantise(file, "--json").out)
    assert {one["name"]: one["format"] for one in record["tensors"]} == {
        one["name"]: one["format"] for one in chosen["tensors"]
    }
    bits = sum(one["bits"] for one in record["tensors"]) / sum(one["elements"] for one in record["tensors"])
    assert bits == pytest.approx(chosen["bits"], rel=1e-9)
    model, new = (load_model(path, device="cpu") for path in (folder, tmp_path / "new"))
    sequences = token_sequences("standard", model.tokenizer, length=24, count=4)
    kl = measure_divergence(new, build_reference(model, sequences, batch=8)).kl.mean()
    assert kl == pytest.approx(chosen["measured"]["kl"], rel=1e-6)
    words = ("--formats", INT4, "--allocation", file, "--json")
    told = json.loads(bitlaw("llm", "evaluate", "--model", folder, *ON, *words).out)
    own = told["formats"][1]
    assert (own["format"], own["bits"]) == (str(file), pytest.approx(chosen["bits"], rel=1e-9))
    assert own["kl"] == pytest.approx(chosen["measured"]["kl"], rel=1e-9)
    assert sorted(own["specification"].split(" | ")) == sorted([INT4, INT8])
    assert told["differences"][0]["format"] == str(file)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chosen.json", "new"]


@pytest.mark.parametrize("words", [(), ("--parts", "all", "--ends", INT8)])
def test_streamed_models_are_those_that_are_loaded(bitlaw, folder, tmp_path, words):
    shared = ("llm", "quantise", "--model", folder, "--format", INT4, "--device", "cpu", "--json", *words)
    loaded, streamed = (
        json.loads(bitlaw(*shared, "--output", tmp_path / name, *more).out)
        for name, more in (("loaded", ()), ("streamed", ("--stream",)))
    )
    assert loaded == streamed
    models = [load_model(tmp_path / name, device="cpu").model for name in ("loaded", "streamed")]
    pairs = zip(*(model.state_dict().items() for model in models), strict=True)
    assert all(one == other and a.equal(b) for (one, a), (other, b) in pairs)
    assert {path.name for path in (tmp_path / "loaded").iterdir()} == {
        path.name for path in (tmp_path / "streamed").iterdir()
    }


def test_a_plan_of_a_streamed_model_holds_one_tensor(bitlaw, folder, tmp_path):
    words = (
        "llm",
        "quantise",
        "--model",
        folder,
        "--format",
        INT4,
        "--output",
        tmp_path / "new",
        "--dry-run",
        "--json",
    )
    loaded, streamed = (json.loads(bitlaw(*words, *more).out) for more in ((), ("--stream",)))
    model = load_model(folder, device="cpu").model
    largest = max(p.numel() for n, p in model.named_parameters() if ".layers." in n)
    assert streamed["memory_bytes"] == 4 * 3 * largest
    assert loaded["memory_bytes"] == 4 * (sum(p.numel() for p in model.parameters()) + 2 * largest)


def test_a_streamed_model_is_as_allocated(quantise, write, names):
    record = json.loads(quantise(write({FIRST: INT8}), "--stream", "--json").out)
    assert {one["name"]: one["format"] for one in record["tensors"]} == dict.fromkeys(names, INT4) | {
        FIRST: INT8
    }


def test_a_disk_that_fills_up_leaves_no_folder(quantise, write, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(quantised_files, "copy_tensors", full)
    outcome = quantise(write(), "--stream")
    assert outcome.code == 2
    assert "No space left on device" in outcome.err
    assert [path.name for path in tmp_path.iterdir()] == ["allocation.json"]


def test_a_file_of_an_allocation_is_only_replaced_when_asked_to(bitlaw, folder, tmp_path):
    file = tmp_path / "chosen.json"
    file.write_text("mine")
    words = ("llm", "allocate", "--model", folder, *ON, "--bits", 5, "--formats", INT4, "--output", file)
    assert "add --force to replace it" in bitlaw(*words).err
    assert file.read_text() == "mine"
    assert bitlaw(*words, "--force").code == 0
    assert json.loads(file.read_text())["budget"] == 5


def test_a_plan_says_what_the_allocated_formats_do_not_divide(quantise, write, tmp_path):
    path = write({FIRST: "int4_g64"})
    plan = json.loads(quantise(path, "--dry-run", "--json").out)
    (only,) = plan["undivided"]
    assert only["tensors"] == FIRST
    assert only["reason"] == "rows of 32: the last block has 32 of 64"
    assert plan["disk_bytes"] == 4 * plan["parameters"]
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
def test_allocations_of_another_model_are_refused(quantise, write, tmp_path, words):
    strange = quantise(write({"model.layers.7.mlp.up_proj.weight": INT4}), *words)
    assert "the model has no weight tensor model.layers.7.mlp.up_proj.weight" in strange.err
    missing = quantise(write(left_out=[FIRST]), *words)
    assert f"has no format for {FIRST}\n" in missing.err
    cannot = quantise(write({FIRST: "int4,block=channel,rotation=hadamard:64"}), *words)
    assert FIRST in cannot.err
    assert "64 does not divide 32" in cannot.err
    assert {outcome.code for outcome in (strange, missing, cannot)} == {2}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["allocation.json"]


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
def test_evaluations_refuse_allocations_of_another_model(bitlaw, folder, write, words):
    path = write({"model.layers.7.mlp.up_proj.weight": INT4})
    outcome = bitlaw(
        "llm", "evaluate", "--model", folder, *ON, "--formats", INT4, "--allocation", path, *words
    )
    assert outcome.code == 2
    reason = f"--allocation {path}: the model has no weight tensor model.layers.7.mlp.up_proj.weight"
    assert outcome.err == f"bitlaw: error: {reason}\n"
    path = write({FIRST: "int4,block=channel,rotation=hadamard:64"})
    outcome = bitlaw(
        "llm", "evaluate", "--model", folder, *ON, "--formats", INT4, "--allocation", path, *words
    )
    assert (outcome.code, "64 does not divide 32" in outcome.err) == (2, True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no JSON", "not JSON"),
        ("[]", "not what `bitlaw llm allocate --output` writes"),
        ('{"tensors": []}', "not what `bitlaw llm allocate --output` writes"),
        ('{"tensors": [{"name": "a"}]}', "not what `bitlaw llm allocate --output` writes"),
        ('{"tensors": [{"name": "a", "format": "nf44"}]}', "a: width must be 2 to 8 bits"),
        (
            '{"tensors": [{"name": "a", "format": "nf4"}, {"name": "a", "format": "nf4"}]}',
            "a stands there twice",
        ),
    ],
)
def test_files_that_are_no_allocation_are_refused(quantise, tmp_path, text, reason):
    file = tmp_path / "file.json"
    file.write_text(text)
    outcome = quantise(file)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"bitlaw: error: --allocation {file}: {reason}")
    assert len(outcome.err.splitlines()) == 1


def test_one_source_of_formats_is_needed(quantise, bitlaw, write, tmp_path):
    assert "not allowed with argument" in quantise(write(), "--format", "nf4").err
    assert "--parts and --ends go with --format" in quantise(write(), "--ends", "nf4").err
    assert "there is no such file" in quantise(tmp_path / "none.json").err
    assert "--dtype does not go with it" in quantise(write(), "--stream", "--dtype", "float16").err
    neither = bitlaw("llm", "quantise", "--output", tmp_path / "new")
    assert "one of the arguments --format --allocation is required" in neither.err
