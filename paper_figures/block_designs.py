"""Codebooks for blocks divided by their largest magnitude, and their errors: integrated, and on one seeded draw."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from bitlaw.theory import (
    BlockScaled,
    Laplace,
    Normal,
    ScalarQuantiser,
    Source,
    StudentT,
    Truncated,
    compand,
    evaluate,
    lloyd_max,
)
from bitlaw.theory.formats.elements.cube_root import approximate_block_maximum

from .format_curves import draw_measured, measured_entry

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "Estimate",
    "blocks",
    "closed_form",
    "divided",
    "draw_estimate",
    "error",
    "measured",
    "measured_entry",
    "optimum",
    "optimum_with_ends",
]

Ends = Literal["interior", "closed", "upper"]

_SEED, _ELEMENTS = 20_250_512, 2**18


@cache
def divided(source: Source, block_size: int, scale: str = "absmax") -> BlockScaled:
    """Law of an element of a block over the block's largest magnitude, remembered with its integrals."""
    return BlockScaled(source, block_size, scale)


def closed_form(
    source: Source, levels: int, block_size: int, power: float = 1 / 3, ends: Ends = "closed"
) -> ScalarQuantiser:
    """Codepoints spread as f^power, f cut at the closed form of the expected maximum."""
    maximum = approximate_block_maximum(source, block_size)
    cut = Truncated(source, -maximum, maximum)
    return ScalarQuantiser(compand(cut, levels, power=power, ends=ends).codepoints / maximum)


@cache
def optimum(source: Source, levels: int, block_size: int) -> ScalarQuantiser:
    """Least error of the restored values: the best of Newton solutions with both ends, one and none held by atoms."""
    law = divided(source, block_size)
    both: tuple[Ends, ...] = ("closed", "upper", "interior")
    starts = [closed_form(source, levels, block_size, ends=ends).codepoints for ends in both]
    found = [lloyd_max(law, levels, start=start) for start in starts]
    return min(found, key=lambda quantiser: evaluate(quantiser, law).distortion)


@cache
def optimum_with_ends(source: Source, levels: int, block_size: int) -> ScalarQuantiser:
    """Least error of the restored values with codepoints at -1 and 1."""
    start = closed_form(source, levels, block_size).codepoints
    return lloyd_max(divided(source, block_size), levels, start=start, pinned={0: -1.0, levels - 1: 1.0})


def error(quantiser: ScalarQuantiser, law: Source) -> float:
    """Relative RMS error R of the restored values."""
    return float(evaluate(quantiser, law).distortion ** 0.5 / law.std)


@dataclass(frozen=True)
class Estimate:
    """Something measured on a draw, and its standard error."""

    value: float
    standard_error: float


@cache
def blocks(source: Source, block_size: int) -> NDArray[np.float64]:
    """Blocks of a law of unit variance, by numpy's generators and not by the quantiles of the theory."""
    generator, shape = np.random.default_rng(_SEED), (max(_ELEMENTS // block_size, 64), block_size)
    if isinstance(source, StudentT):
        values = generator.standard_t(source.df, shape) * (1 - 2 / source.df) ** 0.5
    elif isinstance(source, Laplace):
        values = generator.laplace(0.0, 0.5**0.5, shape)
    elif isinstance(source, Normal):
        values = generator.standard_normal(shape)
    else:
        raise TypeError(f"source must be normal, Laplace or Student-t, got {source!r}")
    values.flags.writeable = False
    return np.asarray(values, dtype=np.float64)


def measured(quantiser: ScalarQuantiser, source: Source, block_size: int, scale: str = "absmax") -> Estimate:
    """R of the draw; its standard error from the spread over blocks (64 elements together where unscaled)."""
    values = blocks(source, block_size)
    if scale == "none":
        statistic: NDArray[np.float64] = np.ones((len(values), 1))
    else:
        place = np.abs(values).argmax(axis=1, keepdims=True)
        statistic = np.take_along_axis(values, place, axis=1)
        statistic = statistic if scale == "signmax" else np.abs(statistic)
    restored = np.asarray(quantiser(values / statistic)) * statistic
    errors, squares = ((values - restored) ** 2).sum(axis=1), (values**2).sum(axis=1)
    ratio = errors.sum() / squares.sum()
    residual, count = errors - ratio * squares, len(values)
    spread = float(np.sqrt(residual @ residual * count / (count - 1)) / squares.sum())
    return Estimate(float(ratio**0.5), spread / (2 * float(ratio**0.5)))


def draw_estimate(axes: Axes, x: float, y: Estimate) -> None:
    """Draw what was measured as a small cross with a bar of two standard errors."""
    draw_measured(axes, [x], [y.value], yerr=[2 * y.standard_error])
