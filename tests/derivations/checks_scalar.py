"""Numeric checks of the conditions of scalar quantisers and of companding."""

from __future__ import annotations

from itertools import pairwise

import mpmath as mp
import sympy as sp

from .checking import check, value
from .laws import argmin, even, generalised, gumbel, integral, laplace, normal, slope, student

GUMBEL = {"f": lambda y: sp.exp(-y - sp.exp(-y))}


def cell(q, a, b):
    return integral(lambda y: (y - q) ** 2 * gumbel(y), a, b)


@check("numerical minimisation of the cell's error", 1e-10)
def centroid_condition(identity, draw):
    at = draw(a=(-1.0, 0.0), b=(0.5, 2.0))
    return value(identity.right, at, GUMBEL), argmin(lambda q: cell(q, at["a"], at["b"]), at["a"], at["b"])


@check("numerical minimisation of the error of two cells", 1e-10)
def midpoint_condition(identity, draw):
    at = draw(q_1=(-0.5, 0.2), d=(0.5, 1.5))
    q1, q2 = at["q_1"], at["q_1"] + at["d"]
    return value(identity.right, at), argmin(lambda t: cell(q1, -1, t) + cell(q2, t, 4), q1, q2)


@check("quadrature of the error")
def stationary_distortion(identity, draw):
    at = draw(a=(-1.0, 0.0), b=(0.5, 2.0))
    m0, m1 = (integral(lambda y, k=k: y**k * gumbel(y), at["a"], at["b"]) for k in (0, 1))
    return value(identity.right, at, GUMBEL), cell(m1 / m0, at["a"], at["b"])


@check("finite differences of the distortion", 1e-7)
def lloyd_max_hessian(identity, draw):
    at = draw(q_1=(-1.0, -0.5), q_2=(0.0, 0.5), q_3=(1.0, 2.0))

    def half(*q):
        t = [-3, (q[0] + q[1]) / 2, (q[1] + q[2]) / 2, 25]  # the tails beyond weigh less than 1e-8
        return sum(cell(q[i], t[i], t[i + 1]) for i in range(3)) / 2

    point, step = list(at.values()), mp.mpf("1e-6")
    hessian = []
    for i in range(3):
        for j in range(3):
            signs = [(u, v) for u in (1, -1) for v in (1, -1)]
            moved = []
            for u, v in signs:
                q = list(point)
                q[i] += u * step
                q[j] += v * step
                moved.append(u * v * half(*q))
            hessian.append(sum(moved) / (4 * step**2))
    right = identity.right.subs(sp.oo, 25).subs(-sp.oo, -3)
    return value(right, at, GUMBEL), hessian


def _entropy_constrained(draw):
    at = draw(
        {"lambda": (0.05, 0.3)}, a=(-1.0, -0.5), b=(2.0, 3.0), t=(0.3, 0.9), q_1=(-0.3, 0.1), q_2=(1.1, 1.6)
    )
    mass = [integral(gumbel, at["a"], at["t"]), integral(gumbel, at["t"], at["b"])]
    return at, {"ell_1": -mp.log(mass[0], 2), "ell_2": -mp.log(mass[1], 2)}


def _cost(at, t, q1):
    bits = [-p * mp.log(p, 2) for p in (integral(gumbel, at["a"], t), integral(gumbel, t, at["b"]))]
    return cell(q1, at["a"], t) + cell(at["q_2"], t, at["b"]) + at["lambda"] * sum(bits)


@check("finite difference of distortion plus slope times entropy", 1e-10)
def entropy_threshold_gradient(identity, draw):
    at, lengths = _entropy_constrained(draw)
    return value(identity.right, at | lengths, GUMBEL), slope(lambda t: _cost(at, t, at["q_1"]), at["t"])


@check("numerical minimisation for given code lengths", 1e-10)
def entropy_threshold_formula(identity, draw):
    at, lengths = _entropy_constrained(draw)

    def cost(t):
        masses = integral(gumbel, at["a"], t), integral(gumbel, t, at["b"])
        bits = masses[0] * lengths["ell_1"] + masses[1] * lengths["ell_2"]
        return cell(at["q_1"], at["a"], t) + cell(at["q_2"], t, at["b"]) + at["lambda"] * bits

    return value(identity.right, at | lengths), argmin(cost, at["q_1"], at["q_2"])


@check("numerical minimisation along the codepoint", 1e-10)
def entropy_constrained_centroid(identity, draw):
    at, _ = _entropy_constrained(draw)
    return value(identity.right, at, GUMBEL), argmin(lambda q: _cost(at, at["t"], q), at["a"], at["t"])


@check("quadrature over one cell of a fine quantiser (N = 100 000)", 1e-8)
def bennett_integral(identity, draw):
    at = draw(x=(-0.5, 1.5)) | {"N": mp.mpf(100_000)}
    point_density = {"lambda": lambda y: 1 / (1 + y**2) / sp.pi}
    width = mp.pi * (1 + at["x"] ** 2) / at["N"]
    error = integral(lambda u: u**2 * gumbel(at["x"] + u), -width / 2, width / 2) / width
    return value(identity.right, at, GUMBEL | point_density), error


@check("numerical minimisation over piecewise constant densities", 1e-9)
def cube_root_rule(identity, draw):
    heights = list(draw(f_1=(0.2, 1.0), f_2=(0.2, 1.0), f_3=(0.2, 1.0)).values())

    def slopes(u, v):  # the third density follows from their sum being 1
        rest = 1 - u - v
        return [
            heights[0] / u**3 - heights[2] / rest**3,
            heights[1] / v**3 - heights[2] / rest**3,
        ]

    best = mp.findroot(slopes, (0.33, 0.33))
    scale = sum(mp.cbrt(height) for height in heights)
    values = [
        value(identity.right, {"c": scale}, {"f": lambda _, h=h: sp.Float(str(h), 30)}) for h in heights[:2]
    ]
    return values, list(best)


@check("quadrature of Bennett's integral", 1e-10)
def panter_dite(identity, draw):
    at = draw(N=(4, 64))
    total = integral(lambda y: mp.cbrt(gumbel(y)), -6, 0, 5, 30, 120)
    density = lambda y: mp.cbrt(gumbel(y)) / total  # noqa: E731
    bennett = integral(lambda y: gumbel(y) / density(y) ** 2, -6, 0, 5, 30, 120) / (12 * at["N"] ** 2)
    right = identity.right.subs(sp.oo, 120).subs(-sp.oo, -6)
    return value(right, at, GUMBEL), bennett


@check("numerical minimisation at two densities", 1e-10)
def power_error_rule(identity, draw):
    at = draw(r=(0.5, 4.0))

    def best(height):
        def cost(density):
            width = 1 / density
            return density * height * 2 * integral(lambda u: u ** at["r"], 0, width / 2) + density

        return argmin(cost, mp.mpf("0.05"), mp.mpf(2))

    low, high = best(mp.mpf("0.5")), best(mp.mpf("0.8"))
    return value(identity.right, at), mp.log(high / low) / mp.log(mp.mpf("1.6"))


def _power_of(density, p, at, scale):
    """The normalised power of a density at a point."""
    return density(at) ** p / even(lambda y: density(y) ** p, scale, 5 * scale)


@check("normalising the power by quadrature; both densities at x")
def power_density_gaussian(identity, draw):
    at = draw(p=(0.2, 0.8), s=(0.5, 2.0), x=(0.1, 2.0))
    return (
        normal(at["x"], value(identity.right, at)),
        _power_of(lambda y: normal(y, at["s"]), at["p"], at["x"], at["s"]),
    )


@check("normalising the power by quadrature; both densities at x")
def power_density_laplace(identity, draw):
    at = draw(p=(0.2, 0.8), s=(0.5, 2.0), x=(0.1, 2.0))
    return (
        laplace(at["x"], value(identity.right, at)),
        _power_of(lambda y: laplace(y, at["s"]), at["p"], at["x"], at["s"]),
    )


@check("normalising the power by quadrature; both densities at x", 1e-10)
def power_density_generalised_gaussian(identity, draw):
    at = draw(p=(0.2, 0.8), s=(0.5, 2.0), beta=(0.8, 3.0), x=(0.1, 2.0))
    return (
        generalised(at["x"], at["beta"], value(identity.right, at)),
        _power_of(lambda y: generalised(y, at["beta"], at["s"]), at["p"], at["x"], at["s"]),
    )


@check("normalising the power by quadrature; both densities at x", 1e-10)
def power_density_student_t(identity, draw):
    at = draw(p=(0.3, 0.8), s=(0.5, 2.0), nu=(5.0, 12.0), x=(0.1, 2.0))
    degrees, squared = value(identity.right, at)
    return (
        student(at["x"], degrees, mp.sqrt(squared)),
        _power_of(lambda y: student(y, at["nu"], at["s"]), at["p"], at["x"], at["s"]),
    )


@check("quadrature of Bennett's integral")
def power_distortion_gaussian(identity, draw):
    at = draw(p=(0.2, 0.45), sigma=(0.5, 2.0), N=(4, 64))
    law = lambda y: normal(y, at["sigma"])  # noqa: E731
    inner = even(lambda y: law(y) ** (1 - 2 * at["p"]), 5) * even(lambda y: law(y) ** at["p"], 5) ** 2
    return value(identity.right, at | {"q": 1 - 2 * at["p"]}), inner / (12 * at["N"] ** 2)


def _panter_dite(law, n):
    return even(lambda y: mp.cbrt(law(y)), 1, 5) ** 3 / (12 * n**2)


@check("quadrature of the cube root of the density")
def panter_dite_gaussian(identity, draw):
    at = draw(sigma=(0.5, 2.0), N=(4, 64))
    return value(identity.right, at), _panter_dite(lambda y: normal(y, at["sigma"]), at["N"])


@check("quadrature of the cube root of the density")
def panter_dite_laplace(identity, draw):
    at = draw(sigma=(0.5, 2.0), N=(4, 64))
    return value(identity.right, at), _panter_dite(lambda y: laplace(y, at["sigma"] / mp.sqrt(2)), at["N"])


@check("quadrature of the error of N equal cells")
def panter_dite_uniform(identity, draw):
    at = draw(w=(0.5, 2.0), N=(2, 16))
    edges = [at["w"] * i / at["N"] for i in range(int(at["N"]) + 1)]
    error = sum(integral(lambda y, a=a, b=b: (y - (a + b) / 2) ** 2, a, b) for a, b in pairwise(edges))
    return value(identity.right, at), error / at["w"]


@check("quadrature of the cube root of the density", 1e-10)
def panter_dite_generalised_gaussian(identity, draw):
    at = draw(beta=(0.8, 3.0), s=(0.5, 2.0), N=(4, 64))
    return value(identity.right, at), _panter_dite(lambda y: generalised(y, at["beta"], at["s"]), at["N"])


@check("quadrature of the cube root of the density", 1e-10)
def panter_dite_student_t(identity, draw):
    at = draw(m=(3.0, 8.0), N=(4, 64))
    return value(identity.right, at), _panter_dite(lambda y: student(y, at["m"] + 2, mp.mpf(1)), at["N"])
