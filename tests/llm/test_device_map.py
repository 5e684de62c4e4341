"""Models spread over devices: every task gives the numbers of one device, or refuses what it cannot reach."""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch

from bitlaw.llm.activations import activation_moments
from bitlaw.llm.audit import audit, model_statistics
from bitlaw.llm.device_maps import check_device_map, check_in_reach
from bitlaw.llm.divergence import measure_divergence
from bitlaw.llm.fingerprint import weights_fingerprint
from bitlaw.llm.fisher import fisher_information
from bitlaw.llm.models import LanguageModel, load_model, weight_tensors
from bitlaw.llm.quantise import assign, quantised
from bitlaw.llm.reference import build_reference
from bitlaw.llm.restore import kept_weights
from bitlaw.llm.sensitivity import noise_sensitivity
from bitlaw.llm.text import Sequences
from bitlaw.llm.workload import Workload, open_workload
from bitlaw.theory import parse_format

accelerate = pytest.importorskip("accelerate")

FORMAT = parse_format("int3,block=channel,scale=absmax:float16")
OFFLOADED = {
    "model.embed_tokens": "cpu",
    "model.layers.0": "cpu",
    "model.layers.1": "disk",
    "model.norm": "cpu",
    "model.rotary_emb": "cpu",
    "lm_head": "cpu",
}


@pytest.fixture(scope="module")
def spread(tiny_folder: Path) -> LanguageModel:
    """A model whose modules each move what comes in to their device, as they do when there are several."""
    loaded = load_model(tiny_folder, device="cpu")
    modules = dict.fromkeys(OFFLOADED, "cpu")
    accelerate.dispatch_model(loaded.model, modules, force_hooks=True)
    assert hasattr(loaded.model.model.layers[1].mlp.down_proj, "_hf_hook")
    return loaded


@pytest.mark.parametrize("device_map", ["auto", "cpu", {"": "cpu"}, {"model": "cpu", "lm_head": "cpu"}])
def test_a_map_over_what_is_there_loads_the_same_model(
    tiny: LanguageModel, tiny_folder: Path, device_map: Any
) -> None:
    loaded = load_model(tiny_folder, device_map=device_map)
    assert weights_fingerprint(loaded.model) == weights_fingerprint(tiny.model)
    assert not loaded.model.training


def test_formats_reach_weights_that_are_spread(spread: LanguageModel, tiny: LanguageModel) -> None:
    before = weights_fingerprint(spread.model)
    assert before == weights_fingerprint(tiny.model)
    assignment = assign(tiny.model, FORMAT, parts=("embedding", "decoder", "head"))
    with quantised(spread, assignment) as records, quantised(tiny, assignment) as expected:
        assert records == expected
        assert weights_fingerprint(spread.model) == weights_fingerprint(tiny.model) != before
    assert weights_fingerprint(spread.model) == before


def test_fisher_and_moments_are_those_of_one_device(
    spread: LanguageModel, tiny: LanguageModel, sequences: Sequences
) -> None:
    few = Sequences(sequences.tokens[:3], "few")
    for settings in ({"unit": "sequence"}, {"unit": "position"}, {"unit": "position", "keep": "rows"}):
        found, expected = (fisher_information(m, few, **settings) for m in (spread, tiny))  # type: ignore[arg-type]
        assert all(torch.equal(found.rows(name), expected.rows(name)) for name in expected.names)
    found, expected = (activation_moments(m, few).moments for m in (spread, tiny))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_measurements_are_those_of_one_device(
    spread: LanguageModel, tiny: LanguageModel, sequences: Sequences
) -> None:
    few = Sequences(sequences.tokens[:3], "few")
    audits, noise = [], []
    for model in (spread, tiny):
        reference = build_reference(model, few)
        assert float(measure_divergence(model, reference).kl.max()) < 1e-9
        audits.append(
            audit(
                model,
                assign(model.model, FORMAT),
                reference,
                model_statistics(model),
                fisher_information(model, few),
            )
        )
        noise += noise_sensitivity(model, reference, names=["model.layers.1.mlp.down_proj.weight"])
    assert (audits[0].measured.kl == audits[1].measured.kl).all()
    assert audits[0].predicted_kl == audits[1].predicted_kl > 0
    assert noise[0].kl == noise[1].kl


def test_a_workload_carries_the_map(tiny_folder: Path) -> None:
    workload = Workload(sequences=2, length=8, device_map="auto")
    assert open_workload(str(tiny_folder), workload).language_model.device.type in ("cpu", "cuda")
    with pytest.raises(ValueError, match=r"device_map must be 'auto', .* got 'everywhere'"):
        Workload(device_map="everywhere")
    with pytest.raises(ValueError, match="device and device_map exclude one another, got 'cpu' and 'auto'"):
        Workload(device="cpu", device_map="auto")


@pytest.mark.parametrize(
    ("device_map", "message"),
    [
        ("everywhere", "device_map: device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got 'everywhere'"),
        ("disk", "device_map puts modules on the disk, where formats do not reach them: give"),
        (OFFLOADED, "device_map puts modules on the disk"),
        ({"model": "cpu", "lm_head": "meta"}, "device_map: device must be .* got 'meta'"),
        ({"model": "cpu", "lm_head": True}, "device_map: device must be .* got 'True'"),
        ({"model": "cpu", "lm_head": -1}, "device_map: device must be .* got 'cuda:-1'"),
        ({}, "device_map must be 'auto', .*, got {}"),
        (3, "device_map must be 'auto', .*, got 3"),
    ],
)
def test_maps_that_reach_nothing_are_refused(tiny_folder: Path, device_map: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_model(tiny_folder, device_map=device_map)


def test_a_map_and_a_device_exclude_one_another(tiny_folder: Path) -> None:
    with pytest.raises(ValueError, match="device and device_map exclude one another, got 'cpu' and 'auto'"):
        load_model(tiny_folder, device="cpu", device_map="auto")


def test_gpus_that_are_not_there_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device_map: device 'cuda:0' was asked for, but torch finds no GPU"):
        check_device_map({"model": "cpu", "lm_head": 0})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    check_device_map({"model": 0, "lm_head": 1})
    with pytest.raises(ValueError, match="device_map: device 'cuda:2' was asked for, but there are 2 GPUs"):
        check_device_map({"model": 0, "lm_head": 2})
    with pytest.raises(ValueError, match="on the CPU beside a GPU, where their weights are out of reach"):
        check_device_map({"model": 0, "lm_head": "cpu"})


def test_the_library_for_it_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "accelerate" else find(name)
    )
    with pytest.raises(ValueError, match=r"device_map needs accelerate: .* pip install 'bitlaw\[devices\]'"):
        check_device_map("auto")


@pytest.fixture
def offloaded(tiny: LanguageModel, tmp_path: Path) -> torch.nn.Module:
    """A model with a layer on the disk, as `auto` leaves it where there is no room."""
    model = copy.deepcopy(tiny.model)
    accelerate.dispatch_model(model, OFFLOADED, offload_dir=tmp_path)
    assert model(input_ids=torch.zeros(1, 2, dtype=torch.int64)).logits.isfinite().all()
    return model


def test_offloaded_weights_are_refused(offloaded: torch.nn.Module, tiny: LanguageModel) -> None:
    reason = r"model\.layers\.1\.self_attn\.q_proj\.weight and 8 more are offloaded: .* `bitlaw llm quantise --stream`"
    with pytest.raises(ValueError, match=f"large: {reason}"):
        LanguageModel("large", offloaded, tiny.tokenizer)  # type: ignore[arg-type]
    with pytest.raises(
        ValueError, match=r"model\.layers\.1\..*: the weights are offloaded, .* cannot be read"
    ):
        weights_fingerprint(offloaded)


def test_weights_that_are_offloaded_later_are_not_written(tiny: LanguageModel, tmp_path: Path) -> None:
    """Writing to them would do nothing, and say nothing."""
    model = LanguageModel("later", copy.deepcopy(tiny.model), tiny.tokenizer)
    accelerate.disk_offload(model.model, tmp_path)
    tensor = next(iter(weight_tensors(model.model)))
    with (
        pytest.raises(ValueError, match=r"embed_tokens\.weight: the weights are offloaded, .* overwritten"),
        kept_weights(model) as keeper,
    ):
        keeper.keep(tensor)


def test_tied_weights_need_one_device() -> None:
    model = torch.nn.Module()
    model.embed, model.head = torch.nn.Embedding(4, 3), torch.nn.Linear(3, 4, bias=False)
    model.head.weight = model.embed.weight
    model.hf_device_map = {"": "cpu"}
    check_in_reach("tied", model)
    model.hf_device_map = {"embed": "cpu", "head": "cpu:0"}
    check_in_reach("tied", model)
    model.hf_device_map = {"embed": "cpu", "head": 1}
    if not torch.cuda.is_available():
        with pytest.raises(
            ValueError, match=r"puts head\.weight on cuda:1, but .* a tensor on cpu: both need"
        ):
            check_in_reach("tied", model)
