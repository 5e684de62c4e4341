r"""Reverse water-filling: how independent Gaussian components share a rate.

Component i has variance $v_i$ and, at rate $R_i \ge 0$, distortion $v_i 2^{-2R_i}$. The
Karush-Kuhn-Tucker conditions of the least total distortion at a given total rate make the distortion of
every active component one number, the water level w; a component whose variance lies below it gets no
rate.
"""

from __future__ import annotations

import sympy as sp

from .identity import Formula, Proof, derivation

__all__ = ["water_filling_active", "water_filling_idle", "water_filling_level", "water_filling_weighted"]

_V, _W, _LAMBDA = sp.symbols("v w lambda", positive=True)
_RATE = sp.Symbol("R", real=True)


def _distortion(rate: Formula) -> Formula:
    return _V * 2 ** (-2 * rate)


def _stationary_rate(cost: Formula) -> Formula:
    """Rate at which the slope of the cost vanishes, found through the factor 2^(-2R), which is positive."""
    factor = sp.Symbol("y", positive=True)
    rate = -sp.log(factor) / (2 * sp.log(2))
    stationary = sp.solve(sp.simplify(cost.diff(_RATE).subs(_RATE, rate)), factor)[0]
    return rate.subs(factor, stationary)


@derivation
def water_filling_active(proof: Proof) -> tuple[Formula, Formula]:
    r"""Active components: they have distortion w and rate $\frac12\log_2(v/w)$.

    The multiplier is $\lambda = 2w\ln2$; distortion plus $\lambda$ times rate is convex in the rate, so this
    is its minimum.

    References
    ----------
    Cover and Thomas (2006), "Elements of Information Theory", theorem 10.3.3.
    """
    cost = _distortion(_RATE) + _LAMBDA * _RATE
    rate = _stationary_rate(cost)
    distortion = sp.simplify(_distortion(rate))
    proof.equal(
        "Stationary: every active component has the distortion",
        distortion,
        _LAMBDA / (2 * sp.log(2)),
        symbol="D",
    )
    proof.positive("The cost is convex in the rate", cost.diff(_RATE, 2))
    left = rate.subs(_LAMBDA, 2 * _W * sp.log(2))
    right = sp.log(_V / _W) / (2 * sp.log(2))
    proof.equal(
        "Its rate, with $w = \\lambda/2\\ln2$",
        left,
        right,
        lambda e: sp.simplify(sp.expand_log(e, force=True)),
        "R",
    )
    return left, right


@derivation
def water_filling_idle(proof: Proof) -> tuple[Formula, Formula]:
    r"""Idle components: with $v \le w$ the multiplier of $R\ge0$ is $2\ln2\,(w-v)\ge0$, so the rate is 0.

    So $D_i = \min(w, v_i)$ and $R_i = \max(0, \frac12\log_2(v_i/w))$.

    References
    ----------
    Cover and Thomas (2006), theorem 10.3.3.
    """
    level = _LAMBDA / (2 * sp.log(2))
    left = (_distortion(_RATE) + _LAMBDA * _RATE).diff(_RATE).subs(_RATE, 0)
    right = 2 * sp.log(2) * (level - _V)
    proof.equal("Slope of the cost at rate 0, with $w = \\lambda/2\\ln2$", left, right, symbol=r"\mu")
    deficit, rate = sp.symbols("c r", positive=True)  # w = v + c
    excess = (_distortion(rate) + _LAMBDA * rate - _V).subs(_LAMBDA, 2 * sp.log(2) * (_V + deficit))
    proof.equal("At rate 0 nothing is lost against idleness", excess.subs(rate, 0), sp.Integer(0))
    proof.equal(
        "With $w = v + c$ the slope at 0 is", excess.diff(rate).subs(rate, 0), 2 * sp.log(2) * deficit
    )
    proof.positive("and rises with the rate: any positive rate costs more", excess.diff(rate, 2))
    return left, right


@derivation
def water_filling_level(proof: Proof) -> tuple[Formula, Formula]:
    r"""Water level: with all components active, $w = (v_1\cdots v_n)^{1/n}\,2^{-2R}$, R the mean rate.

    For a covariance matrix the $v_i$ are its eigenvalues and their geometric mean is $|\Sigma|^{1/n}$. Shown
    for $n=3$.

    References
    ----------
    Cover and Thomas (2006), section 10.3.3.
    """
    variances = sp.symbols("v_1:4", positive=True)
    rates = [sp.log(v / _W) / (2 * sp.log(2)) for v in variances]
    mean = sp.expand_log(sum(rates) / 3, force=True)
    left = sp.solve(mean - _RATE, _W)[0]
    right = sp.prod(variances) ** sp.Rational(1, 3) * 2 ** (-2 * _RATE)
    proof.equal(
        "The level from the mean rate",
        left,
        right,
        lambda e: sp.simplify(sp.expand_power_base(sp.powdenest(e, force=True))),
        "w",
    )
    return left, right


@derivation
def water_filling_weighted(proof: Proof) -> tuple[Formula, Formula]:
    r"""Weighted distortion: if component i counts with weight $c_i$, it has $D_i = w/c_i$ when active.

    Its rate is $\frac12\log_2(c_iv_i/w)$: a weight acts as a factor on the variance.

    References
    ----------
    Berger (1971), "Rate Distortion Theory".
    """
    weight = sp.Symbol("c", positive=True)
    cost = weight * _distortion(_RATE) + _LAMBDA * _RATE
    rate = _stationary_rate(cost).subs(_LAMBDA, 2 * _W * sp.log(2))
    proof.equal(
        "The stationary rate",
        rate,
        sp.log(weight * _V / _W) / (2 * sp.log(2)),
        lambda e: sp.simplify(sp.expand_log(e, force=True)),
        "R_i",
    )
    left, right = sp.simplify(_distortion(rate)), _W / weight
    proof.equal("Its distortion", left, right, symbol="D_i")
    return left, right
