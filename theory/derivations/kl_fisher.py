r"""KL divergence of a small change is half the Fisher-weighted square of the change.

$D(p_\theta \| p_{\theta+\varepsilon\delta})$ is expanded in $\varepsilon$: value and slope vanish, and
the curvature is $\delta^T F \delta$ with the Fisher information F at the law's own distribution of
outcomes.
"""

from __future__ import annotations

import sympy as sp

from .identity import Formula, Proof, derivation

__all__ = ["kl_exponential_family", "kl_general_family", "kl_softmax"]

_EPS = sp.Symbol("varepsilon", real=True)


def _second_order(proof: Proof, divergence: Formula) -> Formula:
    """Coefficient of eps^2, after showing that the coefficients of 1 and eps vanish."""
    proof.equal("No change, no divergence", divergence.subs(_EPS, 0), sp.Integer(0), sp.simplify)
    proof.equal(
        "Its slope vanishes: probabilities add up to one",
        divergence.diff(_EPS).subs(_EPS, 0).doit(),
        sp.Integer(0),
        sp.simplify,
    )
    return divergence.diff(_EPS, 2).subs(_EPS, 0).doit() / 2


@derivation
def kl_softmax(proof: Proof) -> tuple[Formula, Formula]:
    r"""Softmax of logits: $D \approx \frac12\,\delta^T(\mathrm{diag}(p) - pp^T)\,\delta$ nats.

    Three outcomes, any logits and any direction: half the variance of $\delta$ under p.

    References
    ----------
    Kullback and Leibler (1951), "On information and sufficiency"; Amari (2016), "Information Geometry and
    Its Applications".
    """
    weights = sp.symbols("e_1:4", positive=True)  # exponentials of the logits
    delta = sp.Matrix(sp.symbols("delta_1:4", real=True))
    p = sp.Matrix([weight / sum(weights) for weight in weights])
    moved = [weight * sp.exp(_EPS * change) for weight, change in zip(weights, delta, strict=True)]
    divergence = sp.log(sum(moved)) - sp.log(sum(weights)) - _EPS * p.dot(delta)
    direct = sum(
        p[i]
        * (
            sp.log(weights[i])
            - sp.log(sum(weights))
            - sp.log(weights[i])
            - _EPS * delta[i]
            + sp.log(sum(moved))
        )
        for i in range(3)
    )
    proof.equal(
        "The divergence is $\\ln\\sum_i p_i e^{\\varepsilon\\delta_i} - \\varepsilon\\,p\\cdot\\delta$",
        direct,
        divergence,
        sp.simplify,
    )
    left = _second_order(proof, divergence)
    fisher = sp.diag(*p) - p * p.T
    right = (delta.T * fisher * delta)[0] / 2
    proof.equal("Its second-order term", left, right, sp.simplify, r"\frac12\,\partial_\varepsilon^2 D")
    return left, right


@derivation
def kl_exponential_family(proof: Proof) -> tuple[Formula, Formula]:
    r"""Exponential family: $D \approx \frac12 A''(\theta)\,\delta^2$, and $A''$ is the variance of T.

    The law is proportional to $e^{\theta T}$.  A is the logarithm of its normaliser: any smooth function for
    the first half; the second is shown on three outcomes with arbitrary statistics.

    References
    ----------
    Amari (2016).
    """
    theta, delta = sp.symbols("theta delta", real=True)
    potential = sp.Function("A", real=True)
    mean = potential(theta).diff(theta)
    divergence = potential(theta + _EPS * delta) - potential(theta) - _EPS * delta * mean
    left = _second_order(proof, divergence)
    statistics, base = sp.symbols("T_1:4", real=True), sp.symbols("h_1:4", positive=True)
    terms = [weight * sp.exp(theta * value) for weight, value in zip(base, statistics, strict=True)]
    p = [term / sum(terms) for term in terms]
    first, second = (sum(q * value**k for q, value in zip(p, statistics, strict=True)) for k in (1, 2))
    curvature = sp.log(sum(terms)).diff(theta, 2)
    proof.equal("$A''$ is the variance of the statistic", curvature, second - first**2, sp.simplify)
    right = potential(theta).diff(theta, 2) * delta**2 / 2
    proof.equal(
        "The second-order term of the divergence", left, right, symbol=r"\frac12\,\partial_\varepsilon^2 D"
    )
    return left, right


@derivation
def kl_general_family(proof: Proof) -> tuple[Formula, Formula]:
    r"""Smooth families: $D \approx \frac12\,\delta^T F\,\delta$ nats with the Fisher information F.

    In full, $F_{jk} = \sum_i p_i\,\partial_j\ln p_i\,\partial_k\ln p_i$.

    Two parameters, three outcomes whose probabilities are arbitrary functions of them that add up to one.

    References
    ----------
    Kullback (1959), "Information Theory and Statistics", section 2.6.
    """
    a, b, da, db = sp.symbols("theta_1 theta_2 delta_1 delta_2", real=True)
    functions = [sp.Function(name, positive=True) for name in ("p_1", "p_2")]

    def law(first: Formula, second: Formula) -> list[Formula]:
        free = [function(first, second) for function in functions]
        return [*free, 1 - sum(free)]

    here = law(a, b)
    there = law(a + _EPS * da, b + _EPS * db)
    divergence = sum(p * (sp.log(p) - sp.log(q)) for p, q in zip(here, there, strict=True))
    left = _second_order(proof, divergence)
    scores = [p.diff(a) * da / p + p.diff(b) * db / p for p in here]
    right = sum(p * score**2 for p, score in zip(here, scores, strict=True)) / 2
    proof.equal("The second-order term", left, right, sp.simplify, r"\frac12\,\partial_\varepsilon^2 D")
    return left, right
