r"""The best entropy-constrained quantiser of the Laplace law, in closed form (Sullivan 1996).

Beyond its dead zone the Laplace law is exponential, and an exponential law has no memory: given $X > t$,
$X - t$ has one law whatever t is. The best way to go on is therefore the same after every threshold, and
all outer cells have one width $\Delta$ and one offset $\delta$ of the codepoint from the cell's inner
edge. What is left is one free number, $\Delta$: it fixes $\delta$ (centroid), the slope $\lambda$
(threshold condition) and the dead zone $T$ (the threshold condition at $\pm T$).
"""

from __future__ import annotations

import sympy as sp

from .identity import Formula, Proof, derivation

__all__ = [
    "laplace_dead_zone",
    "laplace_equal_steps",
    "laplace_outer_offset",
    "laplace_quantiser_distortion",
    "laplace_quantiser_entropy",
    "laplace_slope",
]

_X, _S, _STEP, _T = sp.symbols("x s Delta T", positive=True)
_OFFSET, _SLOPE = sp.symbols("delta lambda", positive=True)
_K = sp.Symbol("k", integer=True, nonnegative=True)
_DECAY = sp.exp(-_STEP / _S)  # probability of passing one cell
_EXPONENTIAL = sp.exp(-_X / _S) / _S


def _bits(*probabilities: Formula) -> Formula:
    """Entropy of a finite law in bits."""
    return -sum(p * sp.log(p) for p in probabilities) / sp.log(2)


def _centroid() -> Formula:
    return _S - _STEP / (sp.exp(_STEP / _S) - 1)


def _split_logarithms(expression: Formula) -> Formula:
    """Rewrite with T = s ln(1 + v), Delta = s ln(1 + o) and all logarithms split into those of factors."""
    outside, odds = sp.symbols("v o", positive=True)
    rational = expression.subs({_T: _S * sp.log(1 + outside), _STEP: _S * sp.log(1 + odds)})
    rational = rational.replace(sp.exp, lambda exponent: sp.exp(sp.expand(exponent)))
    factored = rational.replace(sp.log, lambda argument: sp.log(sp.factor(argument)))
    return sp.simplify(sp.expand_log(factored, force=True))


@derivation
def laplace_outer_offset(proof: Proof) -> tuple[Formula, Formula]:
    r"""Offset of outer codepoints: $\delta = s - \Delta/(e^{\Delta/s}-1)$ beyond the cell's inner edge.

    The centroid of an exponential law cut at $\Delta$; less than half the step.

    References
    ----------
    Sullivan (1996), "Efficient scalar quantization of exponential and Laplacian random variables".
    """
    start = sp.Symbol("t", positive=True)
    tail = sp.integrate(_EXPONENTIAL, (_X, start, sp.oo))
    conditional = _EXPONENTIAL.subs(_X, start + _X) / tail
    proof.equal("No memory: the law of $X - t$ given $X > t$", conditional, _EXPONENTIAL)
    cell = [sp.integrate(_X**k * _EXPONENTIAL, (_X, 0, _STEP)) for k in range(2)]
    left = cell[1] / cell[0]
    proof.equal("The centroid of the first cell", left, _centroid(), symbol=r"\delta")
    return left, _centroid()


@derivation
def laplace_equal_steps(proof: Proof) -> tuple[Formula, Formula]:
    r"""Consistency of equal steps: every outer threshold is right for one slope, $s\ln2\,(\Delta-2\delta)$.

    The lengths of neighbouring cells differ by the same number of bits, $\Delta/(s\ln2)$, so cell $k+1$ asks
    nothing that cell k did not.

    References
    ----------
    Sullivan (1996).
    """
    mass = sp.integrate(_EXPONENTIAL, (_X, _K * _STEP, (_K + 1) * _STEP))
    following = mass.subs(_K, _K + 1)
    longer = sp.simplify(sp.expand_log(sp.log(sp.simplify(mass / following)), force=True)) / sp.log(2)
    proof.equal(
        "The next cell's code is longer by", longer, _STEP / (_S * sp.log(2)), symbol=r"\ell_{k+1}-\ell_k"
    )
    codepoints = _K * _STEP + _OFFSET, (_K + 1) * _STEP + _OFFSET
    threshold = (_K + 1) * _STEP
    condition = (threshold - codepoints[0]) ** 2 - (threshold - codepoints[1]) ** 2 - _SLOPE * longer
    proof.equal("The condition at threshold k + 1 is free of k", condition.diff(_K), sp.Integer(0))
    left, right = sp.solve(condition, _SLOPE)[0], _S * sp.log(2) * (_STEP - 2 * _OFFSET)
    proof.equal("Solved for the slope", left, right, symbol=r"\lambda")
    return left, right


@derivation
def laplace_slope(proof: Proof) -> tuple[Formula, Formula]:
    r"""Step and slope: the best step for $\lambda$ has $\lambda = s\ln 2\,(\Delta - 2\delta(\Delta))$.

    Found without assuming that steps are equal: the least cost V of quantising an exponential variable obeys
    V = min (cost of its first cell + probability of passing it times V), as what remains is the same problem
    again. Stationarity in $\Delta$ is linear in $\lambda$.

    References
    ----------
    Sullivan (1996).
    """
    error = sp.integrate((_X - _OFFSET) ** 2 * _EXPONENTIAL, (_X, 0, _STEP))
    first = error + _SLOPE * _bits(_DECAY, 1 - _DECAY)
    value = first / (1 - _DECAY)
    proof.equal("The least cost solves its recursion", first + _DECAY * value, value, sp.simplify, "V")
    best_offset = sp.solve(sp.expand(error.diff(_OFFSET)), _OFFSET)[0]
    proof.equal("Best offset: the centroid", best_offset, _centroid(), sp.simplify, r"\delta")
    ratio = sp.Symbol("r", positive=True)
    step = _S * sp.log(1 + ratio)
    slope = value.diff(_STEP).subs(_STEP, step).subs(_OFFSET, _S - step / ratio)
    linear = sp.expand(sp.expand_log(slope, force=True))
    left = -linear.coeff(_SLOPE, 0) / linear.coeff(_SLOPE, 1)
    right = _S * sp.log(2) * (step - 2 * (_S - step / ratio))
    proof.equal("Stationary in $\\Delta$, with $r = e^{\\Delta/s} - 1$", left, right, sp.factor, r"\lambda")
    small = sp.series(_S * sp.log(2) * (_STEP - 2 * _centroid()), _STEP, 0, 3).removeO()
    high_rate = -(_STEP**2 / 12 * 4 ** (-sp.Symbol("R"))).diff(sp.Symbol("R")).subs(sp.Symbol("R"), 0)
    proof.equal("For small steps it is the slope of $D = \\Delta^2/12$ at 6.02 dB a bit", small, high_rate)
    return left, right


@derivation
def laplace_dead_zone(proof: Proof) -> tuple[Formula, Formula]:
    r"""Dead zone: its edge T solves $T^2 - \delta^2 = \lambda\,\log_2(p_0/p_1)$.

    $p_0 = 1-e^{-T/s}$ is the probability of the centre, $p_1 = \frac12e^{-T/s}(1-e^{-\Delta/s})$ that of the
    first cell of one side.  Of two solutions the larger, with $T > \delta$, is the minimum.

    References
    ----------
    Sullivan (1996).
    """
    density = sp.exp(-_X / _S) / (2 * _S)
    centre = 2 * sp.integrate(density, (_X, 0, _T))
    side = sp.integrate(density, (_X, _T, _T + _STEP))
    proof.equal("Probability of the centre", centre, 1 - sp.exp(-_T / _S), symbol="p_0")
    proof.equal("Of the first cell", side, sp.exp(-_T / _S) * (1 - _DECAY) / 2, symbol="p_1")
    lengths = [-sp.log(p) / sp.log(2) for p in (centre, side)]
    codepoint = _T + _OFFSET
    left = _T**2 - (_T - codepoint) ** 2 + _SLOPE * (lengths[0] - lengths[1])
    odds = (1 - sp.exp(-_T / _S)) / (sp.exp(-_T / _S) * (1 - _DECAY) / 2)
    right = _T**2 - _OFFSET**2 - _SLOPE * sp.log(odds) / sp.log(2)
    proof.equal(
        "The threshold condition between codepoints 0 and $T + \\delta$, which must vanish",
        left,
        right,
        _split_logarithms,
        r"\frac1{f(T)}\frac{\partial J}{\partial T}",
    )
    return left, right


@derivation
def laplace_quantiser_distortion(proof: Proof) -> tuple[Formula, Formula]:
    r"""Distortion: what the dead zone and the outer cells leave, in elementary functions of $\Delta$ and T.

    $D = 2s^2 - e^{-T/s}\left[T^2 + 2sT + s^2 + \Delta^2 e^{\Delta/s}/(e^{\Delta/s}-1)^2\right]$.

    In the dead zone the error is x itself; in each outer cell it is that of an exponential law cut at
    $\Delta$, the same for all.

    References
    ----------
    Sullivan (1996).
    """
    density = sp.exp(-_X / _S) / (2 * _S)
    centre = 2 * sp.integrate(_X**2 * density, (_X, 0, _T))
    cell = sp.integrate((_X - _OFFSET) ** 2 * _EXPONENTIAL, (_X, 0, _STEP)) / (1 - _DECAY)
    variance = _S**2 - _STEP**2 * sp.exp(_STEP / _S) / (sp.exp(_STEP / _S) - 1) ** 2
    proof.equal(
        "Mean squared error within any outer cell, codepoint at the centroid",
        cell.subs(_OFFSET, _centroid()),
        variance,
        sp.simplify,
    )
    left = centre + sp.exp(-_T / _S) * variance
    right = 2 * _S**2 - sp.exp(-_T / _S) * (
        _T**2 + 2 * _S * _T + _S**2 + _STEP**2 * sp.exp(_STEP / _S) / (sp.exp(_STEP / _S) - 1) ** 2
    )
    proof.equal("Dead zone and outer cells", left, right, symbol="D")
    return left, right


@derivation
def laplace_quantiser_entropy(proof: Proof) -> tuple[Formula, Formula]:
    r"""Entropy: $H = h_2(w) + w\,[1 + h_2(p)/(1-p)]$ with $w = e^{-T/s}$ and $p = e^{-\Delta/s}$.

    $h_2$ is the binary entropy.

    One decision "outside?", one sign, and a geometric number of steps.

    References
    ----------
    Sullivan (1996).
    """
    odds = sp.Symbol("o", positive=True)
    decay = 1 / (1 + odds)  # p, between 0 and 1 by construction
    total, mean = (
        _convergent(sp.summation(_K**j * decay**_K, (_K, 0, sp.oo))) * (1 - decay) for j in range(2)
    )
    proof.equal(
        "Outer cells k = 0, 1, ... have the probabilities $w(1-p)p^k$, which add up to w",
        total,
        sp.Integer(1),
    )
    proof.equal("The mean of k is $p/(1-p)$, here with $p = 1/(1+o)$", mean, decay / (1 - decay))
    w, p = sp.symbols("w p", positive=True)
    # -log2 of the probability w (1 - p) p^k / 2 of one cell of one side, averaged over k
    length = -(sp.log(w) + sp.log(1 - p) + p / (1 - p) * sp.log(p)) / sp.log(2) + 1
    left = -(1 - w) * sp.log(1 - w) / sp.log(2) + w * length
    right = _bits(w, 1 - w) + w * (1 + _bits(p, 1 - p) / (1 - p))
    proof.equal("Centre and outer cells together", left, right, symbol="H")
    return left, right


def _convergent(series: Formula) -> Formula:
    """Value of a series where it converges."""
    return series.args[0][0] if isinstance(series, sp.Piecewise) else series
