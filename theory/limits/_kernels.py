"""Compiled loops over a mixture of Gaussian bells whose overlaps are local.

A bell j has a centre y_j and a width W_j >= w, both ascending in the sense that neighbours reach over one
another; node i sees the bells `first[i] .. first[i] + counts[i] - 1`.  Folded mixtures hold the right half of
a symmetric one: bell j stands for two half bells at y_j and -y_j.
"""

from __future__ import annotations

import numpy as np

from .._compiled import kernel
from .._typing import FloatArray, IntArray

__all__ = [
    "bell_rows",
    "correlation_scan",
    "hessian_band",
    "local_widths",
    "mixture_at_nodes",
    "place_bells",
    "row_products",
    "row_sums",
    "subdivide",
]


@kernel
def _width(x: float, lower: FloatArray, upper: FloatArray, scale: FloatArray, slope: float) -> float:
    best = np.inf
    for k in range(lower.size):
        distance = max(lower[k] - x, x - upper[k], 0.0)
        best = min(best, scale[k] + slope * distance)
    return best


@kernel
def local_widths(
    points: FloatArray, lower: FloatArray, upper: FloatArray, scale: FloatArray, slope: float, least: float
) -> FloatArray:
    """Widest bell allowed at each point: what the features allow, but at least the kernel's own width."""
    out = np.empty(points.size)
    for i in range(points.size):
        out[i] = max(least, _width(points[i], lower, upper, scale, slope))
    return out


@kernel
def place_bells(
    start: float,
    stop: float,
    lower: FloatArray,
    upper: FloatArray,
    scale: FloatArray,
    slope: float,
    least: float,
    close: float,
    spacing: float,
) -> list[float]:
    """Centres from start to stop, `spacing` local widths apart (`close` where the width is the least)."""
    centres = [start]
    x = start
    while True:
        width = _width(x, lower, upper, scale, slope)
        step = close * least if width <= least else min(spacing * width, close * least + (width - least))
        x += step
        if x >= stop:
            break
        centres.append(x)
    centres.append(stop)
    return centres


@kernel
def subdivide(
    starts: FloatArray,
    stops: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    scale: FloatArray,
    slope: float,
    least: float,
    length: float,
    fine: float,
) -> list[float]:
    """Edges of sub-panels of the local width, or as the least one where that is below `fine` times it."""
    edges = [starts[0]]
    for k in range(starts.size):
        x = starts[k]
        while True:
            width = _width(x, lower, upper, scale, slope)
            step = length * (least if width < fine * least else width)
            rest = stops[k] - x
            if rest <= step:
                break
            x += rest / 2 if rest < 2 * step else step
            edges.append(x)
        edges.append(stops[k])
    return edges


@kernel
def bell_rows(
    nodes: FloatArray,
    first: IntArray,
    counts: IntArray,
    centres: FloatArray,
    widths: FloatArray,
    kernel_width: float,
    folded: bool,
) -> FloatArray:
    """Bells at the nodes: (w / W_j) exp(-(x_i - y_j)^2 / 2 W_j^2), one padded row a node."""
    rows = np.zeros((nodes.size, counts.max()))
    for i in range(nodes.size):
        for a in range(counts[i]):
            j = first[i] + a
            u = (nodes[i] - centres[j]) / widths[j]
            value = np.exp(-0.5 * u * u)
            if folded:
                u = (nodes[i] + centres[j]) / widths[j]
                value = 0.5 * (value + np.exp(-0.5 * u * u))
            rows[i, a] = value * kernel_width / widths[j]
    return rows


@kernel
def row_sums(rows: FloatArray, first: IntArray, counts: IntArray, masses: FloatArray) -> FloatArray:
    """Mixture at each node: sum over j of K_ij q_j."""
    out = np.zeros(first.size)
    for i in range(first.size):
        total = 0.0
        for a in range(counts[i]):
            total += rows[i, a] * masses[first[i] + a]
        out[i] = total
    return out


@kernel
def row_products(
    rows: FloatArray, first: IntArray, counts: IntArray, weights: FloatArray, size: int
) -> FloatArray:
    """Sum over nodes of weight_i K_ij, for each bell j."""
    out = np.zeros(size)
    for i in range(first.size):
        for a in range(counts[i]):
            out[first[i] + a] += weights[i] * rows[i, a]
    return out


@kernel
def hessian_band(
    rows: FloatArray, first: IntArray, counts: IntArray, weights: FloatArray, size: int
) -> FloatArray:
    """Lower band of H, the sum over nodes of weight_i K_ij K_il: row j holds H[j, j], H[j + 1, j], ..."""
    band = np.zeros((size, counts.max()))
    for i in range(first.size):
        for a in range(counts[i]):
            value = weights[i] * rows[i, a]
            line, rest = band[first[i] + a], rows[i, a:]
            for b in range(counts[i] - a):
                line[b] += value * rest[b]
    return band


@kernel
def mixture_at_nodes(
    nodes: FloatArray,
    first: IntArray,
    counts: IntArray,
    centres: FloatArray,
    spreads: FloatArray,
    masses: FloatArray,
    kernel_width: float,
    folded: bool,
) -> tuple[FloatArray, FloatArray]:
    """Mixture at each node, and the mean squared error of the test channel there.

    A bell of spread t is the kernel exp(-(x - y)^2 / 2 w^2) averaged over y ~ N(y_j, t^2).
    """
    w2 = kernel_width * kernel_width
    mixture, error = np.zeros(nodes.size), np.zeros(nodes.size)
    for i in range(nodes.size):
        for a in range(counts[i]):
            j = first[i] + a
            t2 = spreads[j] * spreads[j]
            shrink = w2 / (w2 + t2)
            scale = masses[j] * np.sqrt(shrink)
            d2 = (nodes[i] - centres[j]) ** 2
            value = scale * np.exp(-0.5 * d2 / (w2 + t2))
            mixture[i] += value
            error[i] += value * (d2 * shrink * shrink + t2 * shrink)
            if folded:
                d2 = (nodes[i] + centres[j]) ** 2
                other = scale * np.exp(-0.5 * d2 / (w2 + t2))
                mixture[i] += other
                error[i] += other * (d2 * shrink * shrink + t2 * shrink)
        error[i] /= mixture[i]
        if folded:
            mixture[i] *= 0.5
    return mixture, error


@kernel
def correlation_scan(points: FloatArray, nodes: FloatArray, weights: FloatArray, width: float) -> FloatArray:
    """Sum weight t^k exp(-t^2 / 2), t = (x - y) / width, k = 0..5, over nodes x at each ascending y."""
    out = np.zeros((points.size, 6))
    start = 0
    for i in range(points.size):
        y = points[i]
        while start < nodes.size and nodes[start] < y - 9.0 * width:
            start += 1
        j = start
        while j < nodes.size and nodes[j] <= y + 9.0 * width:
            t = (nodes[j] - y) / width
            value = weights[j] * np.exp(-0.5 * t * t)
            for k in range(6):
                out[i, k] += value
                value *= t
            j += 1
    return out
