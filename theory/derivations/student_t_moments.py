r"""Moments of the Student-t law and its truncations.

In standard scale the density is $f_\nu(x) = C_\nu (1+x^2/\nu)^{-(\nu+1)/2}$. The first partial moment is
elementary; the second goes through the law with two degrees of freedom fewer, so a distribution function
is all that is ever needed.
"""

from __future__ import annotations

import sympy as sp

from .identity import Formula, Proof, derivation

__all__ = [
    "student_t_absolute_moment",
    "student_t_first_moment",
    "student_t_tail",
    "student_t_truncation",
    "student_t_unit_variance_scale",
]

_X = sp.Symbol("x", positive=True)
_NU = sp.Symbol("nu", positive=True)
_M = sp.Symbol("m", positive=True)  # nu - 2, for what needs a variance


def _constant(nu: Formula) -> Formula:
    return sp.gamma((nu + 1) / 2) / (sp.sqrt(sp.pi * nu) * sp.gamma(nu / 2))


def _density(at: Formula, nu: Formula) -> Formula:
    return _constant(nu) * (1 + at**2 / nu) ** (-(nu + 1) / 2)


def _tidy(expression: Formula) -> Formula:
    return sp.simplify(sp.gammasimp(sp.expand(expression)))


@derivation
def student_t_tail(proof: Proof) -> tuple[Formula, Formula]:
    r"""Student-t tail: $P(X>x)=\frac12 I_z(\frac\nu2,\frac12)$ with $z=\nu/(\nu+x^2)$, for $x\ge0$.

    $I_z$ is the regularised incomplete beta function. Both sides fall at the same speed and vanish at
    infinity.

    References
    ----------
    Abramowitz and Stegun (1964), section 26.7.
    """
    z = _NU / (_NU + _X**2)
    normaliser = sp.gamma(_NU / 2) * sp.gamma(sp.Rational(1, 2)) / sp.gamma((_NU + 1) / 2)
    total = 2 * _constant(_NU) * sp.integrate((1 + _X**2 / _NU) ** (-(_NU + 1) / 2), (_X, 0, sp.oo))
    proof.equal("The density integrates to one", total, sp.Integer(1), _tidy)
    proof.equal(
        "The incomplete beta function starts at 0, where $x = \\infty$", sp.limit(z, _X, sp.oo), sp.Integer(0)
    )
    left = (sp.betainc(_NU / 2, sp.Rational(1, 2), 0, z) / (2 * normaliser)).diff(_X)
    right = -_density(_X, _NU)
    proof.equal("Its slope is minus the density", left, right, _ratio_to(right), r"\frac{d}{dx}\,\frac12 I_z")
    return left, right


def _ratio_to(reference: Formula) -> Formula:
    """Rewriting of a difference a - reference as a/reference - 1, simplified."""

    def rewrite(difference: Formula) -> Formula:
        ratio = sp.expand(difference / reference)
        merged = sp.powsimp(sp.powdenest(sp.simplify(sp.gammasimp(ratio)), force=True), force=True)
        return sp.simplify(sp.expand_func(merged))

    return rewrite


@derivation
def student_t_first_moment(proof: Proof) -> tuple[Formula, Formula]:
    r"""Student-t first partial moment: an elementary power at each end of the interval.

    $M_1(a,b)=C_\nu\frac{\nu}{\nu-1}[(1+a^2/\nu)^{-(\nu-1)/2}-(1+b^2/\nu)^{-(\nu-1)/2}]$. For $\nu\ne1$; for
    $\nu>1$ also with infinite ends.

    References
    ----------
    Elementary: the bracket is an antiderivative.
    """
    a, b = sp.symbols("a b", real=True)
    at = sp.Symbol("y", real=True)

    def antiderivative(end: Formula) -> Formula:
        return -_constant(_NU) * _NU / (_NU - 1) * (1 + end**2 / _NU) ** (-(_NU - 1) / 2)

    proof.equal(
        "The antiderivative's slope over the integrand",
        antiderivative(at).diff(at) / (at * _density(at, _NU)),
        sp.Integer(1),
        lambda e: sp.simplify(sp.powsimp(sp.simplify(e), force=True)),
    )
    left = antiderivative(b) - antiderivative(a)
    right = (
        _constant(_NU)
        * _NU
        / (_NU - 1)
        * ((1 + a**2 / _NU) ** (-(_NU - 1) / 2) - (1 + b**2 / _NU) ** (-(_NU - 1) / 2))
    )
    proof.equal("Between the ends", left, right, symbol="M_1(a, b)")
    return left, right


@derivation
def student_t_truncation(proof: Proof) -> tuple[Formula, Formula]:
    r"""Student-t truncation: $x^2 f_\nu(x) = \frac{\nu(\nu-1)}{\nu-2}\,g(x) - \nu f_\nu(x)$.

    Here g is the density with $\nu-2$ degrees of freedom stretched by $\sqrt{\nu/(\nu-2)}$; so $M_2(a,b)$ is
    a combination of two masses, for $\nu>2$.

    References
    ----------
    From the definition of the law; Kim (2008), "Moments of truncated Student-t distribution".
    """
    nu = _M + 2
    stretch = sp.sqrt(nu / _M)
    narrower = _density(_X / stretch, _M) / stretch
    wide = _density(_X, nu)
    left, right = _X**2 * wide, nu * (nu - 1) / (nu - 2) * narrower - nu * wide
    ratio = sp.powsimp(sp.simplify(narrower / wide), force=True)
    proof.equal(
        "The ratio of the two densities is a parabola, with $m = \\nu - 2$",
        ratio,
        (1 + _X**2 / nu) * (nu - 2) / (nu - 1),
        lambda e: sp.simplify(sp.expand_func(e)),
        r"g(x)/f_\nu(x)",
    )
    proof.equal("The truncation identity", left, right, _ratio_to(wide), r"x^2 f_\nu(x)")
    return left, right


@derivation
def student_t_unit_variance_scale(proof: Proof) -> tuple[Formula, Formula]:
    r"""Student-t of unit variance: the scale is $\sqrt{(\nu-2)/\nu}$, for $\nu>2$.

    In standard scale the variance is $\nu/(\nu-2)$.

    References
    ----------
    Student (1908), "The probable error of a mean".
    """
    nu = _M + 2
    second = 2 * _constant(nu) * sp.integrate(_X**2 * (1 + _X**2 / nu) ** (-(nu + 1) / 2), (_X, 0, sp.oo))
    proof.equal("The variance in standard scale, with $m = \\nu - 2$", second, nu / _M, _tidy)
    scale = sp.Symbol("s", positive=True)
    left = sp.solve(scale**2 * _tidy(second) - 1, scale)[0]
    right = sp.sqrt(_M / nu)
    proof.equal("The scale that makes it one", left, right, symbol="s")
    return left, right


@derivation
def student_t_absolute_moment(proof: Proof) -> tuple[Formula, Formula]:
    r"""Student-t absolute moments: ratios of gamma functions, finite for $k<\nu$.

    $E|X|^k=\nu^{k/2}\,\Gamma(\frac{k+1}2)\,\Gamma(\frac{\nu-k}2)/(\sqrt\pi\,\Gamma(\frac\nu2))$. A moment of
    order $\nu$ or more is infinite.

    References
    ----------
    Abramowitz and Stegun (1964), section 26.7.
    """
    k, excess = sp.symbols("k e", positive=True)
    nu = k + excess
    left = 2 * _constant(nu) * sp.integrate(_X**k * (1 + _X**2 / nu) ** (-(nu + 1) / 2), (_X, 0, sp.oo))
    right = nu ** (k / 2) * sp.gamma((k + 1) / 2) * sp.gamma(excess / 2) / (sp.sqrt(sp.pi) * sp.gamma(nu / 2))
    proof.equal("The integral, with $e = \\nu - k$", left, right, _ratio_to(right), "E|X|^k")
    return left, right
