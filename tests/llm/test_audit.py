"""Predictions for tensors and models against what is measured."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from bitlaw.llm.audit import audit, fisher_rows, model_statistics, predict_assignment
from bitlaw.llm.fisher import Fisher, fisher_information
from bitlaw.llm.format_codec import quantise_tensor
from bitlaw.llm.models import LanguageModel, WeightTensor, load_model, weight_tensors
from bitlaw.llm.quantise import assign
from bitlaw.llm.reference import Reference, build_reference
from bitlaw.llm.statistics import TensorStatistics, tensor_statistics
from bitlaw.llm.tensor_prediction import predict_tensor
from bitlaw.llm.text import Sequences, token_sequences
from bitlaw.theory import parse_format

from ..conftest import shared_path

FORMATS = (
    "nf4",
    "mxfp4",
    "int4_g64",
    "int3_g32_asym",
    "e2m1,block=channel",
    "int4,block=channel,outliers=0.005",
)


def weight(rows: int = 256, columns: int = 512, spread: float = 0.0, seed: int = 0) -> WeightTensor:
    """Normal weights, rows of different spreads."""
    generator = torch.Generator().manual_seed(seed)
    scale = torch.exp2(spread * torch.randn(rows, 1, generator=generator))
    return WeightTensor(
        "w", nn.Parameter(0.02 * scale * torch.randn(rows, columns, generator=generator)), "decoder"
    )


# Rows of mixed spreads have no law of one family, which is what outliers across rows would need.
@pytest.mark.parametrize(
    ("spec", "spread"), [(s, 0.0) for s in FORMATS] + [(s, 0.7) for s in FORMATS if "outliers" not in s]
)
def test_independent_weights_are_predicted_within_a_percent(spec: str, spread: float) -> None:
    tensor = weight(spread=spread)
    format = parse_format(spec)
    predicted = predict_tensor(format, tensor_statistics(tensor))
    stored = quantise_tensor(format, tensor.parameter.detach())
    error = (stored.restored - tensor.parameter.detach()).double()
    measured = float(error.norm() / tensor.parameter.detach().double().norm())
    assert predicted.R == pytest.approx(measured, rel=0.01)
    assert predicted.bits == pytest.approx(stored.bits / error.numel(), rel=0.001)
    assert predicted.entropy == pytest.approx(stored.entropy, abs=0.02)


def test_a_law_of_the_wrong_shape_is_seen_to_miss() -> None:
    tensor = weight()
    with torch.no_grad():
        tensor.parameter[:, :64] *= 8  # large weights keep to blocks of their own
    format = parse_format("int4_g64")
    predicted = predict_tensor(format, tensor_statistics(tensor)).R
    before = tensor.parameter.detach()
    stored = quantise_tensor(format, before).restored
    measured = float((stored - before).norm() / before.norm())
    assert predicted / measured > 1.1


def test_predicted_divergence_is_half_fisher_times_error() -> None:
    tensor = weight(8, 64)
    statistics = tensor_statistics(tensor)
    fisher = Fisher({"w": torch.rand(8, 64, generator=torch.Generator().manual_seed(0))}, 1, "sampled")
    ((prediction, kl),) = predict_assignment({"w": parse_format("nf4")}, {"w": statistics}, fisher).values()
    per_row = prediction.R**2 * statistics.row_rms**2
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


def test_missing_pieces_are_named(tiny: LanguageModel) -> None:
    with pytest.raises(ValueError, match="w: there are no statistics"):
        predict_assignment({"w": parse_format("nf4")}, {}, Fisher({}, 1, "sampled"))
    statistics: dict[str, TensorStatistics] = {"w": tensor_statistics(weight(8, 64))}
    with pytest.raises(ValueError, match="w: the Fisher information holds no such tensor"):
        predict_assignment({"w": parse_format("nf4")}, statistics, Fisher({}, 1, "sampled"))


def test_constant_and_zero_tensors_are_predicted() -> None:
    zero = WeightTensor("w", nn.Parameter(torch.zeros(4, 64)), "decoder")
    assert predict_tensor(parse_format("int4_g64"), tensor_statistics(zero)).R == 0.0
    constant = WeightTensor("w", nn.Parameter(torch.full((4, 64), 0.5)), "decoder")
    assert np.isfinite(predict_tensor(parse_format("int4_g64"), tensor_statistics(constant)).R)


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
