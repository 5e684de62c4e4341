"""`bitlaw quantise`: files that hold what the library restores or stores, and numbers that are measured."""

import json

import ml_dtypes
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from bitlaw.theory.fitting import iterate_tensors
from bitlaw.theory.formats import Encoded, decode, parse_format, quantise, relative_error

FORMAT = "int4,block=32,outliers=1%"


@pytest.fixture
def model(workspace):
    """mixed.safetensors: float32 and bfloat16 matrices, a vector, integers, and metadata."""
    rng = np.random.default_rng(3)
    tensors = {
        "a.weight": rng.laplace(size=(48, 100)).astype(np.float32),
        "b.weight": rng.standard_normal((30, 64)).astype(ml_dtypes.bfloat16),
        "norm": np.ones(64, np.float32),
        "ids": np.arange(5),
    }
    save_file(tensors, "mixed.safetensors", metadata={"made": "here"})
    return tensors


def record(outcome):
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)["tensors"]


def test_matrices_are_restored_in_their_type_and_everything_else_is_copied(bitlaw, model):
    outcome = bitlaw("quantise", "mixed.safetensors", "--format", FORMAT, "--output", "out.safetensors")
    assert outcome.code == 0
    assert "wrote out.safetensors" in outcome.err
    restored, stored = dict(iterate_tensors("out.safetensors")), load_file("out.safetensors")
    for name in ("a.weight", "b.weight"):
        wanted = quantise(parse_format(FORMAT), model[name])
        assert restored[name].dtype == model[name].dtype
        assert np.array_equal(restored[name].view(np.uint8), wanted.view(np.uint8))
    assert np.array_equal(stored["norm"], model["norm"])
    assert np.array_equal(stored["ids"], model["ids"])
    with safe_open("out.safetensors", "np") as file:
        assert file.metadata() == {"made": "here"}


def test_what_is_measured_is_that_of_the_file_written(bitlaw, model):
    words = ("quantise", "mixed.safetensors", "--format", "nf4", "--output", "out.safetensors", "--json")
    rows = record(bitlaw(*words))
    restored = dict(iterate_tensors("out.safetensors"))
    for row in rows:
        array = model[row["tensor"]]
        assert row["R"] == relative_error(array, restored[row["tensor"]])
        assert row["bits"] == parse_format("nf4").encode(array).bits_per_element
        assert row["bits"] == pytest.approx(row["predicted_bits"], abs=1e-9)
        assert row["R"] == pytest.approx(row["predicted_R"], rel=0.05)


def test_only_tensors_of_a_pattern_are_touched(bitlaw, model):
    words = ("--format", "nf4", "--tensor", "b.*", "--no-predict", "--output", "out.safetensors", "--json")
    rows = record(bitlaw("quantise", "mixed.safetensors", *words))
    assert [row["tensor"] for row in rows] == ["b.weight"]
    assert rows[0]["predicted_R"] is None
    assert np.array_equal(dict(iterate_tensors("out.safetensors"))["a.weight"], model["a.weight"])


def test_vectors_are_quantised_when_asked_for(bitlaw, model):
    words = ("--format", "int8_g32", "--vectors", "--output", "out.safetensors", "--json")
    names = [row["tensor"] for row in record(bitlaw("quantise", "mixed.safetensors", *words))]
    assert set(names) == {"a.weight", "b.weight", "norm"}


@pytest.mark.parametrize("kind", ["npz", "safetensors"])
def test_codes_are_read_back_to_the_restored_values(bitlaw, workspace, kind):
    words = ("quantise", "weights.npz", "--format", FORMAT, "--codes", "--output", f"codes.{kind}")
    assert bitlaw(*words).code == 0
    stored = dict(np.load("codes.npz")) if kind == "npz" else load_file("codes.safetensors")
    with np.load("weights.npz") as archive:
        layers = dict(archive)
    own = {key.removeprefix("layer0."): array for key, array in stored.items() if key.startswith("layer0.")}
    assert np.array_equal(decode(Encoded.from_arrays(own)), quantise(parse_format(FORMAT), layers["layer0"]))
    assert np.array_equal(stored["layer1"], layers["layer1"])
    assert stored["step"] == 3


def test_bfloat16_is_kept_beside_codes(bitlaw, model):
    words = ("--format", "nf4", "--codes", "--tensor", "a.*", "--output", "codes.safetensors")
    assert bitlaw("quantise", "mixed.safetensors", *words).code == 0
    kept = dict(iterate_tensors("codes.safetensors"))["b.weight"]
    assert kept.dtype == ml_dtypes.bfloat16
    assert np.array_equal(kept.view(np.uint16), model["b.weight"].view(np.uint16))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "f2", "f8"])
def test_arrays_of_every_order_and_type_stay_what_they_are(bitlaw, workspace, order, dtype):
    values = np.asarray(np.random.default_rng(0).standard_normal((20, 33)).astype(dtype), order=order)
    np.save("in.npy", values)
    words = ("quantise", "in.npy", "--format", "nf4", "--output", "out.npy", "--no-predict")
    assert bitlaw(*words).code == 0
    restored = np.load("out.npy")
    assert restored.dtype == values.dtype
    assert np.array_equal(restored, quantise(parse_format("nf4"), values))


def test_an_archive_keeps_its_other_members(bitlaw, workspace):
    assert bitlaw("quantise", "weights.npz", "--format", "nf4", "--output", "out.npz").code == 0
    with np.load("out.npz") as new, np.load("weights.npz") as old:
        assert new.files == old.files
        assert new["step"] == 3
        assert np.array_equal(new["layer1"], old["layer1"])
        assert np.array_equal(new["layer0"], quantise(parse_format("nf4"), old["layer0"]))


def test_a_lone_vector_is_quantised(bitlaw, workspace):
    np.save("v.npy", np.random.default_rng(0).standard_normal(500))
    outcome = bitlaw("quantise", "v.npy", "--format", "int3_g32", "--output", "out.npy")
    assert outcome.code == 0
    assert "1 quantised: 500 elements at 3.5" in outcome.out


def test_constant_tensors_have_no_prediction(bitlaw, workspace):
    np.save("ones.npy", np.ones((4, 64)))
    rows = record(bitlaw("quantise", "ones.npy", "--format", "nf4", "--output", "out.npy", "--json"))
    assert (rows[0]["predicted_R"], rows[0]["R"]) == (None, 0.0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("none.npy --format nf4 --output out.npy", "none.npy: no such file"),
        ("nf4.txt --format nf4 --output out.txt", "unknown kind of file"),
        ("weights.npz --format int4g64 --output out.npz", "formats with near names: int4_g64"),
        (
            "weights.npz --format nf4 --output out.npy",
            "values of weights.npz are written to a file of kind .npz",
        ),
        (
            "weights.npz --format nf4 --codes --output o.npy",
            "codes are written to a file of kind .safetensors or",
        ),
        ("weights.npz --format nf4 --output -", "--output must be a file"),
        ("weights.npz --format nf4 --output weights.npz", "the file exists; add --force"),
        ("weights.npz --format nf4 --tensor layer9 --output o.npz", "unknown tensor of weights.npz 'layer9'"),
        ("weights.npz --format nf4 --tensor step --output o.npz", "no tensor of floating-point numbers"),
        ("weights.npz --output o.npz", "the following arguments are required: --format"),
        ("bad.npz --format nf4 --output o.npz", "bad.npz: tensor 'bad': element [1, 2] is inf"),
        (". --format nf4 --output o.npz", "is a folder; quantise its files one by one"),
        (
            "mixed.safetensors --format nf4 --codes --tensor a.* --output o.npz",
            "bfloat16 cannot be stored in .npz",
        ),
    ],
)
def test_wrong_input_ends_in_one_line_and_writes_nothing(bitlaw, workspace, model, words, message):
    bad = np.ones((3, 40))
    bad[1, 2] = np.inf
    np.savez("bad.npz", good=np.eye(8), bad=bad)
    before = {path.name: path.read_bytes() for path in workspace.iterdir()}
    outcome = bitlaw("quantise", *words.split())
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("bitlaw: error: ")
    assert message in outcome.err
    assert {path.name: path.read_bytes() for path in workspace.iterdir()} == before


def test_a_file_may_replace_itself_when_forced(bitlaw, workspace):
    np.save("w.npy", np.random.default_rng(0).standard_normal((8, 64)))
    wanted = quantise(parse_format("nf4"), np.load("w.npy"))
    assert bitlaw("quantise", "w.npy", "--format", "nf4", "--output", "w.npy", "--force").code == 0
    assert np.array_equal(np.load("w.npy"), wanted)
