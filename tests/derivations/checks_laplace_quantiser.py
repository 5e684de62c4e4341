"""Numeric checks of the closed-form entropy-constrained quantiser of the Laplace law: sums over its cells."""

from __future__ import annotations

import mpmath as mp

from .checking import check, value
from .laws import argmin, integral, laplace, slope

CELLS = 60  # of each side: what lies beyond weighs less than 1e-13 for the parameters drawn


def _exponential(y, s):
    return mp.exp(-y / s) / s


def _offset(step, s):
    mass = integral(lambda y: _exponential(y, s), 0, step)
    return integral(lambda y: y * _exponential(y, s), 0, step) / mass


def _cost_to_go(step, s, slope_of_bits):
    """Least cost of an exponential variable, summed cell by cell."""
    offset, total = _offset(step, s), mp.mpf(0)
    error = integral(lambda y: (y - offset) ** 2 * _exponential(y, s), 0, step)
    for k in range(2 * CELLS):
        reach = mp.exp(-k * step / s)
        p = reach * (1 - mp.exp(-step / s))
        total += reach * error - slope_of_bits * p * mp.log(p, 2)
    return total


@check("quadrature of the truncated mean")
def laplace_outer_offset(identity, draw):
    at = draw({"Delta": (0.4, 2.0)}, s=(0.5, 1.5))
    return value(identity.right, at), _offset(at["Delta"], at["s"])


@check("threshold condition of the second and third cell, lengths from quadrature")
def laplace_equal_steps(identity, draw):
    at = draw({"Delta": (0.4, 2.0), "delta": (0.1, 0.2)}, s=(0.5, 1.5))
    step, offset = at["Delta"], at["delta"]
    masses = [integral(lambda y: _exponential(y, at["s"]), k * step, (k + 1) * step) for k in (1, 2)]
    inner, outer = step + offset, 2 * step + offset
    gain = (2 * step - inner) ** 2 - (2 * step - outer) ** 2
    return value(identity.right, at), gain / mp.log(masses[0] / masses[1], 2)


@check("step: numerical minimisation of the cost at the derived slope", 1e-10)
def laplace_slope(identity, draw):
    at = draw({"Delta": (0.8, 2.0)}, s=(0.5, 1.5))
    step = at["Delta"]
    derived = value(identity.right, at | {"r": mp.expm1(step / at["s"])})
    return step, argmin(lambda width: _cost_to_go(width, at["s"], derived), 0.7 * step, 1.5 * step)


@check("finite difference of distortion plus slope times entropy", 1e-9)
def laplace_dead_zone(identity, draw):
    at = draw({"Delta": (0.4, 2.0), "lambda": (0.1, 0.5), "delta": (0.1, 0.2)}, s=(0.5, 1.5), T=(0.3, 1.5))
    edge = at["T"]
    codepoint, end = edge + at["delta"], edge + at["Delta"]

    def cost(t):  # one side: half of the centre and the first cell
        centre = integral(lambda y: laplace(y, at["s"]), 0, t)
        first = integral(lambda y: laplace(y, at["s"]), t, end)
        bits = -centre * mp.log(2 * centre, 2) - first * mp.log(first, 2)
        error = integral(lambda y: y**2 * laplace(y, at["s"]), 0, t)
        error += integral(lambda y: (y - codepoint) ** 2 * laplace(y, at["s"]), t, end)
        return error + at["lambda"] * bits

    return value(identity.right, at), slope(cost, edge) / laplace(edge, at["s"])


def _edges(at):
    return [at["T"] + k * at["Delta"] for k in range(CELLS + 1)]


@check("sum over the cells, by quadrature")
def laplace_quantiser_distortion(identity, draw):
    at = draw({"Delta": (0.8, 2.0)}, s=(0.5, 1.0), T=(0.3, 1.5))
    total = integral(lambda y: y**2 * laplace(y, at["s"]), 0, at["T"])
    offset = _offset(at["Delta"], at["s"])

    def cell(edge):
        return integral(lambda y: (y - edge - offset) ** 2 * laplace(y, at["s"]), edge, edge + at["Delta"])

    return value(identity.right, at), 2 * (total + sum(cell(edge) for edge in _edges(at)))


@check("sum over the cells")
def laplace_quantiser_entropy(identity, draw):
    at = draw({"Delta": (0.8, 2.0)}, s=(0.5, 1.0), T=(0.3, 1.5))
    decays = {"p": mp.exp(-at["Delta"] / at["s"]), "w": mp.exp(-at["T"] / at["s"])}
    masses = [1 - mp.exp(-at["T"] / at["s"])]
    for edge in _edges(at):
        p = (mp.exp(-edge / at["s"]) - mp.exp(-(edge + at["Delta"]) / at["s"])) / 2
        masses += [p, p]
    return value(identity.right, decays), -sum(p * mp.log(p, 2) for p in masses)
