"""Integrals along a circle and along a ray of two densities given in panels.

A density on r >= 0 is r^power exp(l(r)) with l a Chebyshev series on each panel; panels are intervals between
ascending edges, and beyond the first and last edge the density is 0.  Two independent radii R and Q make a
point of the quarter plane: the density of its distance from the origin is an integral along a circle, that of
its direction one along a ray.  Both are cut at every edge of either density, so that each piece is smooth.
"""

from __future__ import annotations

import math

import numpy as np

from .._compiled import kernel
from .._typing import FloatArray
from ._panel_series import add_series, find_panel, local_coordinate

__all__ = ["circle_integrals", "curve_moments", "ray_integrals"]

_LEAST_COSINE = 1e-17  # where the angle is a right one but for rounding


@kernel
def _eighth(
    radius: float,
    a_edges: FloatArray,
    a_series: FloatArray,
    a_power: float,
    b_edges: FloatArray,
    b_series: FloatArray,
    b_power: float,
    nodes: FloatArray,
    weights: FloatArray,
    work: FloatArray,
) -> float:
    """Integral over the part of the circle where the radius of the first density is the smaller one."""
    total = 0.0
    start, top = _arc(radius, a_edges, b_edges)
    if not start < top:
        return total
    i = find_panel(a_edges, start)
    j = find_panel(b_edges, _other_side(radius, start))
    s, q, x, value = work[0], work[1], work[2], work[3]
    while start < top and i + 1 < a_edges.size and j >= 0:
        a_stop, b_stop = a_edges[i + 1], 0.0
        if b_edges[j] < radius:
            b_stop = _other_side(radius, b_edges[j])
        stop = min(top, min(a_stop, b_stop))
        width = stop - start
        if width > 0.0:
            for n in range(nodes.size):
                s[n] = start + width * nodes[n]
                q[n] = _other_side(radius, s[n])
                value[n] = 0.0
            local_coordinate(s, a_edges[i], a_edges[i + 1], x)
            add_series(a_series[i], x, work[4:], value)
            local_coordinate(q, b_edges[j], b_edges[j + 1], x)
            add_series(b_series[j], x, work[4:], value)
            _add_powers(s, q, min(radius, 1.0), a_power, b_power, value)  # powers of small radii underflow
            for n in range(nodes.size):
                total += weights[n] * width * math.exp(value[n]) / q[n]
        start = max(start, stop)
        if a_stop <= stop:
            i += 1
        if b_stop <= stop:
            j -= 1
    return total


@kernel
def _arc(radius: float, a_edges: FloatArray, b_edges: FloatArray) -> tuple[float, float]:
    """First radii between which a circle crosses both densities with the first radius the smaller one."""
    top = min(radius / math.sqrt(2.0), a_edges[-1])
    if b_edges[0] > 0.0:
        if b_edges[0] >= radius:
            return 0.0, 0.0
        top = min(top, _other_side(radius, b_edges[0]))
    start = a_edges[0]
    if b_edges[-1] < radius:
        start = max(start, _other_side(radius, b_edges[-1]))
    return start, top


@kernel
def _other_side(radius: float, side: float) -> float:
    """Second side of a right triangle, without cancellation."""
    return math.sqrt((radius - side) * (radius + side))


@kernel
def _add_powers(
    s: FloatArray, q: FloatArray, unit: float, a_power: float, b_power: float, out: FloatArray
) -> None:
    """Add the logarithms of the powers of both radii."""
    if a_power == b_power:
        if a_power != 0.0:
            for n in range(out.size):
                out[n] += a_power * math.log((s[n] / unit) * (q[n] / unit))
        return
    for n in range(out.size):
        if a_power != 0.0:
            out[n] += a_power * math.log(s[n] / unit)
        if b_power != 0.0:
            out[n] += b_power * math.log(q[n] / unit)


@kernel
def circle_integrals(
    radii: FloatArray,
    a_edges: FloatArray,
    a_series: FloatArray,
    a_power: float,
    b_edges: FloatArray,
    b_series: FloatArray,
    b_power: float,
    same: bool,
    nodes: FloatArray,
    weights: FloatArray,
) -> FloatArray:
    """Density of sqrt(R^2 + Q^2) at the radii r, over r min(r, 1)^(both powers)."""
    out = np.empty(radii.size)
    work = np.empty((6, nodes.size))
    for n in range(radii.size):
        first = _eighth(
            radii[n], a_edges, a_series, a_power, b_edges, b_series, b_power, nodes, weights, work
        )
        second = first
        if not same:
            second = _eighth(
                radii[n], b_edges, b_series, b_power, a_edges, a_series, a_power, nodes, weights, work
            )
        out[n] = first + second
    return out


@kernel
def ray_integrals(
    angles: FloatArray,
    a_edges: FloatArray,
    a_series: FloatArray,
    b_edges: FloatArray,
    b_series: FloatArray,
    b_power: float,
    nodes: FloatArray,
    weights: FloatArray,
) -> FloatArray:
    """Integrals of rho^m a(rho sin t) b(rho cos t) d rho, m = 1, 2, 3, at the angles t, over cos(t)^power.

    The first density has no power.  Shape (3, angles).
    """
    out = np.zeros((3, angles.size))
    work = np.empty((6, nodes.size))
    rho, value = work[0], work[2]
    for n in range(angles.size):
        sine, cosine = math.sin(angles[n]), math.cos(angles[n])
        start = max(a_edges[0] / sine, b_edges[0] / cosine)
        top = min(a_edges[-1] / sine, b_edges[-1] / cosine)
        if not start < top:
            continue
        i = find_panel(a_edges, start * sine)
        j = find_panel(b_edges, start * cosine)
        while start < top and i + 1 < a_edges.size and j + 1 < b_edges.size:
            a_stop, b_stop = a_edges[i + 1] / sine, b_edges[j + 1] / cosine
            stop = min(top, min(a_stop, b_stop))
            width = stop - start
            if width > 0.0:
                for k in range(nodes.size):
                    rho[k] = start + width * nodes[k]
                    value[k] = 0.0
                _add_along(sine, a_edges[i], a_edges[i + 1], a_series[i], work)
                _add_along(cosine, b_edges[j], b_edges[j + 1], b_series[j], work)
                for k in range(nodes.size):
                    if b_power != 0.0:
                        value[k] += b_power * math.log(rho[k])
                    term = weights[k] * width * math.exp(value[k]) * rho[k]
                    out[0, n] += term
                    out[1, n] += term * rho[k]
                    out[2, n] += term * rho[k] * rho[k]
            start = max(start, stop)
            if a_stop <= stop:
                i += 1
            if b_stop <= stop:
                j += 1
    return out


@kernel
def _add_along(slope: float, low: float, high: float, series: FloatArray, work: FloatArray) -> None:
    """Add the logarithm of a density of one leg of the points on a ray, slope times their distance."""
    rho, x, value, leg = work[0], work[1], work[2], work[3]
    for k in range(rho.size):
        leg[k] = rho[k] * slope
    local_coordinate(leg, low, high, x)
    add_series(series, x, work[4:], value)


@kernel
def curve_moments(
    edges: FloatArray,
    series: FloatArray,
    power: float,
    radius: float,
    lower: FloatArray,
    width: FloatArray,
    shift: FloatArray,
    nodes: FloatArray,
    weights: FloatArray,
) -> FloatArray:
    """Moments 0, 1, 2 of cells of a density in panels, shape (3, n); `shift` is lower end minus reference point.

    With radius 0 the coordinate is the value itself; else the value is radius sin(coordinate), and the density
    carries a factor cos(coordinate)^power.  Lower ends and shifts: `lower` and `width` in the coordinate,
    `shift` in the value.
    """
    out = np.zeros((3, lower.size))
    work = np.empty((5, nodes.size))
    x, value, place = work[0], work[1], work[2]
    for n in range(lower.size):
        begin = max(lower[n], edges[0])
        skipped = begin - lower[n]
        left = min(width[n], edges[-1] - lower[n]) - skipped
        if not left > 0.0:
            continue
        p = find_panel(edges, begin)
        offset = skipped
        while left > 0.0:
            step = left if p + 2 == edges.size else min(left, edges[p + 1] - (lower[n] + offset))
            for k in range(nodes.size):
                place[k] = lower[n] + (offset + step * nodes[k])
                value[k] = 0.0
            local_coordinate(place, edges[p], edges[p + 1], x)
            add_series(series[p], x, work[3:], value)
            for k in range(nodes.size):
                inner = offset + step * nodes[k]
                distance = shift[n] + _moved(lower[n], inner, radius)
                if radius != 0.0 and power != 0.0:
                    value[k] += power * math.log(max(math.cos(lower[n] + inner), _LEAST_COSINE))
                term = weights[k] * step * math.exp(value[k])
                out[0, n] += term
                out[1, n] += term * distance
                out[2, n] += term * distance * distance
            offset += step
            left -= step
            p += 1
            if p + 1 >= edges.size:
                break
    return out


@kernel
def _moved(lower: float, inner: float, radius: float) -> float:
    """How far the value moves with the coordinate, without cancellation."""
    if radius == 0.0:
        return inner
    return 2.0 * radius * math.cos(lower + inner / 2.0) * math.sin(inner / 2.0)
