r"""The maximum of a block: $M = \max_j |X_j|$ over B independent, symmetric variables.

$G(m) = P(|X| \le m)$ is left unspecified, $g = G'$. For the Laplace law the first two moments of M are
harmonic numbers.
"""

from __future__ import annotations

import sympy as sp

from .identity import Formula, Proof, derivation

__all__ = ["block_maximum_density", "laplace_block_maximum", "laplace_block_maximum_square"]

_M, _S = sp.symbols("m s", positive=True)
_B = sp.Symbol("B", integer=True, positive=True)
_G = sp.Function("G", positive=True)


@derivation
def block_maximum_density(proof: Proof) -> tuple[Formula, Formula]:
    r"""Block maximum: its density is $B\,g(m)\,G(m)^{B-1}$.

    It is at most m when all B elements are.

    References
    ----------
    Order statistics; David and Nagaraja (2003), "Order Statistics".
    """
    distribution = _G(_M) ** _B
    left, right = distribution.diff(_M), _B * _G(_M).diff(_M) * _G(_M) ** (_B - 1)
    proof.equal("One element: the density of |X|", left.subs(_B, 1).doit(), _G(_M).diff(_M), sp.simplify)
    proof.equal("The slope of $P(M\\le m) = G(m)^B$", left, right, sp.simplify, r"\frac{d}{dm} G(m)^B")
    return left, right


def _exponential(proof: Proof) -> tuple[Formula, Formula]:
    """Distribution function and density of |X| for the Laplace law, and what makes it special."""
    cdf = 1 - sp.exp(-_M / _S)
    density = cdf.diff(_M)
    proof.equal("For the Laplace law $1 - G = s\\,g$", 1 - cdf, _S * density)
    return cdf, density


def _unroll(expression: Formula) -> Formula:
    """Write the harmonic numbers of B + 1 as those of B and one more term, which defines them."""
    for order in (1, 2):
        longer = sp.harmonic(_B, order) + (_B + 1) ** sp.Integer(-order)
        expression = expression.subs(sp.harmonic(_B + 1, order), longer)
    return sp.simplify(expression)


@derivation
def laplace_block_maximum(proof: Proof) -> tuple[Formula, Formula]:
    r"""Mean Laplace maximum: $E[M] = s\,H_B$, with the harmonic number $H_B = \sum_{k\le B} 1/k$.

    By induction over B, with $E[M]$ the integral of $1 - G^B$.

    References
    ----------
    David and Nagaraja (2003); Renyi (1953), "On the theory of order statistics".
    """
    cdf, _ = _exponential(proof)
    first = sp.integrate(1 - cdf, (_M, 0, sp.oo))
    proof.equal("One element: the mean of |X|", first, _S * sp.harmonic(1), symbol="E[M]_{B=1}")
    proof.equal(
        "One element more changes the integrand by $G^B (1 - G)$, which is the slope of $s\\,G^{B+1}/(B+1)$",
        (1 - cdf ** (_B + 1)) - (1 - cdf**_B),
        (_S * cdf ** (_B + 1) / (_B + 1)).diff(_M),
        sp.simplify,
    )
    step = _S * (sp.limit(cdf, _M, sp.oo) - cdf.subs(_M, 0)) / (_B + 1)
    left, right = _S * sp.harmonic(_B) + step, _S * sp.harmonic(_B + 1)
    proof.equal("So the mean grows from $s H_B$ to $s H_{B+1}$", left, right, _unroll, "E[M]_{B+1}")
    return left, right


@derivation
def laplace_block_maximum_square(proof: Proof) -> tuple[Formula, Formula]:
    r"""Mean square of the Laplace maximum: $s^2 (H_B^2 + H_B^{(2)})$, $H_B^{(2)} = \sum_{k\le B} 1/k^2$.

    By induction over B, with $E[M^2]$ the integral of $2m(1 - G^B)$.

    References
    ----------
    David and Nagaraja (2003).
    """
    cdf, density = _exponential(proof)
    first = sp.integrate(_M**2 * density, (_M, 0, sp.oo))
    proof.equal(
        "One element", first, _S**2 * (sp.harmonic(1) ** 2 + sp.harmonic(1, 2)), symbol="E[M^2]_{B=1}"
    )
    larger = (_B + 1) * density * cdf**_B
    proof.equal(
        "One element more changes the integrand by $\\frac{2s}{B+1}$ times that of the mean of B + 1",
        2 * _M * (1 - cdf ** (_B + 1)) - 2 * _M * (1 - cdf**_B),
        2 * _S / (_B + 1) * _M * larger,
        sp.simplify,
    )

    def claimed(size: Formula) -> Formula:
        return _S**2 * (sp.harmonic(size) ** 2 + sp.harmonic(size, 2))

    left = claimed(_B) + 2 * _S / (_B + 1) * _S * sp.harmonic(_B + 1)
    right = claimed(_B + 1)
    proof.equal(
        "So the formula passes from B to B + 1",
        left,
        right,
        _unroll,
        "E[M^2]_{B+1}",
    )
    return left, right
