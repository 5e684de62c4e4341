"""R and bits of trained tensors in formats of every kind are as predicted, and where R is not, the reason is known.

A matrix of each kind, each from another layer.  The median lies within 3%.  Every matrix of the decoder lies within
five standard errors, as the errors of its rows scatter, and 0.3% of the draw that the prediction is made from; there
are 1,500 to compare.  Embedding and head, of which many rows are nearly equal, lie within 20%.  What does not is named,
and for each reason a test takes it away and finds the prediction good.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from bitlaw.llm.format_codec import quantise_tensor
from bitlaw.llm.models import WeightTensor, weight_tensors
from bitlaw.llm.statistics import TensorStatistics, tensor_statistics
from bitlaw.llm.tensor_prediction import predict_tensor
from bitlaw.theory import parse_format
from bitlaw.theory.formats.names import known_names

from .trained import MODELS, real_model

FORMATS = (
    *known_names(),
    # What shares a scale, and how it is stored.
    "int6,block=tensor",
    "nf4,block=channel",
    "int4,block=8x8",
    "e2m1,block=16x16,scale=absmax:e4m3,group=tensor:float32",
    "nf4,block=32,scale=absmax:e5m2",
    "int4,block=32,scale=absmax:uint6,group=8:float16",
    "int6sym,block=128,scale=absmax:e8m0:up",
    "uint4,block=64,scale=minmax:float16,zero=integer",
    "int4,block=64,scale=rms:float16,multiplier=moment",
    # Elements.
    "int4half,block=64",
    "e3m0,block=32",
    "e1m2,block=16",
    "pow2-4,block=64",
    "{-1;-0.4;0;0.4;1},block=64",
    "cbrt4:normal,scale=rms:float32",
    "cbrt4:laplace,block=64",
    "lloyd4:normal,block=64,scale=signmax",
    "lloyd3:student-t:5,block=32",
    "vq4x2:normal,block=channel,scale=rms",
    "vq2x4:normal,scale=rms:float32",
    # Searches.
    "int4,block=64,search=tensor",
    "int3,block=32,scale=absmax:float16,search=block",
    "int5,block=channel,scale=rms,search=tensor",
    # What is kept apart.
    "int5,block=channel,outliers=1%",
    "int6,block=tensor,outliers=0.5%",
    "int4,block=64,outliers=>3",
    "int4,block=64,outliers=1%:e5m2",
    "nf4,outliers=0.5%",
    # Rotations.
    "int4,block=channel,rotation=hadamard",
    "int5,block=32,rotation=hadamard",
    "int4,block=channel,rotation=orthogonal:seed=3",
    "int6,block=tensor,rotation=hadamard",
    # Lossless codes.
    "int12sym,scale=rms:float32,reach=1,multiplier=0.2,code=entropy",
    "int4,block=64,code=entropy",
    "int8,block=channel,code=entropy",
)
# One scale for all rotated elements hangs on the largest one, of which nothing is known.
ROTATED = "int6,block=tensor,rotation=hadamard"
# One model was stored in blocks of eight bits, and formats of eight bits find much of that grid again.
GRID = "stories3M-from-int8"
REGAINED = ("q8_0", "int8,block=channel,code=entropy", "bf16", "fp16")
# Another one was trained in bfloat16, and its float32 weights gather halfway between two numbers of that type.
HALFWAY = ("stories260K", "bf16")
# A matrix of that model whose larger weights keep to columns of their own.
ORDERED = "model.layers.4.self_attn.o_proj.weight"
# Relative error of the draw that a prediction is made from (`predict_tensor`).
DRAW = 0.003


@dataclass(frozen=True, eq=False)
class Compared:
    """A format on a tensor: R measured over predicted, its standard error, and bits for each element."""

    decoder: bool
    ratio: float
    error: float
    bits: float
    predicted_bits: float

    @property
    def inside(self) -> bool:
        """Whether R is what independent rows make probable."""
        return abs(self.ratio - 1) <= DRAW + 5 * self.error


@cache
def sampled(model: str) -> tuple[tuple[WeightTensor, TensorStatistics], ...]:
    """Embedding, head, and a matrix of each kind in the decoder, from one layer after the other."""
    kinds: dict[str, list[WeightTensor]] = {}
    for tensor in weight_tensors(real_model(model).model):
        kinds.setdefault(re.sub(r"\d+", "*", tensor.name), []).append(tensor)
    chosen = [of_kind[place % len(of_kind)] for place, of_kind in enumerate(kinds.values())]
    return tuple((tensor, tensor_statistics(tensor)) for tensor in chosen)


def compare(
    spec: str,
    tensor: WeightTensor,
    statistics: TensorStatistics | None = None,
    predicted_as: str | None = None,
) -> Compared:
    """A format on a tensor, predicted as if it were another one if wished."""
    weights = tensor.parameter.detach()
    prediction = predict_tensor(parse_format(predicted_as or spec), statistics or tensor_statistics(tensor))
    stored = quantise_tensor(parse_format(spec), weights)
    change = (stored.restored - weights).double().square().sum(1).numpy()
    energy = weights.double().square().sum(1).numpy()
    share = change.sum() / energy.sum()
    # Standard error of a ratio of sums over rows, halved for its root.
    error = np.sqrt(np.sum((change - share * energy) ** 2)) / change.sum() / 2 if share else 0.0
    bits = stored.bits / weights.numel()
    return Compared(
        tensor.part == "decoder", np.sqrt(share) / prediction.R, float(error), bits, prediction.bits
    )


@cache
def compared(model: str, spec: str) -> dict[str, Compared]:
    """A format on all sampled tensors."""
    return {tensor.name: compare(spec, tensor, statistics) for tensor, statistics in sampled(model)}


def of(tensor: WeightTensor, values: torch.Tensor) -> WeightTensor:
    return WeightTensor(tensor.name, nn.Parameter(values), tensor.part)


def bits_are_predicted(spec: str, found: Compared) -> bool:
    """To the last one, but for outliers and lossless codes, which depend on what the weights are."""
    if "outliers=>" in spec or "code=entropy" in spec:
        return found.predicted_bits == pytest.approx(found.bits, abs=0.1 if found.decoder else 0.3)
    return found.predicted_bits == pytest.approx(found.bits, abs=0.006 if "outliers" in spec else 1e-12)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("spec", FORMATS)
def test_tensors_are_predicted(model: str, spec: str) -> None:
    found = compared(model, spec)
    assert [name for name, one in found.items() if not bits_are_predicted(spec, one)] == []
    if spec == ROTATED or (model == GRID and spec in REGAINED) or (model, spec) == HALFWAY:
        return  # tested below
    assert np.median([one.ratio for one in found.values()]) == pytest.approx(1, abs=0.03)
    outside = {name for name, one in found.items() if one.decoder and not one.inside}
    assert outside <= ({ORDERED} if model == GRID else set())
    assert max(abs(one.ratio - 1) for one in found.values()) < 0.2


def test_half_a_bit_more_or_less_would_be_seen() -> None:
    for spec in set(FORMATS) - {ROTATED}:
        for name, one in compared("embedded", spec).items():
            for factor in (2**-0.5, 2**0.5):
                assert not one.decoder or not replace(one, ratio=factor * one.ratio).inside, (spec, name)


@pytest.mark.parametrize(
    ("spec", "other"),
    [
        ("mxfp4", "e2m1,block=32,scale=absmax:float16"),
        ("q4_0", "int4,block=32,scale=absmax:float16"),
        ("int4_g64", "int4_g128"),
        ("nf4", "sf4,block=64"),
        ("int5,block=channel,outliers=1%", "int5,block=channel"),
        ("int4,block=64,search=tensor", "int4,block=64"),
    ],
)
def test_the_prediction_of_another_scale_or_element_would_be_seen(spec: str, other: str) -> None:
    found = [compare(spec, *one, predicted_as=other) for one in sampled("embedded")]
    decoder = [one for one in found if one.decoder]
    assert sum(not one.inside for one in decoder) > len(decoder) / 2


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("embedded", "lm_head.weight"),
        pytest.param("stories260K", "model.embed_tokens.weight", marks=pytest.mark.shared),
    ],
)
def test_a_matrix_is_predicted_like_others_without_the_rows_that_are_alike(model: str, name: str) -> None:
    (tensor,) = [tensor for tensor, _ in sampled(model) if tensor.name == name]
    rows = tensor.parameter.detach()
    directions = nn.functional.normalize(rows)
    cosines = (directions @ directions.T).fill_diagonal_(0.0)
    alone = of(tensor, rows[cosines.max(1).values < 0.7].clone())
    assert 0.2 < len(alone.parameter) / len(rows) < 0.8
    for spec in ("ternary", "e3m0,block=32", "mxfp4", "lloyd3:student-t:5,block=32"):
        assert not compare(spec, tensor).inside
        assert compare(spec, alone).inside


@pytest.mark.shared
def test_a_matrix_with_an_order_within_rows_is_predicted_once_they_are_shuffled() -> None:
    (tensor,) = [tensor for tensor, _ in sampled(GRID) if tensor.name == ORDERED]
    weights = tensor.parameter.detach()
    places = torch.rand(weights.shape, generator=torch.Generator().manual_seed(0)).argsort(1)
    shuffled = of(tensor, weights.gather(1, places))
    for spec in ("q4_0", "mxint8", "int4,block=8x8"):
        assert not compare(spec, tensor).inside
        assert compare(spec, shuffled).inside


@pytest.mark.shared
@pytest.mark.parametrize(("spec", "regained"), [(REGAINED[0], 0.62), (REGAINED[1], 0.83)])
def test_weights_that_came_from_a_grid_are_predicted_once_noise_hides_it(spec: str, regained: float) -> None:
    generator = torch.Generator().manual_seed(0)
    found = [compared(GRID, spec)[tensor.name] for tensor, _ in sampled(GRID)]
    assert np.median([one.ratio for one in found]) == pytest.approx(regained, abs=0.02)
    for tensor, _ in sampled(GRID):
        blocks = tensor.parameter.detach().reshape(-1, 32)
        steps = blocks.abs().amax(1, keepdim=True) / 127
        noise = steps * (2 * torch.rand(blocks.shape, generator=generator) - 1)
        hidden = compare(spec, of(tensor, (blocks + noise).reshape(tensor.parameter.shape)))
        assert hidden.inside or not hidden.decoder or tensor.name == ORDERED


@pytest.mark.shared
@pytest.mark.parametrize(("model", "spec", "bits"), [(GRID, "bf16", 8), (GRID, "fp16", 11), (*HALFWAY, 8)])
def test_weights_drawn_to_a_16_bit_type_are_predicted_once_noise_hides_it(
    model: str, spec: str, bits: int
) -> None:
    generator = torch.Generator().manual_seed(0)
    assert sum(one.decoder and not one.inside for one in compared(model, spec).values()) >= 3
    for tensor, _ in sampled(model):
        weights = tensor.parameter.detach()
        steps = torch.exp2(weights.abs().log2().floor() + 1 - bits).nan_to_num(posinf=0, neginf=0)
        hidden = compare(
            spec, of(tensor, weights + steps * (torch.rand(weights.shape, generator=generator) - 0.5))
        )
        assert hidden.inside or not hidden.decoder or tensor.name == ORDERED


def test_one_scale_for_a_rotated_tensor_hangs_on_the_largest_rotated_element() -> None:
    format = parse_format(ROTATED)
    assert format.rotation is not None
    assert sum(not one.inside for one in compared("embedded", ROTATED).values()) >= 3
    for tensor, _ in sampled("embedded"):
        weights = tensor.parameter.detach()
        error = quantise_tensor(format, weights).restored - weights
        rotated = format.rotation.apply(weights.double().numpy())
        # A uniform grid of 31 steps up to the largest element.
        step = np.abs(rotated).max() / 31
        assert float(error.double().square().mean().sqrt()) == pytest.approx(step / np.sqrt(12), rel=0.03)
