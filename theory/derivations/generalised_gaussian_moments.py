r"""Moments of the generalised Gaussian law, $f(x) = \frac{\beta}{2s\,\Gamma(1/\beta)} e^{-(|x|/s)^\beta}$.

Everything is an incomplete gamma function of $(|x|/s)^\beta$.
"""

from __future__ import annotations

import sympy as sp

from .identity import Formula, Proof, derivation

__all__ = [
    "generalised_gaussian_absolute_moment",
    "generalised_gaussian_partial_moment",
    "generalised_gaussian_unit_variance_scale",
]

_X, _S, _BETA = sp.symbols("x s beta", positive=True)
_K = sp.Symbol("k", nonnegative=True)


def _density(at: Formula) -> Formula:
    return _BETA / (2 * _S * sp.gamma(1 / _BETA)) * sp.exp(-((at / _S) ** _BETA))


def _tidy(expression: Formula) -> Formula:
    return sp.simplify(sp.powsimp(sp.powdenest(sp.gammasimp(expression), force=True), force=True))


@derivation
def generalised_gaussian_partial_moment(proof: Proof) -> tuple[Formula, Formula]:
    r"""Partial moments of the generalised Gaussian: incomplete gamma functions.

    $x^k f(x)$ is the slope of $\frac{s^k}{2\Gamma(1/\beta)}\,\gamma(\frac{k+1}\beta,(\frac xs)^\beta)$ for
    positive x. So $M_k(a,b)$ for $0\le a<b$ is a difference of lower incomplete gamma functions.

    References
    ----------
    Nadarajah (2005), "A generalized normal distribution".
    """
    antiderivative = _S**_K / (2 * sp.gamma(1 / _BETA)) * sp.lowergamma((_K + 1) / _BETA, (_X / _S) ** _BETA)
    left, right = antiderivative.diff(_X), _X**_K * _density(_X)
    proof.equal("The slope", left, right, _tidy, r"\frac{d}{dx}(\dots)")
    return left, right


@derivation
def generalised_gaussian_absolute_moment(proof: Proof) -> tuple[Formula, Formula]:
    r"""Generalised Gaussian moments: $E|X|^k = s^k\,\Gamma(\frac{k+1}\beta)/\Gamma(\frac1\beta)$.

    k = 0 says that the density integrates to one.

    References
    ----------
    Nadarajah (2005).
    """
    left = 2 * sp.integrate(_X**_K * _density(_X), (_X, 0, sp.oo))
    right = _S**_K * sp.gamma((_K + 1) / _BETA) / sp.gamma(1 / _BETA)
    proof.equal("The integral over both sides", left, right, _tidy, "E|X|^k")
    proof.equal("Order 0", right.subs(_K, 0), sp.Integer(1))
    return left, right


@derivation
def generalised_gaussian_unit_variance_scale(proof: Proof) -> tuple[Formula, Formula]:
    r"""Generalised Gaussian of unit variance: the scale is $\sqrt{\Gamma(1/\beta)/\Gamma(3/\beta)}$.

    The Gaussian ($\beta=2$) has $s=\sqrt2$, the Laplace law ($\beta=1$) $s=1/\sqrt2$.

    References
    ----------
    Nadarajah (2005).
    """
    variance = _tidy(2 * sp.integrate(_X**2 * _density(_X), (_X, 0, sp.oo)))
    left = sp.solve(variance - 1, _S)[0]
    right = sp.sqrt(sp.gamma(1 / _BETA) / sp.gamma(3 / _BETA))
    proof.equal("The scale that makes the second moment one", left, right, _tidy, "s")
    values = sp.Matrix([right.subs(_BETA, 2), right.subs(_BETA, 1)])
    proof.equal("At $\\beta = 2$ and $\\beta = 1$", values, sp.Matrix([sp.sqrt(2), 1 / sp.sqrt(2)]))
    return left, right
