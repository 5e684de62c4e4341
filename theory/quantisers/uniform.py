"""Uniform quantisers: one step between codepoints, chosen for a number of levels or for an entropy.

By levels, a small step overloads (the outer codepoints are too near) and a large one is coarse: the best
step balances the two, and its loading grows only slowly with the levels.  By rate there is no overload to
balance: the thresholds go on for ever in theory, and as far as the law has mass that counts in practice.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import scipy

from .._arguments import MAX_LEVELS, check_choice, check_levels, check_positive
from .._typing import FloatArray
from ..sources import Source
from ._weights import one_measure, scales_at_atoms, spread_of
from .evaluation import evaluate
from .scalar import Design, ScalarQuantiser

__all__ = ["entropy_scale", "grid", "step_of_entropy", "tail_extent", "uniform"]

Kind = Literal["mid-rise", "mid-tread"]

# Steps tried, per octave, before the best one is refined; the distortion of unimodal laws has one minimum,
# of mixtures a few that lie further apart than this.
_SCAN_PER_OCTAVE = 4
# Steps at which a codepoint meets an atom, the best of those tried, that are refined.
_REFINED_AT_ATOMS = 4
# Thresholds stop where what lies beyond adds less than this part of step^2 / 12 to the distortion.
_TAIL_SHARE = 1e-14
# A rate missed by more bits is not reached: an atom changes its cell between two steps.
_RATE_MISSED = 1e-8


def uniform(
    source: Source,
    levels: int | None = None,
    *,
    rate: float | None = None,
    kind: Kind | None = None,
) -> ScalarQuantiser:
    """Best uniform quantiser for a number of levels, or the uniform quantiser of a given entropy.

    Parameters
    ----------
    source : Source
        The law; the grid is laid around zero.
    levels : int, 2 to 65,536
        Number of codepoints; the step of least distortion is found.
    rate : float, > 0
        Entropy of the index in bits; the step that gives it is found, with as many levels as the law needs
        (at most 65,536: the design's status says what overload is left of a heavy tail).  Atoms make the
        entropy jump with the step; the status says where it jumps over the rate.
    kind : {"mid-rise", "mid-tread"}, optional
        "mid-tread" has a codepoint at zero, "mid-rise" a threshold.  By levels the default is the symmetric
        one (mid-rise for even levels); an even mid-tread grid has one more codepoint below zero, as two's
        complement integers have.  By rate the default is mid-tread; mid-rise spends at least one bit on a
        symmetric law.

    Returns
    -------
    ScalarQuantiser
        Codepoints are the middles of their cells; the outermost cells are unbounded.

    Raises
    ------
    ValueError
        If not exactly one of `levels` and `rate` is given, mid-rise is asked for odd levels, or no step has
        the asked entropy.

    See Also
    --------
    entropy_constrained : with `variant="uniform_threshold"`, the same thresholds with centroids.

    References
    ----------
    Max (1960), section on equally spaced levels; Gish and Pierce, IEEE Trans. IT-14 (1968).

    Examples
    --------
    >>> from bitlaw.theory import Normal, uniform
    >>> uniform(Normal(), 4).codepoints.round(6)
    array([-1.49353 , -0.497843,  0.497843,  1.49353 ])
    """
    if (levels is None) == (rate is None):
        raise ValueError("give exactly one of levels and rate")
    if kind is not None:
        check_choice("kind", kind, ("mid-rise", "mid-tread"))
    if levels is not None:
        return _by_levels(source, check_levels(levels), kind)
    return _by_rate(source, check_positive("rate", rate), kind or "mid-tread")


def _by_levels(source: Source, levels: int, kind: Kind | None) -> ScalarQuantiser:
    if kind == "mid-rise" and levels % 2:
        raise ValueError(f"levels must be even for kind 'mid-rise', got {levels}")
    places: FloatArray = np.arange(levels, dtype=np.float64) - (
        levels // 2 if kind == "mid-tread" else (levels - 1) / 2
    )
    step, iterations = _best_step(source, places)
    design = Design(
        method="uniform",
        status="converged",
        iterations=iterations,
        residual=_step_residual(source, places, step),
    )
    return ScalarQuantiser(places * step, design=design)


def _moments(source: Source, places: FloatArray, step: float) -> FloatArray:
    codepoints = places * step
    edges = np.concatenate([[-np.inf], codepoints[:-1] + step / 2, [np.inf]])
    return source.partial_moments(edges[:-1], edges[1:], codepoints)


def _distortion(source: Source, places: FloatArray, step: float) -> float:
    return float(_moments(source, places, step)[2].sum())


def _slope(source: Source, places: FloatArray, step: float) -> float:
    """Derivative of the distortion with respect to the step; thresholds drop out, being midpoints."""
    return float(-2 * np.sum(places * _moments(source, places, step)[1]))


def _step_residual(source: Source, places: FloatArray, step: float) -> float:
    """Derivative with respect to the logarithm of the step, relative to the distortion."""
    return abs(step * _slope(source, places, step)) / _distortion(source, places, step)


def _best_step(source: Source, places: FloatArray) -> tuple[float, int]:
    """Scan the steps on a logarithmic grid and refine around the best."""
    spread = spread_of(source)
    low, high = spread / len(places) / 4, 32 * spread
    steps = np.geomspace(low, high, int(_SCAN_PER_OCTAVE * np.log2(high / low)) + 1)
    costs = [_distortion(source, places, step) for step in steps]
    best = int(np.argmin(costs))
    around = [(steps[max(best - 1, 0)], steps[min(best + 1, len(steps) - 1)])]
    if not (source.discrete or one_measure(source)):
        met = scales_at_atoms(source, places, steps[best])
        met.sort(key=lambda scale: _distortion(source, places, scale[1]))
        around += [(left, right) for left, _, right in met[:_REFINED_AT_ATOMS]]
    found = [_refined_step(source, places, left, right) for left, right in around]
    step = min((step for step, _ in found), key=lambda step: _distortion(source, places, step))
    return step, len(steps) + sum(count for _, count in found)


def _refined_step(source: Source, places: FloatArray, left: float, right: float) -> tuple[float, int]:
    """Best step between two, and how many were looked at."""
    if source.discrete or not _slope(source, places, left) < 0 < _slope(source, places, right):
        found = scipy.optimize.minimize_scalar(
            lambda step: _distortion(source, places, step),
            bounds=(left, right),
            method="bounded",
            options={"xatol": 1e-12 * right},
        )
        return float(found.x), int(found.nfev)
    step, report = scipy.optimize.brentq(
        lambda step: _slope(source, places, step), left, right, xtol=1e-300, rtol=9e-16, full_output=True
    )
    return float(step), int(report.iterations)


def _by_rate(source: Source, rate: float, kind: Kind) -> ScalarQuantiser:
    step = step_of_entropy(source, rate, kind)
    thresholds, codepoints = grid(source, step, kind)
    quantiser = ScalarQuantiser(codepoints, thresholds)
    reached = evaluate(quantiser, source)
    overload = _overload(source, codepoints, step) / reached.distortion
    status = "converged" if overload < 1e-9 else f"converged; {overload:.1e} of the distortion is overload"
    missed = abs(reached.entropy - rate)
    if missed > _RATE_MISSED:
        status += f"; the entropy jumps over the rate, by {missed:.1e} bit at this step"
    design = Design(method="uniform", status=status, residual=missed)
    return ScalarQuantiser(codepoints, thresholds, design=design)


def _overload(source: Source, codepoints: FloatArray, step: float) -> float:
    """Distortion of the values beyond the outermost cells, had those the width of the others."""
    lower = source.partial_moments(-np.inf, codepoints[0] - step / 2, codepoints[0])[2]
    upper = source.partial_moments(codepoints[-1] + step / 2, np.inf, codepoints[-1])[2]
    return float(lower + upper)


def step_of_entropy(source: Source, rate: float, kind: Kind, zone: float = 1.0) -> float:
    """Step whose grid has the entropy `rate`; ValueError where no step has it."""
    from .evaluation import entropy_bits

    def excess(log_step: float) -> float:
        thresholds, _ = grid(source, float(np.exp(log_step)), kind, zone)
        edges = np.concatenate([[-np.inf], thresholds, [np.inf]])
        return entropy_bits(source.probability(edges[:-1], edges[1:])) - rate

    guess = np.log(2.0) * (entropy_scale(source) - rate)  # h(X) - log2(step) = rate, at high rate
    low = high = guess
    width = 0.5
    while excess(low) <= 0 and low > guess - 30:
        low, width = low - width, width * 1.5
    width = 0.5
    while excess(high) >= 0 and high < guess + 30:
        high, width = high + width, width * 1.5
    if not excess(low) > 0 > excess(high):
        raise ValueError(f"rate {rate:g} is beyond the reach of a {kind} uniform quantiser of {source!r}")
    return float(np.exp(scipy.optimize.brentq(excess, low, high, xtol=1e-15, rtol=9e-16)))


def entropy_scale(source: Source) -> float:
    """Differential entropy in bits, or that of the normal law of the same spread where there is none."""
    h = source.differential_entropy()
    return h if np.isfinite(h) else float(np.log2(spread_of(source)) + 2.0471)


def grid(source: Source, step: float, kind: Kind, zone: float = 1.0) -> tuple[FloatArray, FloatArray]:
    """Thresholds and cell middles of a uniform grid that covers the law; the cell at zero is zone * step wide."""
    below, above = tail_extent(source, _TAIL_SHARE * step * step / 12)
    first = zone * step / 2 if kind == "mid-tread" else step
    up, down = (first + step * np.arange(_count(reach, first, step)) for reach in (above, below))
    centre = [0.0] if kind == "mid-tread" else [-step / 2, step / 2]
    inner = [] if kind == "mid-tread" else [0.0]
    thresholds = np.concatenate([-down[::-1], inner, up])
    return thresholds, np.concatenate([-down[::-1] - step / 2, centre, up + step / 2])


def _count(reach: float, first: float, step: float) -> int:
    """Number of thresholds first, first + step, ... below `reach`, as far as indices go."""
    return int(np.clip(np.ceil((reach - first) / step), 0, MAX_LEVELS // 2 - 1))


def tail_extent(source: Source, budget: float) -> tuple[float, float]:
    """Distances below and above zero beyond which the second moment (about the border) is under `budget`."""
    return _extent(source, budget, -1.0), _extent(source, budget, 1.0)


def _extent(source: Source, budget: float, sign: float) -> float:
    end = source.support[1] if sign > 0 else -source.support[0]
    if np.isfinite(end):
        return float(max(end, 0.0))

    def beyond(x: float) -> float:
        lower, upper = (x, np.inf) if sign > 0 else (-np.inf, -x)
        return float(source.partial_moments(lower, upper, sign * x)[2])

    low, high = 0.0, spread_of(source)
    farthest = 1e150 * high
    while beyond(high) > budget and high < farthest:
        low, high = high, 2 * high
    while high - low > 0.05 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if beyond(middle) > budget else (low, middle)
    return high
