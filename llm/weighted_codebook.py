"""Codebooks and scales that minimise an error weighted element by element, by Fisher information or activations.

A codebook is Lloyd's on a sample of elements over their block's scale, each weighted by its Fisher information (or
its input's second moment) times its scale squared: the sum it minimises is the weighted squared error of the
restored weights.  The catch: weights that concentrate in few elements leave few that decide; the sample says how
many it is worth.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ..theory import Empirical, Format, ScalarQuantiser, lloyd_max
from ..theory._typing import FloatArray
from ..theory.formats.elements import Codebook
from .format_codec import quantise_tensor, to_numpy
from .models import WeightTensor

__all__ = [
    "SCALE_FACTORS",
    "WeightedSample",
    "weighted_codebook",
    "weighted_error",
    "weighted_sample",
    "weighted_scale",
]

# Tried on a block's statistic by `weighted_scale`: in steps of 1/32 octave they are 1% from the best at most.
SCALE_FACTORS = tuple(float(factor) for factor in 2.0 ** (np.arange(-24, 9) / 32))


@dataclass(frozen=True, eq=False)
class WeightedSample:
    """Elements over their block's statistic.

    Attributes
    ----------
    values : ndarray of float64, shape (n,)
    weights : ndarray of float64, shape (n,)
        What a unit of squared error costs here: the element's weight times the statistic squared.
    """

    values: FloatArray
    weights: FloatArray

    def error(self, quantiser: ScalarQuantiser) -> float:
        """Weighted sum of squared errors of a quantiser."""
        return float(np.dot(self.weights, (quantiser(self.values) - self.values) ** 2))

    @property
    def effective_count(self) -> float:
        """Elements of equal weight that would decide as much: (sum of w)^2 / sum of w^2."""
        return float(self.weights.sum() ** 2 / np.sum(self.weights**2))


def weighted_sample(
    tensors: Iterable[WeightTensor],
    weights: Mapping[str, torch.Tensor],
    format: Format,
    *,
    count: int = 1 << 18,
    seed: int = 0,
) -> WeightedSample:
    """Elements of tensors, drawn without regard to their weight, over the statistic of their block.

    Parameters
    ----------
    tensors : iterable of WeightTensor
    weights : mapping of str to torch.Tensor
        By name of the tensor, not negative and not all zero: of its shape (`Fisher.diagonals`), or one for each
        input (`Activations.moments`, diagonal).
    format : Format
        Its blocks and their stored scales (absmax, signmax or rms) are used, its element is not.
    count : int
        Elements in all, or as many as there are.
    seed : int

    Raises
    ------
    ValueError
        If there are no tensors, the format's scales are of another kind, or weights are missing, of another shape,
        negative, not finite or all zero.
    """
    base = _in_units_of_the_statistic(format)
    chosen = list(tensors)
    total = sum(tensor.parameter.numel() for tensor in chosen)
    if total == 0:
        raise ValueError("tensors must hold at least one element")
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    share = min(1.0, count / total)
    rng = np.random.default_rng(seed)
    parts = [_sampled(tensor, _matched(tensor, weights), base, share, rng) for tensor in chosen]
    if not any(weights[tensor.name].any() for tensor in chosen):
        more = f" and {len(chosen) - 1} more" if len(chosen) > 1 else ""
        raise ValueError(f"weights of {chosen[0].name}{more} are all zero, so that no error counts")
    values, costs = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    return WeightedSample(values, costs)


def weighted_codebook(
    tensors: Iterable[WeightTensor],
    weights: Mapping[str, torch.Tensor],
    format: Format,
    levels: int,
    *,
    count: int = 1 << 18,
    seed: int = 0,
    exact: bool = False,
) -> Format:
    """Replace a format's element by the codebook of least weighted error on a sample of tensors.

    Parameters
    ----------
    tensors, weights, format, count, seed
        See `weighted_sample`.
    levels : int
        Codepoints.
    exact : bool
        The global optimum by dynamic programming, about 2 microseconds an element; otherwise within about 0.02% of
        it.

    Returns
    -------
    Format
        With an explicit codebook, whose 32 bits a codepoint count in every tensor; the rest as given.

    Raises
    ------
    ValueError
        As `weighted_sample`, or if the sample has fewer distinct values than levels or no weight.
    """
    sample = weighted_sample(tensors, weights, format, count=count, seed=seed)
    quantiser = lloyd_max(Empirical(sample.values, sample.weights), levels, certify=exact)
    return replace(_in_units_of_the_statistic(format), element=Codebook(tuple(quantiser.codepoints.tolist())))


def weighted_scale(
    tensor: WeightTensor,
    weights: Mapping[str, torch.Tensor],
    format: Format,
    factors: Iterable[float] = SCALE_FACTORS,
) -> Format:
    """Multiply a format's scales by the factor of least weighted error on a tensor.

    Parameters
    ----------
    tensor : WeightTensor
    weights : mapping of str to torch.Tensor
        See `weighted_sample`.
    format : Format
    factors : iterable of float > 0
        Tried on the format's own multiplier, besides 1.

    Returns
    -------
    Format
        Of no higher weighted error than the format given, which is returned where none is better.

    Raises
    ------
    ValueError
        If the multiplier of the format is not a number, or the weights do not fit the tensor.
    """
    own = format.scale.multiplier
    if isinstance(own, str) or format.scale.statistic == "none":
        raise ValueError(f"format must have scales with a number as multiplier, got {format}")
    tried = [replace(format, scale=replace(format.scale, multiplier=own * factor)) for factor in factors]
    return min([format, *tried], key=lambda candidate: weighted_error(tensor, weights, candidate))


def weighted_error(tensor: WeightTensor, weights: Mapping[str, torch.Tensor], format: Format) -> float:
    """Sum of weighted squared errors of a tensor in a format.

    Parameters
    ----------
    tensor, weights, format
        See `weighted_sample`; any format.

    Raises
    ------
    ValueError
        If the weights do not fit the tensor, or it cannot be stored.
    """
    costs, before = _matched(tensor, weights), tensor.parameter.detach()
    change = quantise_tensor(format, before).restored.double() - before.double()
    return float((costs.to(change.device) * change.square()).sum())


def _in_units_of_the_statistic(format: Format) -> Format:
    whole = format.group is None and format.outliers is None and format.rotation is None
    if (
        format.scale.statistic not in ("absmax", "signmax", "rms")
        or isinstance(format.block, tuple)
        or not whole
    ):
        raise ValueError(
            "format must scale runs, rows or the tensor by absmax, signmax or rms, without groups, outliers or a "
            f"rotation, got {format}"
        )
    return replace(format, scale=replace(format.scale, reach=1.0, search="none", multiplier=1.0))


def _matched(tensor: WeightTensor, weights: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Weights of a tensor's elements in float64, broadcast to its shape."""
    if tensor.name not in weights:
        raise ValueError(f"{tensor.name}: there are no weights for this tensor")
    given, shape = weights[tensor.name].double(), tensor.parameter.shape
    if given.ndim == 2 and len(shape) == 3:  # one row for each expert
        given = given[:, None]
    of_inputs = (shape[-1:], (*shape[:-1], 1), (shape[0], 1, shape[-1]))
    if given.shape != shape and tuple(given.shape) not in of_inputs:
        raise ValueError(
            f"{tensor.name}: weights must have its shape {tuple(shape)} or one for each input, got "
            f"{tuple(weights[tensor.name].shape)}"
        )
    if not (torch.isfinite(given).all() and (given >= 0).all()):
        raise ValueError(f"{tensor.name}: weights must be finite and not negative")
    return given.expand(shape)


def _sampled(
    tensor: WeightTensor, costs: torch.Tensor, base: Format, share: float, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Some elements over their scale, and their costs; elements of blocks without a scale are left out."""
    x: Any = to_numpy(tensor.parameter)
    scales = _spread(base.encode(x).scales.astype(np.float64), x.shape, base)
    places = np.arange(x.size) if share == 1.0 else np.flatnonzero(rng.random(x.size) < share)
    scale, value = scales.reshape(-1)[places], x.reshape(-1)[places].astype(np.float64)
    cost = costs.cpu().numpy().reshape(-1)[places]
    live = scale != 0
    return value[live] / scale[live], cost[live] * scale[live] ** 2


def _spread(scales: FloatArray, shape: tuple[int, ...], format: Format) -> FloatArray:
    """Scale of each element."""
    if format.block == "tensor":
        return np.broadcast_to(scales.reshape(-1)[0], shape)
    width = format.block if isinstance(format.block, int) else shape[-1]
    return np.repeat(scales.reshape(*shape[:-1], -1), width, axis=-1)[..., : shape[-1]]
