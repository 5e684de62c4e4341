"""Numeric checks of the block maximum and the block-scaled law: quadrature over blocks."""

from __future__ import annotations

import math

import mpmath as mp
import sympy as sp
from scipy import integrate

from .checking import check, compiled, value
from .laws import integral, normal, slope

GAUSSIAN = {"G": lambda m: sp.erf(m / sp.sqrt(2))}  # P(|X| <= m)
BEYOND = 16  # a standard normal exceeds it with probability 1e-57


def _within(m):
    return mp.erf(m / mp.sqrt(2))


def _mean(expression, block):
    """Integral over m of a derived density in m, for Gaussian elements."""
    return integral(compiled(expression, {"B": block}, GAUSSIAN), mp.mpf("1e-12"), 2, BEYOND)


def _mean_square_maximum(block):
    """E[M^2] as the integral of 2 m P(M > m)."""
    return integral(lambda m: 2 * m * (1 - _within(m) ** block), 0, 2, BEYOND)


@check("finite difference of the distribution function", 1e-8)
def block_maximum_density(identity, draw):
    at = draw(m=(0.5, 3.0), B=(2, 64))
    return value(identity.right, at, GAUSSIAN), slope(lambda m: _within(m) ** at["B"], at["m"])


def _laplace_maximum(at, power):
    """Moment of the maximum of B + 1 elements, by quadrature of its tail."""
    size = at["B"] + 1
    tail = lambda m: 1 - (1 - mp.exp(-m / at["s"])) ** size  # noqa: E731
    return integral(lambda m: power * m ** (power - 1) * tail(m), 0, 2, 10, 150)


@check("quadrature of P(M > m), B + 1 elements")
def laplace_block_maximum(identity, draw):
    at = draw(s=(0.5, 2.0), B=(3, 63))
    return value(identity.right, at), _laplace_maximum(at, 1)


@check("quadrature of 2 m P(M > m), B + 1 elements")
def laplace_block_maximum_square(identity, draw):
    at = draw(s=(0.5, 2.0), B=(3, 63))
    return value(identity.right, at), _laplace_maximum(at, 2)


@check("P(|X| <= x, m < M <= m + dm, not the maximum) by finite differences", 1e-8)
def block_conditional_law(identity, draw):
    at = draw(x=(0.1, 0.8), m=(1.0, 2.5), B=(3, 16))
    b, h = at["B"], mp.mpf("1e-5")

    def joint(y, m):  # element at most y, block at most m
        return _within(y) * _within(m) ** (b - 1)

    x, m = at["x"], at["m"]
    density = (joint(x + h, m + h) - joint(x - h, m + h) - joint(x + h, m - h) + joint(x - h, m - h)) / (
        4 * h**2
    )
    below = slope(lambda y: _within(m) * _within(y) ** (b - 1), m)  # maximum at m among the others
    return value(identity.right, at, GAUSSIAN), density / below


@check("direct integral over both elements of a Gaussian block of two", 1e-9)
def block_partial_moments(identity, draw):
    at = draw(a=(-0.5, 0.0), b=(0.2, 0.8), k=(0, 2))
    a, b, k = at["a"], at["b"], at["k"]

    def own(m, lower, upper):  # M_k(ma, mb) by the error function
        edges = [(m * end, normal(m * end)) for end in (lower, upper)]
        mass = (mp.erf(m * upper / mp.sqrt(2)) - mp.erf(m * lower / mp.sqrt(2))) / 2
        moments = [mass, edges[0][1] - edges[1][1]]
        return [*moments, mass + edges[0][0] * edges[0][1] - edges[1][0] * edges[1][1]][int(k)]

    contribution = compiled(identity.right, {"B": mp.mpf(2), "k": k}, GAUSSIAN)  # of M_k and m
    derived = integral(lambda m: contribution(own(m, a, b), m), mp.mpf("1e-12"), 2, BEYOND)

    def both(x, y):  # the other element is the maximum, at y or -y; the restored error weighs y^2
        return 2 * y**2 * (x / y) ** int(k) * math.exp(-(x * x + y * y) / 2) / (2 * math.pi)

    # each element of the two is the smaller one half of the time: per element, one of the two orders
    direct = integrate.dblquad(
        both, 1e-12, 12, lambda y: float(a) * y, lambda y: float(b) * y, epsabs=1e-13, epsrel=1e-11
    )
    return derived, direct[0]


@check("quadrature of 2 m P(M > m)", 1e-10)
def block_total_mass(identity, draw):
    at = draw(B=(2, 64))
    return _mean(identity.left, at["B"]), _mean_square_maximum(at["B"])


@check("second moment of a standard Gaussian", 1e-10)
def block_second_moment(identity, draw):
    at = draw(B=(2, 32))
    y = sp.Symbol("y", positive=True)
    inner = sp.integrate(
        y**2 * sp.exp(-(y**2) / 2) * sp.sqrt(2 / sp.pi), (y, 0, sp.Symbol("m", positive=True))
    )
    expression = identity.left.replace(lambda part: isinstance(part, sp.Integral), lambda _: inner)
    return _mean(expression, at["B"]), mp.mpf(1)


@check("density of the share of one square, from two chi-square laws by quadrature")
def gaussian_rms_law(identity, draw):
    at = draw(B=(4, 32), w=(0.05, 0.5))
    v, b = at["w"] / (1 + at["w"]), at["B"]

    def chi_square(x, k):
        return x ** (k / 2 - 1) * mp.exp(-x / 2) / (2 ** (k / 2) * mp.gamma(k / 2))

    share = integral(lambda r: r * chi_square(r * v, 1) * chi_square(r * (1 - v), b - 1), 0, b, 4 * b, 300)
    derived = integral(compiled(identity.right, at), mp.mpf("1e-12"), b, 4 * b, 300)
    return derived, share


@check("quadrature of the fourth moment over the beta law")
def gaussian_rms_kurtosis(identity, draw):
    at = draw(B=(5, 64))
    b = at["B"]
    # with V = sin^2 the beta law has no end singularities
    weight = lambda angle: mp.cos(angle) ** (b - 2)  # noqa: E731
    fourth = integral(lambda angle: weight(angle) * mp.sin(angle) ** 4, 0, mp.pi / 4, mp.pi / 2)
    return value(identity.right, {"c": (b - 1) / 2}), b**2 * fourth / integral(
        weight, 0, mp.pi / 4, mp.pi / 2
    )
