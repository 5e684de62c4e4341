"""What a quantiser does to a source: distortion, entropy and optimality, by integration.

Everything follows from the partial moments of the cells about their codepoints: the second moments add up
to the distortion, the masses to the code lengths, and the first moments say how far each codepoint is from
the centroid of its cell.  Nothing is sampled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from .._typing import FloatArray

if TYPE_CHECKING:
    from ..sources import Source
    from .scalar import ScalarQuantiser

__all__ = ["Evaluation", "entropy_bits", "evaluate"]


@dataclass(frozen=True)
class Evaluation:
    """Exact performance of a scalar quantiser on a source.

    Attributes
    ----------
    distortion : float
        Mean squared error, in the source's units squared.
    entropy : float
        Entropy of the index, bits per symbol.
    rate : float
        log2 of the number of codepoints, bits per symbol.
    snr_db : float
        10 log10(variance / distortion); infinite where the distortion is 0.
    probabilities : ndarray of float64, shape (N,)
        Probability of each cell.
    cell_distortions : ndarray of float64, shape (N,)
        Contribution of each cell to the distortion.
    centroid_gain : float
        Fraction of the distortion that moving every codepoint to the centroid of its cell would save.
    centroid_residual, threshold_residual : float
        First-order residuals of the two Lloyd-Max conditions: the largest distance of a codepoint from its
        centroid over the rms error of its cell, and the largest distance of a threshold from the midpoint of
        its neighbours over half their distance.  An entropy-constrained quantiser moves its thresholds off
        the midpoints on purpose.
    """

    distortion: float
    entropy: float
    rate: float
    snr_db: float
    probabilities: FloatArray
    cell_distortions: FloatArray
    centroid_gain: float
    centroid_residual: float
    threshold_residual: float
    source: Source = field(repr=False)

    @cached_property
    def gap_bits(self) -> float:
        """Bits by which the entropy exceeds the rate-distortion function of the source at this distortion."""
        from ..limits import rate_distortion

        return self.entropy - rate_distortion(self.source, self.distortion).rate


def entropy_bits(probabilities: FloatArray) -> float:
    """Entropy in bits of a probability vector; empty cells count nothing."""
    p = probabilities[probabilities > 0]
    return max(float(-np.sum(p * np.log2(p))), 0.0)


def _edges(quantiser: ScalarQuantiser) -> FloatArray:
    return np.concatenate([[-np.inf], quantiser.thresholds, [np.inf]])


def _centroid_conditions(moments: FloatArray) -> tuple[float, float]:
    """Distortion saved by moving to the centroids, and the largest relative distance from one."""
    mass, first, second = moments
    live = (mass > 0) & (second > 0)
    if not live.any():
        return 0.0, 0.0
    mass, first, second = mass[live], first[live], second[live]
    saved = float(np.sum(first * first / mass))
    return saved, float(np.max(np.abs(first) / (np.sqrt(mass) * np.sqrt(second))))


def _threshold_condition(quantiser: ScalarQuantiser) -> float:
    gap = np.diff(quantiser.codepoints)
    if not (gap > 0).any():
        return 0.0
    off = quantiser.thresholds - (quantiser.codepoints[:-1] + gap / 2)
    return float(np.max(np.abs(off[gap > 0]) / (gap[gap > 0] / 2)))


def evaluate(quantiser: ScalarQuantiser, source: Source) -> Evaluation:
    """Evaluate a quantiser on a source, by exact integration.

    distortion = sum_i integral over cell i of (x - q_i)^2 f(x) dx;  entropy = -sum_i p_i log2 p_i.

    Parameters
    ----------
    quantiser : ScalarQuantiser
        Any codepoints and thresholds, optimal or not.
    source : Source
        The law of the values.

    Returns
    -------
    Evaluation
        Distortion and probabilities are as accurate as the source's partial moments (1e-12 relative).

    Raises
    ------
    TypeError
        If `quantiser` has no codepoints or `source` no partial moments.

    Examples
    --------
    >>> from bitlaw.theory import Normal, ScalarQuantiser, evaluate
    >>> evaluate(ScalarQuantiser([-0.7978845608028654, 0.7978845608028654]), Normal()).distortion
    0.36338022763241...
    """
    _check_types(quantiser, source)
    edges = _edges(quantiser)
    lower, upper = edges[:-1], edges[1:]
    moments = source.partial_moments(lower, upper, about=quantiser.codepoints)
    probabilities = source.probability(lower, upper)
    distortion = float(np.sum(moments[2]))
    saved, centroid_residual = _centroid_conditions(moments)
    return Evaluation(
        distortion=distortion,
        entropy=entropy_bits(probabilities),
        rate=float(np.log2(quantiser.levels)),
        snr_db=float(10 * np.log10(source.std**2 / distortion)) if distortion > 0 else float("inf"),
        probabilities=probabilities,
        cell_distortions=moments[2],
        centroid_gain=saved / distortion if distortion > 0 else 0.0,
        centroid_residual=centroid_residual,
        threshold_residual=_threshold_condition(quantiser),
        source=source,
    )


def _check_types(quantiser: object, source: object) -> None:
    if not hasattr(quantiser, "codepoints"):
        raise TypeError(f"quantiser must be a ScalarQuantiser, got {type(quantiser).__name__}")
    if not hasattr(source, "partial_moments"):
        raise TypeError(f"source must be a Source, got {type(source).__name__}")
