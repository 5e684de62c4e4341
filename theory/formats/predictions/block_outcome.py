"""Error and index probabilities of the elements of one kind of block."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..._typing import FloatArray
from ...quantisers import ScalarQuantiser, evaluate
from .affine_outcome import affine_outcome
from .scaled_laws import BlockData, alone_nodes, error_nodes, scale_steps, scaled_laws

if TYPE_CHECKING:
    from ...sources import ScaleSteps
    from ..format import Format

__all__ = ["Outcome", "block_outcome"]


@dataclass(frozen=True, eq=False)
class Outcome:
    """Mean squared error per element, and the probability of each code."""

    distortion: float
    probabilities: FloatArray

    def times(self, weight: float) -> Outcome:
        """Share of a mean over several outcomes."""
        return Outcome(weight * self.distortion, weight * self.probabilities)

    def at_code(self, code: int, levels: int) -> Outcome:
        """The same with all of the probability on one of the codes of another quantiser."""
        probabilities = np.zeros(levels)
        probabilities[code] = self.probabilities.sum()
        return Outcome(self.distortion, probabilities)

    def plus(self, other: Outcome) -> Outcome:
        """Sum of two shares."""
        return Outcome(self.distortion + other.distortion, self.probabilities + other.probabilities)


def block_outcome(
    format: Format, data: BlockData, quantiser: ScalarQuantiser, reach: float, multiplier: float
) -> Outcome:
    """Outcome of blocks whose scale is round(multiplier * statistic / reach)."""
    scale = format.scale
    if scale.statistic == "none":
        return _unscaled(quantiser, data)
    if scale.statistic == "minmax":
        return Outcome(*affine_outcome(format, data, quantiser.levels, multiplier / reach))
    if data.size == 1 and data.group == 1.0:
        return _alone(format, data, quantiser, reach, multiplier)
    if data.size == 1:
        data = BlockData(data.source, data.zeros, 2, data.group / 2)
    total = Outcome(0.0, np.zeros(quantiser.levels))
    origin = _origin(quantiser)
    laws = scaled_laws(data, scale, format.group, multiplier / abs(reach))
    if not laws:
        return _unscaled(ScalarQuantiser(np.zeros(1)), data).at_code(origin, quantiser.levels)
    for weight, factor, law in laws:
        measured = evaluate(in_units(quantiser, factor * multiplier / reach), law)
        probabilities = measured.probabilities[:: 1 if reach > 0 else -1].copy()
        probabilities[origin] += law.lost_probability  # type: ignore[attr-defined]
        distortion = measured.distortion + law.lost_energy  # type: ignore[attr-defined]
        total = total.plus(Outcome(weight * distortion, weight * probabilities))
    return total


def in_units(quantiser: ScalarQuantiser, factor: float) -> ScalarQuantiser:
    """Codepoints and thresholds times a factor that may be negative."""
    if factor > 0:
        return quantiser.scaled(factor)
    return ScalarQuantiser(factor * quantiser.codepoints[::-1], factor * quantiser.thresholds[::-1])


def _unscaled(quantiser: ScalarQuantiser, data: BlockData) -> Outcome:
    measured = evaluate(quantiser, data.source)
    outcome = Outcome(measured.distortion, measured.probabilities)
    return outcome.times(1.0 - data.zeros).plus(_zeros(data, quantiser))


def _alone(
    format: Format, data: BlockData, quantiser: ScalarQuantiser, reach: float, multiplier: float
) -> Outcome:
    """Blocks of one element, which is its own statistic."""
    scale, group = format.scale, format.group
    ratio = multiplier / abs(reach)
    steps = None if group is not None else scale_steps(data, scale, ratio)
    if steps is not None:
        return _alone_in_steps(data, quantiser, math.copysign(ratio, reach), scale.statistic, steps)
    nodes = error_nodes(scale.number, scale.rounding) if group is None else alone_nodes(scale, group)
    signs, masses, squares = _sides(data, scale.statistic)
    total = Outcome(0.0, np.zeros(quantiser.levels))
    for weight, factor in nodes:
        codes = quantiser.encode(signs * reach / (multiplier * factor))
        error = (1.0 - signs * factor * multiplier / reach * quantiser.codepoints[codes]) ** 2 @ squares
        probabilities = np.bincount(codes, masses, quantiser.levels).astype(np.float64)
        total = total.plus(Outcome(weight * float(error), weight * probabilities))
    return total.plus(_zeros(data, quantiser))


def _sides(data: BlockData, statistic: str) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Sign of x over its statistic, with the mass and the second moment of either."""
    ends = np.array([-np.inf, 0.0, np.inf])
    mass, _, square = (1.0 - data.zeros) * data.source.partial_moments(ends[:-1], ends[1:])
    if statistic == "signmax":
        return np.ones(1), mass.sum(keepdims=True), square.sum(keepdims=True)
    return np.array([-1.0, 1.0]), mass, square


def _alone_in_steps(
    data: BlockData, quantiser: ScalarQuantiser, ratio: float, statistic: str, steps: ScaleSteps
) -> Outcome:
    """Integrate x over the interval of each stored scale and the cells of its codes, on either side of 0."""
    edges = np.concatenate([steps.edges[:-1], [np.inf]])
    stored = steps.values[:, None]
    distortion, probabilities = 0.0, np.zeros(quantiser.levels)
    for sign in (1.0, -1.0):
        signed = sign * ratio if statistic == "signmax" else ratio
        units = in_units(quantiser, signed)
        bounds = stored * np.concatenate([[-np.inf], units.thresholds, [np.inf]])
        inside = (edges[:-1, None], edges[1:, None]) if sign > 0 else (-edges[1:, None], -edges[:-1, None])
        low, high = (np.clip(bounds, *inside)[:, part] for part in (slice(None, -1), slice(1, None)))
        mass, _, square = (1.0 - data.zeros) * data.source.partial_moments(
            low, high, stored * units.codepoints
        )
        distortion += float(square.sum())
        probabilities += mass.sum(axis=0)[:: 1 if signed > 0 else -1]
    lost = (1.0 - data.zeros) * data.source.partial_moments(-edges[0], edges[0])
    probabilities[_origin(quantiser)] += lost[0]
    return Outcome(distortion + float(lost[2]), probabilities).plus(_zeros(data, quantiser))


def _zeros(data: BlockData, quantiser: ScalarQuantiser) -> Outcome:
    """Places of outliers: coded as zeros, restored apart."""
    probabilities = np.zeros(quantiser.levels)
    probabilities[_origin(quantiser)] = data.zeros
    return Outcome(0.0, probabilities)


def _origin(quantiser: ScalarQuantiser) -> int:
    return int(quantiser.encode(np.zeros(1))[0])
