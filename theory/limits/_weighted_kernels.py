"""Compiled loops over letters whose kernels have widths of their own.

Letter i sees an output y by exp(-t^2 / 2), t = gain_i (x_i - y), gain_i = sqrt(2 s rho_i); a gain of 0 sees all
outputs alike.  Letters come in cells of `order` neighbours.
"""

from __future__ import annotations

import numpy as np

from .._compiled import kernel
from .._typing import FloatArray, IntArray

__all__ = ["bin_reaches", "weighted_mixture", "weighted_rows", "weighted_scan"]


@kernel
def bin_reaches(
    edges: FloatArray, lower: FloatArray, upper: FloatArray, most: FloatArray
) -> tuple[FloatArray, IntArray, IntArray]:
    """Largest gain, first cell and last cell among those whose interval [lower, upper] meets each bin."""
    bins = edges.size - 1
    gain = np.zeros(bins)
    first, last = np.full(bins, lower.size), np.full(bins, -1)
    for i in range(lower.size):
        b = max(np.searchsorted(edges, lower[i], side="right") - 1, 0)
        while b < bins and edges[b] <= upper[i]:
            gain[b] = max(gain[b], most[i])
            first[b] = min(first[b], i)
            last[b] = max(last[b], i)
            b += 1
    return gain, first, last


@kernel
def weighted_rows(
    nodes: FloatArray, gains: FloatArray, first: IntArray, counts: IntArray, points: FloatArray
) -> FloatArray:
    """Kernels at the outputs that each letter sees, one padded row a letter."""
    rows = np.zeros((nodes.size, counts.max()))
    for i in range(nodes.size):
        for a in range(counts[i]):
            t = gains[i] * (nodes[i] - points[first[i] + a])
            rows[i, a] = np.exp(-0.5 * t * t)
    return rows


@kernel
def weighted_mixture(
    nodes: FloatArray,
    gains: FloatArray,
    first: IntArray,
    counts: IntArray,
    points: FloatArray,
    masses: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Mixture of kernels at each letter, and the mean of t^2 under its test channel."""
    mixture, error = np.zeros(nodes.size), np.zeros(nodes.size)
    for i in range(nodes.size):
        for a in range(counts[i]):
            t = gains[i] * (nodes[i] - points[first[i] + a])
            value = masses[first[i] + a] * np.exp(-0.5 * t * t)
            mixture[i] += value
            error[i] += value * t * t
        error[i] /= mixture[i]
    return mixture, error


@kernel
def weighted_scan(
    places: FloatArray,
    bins: IntArray,
    units: FloatArray,
    first: IntArray,
    last: IntArray,
    order: int,
    nodes: FloatArray,
    gains: FloatArray,
    masses: FloatArray,
) -> FloatArray:
    """Taylor coefficients at each place, in the unit of its bin, of the sum of mass_i exp(-t^2 / 2).

    The k-th derivative of a kernel by y is gain^k He_k(t) exp(-t^2 / 2).
    """
    out = np.zeros((places.size, 6))
    for p in range(places.size):
        b = bins[p]
        for i in range(first[b] * order, (last[b] + 1) * order):
            t = gains[i] * (nodes[i] - places[p])
            if abs(t) > 9.5:
                continue
            step = gains[i] * units[b]
            value = masses[i] * np.exp(-0.5 * t * t)
            before, hermite = 0.0, 1.0
            for k in range(6):
                out[p, k] += value * hermite
                before, hermite = hermite, t * hermite - k * before
                value *= step / (k + 1)
    return out
