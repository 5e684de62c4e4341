"""Rates of independent components at the least total distortion: reverse water-filling.

Component i of variance v_i and weight u_i gets the distortion min(v_i, level / u_i): all components that are
coded at all share one water level.  Rates are linear in its logarithm between knots, so sorting the knots
gives the level in closed form, with floors and ceilings on the rates as further knots; nothing is iterated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._typing import ArrayLike, FloatArray
from .shannon import checked_amount

__all__ = ["WaterFilling", "covariance_water_filling", "reverse_water_filling"]

_SINGULAR = 1e-13  # least eigenvalue over n times the largest; tenfold less is rounding of the matrix


@dataclass(frozen=True, eq=False)
class WaterFilling:
    """Rates and distortions of components at one water level.

    Attributes
    ----------
    rates : ndarray of float64, shape (n,)
        Bits per component.
    distortions : ndarray of float64, shape (n,)
        Mean squared error of each component, v_i 2^(-2 R_i), without its weight.
    distortion : float
        Mean over components of weight times distortion.
    rate : float
        Mean rate in bits.
    level : float
        Water level: weight times distortion of every component whose rate is neither at its floor nor at its
        ceiling.
    variances : ndarray of float64, shape (n,)
        The variances; for a covariance its eigenvalues, ascending.
    basis : ndarray of float64, shape (n, n), or None
        For a covariance its eigenvectors, as columns.
    """

    rates: FloatArray
    distortions: FloatArray
    distortion: float
    rate: float
    level: float
    variances: FloatArray
    basis: FloatArray | None = None


def reverse_water_filling(
    variances: ArrayLike,
    rate: float,
    *,
    weights: ArrayLike | None = None,
    floor: ArrayLike = 0.0,
    ceiling: ArrayLike = np.inf,
) -> WaterFilling:
    """Rates of independent Gaussian components that minimise their weighted distortion at a mean rate.

    R_i = min(max((1/2) log2(u_i v_i / level), floor_i), ceiling_i), D_i = v_i 2^(-2 R_i), with the level at
    which the mean of R_i is the rate.

    Parameters
    ----------
    variances : array_like, shape (n,), n >= 1
        Variance of each component, finite, > 0.
    rate : float
        Mean bits per component, >= 0.
    weights : array_like, shape (n,), optional
        What a unit of squared error costs in each component, finite, > 0; ones when left out.
    floor, ceiling : array_like, broadcast to shape (n,)
        Least and largest rate of each component, 0 <= floor <= ceiling; the ceiling may be infinite.

    Returns
    -------
    WaterFilling
        Exact to rounding: the mean of the rates is `rate`, and no other rates have less weighted distortion.

    Raises
    ------
    TypeError
        If an argument is no number or array of numbers.
    ValueError
        If an array is empty, of another shape, not finite or not positive, if a floor lies above its ceiling
        or below 0, or if the rate lies outside the mean floor and the mean ceiling, which are named.

    Notes
    -----
    For data that are not Gaussian these rates are optimal at high rate only; `allocate` takes exact curves.

    References
    ----------
    Kolmogorov (1956); Cover and Thomas (2006), Elements of Information Theory, theorem 10.3.3.

    Examples
    --------
    >>> filling = reverse_water_filling([4.0, 1.0, 0.25], 1)
    >>> filling.rates.tolist(), filling.distortions.tolist()
    ([2.0, 1.0, 0.0], [0.25, 0.25, 0.25])
    """
    v = _positive(variances, "variances")
    u = np.ones(v.size) if weights is None else _positive(weights, "weights")
    if u.shape != v.shape:
        raise ValueError(f"weights must have the shape of variances, {v.shape}, got {u.shape}")
    low, high = _limits(floor, ceiling, v.size)
    rate = checked_amount("rate", rate)
    if not low.mean() * (1 - 1e-15) <= rate <= high.mean() * (1 + 1e-15):
        raise ValueError(
            f"rate must lie between the mean floor {low.mean():g} and the mean ceiling {high.mean():g}, "
            f"got {rate:g}"
        )
    half = 0.5 * (np.log2(u) + np.log2(v))
    level = _level(half, low, high, rate)
    rates = np.clip(half - level, low, high)
    distortions = v * np.exp2(-2 * rates)
    return WaterFilling(
        rates, distortions, float(np.mean(u * distortions)), float(rates.mean()), float(np.exp2(2 * level)), v
    )


def covariance_water_filling(covariance: ArrayLike, rate: float) -> WaterFilling:
    """Rates along the principal axes of a Gaussian vector at the least mean squared error.

    Reverse water-filling over the eigenvalues of the covariance.

    Parameters
    ----------
    covariance : array_like, shape (n, n)
        Symmetric and positive definite.
    rate : float
        Mean bits per element, >= 0.

    Returns
    -------
    WaterFilling
        Components are the eigenvectors in `basis`, by ascending eigenvalue.

    Raises
    ------
    TypeError
        If an argument is no number or array of numbers.
    ValueError
        If the matrix is not square, finite and symmetric, has a negative eigenvalue, or is singular (the
        eigenvalue is named; add a little to the diagonal, or drop the dead direction), or the rate is
        negative.

    References
    ----------
    As for `reverse_water_filling`.

    Examples
    --------
    >>> round(covariance_water_filling([[1.0, 0.6], [0.6, 1.0]], 2).distortion, 12)  # sqrt(det) / 16
    0.05
    """
    matrix = np.asarray(covariance)
    if matrix.dtype.kind not in "fiu":
        raise TypeError(f"covariance must be an array of real numbers, but its type is {matrix.dtype}")
    matrix = matrix.astype(np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise ValueError(f"covariance must be a square matrix, got shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError("covariance must be finite")
    if np.abs(matrix - matrix.T).max() > 1e-8 * np.abs(matrix).max():
        raise ValueError("covariance must be symmetric")
    values, basis = np.linalg.eigh((matrix + matrix.T) / 2)
    if values[0] < -_SINGULAR * np.abs(values).max() * values.size:
        raise ValueError(f"covariance must be positive definite, but has the eigenvalue {values[0]:g}")
    if values[0] <= _SINGULAR * values[-1] * values.size:
        raise ValueError(
            f"covariance must not be singular, but its eigenvalues span {values[0]:g} to {values[-1]:g}"
        )
    filling = reverse_water_filling(values, rate)
    return WaterFilling(
        filling.rates, filling.distortions, filling.distortion, filling.rate, filling.level, values, basis
    )


def _level(half: FloatArray, low: FloatArray, high: FloatArray, rate: float) -> float:
    """Half the binary logarithm of the level: the root t of mean clip(half - t, low, high) = rate.

    Each component is at its ceiling up to the knot half - high, falls with slope 1 to the knot half - low,
    and stays at its floor.  The sums at all knots come from running sums of the sorted knots.
    """
    top = np.where(np.isfinite(high), high, 0.0)
    enter, leave = half - high, half - low
    by_enter, by_leave = np.argsort(enter), np.argsort(leave)
    knots = np.unique(np.concatenate([enter[np.isfinite(enter)], leave]))
    entered = np.searchsorted(enter[by_enter], knots, side="right")
    left = np.searchsorted(leave[by_leave], knots, side="right")
    ceilings = top.sum() - _running(top[by_enter])[entered]
    floors = _running(low[by_leave])[left]
    falling = _running(half[by_enter])[entered] - _running(half[by_leave])[left] - knots * (entered - left)
    sums = ceilings + floors + falling
    reached = int(np.argmax(sums <= rate * half.size)) if (sums <= rate * half.size).any() else knots.size - 1
    active = int((entered - left)[reached - 1]) if reached else int(np.isinf(high).sum())
    if not active:
        return float(knots[reached])
    return float(knots[reached] - (rate * half.size - sums[reached]) / active)


def _running(values: FloatArray) -> FloatArray:
    return np.concatenate([[0.0], np.cumsum(values)])


def _positive(values: ArrayLike, name: str) -> FloatArray:
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be an array of real numbers, but its type is {array.dtype}")
    if array.ndim != 1 or not array.size:
        raise ValueError(f"{name} must be one-dimensional and not empty, got shape {array.shape}")
    array = array.astype(np.float64)
    wrong = np.flatnonzero(~(np.isfinite(array) & (array > 0)))
    if wrong.size:
        raise ValueError(f"{name} must be positive and finite, but {name}[{wrong[0]}] is {array[wrong[0]]}")
    return array


def _limits(floor: ArrayLike, ceiling: ArrayLike, size: int) -> tuple[FloatArray, FloatArray]:
    pair = []
    for name, given in (("floor", floor), ("ceiling", ceiling)):
        array = np.asarray(given)
        if array.dtype.kind not in "fiu":
            raise TypeError(
                f"{name} must be a real number or an array of them, but its type is {array.dtype}"
            )
        if array.shape not in ((), (1,), (size,)):
            raise ValueError(f"{name} must be a number or have shape ({size},), got {array.shape}")
        pair.append(np.broadcast_to(array.astype(np.float64), (size,)))
    low, high = pair
    if not (np.isfinite(low).all() and (low >= 0).all() and (low <= high).all()):
        raise ValueError("floor must be finite, not negative and not above ceiling, and neither may be NaN")
    return low, high
