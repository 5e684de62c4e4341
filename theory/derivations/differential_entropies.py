r"""Differential entropies, $h(X) = -\int f \ln f$, in nats (divide by $\ln 2$ for bits).

Each is the mean of $-\ln f$, which for these laws is a constant plus one simple moment.
"""

from __future__ import annotations

import sympy as sp

from .identity import Formula, Proof, derivation

__all__ = [
    "entropy_gaussian",
    "entropy_generalised_gaussian",
    "entropy_laplace",
    "entropy_logistic",
    "entropy_student_t",
]

_X, _S, _SIGMA, _BETA, _NU = sp.symbols("x s sigma beta nu", positive=True)


def _entropy(density: Formula, log_density: Formula) -> Formula:
    """Mean of -log f for an even law: twice the integral over the positive half."""
    integrand = sp.expand(-density * log_density)
    return 2 * sum(sp.integrate(term, (_X, 0, sp.oo)) for term in sp.Add.make_args(integrand))


@derivation
def entropy_gaussian(proof: Proof) -> tuple[Formula, Formula]:
    r"""Gaussian entropy: $h = \frac12\ln(2\pi e\sigma^2)$.

    The largest of all laws with this variance.

    References
    ----------
    Shannon (1948), "A mathematical theory of communication", section 20.
    """
    log_density = -(_X**2) / (2 * _SIGMA**2) - sp.log(2 * sp.pi * _SIGMA**2) / 2
    left = _entropy(sp.exp(-(_X**2) / (2 * _SIGMA**2)) / sp.sqrt(2 * sp.pi * _SIGMA**2), log_density)
    right = sp.log(2 * sp.pi * sp.E * _SIGMA**2) / 2
    proof.equal("The integral", left, right, lambda e: sp.simplify(sp.expand_log(e)), "h")
    return left, right


@derivation
def entropy_laplace(proof: Proof) -> tuple[Formula, Formula]:
    r"""Laplace entropy: $h = \ln(2es)$.

    The largest of all laws with mean absolute value s.

    References
    ----------
    Cover and Thomas (2006), "Elements of Information Theory", table 17.1.
    """
    left = _entropy(sp.exp(-_X / _S) / (2 * _S), -_X / _S - sp.log(2 * _S))
    right = sp.log(2 * sp.E * _S)
    proof.equal("The integral", left, right, lambda e: sp.simplify(sp.expand_log(e)), "h")
    return left, right


@derivation
def entropy_generalised_gaussian(proof: Proof) -> tuple[Formula, Formula]:
    r"""Generalised Gaussian entropy: $h = \frac1\beta + \ln\frac{2s\,\Gamma(1/\beta)}{\beta}$.

    The mean of $(|x|/s)^\beta$ is $1/\beta$.

    References
    ----------
    Nadarajah (2005), "A generalized normal distribution".
    """
    constant = _BETA / (2 * _S * sp.gamma(1 / _BETA))
    density = constant * sp.exp(-((_X / _S) ** _BETA))
    mean_power = 2 * sp.integrate((_X / _S) ** _BETA * density, (_X, 0, sp.oo))
    tidy = _tidy_gamma
    proof.equal("The mean of $(|x|/s)^\\beta$", mean_power, 1 / _BETA, tidy)
    mass = 2 * sp.integrate(density, (_X, 0, sp.oo))
    proof.equal("The mass", mass, sp.Integer(1), tidy)
    left = tidy(mean_power) - tidy(mass) * sp.log(constant)
    right = 1 / _BETA + sp.log(2 * _S * sp.gamma(1 / _BETA) / _BETA)
    proof.equal(
        "The mean of $-\\ln f$", left, right, lambda e: sp.simplify(sp.expand_log(e, force=True)), "h"
    )
    return left, right


def _tidy_gamma(expression: Formula) -> Formula:
    return sp.simplify(sp.powsimp(sp.powdenest(sp.gammasimp(expression), force=True), force=True))


@derivation
def entropy_student_t(proof: Proof) -> tuple[Formula, Formula]:
    r"""Student-t entropy: $h=\frac{\nu+1}2[\psi(\frac{\nu+1}2)-\psi(\frac\nu2)]-\ln C_\nu$ in standard scale.

    $\psi$ is the digamma function and $C_\nu$ the constant of the density. The mean of $\ln(1+x^2/\nu)$ is
    minus the logarithmic derivative, with respect to the exponent, of the integral that normalises the law.

    References
    ----------
    Cover and Thomas (2006), table 17.1; Lazo and Rathie (1978), "On the entropy of continuous probability
    distributions".
    """
    e = sp.Symbol("e", positive=True)
    exponent = e + sp.Rational(1, 2)  # above 1/2, where the integral exists
    normaliser = 2 * sp.integrate((1 + _X**2 / _NU) ** (-exponent), (_X, 0, sp.oo))
    at = {e: _NU / 2}
    constant = sp.gamma((_NU + 1) / 2) / (sp.sqrt(sp.pi * _NU) * sp.gamma(_NU / 2))
    proof.equal(
        "The integral of $(1+x^2/\\nu)^{-(\\nu+1)/2}$", normaliser.subs(at), 1 / constant, _tidy_gamma
    )
    mean_log = -sp.log(normaliser).diff(e).subs(at)
    psi = sp.digamma((_NU + 1) / 2) - sp.digamma(_NU / 2)
    proof.equal("The mean of $\\ln(1+x^2/\\nu)$", mean_log, psi)
    left = (_NU + 1) / 2 * mean_log - sp.log(constant)
    right = (_NU + 1) / 2 * psi - sp.log(constant)
    proof.equal("The mean of $-\\ln f$", left, right, symbol="h")
    return left, right


@derivation
def entropy_logistic(proof: Proof) -> tuple[Formula, Formula]:
    r"""Logistic entropy: $h = \ln s + 2$.

    For scale s. With u the distribution function, $f = u(1-u)/s$, so h is an integral over u in (0, 1).

    References
    ----------
    Cover and Thomas (2006), table 17.1.
    """
    at, u = sp.Symbol("y", real=True), sp.Symbol("u", positive=True)
    cdf = 1 / (1 + sp.exp(-at / _S))
    proof.equal("The density in terms of the distribution function", cdf.diff(at), cdf * (1 - cdf) / _S)
    half = sp.integrate(sp.log(u), (u, 0, 1))
    left = sp.log(_S) - half - sp.integrate(sp.log(1 - u), (u, 0, 1))
    right = sp.log(_S) + 2
    proof.equal("The mean of $\\ln s - \\ln u - \\ln(1-u)$ over u", left, right, symbol="h")
    return left, right
