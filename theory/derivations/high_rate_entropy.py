r"""Entropy-coded scalar quantisation at high rate: equal steps are best, a quarter of a bit from the bound.

Cells of width $\Delta(x)$, narrow on the scale of the law, have probability $f\Delta$ and error
$\Delta^2/12$.
"""

from __future__ import annotations

import sympy as sp
from sympy.calculus.euler import euler_equations

from .identity import Formula, Proof, derivation
from .integrals import f, x

__all__ = ["equal_steps_rule", "high_rate_decibels_per_bit", "high_rate_distortion", "high_rate_gap"]

_SLOPE, _STEP = sp.symbols("lambda Delta", positive=True)
_H, _R = sp.symbols("H R", real=True)  # entropy of the index, rate
_SOURCE = sp.Symbol("h", real=True)  # differential entropy, bits
_WIDTH = sp.Function("Delta", positive=True)


@derivation
def equal_steps_rule(proof: Proof) -> tuple[Formula, Formula]:
    r"""Equal steps: at high rate an entropy code wants $\Delta(x)^2 = 6\lambda/\ln 2$ everywhere.

    The density drops out of Euler's equation of distortion plus slope times entropy; in the variable
    $\ln\Delta$ the cost is convex, so this is the minimum.

    References
    ----------
    Gish and Pierce (1968), "Asymptotically efficient quantizing".
    """
    probability = f(x) * _STEP
    per_length = -probability * sp.log(probability) / sp.log(2) / _STEP
    proof.equal(
        "Entropy per unit length",
        per_length,
        -f(x) * sp.log(f(x)) / sp.log(2) - f(x) * sp.log(_STEP) / sp.log(2),
        lambda e: sp.expand(sp.expand_log(e, force=True)),
    )
    cost = f(x) * _WIDTH(x) ** 2 / 12 - _SLOPE * f(x) * sp.log(_WIDTH(x)) / sp.log(2)
    (euler,) = euler_equations(cost, [_WIDTH(x)], [x])
    condition = euler.lhs.subs(_WIDTH(x), _STEP)
    proof.equal("Euler's equation", condition, f(x) * (_STEP / 6 - _SLOPE / (_STEP * sp.log(2))), symbol="0")
    left = sp.solve(condition, _STEP)[0] ** 2
    right = 6 * _SLOPE / sp.log(2)
    proof.equal("Its solution is free of x", left, right, symbol=r"\Delta^2")
    log_step = sp.Symbol("y", real=True)
    convex = (
        (_STEP**2 / 12 - _SLOPE * sp.log(_STEP) / sp.log(2)).subs(_STEP, sp.exp(log_step)).diff(log_step, 2)
    )
    proof.positive("The cost is convex in $y = \\ln\\Delta$", sp.simplify(convex))
    return left, right


@derivation
def high_rate_distortion(proof: Proof) -> tuple[Formula, Formula]:
    r"""Distortion of equal steps: $D = \frac1{12}\,2^{2h}\,2^{-2H}$ at high rate, h in bits.

    The entropy of the index is $H = h - \log_2\Delta$ and the error $\Delta^2/12$.

    References
    ----------
    Gish and Pierce (1968).
    """
    u = sp.Symbol("u", real=True)
    error = sp.integrate(u**2, (u, -_STEP / 2, _STEP / 2)) / _STEP
    proof.equal("Mean squared error in a narrow cell", error, _STEP**2 / 12)
    step = sp.solve(_SOURCE - sp.log(_STEP, 2) - _H, _STEP)[0]
    proof.equal("The step at entropy $H = h - \\log_2\\Delta$", step, 2 ** (_SOURCE - _H), symbol=r"\Delta")
    left, right = error.subs(_STEP, step), 2 ** (2 * _SOURCE) * 2 ** (-2 * _H) / 12
    proof.equal("The distortion", left, right, symbol="D")
    return left, right


@derivation
def high_rate_gap(proof: Proof) -> tuple[Formula, Formula]:
    r"""Gap to the bound: $\frac12\log_2\frac{\pi e}6 = 0.2546$ bit, or 1.53 dB, from the Shannon lower bound.

    At equal distortion, whatever the law.  It is the price of cubic cells.

    References
    ----------
    Gish and Pierce (1968); Ziv (1985), "On universal quantization".
    """
    bound = 2 ** (2 * _SOURCE - 2 * _R) / (2 * sp.pi * sp.E)
    scalar = 2 ** (2 * _SOURCE - 2 * _H) / 12
    proof.equal("Ratio of distortions at equal rate", (scalar / bound).subs(_H, _R), sp.pi * sp.E / 6)
    entropy, rate = (
        sp.solve(d - sp.Symbol("D", positive=True), r)[0] for d, r in ((scalar, _H), (bound, _R))
    )
    left, right = entropy - rate, sp.log(sp.pi * sp.E / 6) / (2 * sp.log(2))
    proof.equal(
        "Difference of rates at equal distortion",
        left,
        right,
        lambda e: sp.simplify(sp.expand_log(sp.expand(e), force=True)),
        "H - R",
    )
    return left, right


@derivation
def high_rate_decibels_per_bit(proof: Proof) -> tuple[Formula, Formula]:
    r"""Slope at high rate: each further bit divides the distortion by 4, $20\log_{10}2 = 6.02$ dB.

    For every law, scalar or not, once the rate is high.

    References
    ----------
    Bennett (1948), "Spectra of quantized signals".
    """
    distortion = 2 ** (2 * _SOURCE - 2 * _H) / 12
    gain = distortion / distortion.subs(_H, _H + 1)
    proof.equal("Ratio of distortions one bit apart", gain, sp.Integer(4))
    left, right = 10 * sp.log(sp.simplify(gain), 10), 20 * sp.log(2, 10)
    proof.equal("In decibels", left, right)
    return left, right
