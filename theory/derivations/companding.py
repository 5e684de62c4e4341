r"""Companding at high resolution: the error of a given density of points, and the density that is best.

With N points spread as $N\lambda(x)$ per unit length, the cell at x has width $\Delta = 1/(N\lambda(x))$.
Bennett's integral is the distortion when cells are narrow on the scale of the law; the calculus of
variations then gives the best $\lambda$: the cube root of the density, normalised.
"""

from __future__ import annotations

import sympy as sp
from sympy.calculus.euler import euler_equations

from .identity import Formula, Proof, derivation
from .integrals import f, split, x

__all__ = ["bennett_integral", "cube_root_rule", "panter_dite", "power_error_rule"]

_N = sp.Symbol("N", positive=True)
_LAMBDA = sp.Function("lambda", positive=True)
_MU = sp.Symbol("mu", positive=True)


@derivation
def bennett_integral(proof: Proof) -> tuple[Formula, Formula]:
    r"""Bennett's integral: narrow cells have the squared error $f(x)/(12 N^2 \lambda(x)^2)$ per unit length.

    The error of one cell of width $\Delta$ about x is expanded in $\Delta$: its value and first two
    derivatives vanish at 0, the third does not.

    References
    ----------
    Bennett (1948), "Spectra of quantized signals"; Gray and Neuhoff (1998), "Quantization", section IV.
    """
    u = sp.Symbol("u", real=True)
    width = sp.Symbol("Delta", positive=True)
    cell = sp.Integral(u**2 * f(x + u), (u, -width / 2, width / 2))
    derivatives = [cell.diff(width, order).subs(width, 0).doit() for order in range(4)]
    proof.equal(
        "Value, slope and curvature of the cell's error at width 0",
        sp.Matrix(derivatives[:3]),
        sp.zeros(3, 1),
    )
    proof.equal("Its third derivative there", derivatives[3], f(x) / 2)
    leading = derivatives[3] / sp.factorial(3) * width**3
    proof.equal("So the cell's error is, to leading order", leading, f(x) * width**3 / 12)
    left = leading.subs(width, 1 / (_N * _LAMBDA(x))) * _N * _LAMBDA(x)
    right = f(x) / (12 * _N**2 * _LAMBDA(x) ** 2)
    proof.equal("Times the number of cells in a unit length", left, right, symbol=r"dD/dx")
    return left, right


@derivation
def cube_root_rule(proof: Proof) -> tuple[Formula, Formula]:
    r"""Cube-root rule: the best density of points is $\lambda = f^{1/3} / \int f^{1/3}$.

    Euler's equation of $\int (f/\lambda^2 + \mu\lambda)$, the multiplier fixed by $\int\lambda = 1$. The
    integrand is convex in $\lambda$, so the stationary density is the best one.

    References
    ----------
    Panter and Dite (1951), "Quantization distortion in pulse-count modulation with nonuniform spacing of
    levels".
    """
    integrand = f(x) / _LAMBDA(x) ** 2 + _MU * _LAMBDA(x)
    (euler,) = euler_equations(integrand, [_LAMBDA(x)], [x])
    proof.equal("Euler's equation", euler.lhs - euler.rhs, _MU - 2 * f(x) / _LAMBDA(x) ** 3, symbol="0")
    density = sp.Symbol("rho", positive=True)
    stationary = sp.solve(euler.lhs.subs(_LAMBDA(x), density), density)[0]
    proof.equal("Solved", stationary, (2 * f(x) / _MU) ** sp.Rational(1, 3), symbol=r"\lambda")
    total = sp.Symbol("c", positive=True)  # the integral of f^(1/3)
    multiplier = sp.solve((2 / _MU) ** sp.Rational(1, 3) * total - 1, _MU)[0]
    proof.equal("Normalised, with $c = \\int f^{1/3}$", multiplier, 2 * total**3, symbol=r"\mu")
    best = f(x) ** sp.Rational(1, 3) / total
    excess = (f(x) / density**2 - f(x) / best**2) + multiplier * (density - best)
    proof.nonnegative(
        "Any other density $\\rho$ costs more, pointwise once $\\int\\rho=\\int\\lambda$",
        excess.subs(f(x), total**3 * sp.Symbol("l", positive=True) ** 3),
        sp.factor,
    )
    left = stationary.subs(_MU, multiplier)
    proof.equal("The best density", left, best, symbol=r"\lambda")
    return left, best


@derivation
def panter_dite(proof: Proof) -> tuple[Formula, Formula]:
    r"""Panter-Dite formula: the least distortion of N points is $D = \frac{1}{12N^2}(\int f^{1/3})^3$.

    Bennett's integral at the cube-root density.

    References
    ----------
    Panter and Dite (1951).
    """
    root = f(x) ** sp.Rational(1, 3)
    total = sp.Integral(root, (x, -sp.oo, sp.oo))
    density = root / total
    left = sp.Integral(f(x) / density**2, (x, -sp.oo, sp.oo)) / (12 * _N**2)
    right = total**3 / (12 * _N**2)
    proof.equal("Bennett's integral at $f^{1/3}/\\int f^{1/3}$", left, right, _pull_out, "D")
    return left, right


def _pull_out(expression: Formula) -> Formula:
    """Write nested integrals in normal form: the inner one is a constant of the outer one."""
    total = sp.Integral(f(x) ** sp.Rational(1, 3), (x, -sp.oo, sp.oo))
    constant = sp.Symbol("c", positive=True)
    return split(sp.expand(expression.subs(total, constant))).subs(total, constant)


@derivation
def power_error_rule(proof: Proof) -> tuple[Formula, Formula]:
    r"""Other powers of the error: for $|x - Q(x)|^r$ the best density of points is as $f^{1/(r+1)}$.

    The same argument with the cell error $\Delta^{r+1} f / (2^r (r+1))$; $r=2$ is the cube root, $r=1$ the
    square root.

    References
    ----------
    Zador (1982), "Asymptotic quantization error of continuous signals and the quantization dimension".
    """
    r, width, u, density, value = sp.symbols("r Delta u rho phi", positive=True)
    cell = 2 * sp.integrate(u**r, (u, 0, width / 2))
    proof.equal(
        "Error of a cell on which f is constant", cell, width ** (r + 1) / (2**r * (r + 1)), sp.simplify
    )
    per_length = (value * cell * density).subs(width, 1 / density)
    slope = (per_length + _MU * density).diff(density)
    proof.equal(
        "Stationarity of the error per unit length plus $\\mu\\lambda$",
        slope,
        _MU - value * r / (2**r * (r + 1)) * density ** (-r - 1),
        lambda difference: sp.powsimp(sp.expand(sp.simplify(difference)), force=True),
        "0",
    )
    scale = (r / (2**r * (r + 1) * _MU)) ** (1 / (r + 1))
    best = scale * value ** (1 / (r + 1))
    left = slope.subs(density, best)
    proof.equal(
        "It holds at $\\lambda = k\\,\\phi^{1/(r+1)}$ with $k$ free of x", left, sp.Integer(0), sp.simplify
    )
    exponent = sp.simplify(value * sp.log(best).diff(value))
    proof.equal("The exponent", exponent, 1 / (r + 1), symbol=r"\frac{d\ln\lambda}{d\ln f}")
    return exponent, 1 / (r + 1)
