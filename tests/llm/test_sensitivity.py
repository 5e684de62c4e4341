"""Noise on one tensor: what is added, what it costs, and what Fisher information says of it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from bitlaw.llm.divergence import measure_divergence
from bitlaw.llm.estimates import Estimate
from bitlaw.llm.fisher import Fisher, fisher_information
from bitlaw.llm.models import LanguageModel, load_model, weight_tensors
from bitlaw.llm.reference import Reference, build_reference
from bitlaw.llm.sensitivity import Sensitivity, noise_sensitivity
from bitlaw.llm.text import Sequences

from .unusual import random_model, random_tokens

DOWN = "model.layers.0.mlp.down_proj.weight"


@pytest.fixture(scope="module")
def reference(tiny: LanguageModel, sequences: Sequences) -> Reference:
    return build_reference(tiny, sequences)


def test_noise_has_the_size_that_was_asked_for(tiny: LanguageModel, reference: Reference) -> None:
    """Fisher information of ones turns the prediction into half the sum of squares."""
    ones = Fisher({w.name: torch.ones(w.parameter.shape) for w in weight_tensors(tiny.model)}, 1, "sampled")
    (found,) = noise_sensitivity(tiny, reference, noise=0.03, fisher=ones, names=[DOWN])
    weights = dict(tiny.model.named_parameters())[DOWN].double()
    relative = math.sqrt(2 * found.predicted / float(weights.square().sum()))
    # Root mean square of n normal numbers: relative standard deviation 1 / sqrt(2 n).
    assert relative == pytest.approx(0.03, rel=4 / math.sqrt(2 * weights.numel()))


def test_predictions_are_those_of_the_noise_that_was_measured(
    tiny: LanguageModel, sequences: Sequences, reference: Reference
) -> None:
    fisher = fisher_information(tiny, sequences)
    found = noise_sensitivity(tiny, reference, noise=0.02, fisher=fisher)
    assert [one.name for one in found] == [w.name for w in weight_tensors(tiny.model)]
    embedding = found[0]
    assert embedding.ratio == pytest.approx(1, abs=0.35)
    assert embedding.ratio == embedding.kl.value / embedding.predicted


def test_a_tensor_meets_the_same_noise_whichever_others_are_disturbed(
    tiny: LanguageModel, reference: Reference
) -> None:
    few = reference.first(2)
    every = {one.name: one.kl.value for one in noise_sensitivity(tiny, few)}
    (alone,) = noise_sensitivity(tiny, few, names=[DOWN])
    (other,) = noise_sensitivity(tiny, few, names=[DOWN], seed=1)
    assert alone.kl.value == every[DOWN]
    assert other.kl.value != every[DOWN]


def test_noise_on_weights_of_16_bits_is_told_as_it_was_rounded(
    tiny_folder: Path, sequences: Sequences
) -> None:
    """Noise far below the last digit hardly moves a weight; what it was meant to be would predict another error."""
    model = load_model(tiny_folder, device="cpu", dtype="bfloat16")
    few = build_reference(model, Sequences(sequences.tokens[:2], "few"))
    weights = dict(model.model.named_parameters())[DOWN]
    ones = Fisher({DOWN: torch.ones(weights.shape)}, 1, "sampled")
    (found,) = noise_sensitivity(model, few, noise=1e-7, fisher=ones, names=[DOWN])
    assert found.predicted < 1e-3 * 0.5 * float((1e-7 * weights.double()).square().sum())
    assert measure_divergence(model, few).kl.max() < 1e-3


@pytest.mark.parametrize("kind", ["mixtral", "gpt2"])
def test_stacks_of_experts_and_transposed_rows_are_disturbed_and_restored(kind: str) -> None:
    model, text = random_model(kind), random_tokens(3, 12)
    before = {name: value.clone() for name, value in model.model.named_parameters()}
    found = noise_sensitivity(model, build_reference(model, text), noise=0.1)
    assert [one.name for one in found] == [w.name for w in weight_tensors(model.model)]
    assert all(one.kl.value > 0 for one in found)
    assert all(torch.equal(value, before[name]) for name, value in model.model.named_parameters())


def test_predictions_outside_the_interval_are_told() -> None:
    kl = Estimate(1.0, 0.8, 1.2, 0.1, 8)
    told = {predicted: Sensitivity("w", 0.1, kl, predicted) for predicted in (0.7, 0.9, 1.3, math.nan)}
    assert [one.is_outside for one in told.values()] == [True, False, True, False]
    assert math.isnan(Sensitivity("w", 0.1, kl, 0.0).ratio)


def test_faults_are_told_before_anything_is_disturbed(tiny: LanguageModel, reference: Reference) -> None:
    def bad(fisher: Fisher) -> list[Sensitivity]:
        return noise_sensitivity(tiny, reference, fisher=fisher, names=[DOWN])

    with pytest.raises(ValueError, match="the Fisher information holds no such tensor"):
        bad(Fisher({}, 1, "sampled"))
    with pytest.raises(ValueError, match="the Fisher information must be of 2560 weights, got 4"):
        bad(Fisher({DOWN: torch.ones(2, 2)}, 1, "sampled"))
    with pytest.raises(ValueError, match="seed must be a whole number"):
        noise_sensitivity(tiny, reference, seed=-1)
    for noise in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="noise must be positive and finite"):
            noise_sensitivity(tiny, reference, noise=noise)
