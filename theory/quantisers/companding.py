"""Companding quantisers: codepoints at quantiles of a point density.

A compander maps the data through G, the distribution function of the point density, quantises uniformly and
maps back.  Two conventions live side by side.  Orr, Ribar and Luschi (arXiv 2505.12988) place codepoints at
G^-1(i / (N + 1)) and encode to the nearest; their layouts say where zero and the ends lie.  The classical
compander (Bennett 1948) places them half a step inside, G^-1((i - 1/2) / N), and keeps its thresholds at
G^-1(i / N).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from .._arguments import check_choice, check_levels
from .._typing import FloatArray
from ..sources import Source
from .point_density import point_density_quantile
from .scalar import Design, ScalarQuantiser

__all__ = ["compand", "half_step_compander"]

# A codepoint so small beside the largest is a zero that rounding has moved.
_NO_ZERO = 1e-14

Layout = Literal["symmetric", "asymmetric", "repeat_zero"]
Ends = Literal["interior", "closed", "upper"]


def compand(
    source: Source,
    levels: int,
    *,
    power: float = 1 / 3,
    layout: Layout = "symmetric",
    ends: Ends = "interior",
) -> ScalarQuantiser:
    """Codepoints at evenly spaced quantiles of the density proportional to f^power, nearest encoding.

    Parameters
    ----------
    source : Source
        The law f.  Where errors are weighted, f is the density of the measure of errors, whose cube root is
        the optimal density of codepoints.  Atoms do not count in it; those at an end get their codepoint by
        `ends`.
    levels : int, 2 to 65,536
        Number of codepoints N; even for the layouts that represent zero.
    power : float, > 0
        1/3 is the cube-root rule, optimal for many levels; 1 spreads codepoints like the data.
    layout : {"symmetric", "asymmetric", "repeat_zero"}
        "symmetric": quantiles i / (N + 1), i = 1..N, no zero for even N.  "asymmetric": N/2 codepoints up to
        and including the median, N/2 above it: an exact zero, one more codepoint below than above.
        "repeat_zero": N/2 on each side, the median twice: two codes stand for zero.
    ends : {"interior", "closed", "upper"}
        Whether the outermost codepoints lie inside the support or on its ends (bounded laws only); "upper":
        the upper end is a codepoint and the lower is not, for laws with an atom at the upper end alone, such
        as an element over its block's signed extreme.

    Returns
    -------
    ScalarQuantiser
        Thresholds are midpoints; the design is a closed form.

    Raises
    ------
    ValueError
        For an impossible power, an odd number of levels with a zero, or an end of an unbounded law as codepoint.

    See Also
    --------
    lloyd_max : when the optimum itself is wanted; the cube-root rule is 1 to 10 % above it in distortion.

    References
    ----------
    Orr, Ribar and Luschi (arXiv 2505.12988), section 3 and appendix; Panter and Dite (1951).

    Examples
    --------
    >>> from bitlaw.theory import Laplace, compand
    >>> compand(Laplace(), 4).codepoints.round(4)
    array([-1.9437, -0.4734,  0.4734,  1.9437])
    """
    levels = check_levels(levels)
    check_choice("layout", layout, ("symmetric", "asymmetric", "repeat_zero"))
    check_choice("ends", ends, ("interior", "closed", "upper"))
    if layout != "symmetric" and levels % 2:
        raise ValueError(f"levels must be even for layout {layout!r}, got {levels}")
    if ends != "interior" and not np.isfinite(source.support[0 if ends == "closed" else 1 :]).all():
        raise ValueError(f"ends={ends!r} needs a law of bounded support, got {source!r}")
    shares = _quantile_levels(levels, layout, lower=ends == "closed", upper=ends != "interior")
    codepoints = point_density_quantile(source, power)(shares)
    if ends != "interior":
        codepoints[-1] = source.support[1]
    if ends == "closed":
        codepoints[0] = source.support[0]
    codepoints = _mirrored(codepoints, source, layout, ends)
    return ScalarQuantiser(codepoints, design=Design(method="compand", status="closed form"))


def _quantile_levels(levels: int, layout: str, *, lower: bool, upper: bool) -> FloatArray:
    """Probabilities at which the point density is inverted, 0 and 1 among them where asked."""
    if layout == "symmetric":
        return _spread(0.0, 1.0, levels, with_left=lower, with_right=upper)
    half = levels // 2
    below = _spread(0.0, 0.5, half, with_left=lower, with_right=True)
    above = _spread(0.5, 1.0, half, with_left=layout == "repeat_zero", with_right=upper)
    return np.concatenate([below, above])


def _spread(left: float, right: float, count: int, *, with_left: bool, with_right: bool) -> FloatArray:
    """`count` evenly spaced points between two ends, which are points themselves where asked."""
    if count == 1:
        return np.array([right if with_right else left if with_left else (left + right) / 2])
    steps = np.arange(count) + (0 if with_left else 1)
    return left + (right - left) * steps / (count + 1 - with_left - with_right)


def _mirrored(codepoints: FloatArray, source: Source, layout: str, ends: str) -> FloatArray:
    """Remove the rounding that keeps quantiles from zero, and those of a symmetric law from mirroring exactly."""
    if source.symmetric and layout != "asymmetric" and ends != "upper":
        return (codepoints - codepoints[::-1]) / 2
    return np.where(np.abs(codepoints) < _NO_ZERO * np.abs(codepoints).max(), 0.0, codepoints)


def half_step_compander(source: Source, levels: int, *, power: float = 1 / 3) -> ScalarQuantiser:
    """The classical compander: codepoints G^-1((i - 1/2) / N), thresholds G^-1(i / N).

    Parameters
    ----------
    source : Source
        The law f.
    levels : int, 2 to 65,536
        Number of codepoints N.
    power : float, > 0
        G is the distribution function of the density proportional to f^power.

    Returns
    -------
    ScalarQuantiser
        Its thresholds are those of the compander, not midpoints.

    Raises
    ------
    ValueError
        For an impossible power or number of levels.

    References
    ----------
    Bennett, Bell System Technical Journal 27 (1948); Gersho and Gray (1992), section 5.5.

    Examples
    --------
    >>> from bitlaw.theory import Uniform, half_step_compander
    >>> half_step_compander(Uniform(std=1 / 12**0.5), 4).codepoints
    array([-0.375, -0.125,  0.125,  0.375])
    """
    levels = check_levels(levels)
    quantile = point_density_quantile(source, power)
    codepoints = quantile((np.arange(levels) + 0.5) / levels)
    thresholds = quantile(np.arange(1, levels) / levels)
    if source.symmetric:
        codepoints = (codepoints - codepoints[::-1]) / 2
        thresholds = (thresholds - thresholds[::-1]) / 2
    design = Design(method="half_step_compander", status="closed form")
    return ScalarQuantiser(codepoints, thresholds, design=design)
