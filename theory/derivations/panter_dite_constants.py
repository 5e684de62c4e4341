r"""Panter-Dite constants of families: $D \approx c\,\sigma^2/N^2$ with $c = (\int f^{1/3})^3 / 12\sigma^2$.

Each is the plain integral of the cube root of the density.
"""

from __future__ import annotations

import sympy as sp

from .identity import Formula, Proof, derivation

__all__ = [
    "panter_dite_gaussian",
    "panter_dite_generalised_gaussian",
    "panter_dite_laplace",
    "panter_dite_student_t",
    "panter_dite_uniform",
]

_X = sp.Symbol("x", positive=True)
_N, _SIGMA = sp.symbols("N sigma", positive=True)
_THIRD = sp.Rational(1, 3)


def _least_distortion(half_integral: Formula) -> Formula:
    """Panter and Dite's formula from half the integral of the cube root of an even density."""
    return (2 * half_integral) ** 3 / (12 * _N**2)


@derivation
def panter_dite_gaussian(proof: Proof) -> tuple[Formula, Formula]:
    r"""Gaussian constant: $D \approx \frac{\sqrt3\,\pi}{2}\,\sigma^2/N^2$.

    At a rate of $\log_2N$ bits that is 0.722 bit (4.35 dB) from the Gaussian's own bound $\sigma^2/N^2$.

    References
    ----------
    Panter and Dite (1951).
    """
    root = sp.exp(-(_X**2) / (6 * _SIGMA**2)) / (2 * sp.pi * _SIGMA**2) ** sp.Rational(1, 6)
    left = _least_distortion(sp.integrate(root, (_X, 0, sp.oo)))
    right = sp.sqrt(3) * sp.pi / 2 * _SIGMA**2 / _N**2
    proof.equal("The integral of the cube root, cubed", left, right, sp.simplify, "D")
    return left, right


@derivation
def panter_dite_laplace(proof: Proof) -> tuple[Formula, Formula]:
    r"""Laplace constant: $D \approx \frac92\,\sigma^2/N^2$.

    The scale is $s=\sigma/\sqrt2$.

    References
    ----------
    Gersho and Gray (1992), "Vector Quantization and Signal Compression".
    """
    s = _SIGMA / sp.sqrt(2)
    root = sp.exp(-_X / (3 * s)) / (2 * s) ** _THIRD
    left = _least_distortion(sp.integrate(root, (_X, 0, sp.oo)))
    right = sp.Rational(9, 2) * _SIGMA**2 / _N**2
    proof.equal("The integral of the cube root, cubed", left, right, sp.simplify, "D")
    return left, right


@derivation
def panter_dite_uniform(proof: Proof) -> tuple[Formula, Formula]:
    r"""Uniform law of width w: $D = w^2/(12 N^2)$.

    Here it is exact for every N, not only at high resolution: N equal cells are the Lloyd-Max quantiser.

    References
    ----------
    Bennett (1948).
    """
    width = sp.Symbol("w", positive=True)
    left = _least_distortion(sp.integrate((1 / width) ** _THIRD, (_X, 0, width / 2)))
    right = width**2 / (12 * _N**2)
    u = sp.Symbol("u", real=True)
    cell = width / _N
    exact = _N * sp.integrate(u**2 / width, (u, -cell / 2, cell / 2))
    proof.equal("N equal cells have exactly this error", exact, right)
    proof.equal("The integral of the cube root, cubed", left, right, sp.simplify, "D")
    return left, right


@derivation
def panter_dite_generalised_gaussian(proof: Proof) -> tuple[Formula, Formula]:
    r"""Generalised Gaussian constant: $D \approx 3^{3/\beta-1}\,s^2\,\Gamma(1/\beta)^2/\beta^2 N^2$.

    The law has density $\frac{\beta}{2s\,\Gamma(1/\beta)}\,e^{-(|x|/s)^\beta}$.

    References
    ----------
    Panter and Dite (1951) for the formula; the integral is elementary.
    """
    beta, s = sp.symbols("beta s", positive=True)
    constant = (beta / (2 * s * sp.gamma(1 / beta))) ** _THIRD
    half = sp.integrate(sp.exp(-((_X / (3 ** (1 / beta) * s)) ** beta)), (_X, 0, sp.oo))
    left = _least_distortion(constant * half)
    right = 3 ** (3 / beta) / (3 * _N**2) * s**2 * sp.gamma(1 / beta) ** 2 / beta**2
    proof.equal(
        "Half the integral of $f^{1/3}$, without its constant",
        half,
        3 ** (1 / beta) * s * sp.gamma(1 / beta) / beta,
        _gamma_simplify,
    )
    proof.equal("Cubed", left, right, _gamma_simplify, "D")
    gauss = {beta: 2, s: sp.sqrt(2) * _SIGMA}
    proof.equal(
        "At $\\beta = 2$ it is the Gaussian's",
        right.subs(gauss),
        sp.sqrt(3) * sp.pi * _SIGMA**2 / (2 * _N**2),
    )
    laplace = {beta: 1, s: _SIGMA / sp.sqrt(2)}
    proof.equal(
        "At $\\beta = 1$ it is that of the Laplace law", right.subs(laplace), 9 * _SIGMA**2 / (2 * _N**2)
    )
    return left, right


@derivation
def panter_dite_student_t(proof: Proof) -> tuple[Formula, Formula]:
    r"""Student-t: $\int f^{1/3} = C_\nu^{1/3}\sqrt{\pi\nu}\,\Gamma(\frac{\nu-2}{6})/\Gamma(\frac{\nu+1}{6})$.

    In standard scale. D is the cube over $12N^2$; $C_\nu$ is the constant of the density. It needs $\nu>2$,
    as the variance does, and grows without bound as $\nu$ falls to 2.

    References
    ----------
    Panter and Dite (1951) for the formula; the integral is a beta function.
    """
    m = sp.Symbol("m", positive=True)  # nu - 2
    nu = m + 2
    constant = sp.gamma((nu + 1) / 2) / (sp.sqrt(sp.pi * nu) * sp.gamma(nu / 2))
    half = sp.integrate((1 + _X**2) ** (-(nu + 1) / 6), (_X, 0, sp.oo)) * sp.sqrt(nu)
    left = _least_distortion(constant**_THIRD * half)
    total = constant**_THIRD * sp.sqrt(sp.pi * nu) * sp.gamma(m / 6) / sp.gamma((nu + 1) / 6)
    right = total**3 / (12 * _N**2)
    proof.equal(
        "The integral of the cube root, cubed, with $m = \\nu - 2$", left, right, _gamma_simplify, "D"
    )
    return left, right


def _gamma_simplify(expression: Formula) -> Formula:
    return sp.simplify(sp.gammasimp(sp.powsimp(sp.expand(expression), force=True)))
