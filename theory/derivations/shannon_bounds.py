r"""What no quantiser can beat: the Shannon lower bound, and the laws that meet it.

Any code of rate R and distortion D obeys $R \ge I(X; Y) = h(X) - h(X|Y) \ge h(X) - h(X-Y)$, and the
entropy of an error of mean square D is largest for a Gaussian.
"""

from __future__ import annotations

import sympy as sp

from .identity import Formula, Proof, derivation

__all__ = [
    "gaussian_maximises_entropy",
    "gaussian_rate_distortion",
    "laplace_absolute_rate_distortion",
    "shannon_lower_bound",
]

_X = sp.Symbol("x", real=True)
_D, _SIGMA, _S = sp.symbols("D sigma s", positive=True)
_R, _SOURCE = sp.symbols("R h", real=True)


def _relative_entropy_is_not_negative(proof: Proof) -> None:
    """Record the inequality under every relative entropy: r ln r - r + 1 >= 0."""
    r = sp.Symbol("r", positive=True)
    proof.touches_zero(
        "$r\\ln r - r + 1$ at $r = 1$ (r the ratio of two densities)", r * sp.log(r) - r + 1, r, 1
    )


@derivation
def gaussian_maximises_entropy(proof: Proof) -> tuple[Formula, Formula]:
    r"""Largest entropy: an error of mean square D has at most $\frac12\ln(2\pi e D)$ nats.

    The relative entropy to a Gaussian of variance D is that number less the entropy of the error, and it is
    never negative.

    References
    ----------
    Shannon (1948), section 20; Cover and Thomas (2006), "Elements of Information Theory", theorem 8.6.5.
    """
    _relative_entropy_is_not_negative(proof)
    gaussian = sp.exp(-(_X**2) / (2 * _D)) / sp.sqrt(2 * sp.pi * _D)
    minus_log = sp.expand(sp.expand_log(-sp.log(gaussian), force=True))
    square = sp.Symbol("E", positive=True)  # mean square of the error
    left = minus_log.coeff(_X, 0) + minus_log.coeff(_X, 2) * square
    proof.equal("The cross-entropy needs only the mean square", minus_log.diff(_X, 3), sp.Integer(0))
    right = sp.log(2 * sp.pi * sp.E * _D) / 2
    at_d = left.subs(square, _D)
    proof.equal(
        "With mean square D it is", at_d, right, lambda e: sp.simplify(sp.expand_log(e)), r"-E\ln\phi_D"
    )
    return at_d, right


@derivation
def shannon_lower_bound(proof: Proof) -> tuple[Formula, Formula]:
    r"""Shannon lower bound: $D \ge \frac1{2\pi e}\,2^{2h(X)}\,2^{-2R}$, h in bits.

    The rate is at least $h(X)$ less the largest entropy of an error of mean square D; solved for D.

    References
    ----------
    Shannon (1959), "Coding theorems for a discrete source with a fidelity criterion"; Berger (1971), "Rate
    Distortion Theory".
    """
    rate = _SOURCE - sp.log(2 * sp.pi * sp.E * _D) / (2 * sp.log(2))
    proof.positive("The bound on the rate falls as D grows", -rate.diff(_D))
    left = sp.solve(sp.expand_log(rate) - _R, _D)[0]
    right = 2 ** (2 * _SOURCE) * 2 ** (-2 * _R) / (2 * sp.pi * sp.E)
    proof.equal("Solved for the distortion", left, right, sp.simplify, "D")
    return left, right


@derivation
def gaussian_rate_distortion(proof: Proof) -> tuple[Formula, Formula]:
    r"""Gaussian distortion-rate function: $D(R) = \sigma^2\,2^{-2R}$, exactly.

    The lower bound is met by $X=Y+Z$ with independent Gaussians Y of variance $\sigma^2-D$ and Z of variance
    D, whose mutual information is the bound.

    References
    ----------
    Shannon (1959); Cover and Thomas (2006), theorem 10.3.2.
    """
    signal = sp.Symbol("v", positive=True)  # variance of Y

    def density(at: Formula, variance: Formula) -> Formula:
        return sp.exp(-(at**2) / (2 * variance)) / sp.sqrt(2 * sp.pi * variance)

    y = sp.Symbol("y", real=True)
    total = sp.integrate(density(y, signal) * density(_X - y, _D), (y, -sp.oo, sp.oo))
    proof.equal("$Y + Z$ is Gaussian with variance $v + D$", total, density(_X, signal + _D), sp.simplify)

    def bits(variance: Formula) -> Formula:
        return sp.log(2 * sp.pi * sp.E * variance) / (2 * sp.log(2))

    information = bits(_SIGMA**2) - bits(_D)
    proof.equal(
        "The information is $h(X) - h(Z)$",
        information,
        sp.log(_SIGMA**2 / _D) / (2 * sp.log(2)),
        lambda e: sp.simplify(sp.expand_log(e, force=True)),
        "I(X;Y)",
    )
    left = sp.solve(sp.log(_SIGMA**2 / _D) / (2 * sp.log(2)) - _R, _D)[0]
    right = _SIGMA**2 * 2 ** (-2 * _R)
    bound = 2 ** (2 * bits(_SIGMA**2)) * 2 ** (-2 * _R) / (2 * sp.pi * sp.E)
    proof.equal("Solved for D", left, right, sp.simplify, "D")
    proof.equal("The Shannon lower bound of the Gaussian is the same", bound, right, sp.simplify)
    return left, right


@derivation
def laplace_absolute_rate_distortion(proof: Proof) -> tuple[Formula, Formula]:
    r"""Laplace law under absolute error: $R(D) = \log_2(s/D)$ for $D \le s$.

    The bound $h(X)-\log_2(2eD)$ is met by $X=Y+Z$ with Z Laplace of scale D: the characteristic function
    that Y then must have is that of a law, an atom at 0 of mass $D^2/s^2$ and a Laplace law of scale s.

    References
    ----------
    Berger (1971), "Rate Distortion Theory".
    """
    _relative_entropy_is_not_negative(proof)
    omega, extra = sp.symbols("omega c", positive=True)
    y = sp.Symbol("y", positive=True)
    transform = 2 * sp.integrate(sp.exp(-y / _S) / (2 * _S) * sp.cos(omega * y), (y, 0, sp.oo))
    proof.equal("Characteristic function of the Laplace law", transform, 1 / (1 + _S**2 * omega**2))
    wide = _D + extra  # the scale s > D
    ratio = (transform / transform.subs(_S, _D)).subs(_S, wide)
    mixed = _D**2 / wide**2 + (1 - _D**2 / wide**2) * transform.subs(_S, wide)
    proof.equal("That of Y, with $s = D + c$", ratio, mixed, sp.simplify)
    proof.positive("It mixes two laws with positive masses", sp.factor(1 - _D**2 / wide**2))
    minus_log = y / _D + sp.log(2 * _D)
    mean_size = sp.integrate(y * sp.exp(-y / _D) / _D, (y, 0, sp.oo))
    largest = minus_log.subs(y, mean_size)
    proof.equal(
        "Largest entropy of an error of mean size D",
        largest,
        sp.log(2 * sp.E * _D),
        lambda e: sp.simplify(sp.expand_log(e)),
    )
    left = (sp.log(2 * sp.E * _S) - largest) / sp.log(2)
    right = sp.log(_S / _D) / sp.log(2)
    proof.equal("The bound", left, right, lambda e: sp.simplify(sp.expand_log(e, force=True)), "R")
    return left, right
