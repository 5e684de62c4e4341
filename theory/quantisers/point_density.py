"""The power family of point densities: codepoints spread in proportion to f^a.

Panter and Dite (1951) showed that many codepoints are best spread in proportion to the cube root of the
density; a = 1 spreads them like the data (every codepoint used equally often), a -> 0 uniformly.  For the
named laws f^a is a law of the same family or a known neighbour, so quantiles are closed forms; for any other
source the density is integrated numerically between quantiles of the source.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import scipy

from .._arguments import check_positive
from .._typing import ArrayLike, FloatArray
from ..sources import GeneralisedNormal, Laplace, Logistic, Normal, Source, StudentT, Uniform
from ._weights import one_measure, weighs_errors

__all__ = ["point_density_quantile", "tail_offset"]

Quantile = Callable[[ArrayLike], FloatArray]

# Panels of the numerical case, with 16 Gauss nodes each: geometric in the tail probability of the source.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
# The panels end where the tail probability reaches this (f^a at a = 1/3 is then 1e-100 of its peak).
_LAST_TAIL = 1e-290


def point_density_quantile(source: Source, power: float = 1 / 3) -> Quantile:
    """Quantile function of the law whose density is proportional to f^power.

    Where errors are weighted f is the density of the measure of errors (`Source.distortion_density`): the
    cube root of that is optimal.  Atoms do not count.

    Parameters
    ----------
    source : Source
        Any law with a density; atoms beside it do not count.
    power : float, > 0
        Exponent of the density; for Student-t it must exceed 1 / (df + 1).

    Returns
    -------
    callable
        Maps probabilities (array_like in [0, 1]) to float64 values.

    Raises
    ------
    ValueError
        If `power` is not positive, f^power is not integrable, or the source has no density.

    References
    ----------
    Orr, Ribar and Luschi, "Optimal Formats for Weight Quantisation" (arXiv 2505.12988), section 2.
    Panter and Dite, Proc. IRE 39 (1951).
    """
    power = check_positive("power", power)
    if source.discrete:
        raise ValueError("source must have a density to spread codepoints by it, got a discrete law")
    closed = _closed_form(source, power)
    return closed if closed is not None else _numerical(source, power)


def tail_offset(source: Source) -> float:
    """Offset c for which the cube-root quantiles (i + c) / (N + 1 + 2c) fit the outermost codepoints of the optimum.

    In a tail of density x^-(df + 1) the outermost threshold t has the centroids t df / (df - 1) above and, by
    the midpoint rule, 2t - t df / (df - 1) below it: a ratio of df / (df - 2).  The cube-root density has the
    tail index (df - 2) / 3, hence ((2 + c) / (1 + c))^(3 / (df - 2)) = df / (df - 2); the limit of many degrees of
    freedom, exp(2/3), is that of the exponential tail.  A law that ends has c = -1/2.
    """
    if np.isfinite(source.support[1]):
        return -0.5
    df = source.df if isinstance(source, StudentT) else np.inf
    ratio = np.exp(2 / 3) if np.isinf(df) else (df / (df - 2)) ** ((df - 2) / 3)
    return float((2 - ratio) / (ratio - 1))


def _closed_form(source: Source, power: float) -> Quantile | None:
    match source:
        case Normal(std=std):
            return Normal(std / np.sqrt(power)).ppf
        case Laplace(std=std):
            return Laplace(std / power).ppf
        case GeneralisedNormal(beta=beta, std=std):
            return GeneralisedNormal(beta, std / power ** (1 / beta)).ppf
        case Uniform():
            return source.ppf
        case StudentT(df=df, std=std):
            return _student_t(df, std, power)
        case Logistic(std=std):
            return _logistic(std, power)
    return None


def _student_t(df: float, std: float, power: float) -> Quantile:
    tilted = power * (df + 1) - 1  # degrees of freedom of f^power
    if tilted <= 0:
        raise ValueError(
            f"power must exceed 1 / (df + 1) = {1 / (df + 1):.6g} for StudentT(df={df}), got {power}"
        )
    scale = std * np.sqrt((df - 2) / tilted)  # sqrt(df / tilted) times the scale sqrt((df - 2) / df)

    def quantile(q: ArrayLike) -> FloatArray:
        q = np.asarray(q, dtype=np.float64)
        lower = np.minimum(q, 1 - q)
        # stdtrit is poor for small df and small q: invert the incomplete beta function of the tail instead.
        w = scipy.special.betaincinv(tilted / 2, 0.5, np.clip(2 * lower, 0.0, 1.0))
        with np.errstate(divide="ignore", over="ignore"):
            size = np.sqrt(tilted * (1 - w) / w)
        return np.asarray(np.sign(q - 0.5) * scale * size)

    return quantile


def _logistic(std: float, power: float) -> Quantile:
    """Under u = 1 / (1 + exp(-x / s)) the density f^a becomes Beta(a, a)."""
    scale = std * np.sqrt(3) / np.pi

    def quantile(q: ArrayLike) -> FloatArray:
        q = np.asarray(q, dtype=np.float64)
        u = scipy.special.betaincinv(power, power, np.minimum(q, 1 - q))
        with np.errstate(divide="ignore"):
            return np.asarray(np.sign(0.5 - q) * scale * (np.log(u) - np.log1p(-u)))

    return quantile


@lru_cache(maxsize=64)
def _numerical(source: Source, power: float) -> Quantile:
    panels, cumulative = _panel_integrals(source, power)
    total = cumulative[-1]

    def quantile(q: ArrayLike) -> FloatArray:
        q = np.asarray(q, dtype=np.float64)
        target = np.clip(q, 0.0, 1.0) * total
        at = np.clip(np.searchsorted(cumulative, target, side="right") - 1, 0, len(panels) - 2)
        return _invert_in_panel(source, power, panels[at], panels[at + 1], target - cumulative[at])

    return quantile


def _log_density(source: Source, x: FloatArray) -> FloatArray:
    """Logarithm of the density whose power spreads the codepoints."""
    if not weighs_errors(source):
        return source.logpdf(x)
    with np.errstate(divide="ignore"):
        return np.log(source.distortion_density(x))


def _panel_integrals(source: Source, power: float) -> tuple[FloatArray, FloatArray]:
    """Panel borders, and the integral of f^power from the first border to each."""
    low, high = source.support
    if one_measure(source) or not np.isfinite([low, high]).all():
        tails = np.concatenate([np.geomspace(_LAST_TAIL, 1e-3, 300), np.linspace(0.002, 0.498, 249)])
    else:  # the tails of a weighted law that ends are cut by its ends
        tails = np.concatenate([np.geomspace(1e-15, 1e-3, 13), np.linspace(0.01, 0.49, 49)])
    borders = np.concatenate([source.ppf(tails), source.ppf([0.5]), source.isf(tails[::-1])])
    borders = np.concatenate([borders, source.breakpoints, [b for b in (low, high) if np.isfinite(b)]])
    panels = np.unique(borders[np.isfinite(borders)])
    pieces = _integrate(source, power, panels[:-1], panels[1:])
    if not np.isfinite(pieces).all() or not pieces.sum() > 0:
        raise ValueError(f"power {power} of the density of {source!r} is not integrable")
    return panels, np.concatenate([[0.0], np.cumsum(pieces)])


def _integrate(source: Source, power: float, lower: FloatArray, upper: FloatArray) -> FloatArray:
    half = ((upper - lower) / 2)[..., None]
    x = lower[..., None] + half * (1 + _NODES)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        pieces = np.exp(power * _log_density(source, x)) * half * _WEIGHTS
    # A node so close to a pole that it falls on it belongs to a panel of no width.
    return np.asarray(np.sum(np.nan_to_num(pieces, nan=0.0, posinf=0.0), axis=-1))


def _invert_in_panel(
    source: Source, power: float, lower: FloatArray, upper: FloatArray, wanted: FloatArray
) -> FloatArray:
    """Solve integral from lower to x of f^power = wanted, by Newton steps kept inside a shrinking bracket."""
    left, right = lower.copy(), upper.copy()
    x = left + (right - left) / 2
    for _ in range(60):
        excess = _integrate(source, power, lower, x) - wanted
        right = np.where(excess > 0, x, right)
        left = np.where(excess <= 0, x, left)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            step = x - excess / np.exp(power * _log_density(source, x))
        inside = (step > left) & (step < right)
        moved = np.where(inside, step, left + (right - left) / 2)
        if np.all(np.abs(moved - x) <= 4e-16 * np.abs(moved)):
            break
        x = moved
    return np.asarray(moved)
