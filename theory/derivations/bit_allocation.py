r"""Bits for tensors of unequal importance.

Tensor t has $N_t$ elements of root mean square $r_t$ and mean Fisher information $f_t$; at $b_t$ bits its
squared error is $N_t r_t^2 \varepsilon^2 2^{-2b_t}$, and the divergence it causes half of $f_t$ times
that.
"""

from __future__ import annotations

import sympy as sp

from .identity import Formula, Proof, derivation

__all__ = ["allocation_gain", "optimal_bit_allocation"]

_COUNT, _RMS, _FISHER, _EPS, _MU = sp.symbols("N r f varepsilon mu", positive=True)
_BITS = sp.Symbol("b", real=True)


def _log2(value: Formula) -> Formula:
    return sp.log(value) / sp.log(2)


def _logs(expression: Formula) -> Formula:
    return sp.simplify(sp.expand(sp.expand_log(expression, force=True)))


@derivation
def optimal_bit_allocation(proof: Proof) -> tuple[Formula, Formula]:
    r"""Optimal bits: $b_t = b_0 + \log_2 r_t + \frac12\log_2 f_t$, with one $b_0$ for all tensors.

    The number of elements drops out: it scales cost and benefit alike.  The sum is convex in the bits, so
    the stationary point is the minimum.

    References
    ----------
    Huang and Schultheiss (1963), "Block quantization of correlated Gaussian random variables"; Orr, Ribar
    and Luschi (2025), arXiv:2505.12988.
    """
    harm = _FISHER * _COUNT * _RMS**2 * _EPS**2 * 2 ** (-2 * _BITS) / 2
    cost = harm + _MU * _COUNT * _BITS
    proof.positive("The cost is convex in the bits", harm.diff(_BITS, 2))
    left = sp.solve(sp.expand(cost.diff(_BITS) / _COUNT), _BITS)[0]
    common = _log2(_EPS**2 * sp.log(2) / _MU) / 2
    right = common + _log2(_RMS) + _log2(_FISHER) / 2
    proof.equal(
        "Stationary, with $b_0 = \\frac12\\log_2(\\varepsilon^2\\ln2/\\mu)$", left, right, _logs, "b_t"
    )
    return left, right


@derivation
def allocation_gain(proof: Proof) -> tuple[Formula, Formula]:
    r"""Gain of allocation: $\frac12\log_2$ of arithmetic over geometric mean of $f_t r_t^2$, in bits.

    So many bits per element are saved at the divergence that uniform bits reach; never a negative number.
    Means are weighted by the numbers of elements. Shown for three tensors.

    References
    ----------
    Jayant and Noll (1984), "Digital Coding of Waveforms".
    """
    sensitivity = sp.symbols("s_1:4", positive=True)  # f_t r_t^2
    share = sp.symbols("n_1:3", positive=True)
    shares = (*share, 1 - sum(share))
    mean_bits, uniform = sp.symbols("b B", real=True)
    mean_log = sum(n * _log2(s) / 2 for n, s in zip(shares, sensitivity, strict=True))
    bits = [mean_bits - mean_log + _log2(s) / 2 for s in sensitivity]
    proof.equal("The bits average b", sum(n * b for n, b in zip(shares, bits, strict=True)), mean_bits)
    optimal = [sp.simplify(s * 2 ** (-2 * b)) for s, b in zip(sensitivity, bits, strict=True)]
    proof.equal(
        "All tensors then do the same harm per element",
        sp.Matrix([optimal[0] - optimal[1], optimal[1] - optimal[2]]),
        sp.zeros(2, 1),
        sp.simplify,
    )
    arithmetic = sum(n * s for n, s in zip(shares, sensitivity, strict=True))
    harm_log = _log2(sensitivity[0]) - 2 * bits[0]
    saved = sp.solve(harm_log - (_log2(arithmetic) - 2 * uniform), mean_bits)[0]
    left = uniform - saved
    right = _log2(arithmetic) / 2 - mean_log
    proof.equal("Bits saved at the divergence of B uniform bits", left, right, _logs, "B - b")
    u = sp.Symbol("u", positive=True)
    proof.touches_zero(
        "$u - 1 - \\ln u$ at $u = 1$, averaged over $u = s_t$ / arithmetic mean: the gain",
        u - 1 - sp.log(u),
        u,
        1,
    )
    return left, right
