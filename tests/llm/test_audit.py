"""Predictions for tensors and models against what is measured."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from bitlaw.llm.audit import audit, fisher_rows, model_statistics, predict_assignment
from bitlaw.llm.fisher import Fisher, fisher_information
from bitlaw.llm.models import LanguageModel, WeightTensor, load_model, weight_tensors
from bitlaw.llm.quantise import assign
from bitlaw.llm.reference import Reference, build_reference
from bitlaw.llm.statistics import TensorStatistics, tensor_statistics
from bitlaw.llm.text import Sequences, token_sequences
from bitlaw.theory import parse_format

from ..conftest import shared_path


def weight(rows: int = 256, columns: int = 512, spread: float = 0.0, seed: int = 0) -> WeightTensor:
    """Normal weights, rows of different spreads."""
    generator = torch.Generator().manual_seed(seed)
    scale = torch.exp2(spread * torch.randn(rows, 1, generator=generator))
    return WeightTensor(
        "w", nn.Parameter(0.02 * scale * torch.randn(rows, columns, generator=generator)), "decoder"
    )


def test_predicted_divergence_is_half_fisher_times_error() -> None:
    tensor = weight(8, 64)
    statistics = tensor_statistics(tensor)
    fisher = Fisher({"w": torch.rand(8, 64, generator=torch.Generator().manual_seed(0))}, 1, "sampled")
    ((prediction, kl),) = predict_assignment({"w": parse_format("nf4")}, {"w": statistics}, fisher).values()
    per_row = prediction.row_errors
    assert np.mean(per_row) == pytest.approx((prediction.R * statistics.rms) ** 2, rel=1e-9)
    by_hand = 0.5 * float((fisher.diagonals["w"].double().numpy() * per_row[:, None]).sum())
    assert kl == pytest.approx(by_hand, rel=1e-6)
    np.testing.assert_allclose(fisher_rows(fisher, "w"), fisher.diagonals["w"].double().sum(1), rtol=1e-12)


def test_an_audit_puts_both_sides_together(tiny: LanguageModel) -> None:
    statistics = model_statistics(tiny)
    every = token_sequences("standard", tiny.tokenizer, length=24, count=200)
    fisher = fisher_information(tiny, every, batch=50)
    reference = build_reference(tiny, every, batch=50)
    found = audit(tiny, assign(tiny.model, parse_format("int4_g64")), reference, statistics, fisher)
    assert found.predicted_bits == pytest.approx(found.bits.per_parameter, rel=1e-9)
    assert found.median_ratio == pytest.approx(1, abs=0.03)
    assert found.predicted_kl == pytest.approx(sum(t.kl for t in found.tensors))
    # Two steps from its random start the model is all but linear, so the quadratic form must hold.
    assert found.predicted_kl == pytest.approx(found.measured.kl.mean(), rel=0.25)


def test_large_divergences_are_warned_of(tiny: LanguageModel, sequences: Sequences) -> None:
    noisy = {w.name: parse_format("binary") for w in weight_tensors(tiny.model)}
    statistics = model_statistics(tiny)
    fisher = Fisher(
        {w.name: torch.full(w.parameter.shape, 1.0) for w in weight_tensors(tiny.model)}, 1, "sampled"
    )
    found = audit(tiny, noisy, build_reference(tiny, sequences), statistics, fisher)
    assert any("beyond the quadratic approximation" in words for words in found.warnings)


def test_weights_that_scales_are_too_small_for_are_called_lost(tiny: LanguageModel) -> None:
    small = copy.deepcopy(tiny.model)
    name, parameter = next((w.name, w.parameter) for w in weight_tensors(small) if w.part == "decoder")
    parameter.data *= 1e-9
    model = LanguageModel("small", small, tiny.tokenizer)
    tokens = token_sequences("standard", tiny.tokenizer, length=16, count=2)
    fisher = Fisher({name: torch.ones(parameter.shape)}, 1, "sampled")
    reference, statistics = build_reference(model, tokens), model_statistics(model)
    for number, lost in (("float16", True), ("float32", False)):
        format = parse_format(f"int4,block=32,scale=absmax:{number}")
        found = audit(model, {name: format}, reference, statistics, fisher)
        assert any(f"left of {name} (R is 1)" in words for words in found.warnings) == lost
        assert found.tensors[0].prediction.R == pytest.approx(found.tensors[0].record.error, rel=0.05)


def test_missing_pieces_are_named(tiny: LanguageModel) -> None:
    with pytest.raises(ValueError, match="w: there are no statistics"):
        predict_assignment({"w": parse_format("nf4")}, {}, Fisher({}, 1, "sampled"))
    statistics: dict[str, TensorStatistics] = {"w": tensor_statistics(weight(8, 64))}
    with pytest.raises(ValueError, match="w: the Fisher information holds no such tensor"):
        predict_assignment({"w": parse_format("nf4")}, statistics, Fisher({}, 1, "sampled"))


@pytest.fixture(scope="module")
def real() -> tuple[LanguageModel, Reference, dict[str, TensorStatistics], Fisher]:
    model = load_model(shared_path("models/stories260K"), device="cpu", dtype="float32")
    text = shared_path("text/tinystories_val/tinystories_val.txt")
    sequences = token_sequences(text, model.tokenizer, length=256, count=12)
    fisher = fisher_information(model, sequences)
    return model, build_reference(model, sequences), model_statistics(model), fisher


@pytest.mark.shared
@pytest.mark.parametrize("spec", ["nf4", "int6_g64", "int8_g64"])
def test_a_real_model_is_predicted(
    real: tuple[LanguageModel, Reference, dict[str, TensorStatistics], Fisher], spec: str
) -> None:
    model, reference, statistics, fisher = real
    assignment = assign(model.model, parse_format(spec), parts=("embedding", "decoder", "head"))
    found = audit(model, assignment, reference, statistics, fisher)
    assert found.median_ratio == pytest.approx(1, abs=0.03)
    kl = found.measured.kl.mean()
    assert kl < 0.05 or spec == "nf4"
    if kl < 0.05:
        assert found.predicted_kl == pytest.approx(kl, rel=0.25)
