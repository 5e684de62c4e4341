"""Where the codepoints of a Lloyd-Max design begin.

The cube-root rule spreads them; some may be held at given places, between which the others are then spread by
the same rule.  A law may carry an atom, or much of its mass within a narrow range, at an end of its support
(an element divided by the largest of its block is exactly 1 with probability 1/B): the optimum may then spend
a codepoint on that end or not, and the two are minima of their own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import scipy

from .._typing import ArrayLike, FloatArray, IntArray
from ..sources import Source
from .point_density import point_density_quantile, tail_offset

__all__ = ["HeavyEnd", "heavy_ends", "mirrored", "spread_codepoints", "starts_of"]

# Shares of the support, as powers of two, over which the mass at an end is compared with that beside it.
_SHARES = 2.0 ** -np.arange(2, 11)
# An end is heavy where it holds this many times the mass of its neighbourhood, and at least so much of all.
_CONTRAST, _LEAST_MASS = 2.0, 1e-6


# Entries of the table that inverts the point density, and the logit of its first and last share.
_TABLE, _LOGIT = 257, 36.0


@dataclass(frozen=True)
class HeavyEnd:
    """An end of the support that holds much mass: its index as a codepoint, that mass and its centroid."""

    index: int  # 0 or -1
    mass: float
    centroid: float

    def served(self, source: Source, codepoints: FloatArray) -> bool:
        """Whether more than half of what the outermost codepoint stands for lies at the end."""
        middle = float(codepoints[self.index] + codepoints[1 if self.index == 0 else -2]) / 2
        lower, upper = (-np.inf, middle) if self.index == 0 else (middle, np.inf)
        return bool(self.mass > 0.5 * source.partial_moments(lower, upper)[0])


def heavy_ends(source: Source) -> list[HeavyEnd]:
    """Ends of a bounded support that hold more error mass than what lies beside them.

    None of a log-concave law, whose optimum is unique.
    """
    low, high = source.support
    if source.log_concave or not (np.isfinite(low) and np.isfinite(high)):
        return []
    share = (high - low) * _SHARES
    total = float(source.partial_moments(-np.inf, np.inf)[0])
    found = []
    for index, lower, upper, beside, border in (
        (0, np.full_like(share, -np.inf), low + share, (low + share, low + 2 * share), low + share),
        (-1, high - share, np.full_like(share, np.inf), (high - 2 * share, high - share), high - share),
    ):
        mass, first, _ = source.partial_moments(lower, upper, border)
        around = source.partial_moments(*beside)[0]
        contrast = np.where(mass > _LEAST_MASS * total, mass, 0.0) / np.maximum(around, _LEAST_MASS * total)
        k = int(np.argmax(contrast))
        if contrast[k] > _CONTRAST:
            centroid = float(np.clip(border[k] + first[k] / mass[k], low, high))
            found.append(HeavyEnd(index, float(mass[k]), centroid))
    return found


def starts_of(
    source: Source, levels: int, pinned: Mapping[int, float], heavy: list[HeavyEnd]
) -> list[FloatArray]:
    """First codepoints: one cube-root start for each choice of heavy ends that get a codepoint.

    Of a symmetric law with symmetric pins only one of two mirror images is given.
    """
    ends = [end for end in heavy if end.index % levels not in pinned]
    starts = []
    for count in range(len(ends) + 1):
        for chosen in itertools.combinations(reversed(ends), count):
            anchors = dict(pinned) | {end.index % levels: end.centroid for end in chosen}
            ordered = [anchors[k] for k in sorted(anchors)]
            if all(a < b for a, b in itertools.pairwise(ordered)):
                starts.append(spread_codepoints(source, levels, anchors))
            if source.symmetric and mirrored(pinned, levels) and 0 < count < len(ends):
                break
    return starts


def mirrored(pinned: Mapping[int, float], levels: int) -> bool:
    """Whether the codepoints held fixed are symmetric about zero."""
    return all(pinned.get(levels - 1 - k) == -value for k, value in pinned.items())


def spread_codepoints(source: Source, levels: int, anchors: Mapping[int, float]) -> FloatArray:
    """Cube-root codepoints between places that are taken.

    Without any, they lie at the quantiles (i + c) / (N + 1 + 2c), with c such that the last two fit.
    """
    quantile, c = point_density_quantile(source, 1 / 3), tail_offset(source)
    if not anchors:
        return quantile((np.arange(1, levels + 1) + c) / (levels + 1 + 2 * c))
    taken = np.array(sorted(anchors))
    values = np.array([anchors[k] for k in taken])
    places = np.concatenate([[-1 - c], taken, [levels + c]])
    reached = np.concatenate([[0.0], _shares_below(quantile, values), [1.0]])
    q = quantile(np.interp(np.arange(levels), places, reached))
    q[taken] = values
    return _repaired(source, q, taken)


def _shares_below(quantile: Callable[[ArrayLike], FloatArray], values: FloatArray) -> FloatArray:
    """Invert a quantile function, as exactly as a start needs: linearly between values of it."""
    shares = scipy.special.expit(np.linspace(-_LOGIT, _LOGIT, _TABLE))
    return np.interp(values, quantile(shares), shares, left=0.0, right=1.0)


def _repaired(source: Source, q: FloatArray, taken: IntArray) -> FloatArray:
    """Evenly spaced codepoints in the gaps between taken places where rounding has merged quantiles."""
    for left, right in itertools.pairwise(taken):
        if not _ascends(q[left : right + 1]):
            q[left : right + 1] = np.linspace(q[left], q[right], right - left + 1)
    first, last = taken[0], taken[-1]
    if not _ascends(q[last:]):
        q[last:] = q[last] + _mean_excess(source, q[last], 1.0) * np.arange(len(q) - last)
    if not _ascends(q[: first + 1]):
        q[: first + 1] = q[first] - _mean_excess(source, q[first], -1.0) * np.arange(first, -1, -1)
    return q


def _ascends(q: FloatArray) -> bool:
    return bool(np.isfinite(q).all() and (np.diff(q) > 0).all())


def _mean_excess(source: Source, x: float, sign: float) -> float:
    """Mean distance of what lies beyond a point; ValueError where there is nothing."""
    lower, upper = (x, np.inf) if sign > 0 else (-np.inf, x)
    mass, first, _ = source.partial_moments(lower, upper, x)
    if not (mass > 0 and np.abs(first) > 0):
        raise ValueError(
            f"pinned: {source!r} holds nothing {'above' if sign > 0 else 'below'} {x:g}, where free codepoints lie"
        )
    return float(np.abs(first) / mass)
