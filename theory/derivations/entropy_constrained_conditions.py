r"""Entropy-constrained conditions: where distortion plus slope times entropy is stationary.

The index of a quantiser is coded with $\ell_i = -\log_2 p_i$ bits, so the thing to minimise is $J = D +
\lambda H$ with $H = -\sum_i p_i \log_2 p_i$. Thresholds move probability between codewords and so feel
the lengths; codepoints do not.
"""

from __future__ import annotations

import sympy as sp

from .identity import Formula, Proof, derivation
from .integrals import cell_error, f, moment, split

__all__ = ["entropy_constrained_centroid", "entropy_threshold_formula", "entropy_threshold_gradient"]

_A, _B, _T = sp.symbols("a b t", real=True)
_Q1, _Q2 = sp.symbols("q_1 q_2", real=True)
_SLOPE = sp.Symbol("lambda", positive=True)
_L1, _L2 = sp.symbols("ell_1 ell_2", real=True)


def _cost(q1: Formula, q2: Formula) -> Formula:
    """Error plus slope times code length of two neighbouring cells (a, t] and (t, b]."""
    masses = moment(0, _A, _T), moment(0, _T, _B)
    entropy = -sum(mass * sp.log(mass, 2) for mass in masses)
    return cell_error(q1, _A, _T) + cell_error(q2, _T, _B) + _SLOPE * entropy


def _threshold_slope() -> Formula:
    """Differentiate the cost along the threshold, with the code lengths written as l_1, l_2."""
    slope = sp.expand(_cost(_Q1, _Q2).diff(_T))
    for length, mass in ((_L1, moment(0, _A, _T)), (_L2, moment(0, _T, _B))):
        slope = slope.subs(sp.log(mass), -length * sp.log(2))
    return slope


@derivation
def entropy_threshold_gradient(proof: Proof) -> tuple[Formula, Formula]:
    r"""Slope along a threshold: $f(t)[(t-q_1)^2-(t-q_2)^2+\lambda(\ell_1-\ell_2)]$ is that of $D+\lambda H$.

    The derivative of $-p\log p$ also has a term that does not depend on p; it cancels because the two cells
    exchange the same mass.

    References
    ----------
    Berger (1972), "Optimum quantizers and permutation codes"; Chou, Lookabaugh and Gray (1989),
    "Entropy-constrained vector quantization".
    """
    mass = moment(0, _A, _T)
    proof.equal(
        "One cell's share of the entropy",
        (-mass * sp.log(mass, 2)).diff(_T),
        f(_T) * (-sp.log(mass, 2) - 1 / sp.log(2)),
        symbol=r"\partial(-p_1 \log_2 p_1)/\partial t",
    )
    left = _threshold_slope()
    right = f(_T) * ((_T - _Q1) ** 2 - (_T - _Q2) ** 2 + _SLOPE * (_L1 - _L2))
    proof.equal("Both cells: the constant cancels", left, right, symbol=r"\partial J/\partial t")
    return left, right


@derivation
def entropy_threshold_formula(proof: Proof) -> tuple[Formula, Formula]:
    r"""Threshold: the midpoint shifted towards the codepoint with the longer code.

    In full, $t = \frac{q_1+q_2}2 + \lambda\,\frac{\ell_2-\ell_1}{2(q_2-q_1)}$.

    References
    ----------
    Farvardin and Modestino (1984), "Optimum quantizer performance for a class of non-Gaussian memoryless
    sources".
    """
    condition = sp.expand(_threshold_slope() / f(_T))
    claim = "Divided by f, the condition is linear in the threshold and rises, as $q_2 > q_1$"
    proof.equal(claim, condition.diff(_T), 2 * (_Q2 - _Q1))
    left = sp.solve(condition, _T)[0]
    right = (_Q1 + _Q2) / 2 + _SLOPE * (_L2 - _L1) / (2 * (_Q2 - _Q1))
    proof.equal("Solved for the threshold", left, right, symbol="t")
    return left, right


@derivation
def entropy_constrained_centroid(proof: Proof) -> tuple[Formula, Formula]:
    r"""Codepoints: they stay centroids under an entropy constraint.

    The entropy depends on the thresholds alone.

    References
    ----------
    Wood (1969), "On optimum quantization"; Berger (1972).
    """
    slope = _cost(_Q1, _Q2).diff(_Q1)
    proof.equal(
        "The slope along a codepoint is that of the distortion",
        slope,
        2 * (_Q1 * moment(0, _A, _T) - moment(1, _A, _T)),
        split,
        r"\partial J/\partial q_1",
    )
    left, right = sp.solve(split(slope), _Q1)[0], moment(1, _A, _T) / moment(0, _A, _T)
    proof.equal("It vanishes at the centroid", left, right, split, "q_1")
    return left, right
