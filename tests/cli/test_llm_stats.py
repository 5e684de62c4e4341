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
        "laws within rows",
        "channels: rows",
        "largest magnitude of a block",
    )
    assert all(title in outcome.out and title not in plain.out for title in titles)
    assert outcome.out.startswith(plain.out.rstrip("\n"))
    assert max(map(len, outcome.out.splitlines())) < 220


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
