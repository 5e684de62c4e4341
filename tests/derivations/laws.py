"""Densities in mpmath, written from their definitions, and quadrature over them."""

from __future__ import annotations

import mpmath as mp


def gumbel(y):
    """A skewed density, so that no symmetry helps."""
    return mp.exp(-y - mp.exp(-y))


def normal(y, sigma=1):
    return mp.exp(-(y**2) / (2 * sigma**2)) / mp.sqrt(2 * mp.pi * sigma**2)


def laplace(y, s):
    return mp.exp(-abs(y) / s) / (2 * s)


def student(y, nu, s=1):
    constant = mp.gamma((nu + 1) / 2) / (mp.sqrt(mp.pi * nu) * mp.gamma(nu / 2) * s)
    return constant * (1 + (y / s) ** 2 / nu) ** (-(nu + 1) / 2)


def generalised(y, beta, s):
    return beta / (2 * s * mp.gamma(1 / beta)) * mp.exp(-((abs(y) / s) ** beta))


def logistic(y, s):
    return 1 / (4 * s * mp.cosh(y / (2 * s)) ** 2)


def integral(function, *ends):
    return mp.quad(function, ends)


def even(function, *breaks):
    """Integral of an even function over the whole line."""
    return 2 * mp.quad(function, [0, *breaks, mp.inf])


def slope(cost, at):
    """Central difference: with 22 digits its error is near 1e-13."""
    step = mp.mpf("1e-6")
    return (cost(at + step) - cost(at - step)) / (2 * step)


def argmin(cost, low, high):
    """Minimum of a smooth cost between two points, where its slope vanishes."""
    return mp.findroot(lambda y: slope(cost, y), (low, high), solver="illinois", tol=1e-12, verify=False)
