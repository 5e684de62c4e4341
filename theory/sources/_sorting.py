"""Samples in ascending order, each with its weight, equal ones merged where that saves work."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._arrays import as_real, finite, raise_not_finite
from .._compiled import kernel
from .._typing import ArrayLike, FloatArray, IntArray

__all__ = ["checked_weights", "merged", "sorted_samples"]


def checked_weights(weights: ArrayLike, samples: NDArray[Any]) -> FloatArray:
    """Weights as float64, of the samples' shape, finite, non-negative and not all zero."""
    masses = as_real(weights, "weights").astype(np.float64)
    if masses.shape != samples.shape:
        raise ValueError(f"weights must have the shape of samples, {samples.shape}, but have {masses.shape}")
    if not finite(masses).all():
        raise_not_finite(masses, "weights")
    if (masses < 0).any():
        raise ValueError(f"weights must not be negative; the smallest is {masses.min()}")
    with np.errstate(over="ignore"):
        total = masses.sum()
    if masses.size and not 0 < total < np.inf:
        raise ValueError(f"weights must have a positive, finite sum, but it is {total}")
    return masses


def sorted_samples(array: NDArray[Any], masses: FloatArray | None) -> tuple[NDArray[Any], FloatArray, int]:
    """Ascending float32 or float64 values, their weights (empty where all are one) and how many are distinct.

    Raises
    ------
    ValueError
        If a sample is not finite, or fewer than two samples or two distinct values have weight.
    """
    if array.size < 2:
        raise ValueError(f"samples must hold at least two values, but hold {array.size}")
    flat = array.reshape(-1)
    weights = np.empty(0) if masses is None else masses.reshape(-1)
    if array.dtype.itemsize <= 2:
        values, weights = _counted(flat, weights)
    else:
        values, weights = _ordered(flat, weights)
    # NaN sorts to the end, infinities to both ends.
    if not (np.isfinite(values[0]) and np.isfinite(values[-1])):
        raise_not_finite(array, "samples")
    distinct = _distinct(values)
    if distinct == 1:
        raise ValueError(f"samples must not be constant, but every one (that has weight) is {values[0]}")
    if 2 * distinct <= values.size or (distinct < values.size and array.dtype.itemsize <= 2):
        values, weights = merged(values, weights, distinct)
    return values, weights, distinct


def _counted(flat: NDArray[Any], weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Distinct bit patterns of 8- and 16-bit data, as float64, with their total weights."""
    bits = np.dtype(f"uint{8 * flat.dtype.itemsize}")
    patterns = np.ascontiguousarray(flat).view(bits)
    count = _histogram(patterns, np.empty(0), 256**bits.itemsize)
    present = np.flatnonzero(count)
    with np.errstate(invalid="ignore"):  # signalling NaNs may be among them
        values = present.astype(bits).view(flat.dtype).astype(np.float64)
    if weights.size and np.isfinite(values).all():
        count = _histogram(patterns, weights, count.size)
    mass = count[present]
    order = np.argsort(values)
    order = order[mass[order] > 0]
    return values[order], mass[order]


def _ordered(flat: NDArray[Any], weights: FloatArray) -> tuple[NDArray[Any], FloatArray]:
    if not weights.size:
        values = flat.astype(np.float32 if flat.dtype == np.float32 else np.float64)
        values.sort()
        return values, weights
    used = weights > 0
    # A sample without weight is left out, but never unseen: NaN is an error wherever it stands.
    if not used.all() and np.isfinite(flat).all():
        flat, weights = flat[used], weights[used]
    order = np.argsort(flat)
    values = flat[order]
    return values if values.dtype == np.float32 else values.astype(np.float64), weights[order]


@kernel
def _histogram(patterns: IntArray, weights: FloatArray, size: int) -> FloatArray:
    """Total weight of each pattern, summed with Kahan's correction."""
    total = np.zeros(size)
    lost = np.zeros(size)
    for i in range(patterns.size):
        k = patterns[i]
        term = (weights[i] if weights.size else 1.0) - lost[k]
        new = total[k] + term
        lost[k] = (new - total[k]) - term
        total[k] = new
    return total


@kernel
def _distinct(values: FloatArray) -> int:
    count = 1
    for i in range(1, values.size):
        count += values[i] != values[i - 1]
    return count


@kernel
def merged(values: FloatArray, weights: FloatArray, distinct: int) -> tuple[FloatArray, FloatArray]:
    out = np.empty(distinct, values.dtype)
    mass = np.empty(distinct)
    last = -1
    for i in range(values.size):
        if i == 0 or values[i] != values[i - 1]:
            last += 1
            out[last] = values[i]
            mass[last] = 0.0
        mass[last] += weights[i] if weights.size else 1.0
    return out, mass
