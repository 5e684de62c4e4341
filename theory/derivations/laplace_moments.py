r"""Partial moments of the Laplace law, $f(x) = e^{-|x|/s}/2s$ with $s = \sigma/\sqrt2$.

On one side of zero everything is an elementary exponential; an interval across zero is the sum of two.
"""

from __future__ import annotations

import sympy as sp

from .identity import Formula, Proof, derivation

__all__ = ["laplace_crossing_moments", "laplace_partial_moments", "laplace_variance"]

_X, _A, _B, _S = sp.symbols("x a b s", positive=True)
_SIDE = sp.exp(-_X / _S) / (2 * _S)


def _tail(a: Formula) -> Formula:
    """Moments 0, 1, 2 of the half-line above a >= 0."""
    return sp.exp(-a / _S) / 2 * sp.Matrix([1, a + _S, a**2 + 2 * a * _S + 2 * _S**2])


@derivation
def laplace_partial_moments(proof: Proof) -> tuple[Formula, Formula]:
    r"""Laplace partial moments: $M_k(a,b)=T_k(a)-T_k(b)$ for $0\le a<b$, with half-line moments T.

    $T(a)=\frac12 e^{-a/s}(1,\ a+s,\ a^2+2as+2s^2)$. On the negative side $M_k(-b,-a) = (-1)^k M_k(a,b)$.

    References
    ----------
    Sullivan (1996), "Efficient scalar quantization of exponential and Laplacian random variables".
    """
    tails = sp.Matrix([sp.integrate(_X**k * _SIDE, (_X, _A, sp.oo)) for k in range(3)])
    proof.equal("The half-line above a", tails, _tail(_A), symbol="T(a)")
    left = sp.Matrix([sp.integrate(_X**k * _SIDE, (_X, _A, _B)) for k in range(3)])
    right = _tail(_A) - _tail(_B)
    proof.equal("The interval", left, right, symbol=r"(M_0,\ M_1,\ M_2)^T")
    return left, right


@derivation
def laplace_crossing_moments(proof: Proof) -> tuple[Formula, Formula]:
    r"""Laplace cells across zero: $M_k(-a,b) = (1+(-1)^k)T_k(0) - T_k(b) - (-1)^k T_k(a)$.

    $T_k(a)$ is the moment of the half-line above a.

    References
    ----------
    Sullivan (1996).
    """
    mirrored = sp.exp(_X / _S) / (2 * _S)
    left = sp.Matrix(
        [
            sp.integrate(_X**k * mirrored, (_X, -_A, 0)) + sp.integrate(_X**k * _SIDE, (_X, 0, _B))
            for k in range(3)
        ]
    )
    right = sp.Matrix(
        [(1 + (-1) ** k) * _tail(0)[k] - _tail(_B)[k] - (-1) ** k * _tail(_A)[k] for k in range(3)]
    )
    proof.equal("Both sides of zero", left, right, symbol=r"(M_0,\ M_1,\ M_2)^T")
    return left, right


@derivation
def laplace_variance(proof: Proof) -> tuple[Formula, Formula]:
    r"""Laplace variance: $\sigma^2 = 2s^2$.

    So unit variance is the scale $1/\sqrt2$.

    References
    ----------
    Definition of the law.
    """
    left = 2 * sp.integrate(_X**2 * _SIDE, (_X, 0, sp.oo))
    proof.equal("The second moment", left, 2 * _S**2, symbol=r"\sigma^2")
    return left, 2 * _S**2
