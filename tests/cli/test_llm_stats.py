"""`bitlaw llm stats`: any folder of weights, told in full."""

import json
import os

import numpy as np
import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from safetensors.torch import load_file, save_file

from bitlaw.llm import models
from bitlaw.llm.models import load_model
from bitlaw.llm.statistics import tensor_statistics
from bitlaw.llm.weight_files import stream_weights
from bitlaw.theory import parse_format
from bitlaw.theory.fitting import FAMILIES

INT4 = "int4,block=channel,scale=absmax:float16"


@pytest.fixture
def encoder(tmp_path):
    """Weights of a model that no library knows."""
    random = torch.Generator().manual_seed(0)
    names = (
        "embeddings.word_embeddings.weight",
        "encoder.layer.0.dense.weight",
        "encoder.layer.10.dense.weight",
    )
    tensors = {name: torch.randn(64, 128, generator=random) for name in names}
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"model_type": "abacus", "architectures": ["Abacus"]}')
    return tmp_path


def test_no_model_is_built(bitlaw, encoder, monkeypatch):
    def never(*_, **__):
        raise AssertionError("a model is built")

    monkeypatch.setattr(models, "load_model", never)
    outcome = bitlaw("llm", "stats", "--model", encoder, "--formats", INT4)
    assert outcome.code == 0
    lines = [line.split()[:2] for line in outcome.out.splitlines()]
    assert lines[1:4] == [
        ["embeddings.word_embeddings.weight", "embedding"],
        ["encoder.layer.0.dense.weight", "decoder"],
        ["encoder.layer.10.dense.weight", "decoder"],
    ]
    assert "median tensor" in outcome.out


def test_json_holds_all_that_the_library_measures(bitlaw, folder):
    record = json.loads(bitlaw("llm", "stats", "--model", folder, "--formats", INT4, "nf4", "--json").out)
    expected = {weight.name: tensor_statistics(weight) for weight in stream_weights(folder)}
    assert [row["name"] for row in record["tensors"]] == list(expected)
    for row in record["tensors"]:
        found = expected[row["name"]]
        assert row["rms"] == found.rms
        for name in ("row_rms", "row_kurtosis", "row_largest", "column_rms"):
            np.testing.assert_array_equal(row[name], getattr(found, name))
        assert row["histogram"]["counts"] == found.histogram.counts.tolist()
        assert len(row["histogram"]["edges"]) == 202
        assert {fit["family"] for fit in row["fits"]} == set(FAMILIES)
        assert row["fits"][0]["source"]["std"] == found.fits[0].source.std
        for size, block in row["blocks"].items():
            assert block["mean"] == found.block_maxima[int(size)]
            assert block["expected"] == found.expected_maximum(int(size))
        assert row["tails"][0]["share"] == found.histogram.beyond(2.0)
    assert [one["format"] for one in record["formats"]] == [INT4, "nf4"]
    for k, one in enumerate(record["formats"]):
        ratios = {
            row["name"]: row["formats"][k]["r"] / row["formats"][k]["predicted_r"]
            for row in record["tensors"]
        }
        assert one["median_ratio"] == pytest.approx(np.median(list(ratios.values())))
        assert one["worst_ratio"] == pytest.approx(ratios[one["worst_tensor"]])


def test_details_are_tables(bitlaw, folder):
    plain = bitlaw("llm", "stats", "--model", folder)
    outcome = bitlaw("llm", "stats", "--model", folder, "--details")
    assert outcome.code == 0
    titles = (
        "share of elements beyond",
        "laws of all elements",
        "laws within rows",
        "channels: rows",
        "largest magnitude of a block",
    )
    assert all(title in outcome.out and title not in plain.out for title in titles)
    assert outcome.out.startswith(plain.out.rstrip("\n"))
    assert max(map(len, outcome.out.splitlines())) < 220


def test_errors_are_told_row_by_row(bitlaw, encoder):
    """Rows of several strengths under one scale: the weak ones have the larger relative errors."""
    file = encoder / "model.safetensors"
    name = "encoder.layer.0.dense.weight"
    weights = torch.randn(64, 512, generator=torch.Generator().manual_seed(1))
    weights *= 2.0 ** torch.linspace(-3, 3, 64)[:, None]
    weights[5] = 0
    save_file({name: weights}, file)
    for spec in ("int4,block=tensor,scale=rms:float32", INT4):
        format = parse_format(spec)
        words = ("llm", "stats", "--model", encoder, "--formats", spec)
        (one,) = json.loads(bitlaw(*words, "--json").out)["tensors"][0]["formats"]
        change = format.quantise(weights.double().numpy()) - weights.double().numpy()
        rms = weights.double().square().mean(1).sqrt().numpy()
        expected = np.sqrt((change**2).mean(1)) / np.where(rms > 0, rms, 1)
        np.testing.assert_allclose(one["row_r"], expected, rtol=1e-4)
        assert one["row_r"][5] == one["predicted_row_r"][5] == 0
        live = rms > 0
        ratios = np.array(one["row_r"])[live] / np.array(one["predicted_row_r"])[live]
        # Mean squares of 512 elements are known to about 6%, on both sides.
        np.testing.assert_allclose(ratios, 1, atol=0.3)
        assert np.median(ratios) == pytest.approx(1, abs=0.03)
        table = bitlaw(*words, "--details").out.split(f"{spec}\n")[1].splitlines()
        assert table[0].split()[-4:] == ["median", "row", "least", "largest"]
        assert [float(cell) for cell in table[1].split()[-3:]] == pytest.approx(
            [np.median(ratios), ratios.min(), ratios.max()], rel=1e-3
        )


def test_some_tensors_alone_are_measured(bitlaw, encoder):
    words = ("llm", "stats", "--model", encoder)
    record = json.loads(bitlaw(*words, "--tensors", "*.10.*", "embed*", "--json").out)
    names = [row["name"] for row in record["tensors"]]
    assert names == ["embeddings.word_embeddings.weight", "encoder.layer.10.dense.weight"]
    for more in ((), ("--dry-run",)):
        outcome = bitlaw(*words, "--tensors", "*.11.*", *more)
        assert (outcome.code, outcome.out) == (2, "")
        assert "--tensors: the pattern '*.11.*' fits no tensor of the model" in outcome.err


def test_a_type_that_is_asked_for_is_measured(bitlaw, encoder):
    words = ("llm", "stats", "--model", encoder, "--json")
    stored, rounded = (json.loads(bitlaw(*words, *more).out) for more in ((), ("--dtype", "bfloat16")))
    largest = rounded["tensors"][0]["largest"]
    assert largest == float(torch.tensor(largest).bfloat16())
    assert stored["tensors"][0]["largest"] != largest
    assert stored["tensors"][0]["rms"] == pytest.approx(rounded["tensors"][0]["rms"], rel=1e-3)


def test_a_model_in_files_of_torch_is_loaded(bitlaw, folder, tmp_path):
    target = tmp_path / "old"
    model = load_model(folder, device="cpu")
    model.model.config.save_pretrained(target)
    model.tokenizer.save_pretrained(target)
    torch.save(load_file(folder / "model.safetensors"), target / "pytorch_model.bin")
    old, new = (
        json.loads(bitlaw("llm", "stats", "--model", path, "--json").out) for path in (target, folder)
    )
    assert old["tensors"] == new["tensors"]


def test_constant_weights_are_told_without_laws(bitlaw, encoder):
    save_file({"layers.0.weight": torch.zeros(4, 64)}, encoder / "model.safetensors")
    outcome = bitlaw("llm", "stats", "--model", encoder, "--details", "--formats", INT4)
    assert outcome.code == 0
    record = json.loads(bitlaw("llm", "stats", "--model", encoder, "--formats", INT4, "--json").out)
    assert (record["tensors"][0]["kurtosis"], record["formats"]) == (None, [])


def test_a_folder_without_matrices_is_told(bitlaw, encoder):
    save_file({"layers.0.bias": torch.zeros(4)}, encoder / "model.safetensors")
    assert "no matrices" in bitlaw("llm", "stats", "--model", encoder).out


def test_damaged_weights_are_named(bitlaw, encoder):
    file = encoder / "model.safetensors"
    tensors = load_file(file)
    tensors["encoder.layer.0.dense.weight"][3, 5] = float("nan")
    save_file(tensors, file)
    outcome = bitlaw("llm", "stats", "--model", encoder)
    assert (outcome.code, outcome.out) == (2, "")
    assert f"{file}: tensor 'encoder.layer.0.dense.weight': a weight is NaN or infinite" in outcome.err
    file.write_bytes(file.read_bytes()[:-8])
    for more in ((), ("--dry-run",)):
        outcome = bitlaw("llm", "stats", "--model", encoder, *more)
        assert (outcome.code, outcome.out) == (2, "")
        assert f"{file}: the .safetensors file is truncated or damaged" in outcome.err


def test_a_plan_counts_the_tensors_that_are_streamed(bitlaw, encoder):
    plan = json.loads(bitlaw("llm", "stats", "--model", encoder, "--dry-run", "--json").out)
    assert (plan["matrices"], plan["parameters"]) == (3, 3 * 64 * 128)
