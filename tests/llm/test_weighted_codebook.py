"""Codebooks and scales under weights: no worse than those without, where the weights count."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from bitlaw.llm.format_codec import quantise_tensor
from bitlaw.llm.models import WeightTensor
from bitlaw.llm.weighted_codebook import weighted_codebook, weighted_sample, weighted_scale
from bitlaw.theory import Empirical, Format, lloyd_max, parse_format


def tensors() -> tuple[list[WeightTensor], dict[str, torch.Tensor]]:
    """Heavy-tailed weights whose costs grow with their size, so that weighted and plain optima differ."""
    generator = torch.Generator().manual_seed(0)
    found, costs = [], {}
    for name, shape, rms in (("a", (24, 100), 0.02), ("b", (2, 8, 128), 0.1)):
        x = (
            rms
            * torch.randn(shape, generator=generator)
            * torch.rand(shape, generator=generator).rsqrt().clamp(max=4)
        )
        found.append(WeightTensor(name, nn.Parameter(x), "decoder"))
        costs[name] = x.abs() / rms * torch.rand(shape, generator=generator)
    return found, costs


def weighted_error(format: Format, tensor: WeightTensor, costs: torch.Tensor) -> float:
    before = tensor.parameter.detach()
    change = quantise_tensor(format, before).restored.double() - before.double()
    return float((costs.double() * change.square()).sum())


@pytest.mark.parametrize("statistic", ["absmax", "signmax", "rms"])
@pytest.mark.parametrize("block", ["32", "channel", "tensor"])
def test_weighted_codebooks_beat_plain_ones_under_the_weights(statistic: str, block: str) -> None:
    format = parse_format(f"int3,block={block},scale={statistic}:float32")
    chosen, costs = tensors()
    sample = weighted_sample(chosen, costs, format)
    plain = lloyd_max(Empirical(sample.values), 8)
    found = weighted_codebook(chosen, costs, format, 8, exact=True)
    quantiser = found.element.quantiser(statistic, 32)
    assert sample.error(quantiser) < sample.error(plain)
    # What the sample promises is what restored tensors have: nothing was left out of it.
    restored = sum(weighted_error(found, tensor, costs[tensor.name]) for tensor in chosen)
    assert restored == pytest.approx(sample.error(quantiser), rel=1e-4)
    assert found.block == format.block
    assert found.scale.statistic == statistic


def test_equal_weights_give_the_plain_codebook_of_restored_error() -> None:
    format = parse_format(
        "int3,scale=rms:float32"
    )  # one scale for all: weights times scale squared are equal
    chosen, _ = tensors()
    ones = {"a": torch.ones(chosen[0].parameter.shape)}
    sample = weighted_sample(chosen[:1], ones, format)
    plain = lloyd_max(Empirical(sample.values), 8, certify=True)
    found = weighted_codebook(chosen[:1], ones, format, 8, exact=True)
    np.testing.assert_allclose(found.element.quantiser("rms", 1).codepoints, plain.codepoints, rtol=1e-9)
    assert sample.effective_count == pytest.approx(2400)


def test_second_moments_of_inputs_weigh_columns() -> None:
    chosen, _ = tensors()
    format = parse_format("int3_g32")
    by_input = {"a": torch.rand(100), "b": torch.rand(2, 128)}
    spread = {"a": by_input["a"].expand(24, 100), "b": by_input["b"][:, None].expand(2, 8, 128)}
    one, other = (weighted_sample(chosen, weights, format) for weights in (by_input, spread))
    np.testing.assert_array_equal(one.weights, other.weights)


def test_samples_are_of_the_size_asked_for_and_reproducible() -> None:
    chosen, costs = tensors()
    one, other = (
        weighted_sample(chosen, costs, parse_format("int3_g32"), count=1000, seed=5) for _ in range(2)
    )
    np.testing.assert_array_equal(one.values, other.values)
    assert abs(len(one.values) - 1000) < 5 * np.sqrt(1000)


def test_searched_scales_never_lose_under_the_weights() -> None:
    chosen, costs = tensors()
    format = parse_format("int3_g32")
    found = weighted_scale(chosen[0], costs, format)
    assert weighted_error(found, chosen[0], costs["a"]) < weighted_error(format, chosen[0], costs["a"])
    large = chosen[0].parameter.detach().abs() > 0.05
    for_large, for_small = (
        weighted_scale(chosen[0], {"a": some.float()}, format) for some in (large, ~large)
    )
    assert for_large.scale.multiplier > for_small.scale.multiplier
    assert weighted_scale(chosen[0], costs, format, factors=[8.0]) == format


@pytest.mark.parametrize(
    ("format", "weights", "message"),
    [
        ("q4_1", {"a": torch.ones(24, 100)}, "format must scale runs, rows or the tensor"),
        (
            "int4_g32,rotation=hadamard",
            {"a": torch.ones(24, 100)},
            "format must scale runs, rows or the tensor",
        ),
        ("int4_g32", {}, "a: there are no weights"),
        ("int4_g32", {"a": torch.ones(24)}, r"a: weights must have its shape \(24, 100\) .* got \(24,\)"),
        ("int4_g32", {"a": -torch.ones(100)}, "a: weights must be finite and not negative"),
        ("int4_g32", {"a": torch.full((100,), float("nan"))}, "a: weights must be finite and not negative"),
        ("int4_g32", {"a": torch.zeros(100)}, "weights"),
    ],
    ids=["minmax", "rotation", "missing", "shape", "negative", "nan", "zero"],
)
def test_unfit_weights_and_formats_are_refused(
    format: str, weights: dict[str, torch.Tensor], message: str
) -> None:
    chosen = tensors()[0][:1]
    with pytest.raises(ValueError, match=message):
        weighted_codebook(chosen, weights, parse_format(format), 8)


def test_empty_samples_and_scales_without_a_multiplier_are_refused() -> None:
    chosen, costs = tensors()
    with pytest.raises(ValueError, match="count must be at least 1, got 0"):
        weighted_sample(chosen, costs, parse_format("int3_g32"), count=0)
    with pytest.raises(ValueError, match="tensors must hold at least one element"):
        weighted_sample([], costs, parse_format("int3_g32"))
    with pytest.raises(ValueError, match="format must have scales with a number as multiplier"):
        weighted_scale(chosen[0], costs, parse_format("int4,scale=none"))
