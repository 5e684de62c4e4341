r"""The law of an element divided by its block's scale.

B independent symmetric elements are divided by $M = \max_j |X_j|$ (absmax). The quantiser sees $U = X/M$;
the error that counts is that of the restored value, so U is weighted by $M^2$.
"""

from __future__ import annotations

import sympy as sp

from .identity import Formula, Proof, derivation

__all__ = [
    "block_conditional_law",
    "block_partial_moments",
    "block_second_moment",
    "block_total_mass",
    "gaussian_rms_kurtosis",
    "gaussian_rms_law",
]

_M, _X, _B = sp.symbols("m x B", positive=True)
_G = sp.Function("G", positive=True)
_g = _G(_M).diff(_M)
_MAXIMUM = _B * _g * _G(_M) ** (_B - 1)  # density of the block maximum


@derivation
def block_conditional_law(proof: Proof) -> tuple[Formula, Formula]:
    r"""Element and maximum: with probability 1/B an element is the maximum; else it is X given $|X|\le m$.

    So U has an atom of mass $1/B$ at 1 in absolute value and a smooth part of mass $(B-1)/B$.

    References
    ----------
    David and Nagaraja (2003), "Order Statistics".
    """
    below = _G(_X) * _G(_M) ** (_B - 1)  # P(|X_1| <= x, M <= m) for x <= m
    joint = below.diff(_X).diff(_M)
    proof.equal(
        "Joint density of an element $|X_1| = x$ below the maximum and of the maximum",
        joint,
        (_B - 1) * _G(_X).diff(_X) * _g * _G(_M) ** (_B - 2),
        sp.simplify,
        r"\partial_x\partial_m\, G(x)G(m)^{B-1}",
    )
    atom = _g * _G(_M) ** (_B - 1)
    proof.equal(
        "The element is the maximum, at m: a share 1/B of its density", atom, _MAXIMUM / _B, sp.simplify
    )
    inside = (joint / _G(_X).diff(_X)) * _G(_M)
    proof.equal("Both cases add up to the density of the maximum", atom + inside, _MAXIMUM, sp.simplify)
    left = joint / ((_B - 1) / _B * _MAXIMUM)
    right = _G(_X).diff(_X) / _G(_M)
    proof.equal(
        "Below the maximum, given m", left, right, sp.simplify, r"p(|X_1| = x \mid M = m,\ |X_1| < m)"
    )
    return left, right


@derivation
def block_partial_moments(proof: Proof) -> tuple[Formula, Formula]:
    r"""Weighted moments: $(B-1)\int g\,G^{B-2}\,m^{2-k}M_k(ma,mb)\,dm$ for the smooth part over $(a, b]$.

    $M_k$ is the partial moment of X itself. The factors are the weight $m^2$, the probability $(B-1)/B$, the
    density of the maximum, and the density of U given $M=m$, which is $m f(mu)/G(m)$. The unweighted law has
    $m^{-k}$ in place of $m^{2-k}$.

    References
    ----------
    Orr, Ribar and Luschi (2025), arXiv:2505.12988, for the weighting; the law is derived here.
    """
    a, b, u = sp.symbols("a b u", real=True)
    k = sp.Symbol("k", integer=True, nonnegative=True)
    f = sp.Function("f", positive=True)
    y = sp.Symbol("y", real=True)
    divided = sp.Integral(u**k * _M * f(_M * u), (u, a, b))
    own = _M ** (-k) * sp.Integral(y**k * f(y), (y, _M * a, _M * b))
    proof.equal(
        "Change of variable $y = mu$: both sides vanish at $b = a$ and have one slope in b",
        divided.diff(b),
        own.diff(b),
        _powers,
    )
    moment = sp.Symbol("M_k", real=True)  # M_k(ma, mb)
    left = _M**2 * (_B - 1) / _B * _MAXIMUM * (_M ** (-k) * moment) / _G(_M)
    right = (_B - 1) * _g * _G(_M) ** (_B - 2) * _M ** (2 - k) * moment
    proof.equal(
        "Contribution of blocks with maximum m",
        left,
        right,
        sp.simplify,
        r"\frac{d}{dm}\,E[M^2 U^k;\,a<U\le b]",
    )
    return left, right


def _powers(expression: Formula) -> Formula:
    return sp.simplify(sp.powsimp(sp.expand_power_base(expression, force=True), force=True))


@derivation
def block_total_mass(proof: Proof) -> tuple[Formula, Formula]:
    r"""Total mass of the weighted law: $E[M^2]$, of which the atoms hold $1/B$.

    A check on any quadrature over m.

    References
    ----------
    Derived here.
    """
    atoms = _M**2 * _g * _G(_M) ** (_B - 1)
    smooth = (_B - 1) * _g * _G(_M) ** (_B - 2) * _M**2 * _G(_M)  # M_0(-m, m) = G(m)
    proof.equal("Atoms at maximum m", atoms, _M**2 * _MAXIMUM / _B, sp.simplify)
    proof.equal("Smooth part", smooth, (_B - 1) / _B * _M**2 * _MAXIMUM, sp.simplify)
    left, right = atoms + smooth, _M**2 * _MAXIMUM
    proof.equal("Together, m squared times the density of the maximum", left, right, sp.simplify)
    return left, right


@derivation
def block_second_moment(proof: Proof) -> tuple[Formula, Formula]:
    r"""Second moment of the weighted law: $E[X^2]$, as restoring U by M gives X back.

    Atoms and smooth part are together the slope, in m, of $G^{B-1}$ times the second moment of X within
    $(-m, m)$, which runs from 0 to $E[X^2]$.

    References
    ----------
    Derived here.
    """
    y = sp.Symbol("y", positive=True)
    within = sp.Integral(y**2 * _G(y).diff(y), (y, 0, _M))  # M_2(-m, m)
    atoms = _M**2 * _g * _G(_M) ** (_B - 1)
    smooth = (_B - 1) * _g * _G(_M) ** (_B - 2) * within
    left, right = atoms + smooth, (_G(_M) ** (_B - 1) * within).diff(_M)
    proof.equal("A total derivative", left, right, sp.simplify, r"\frac{d}{dm}\,E[M^2 U^2]")
    return left, right


@derivation
def gaussian_rms_law(proof: Proof) -> tuple[Formula, Formula]:
    r"""Gaussian block with rms scale: $U^2/B$ is Beta$(\frac12,\frac{B-1}2)$, independent of the scale.

    $V=U^2/B$ is the share of $X_1^2$ in the sum R of all B squares.

    References
    ----------
    Johnson, Kotz and Balakrishnan (1995), "Continuous Univariate Distributions", chapter 25.
    """
    v, r, w = sp.symbols("v r w", positive=True)  # v/(1 - v) = w keeps v in (0, 1)

    def chi_square(at: Formula, degrees: Formula) -> Formula:
        return at ** (degrees / 2 - 1) * sp.exp(-at / 2) / (2 ** (degrees / 2) * sp.gamma(degrees / 2))

    z = sp.Symbol("z", positive=True)
    normal = sp.exp(-z / 2) / sp.sqrt(2 * sp.pi)
    proof.equal(
        "The square of a normal variable is chi-square", normal / sp.sqrt(z), chi_square(z, sp.Integer(1))
    )
    first, others = r * v, r * (1 - v)
    jacobian = sp.Matrix([first, others]).jacobian([v, r]).det()
    proof.equal("The Jacobian of $(v, r) \\mapsto (rv, r(1-v))$", sp.Abs(sp.simplify(jacobian)), r)
    left = chi_square(first, sp.Integer(1)) * chi_square(others, _B - 1) * r
    beta = v ** sp.Rational(-1, 2) * (1 - v) ** ((_B - 3) / 2)
    beta *= sp.gamma(_B / 2) / (sp.gamma(sp.Rational(1, 2)) * sp.gamma((_B - 1) / 2))
    right = beta * chi_square(r, _B)
    inside = {v: w / (1 + w)}
    proof.equal(
        "The joint density is a product (with $v = w/(1+w)$ between 0 and 1)",
        left.subs(inside),
        right.subs(inside),
        lambda e: _quotient_less_one(e, right.subs(inside)),
        "p(v, r)",
    )
    return left.subs(inside), right.subs(inside)


def _quotient_less_one(difference: Formula, reference: Formula) -> Formula:
    ratio = sp.expand(difference / reference)
    return sp.simplify(
        sp.powsimp(sp.powdenest(sp.expand_power_base(sp.factor(ratio), force=True), force=True))
    )


def _expand_gamma(expression: Formula) -> Formula:
    return sp.simplify(sp.expand_func(expression))


@derivation
def gaussian_rms_kurtosis(proof: Proof) -> tuple[Formula, Formula]:
    r"""Kurtosis with rms scale: $3B/(B+2)$ for the divided element of a Gaussian block.

    Below the Gaussian's 3, as its square cannot exceed B; its variance is one.

    References
    ----------
    Follows from the beta law.
    """
    t = sp.Symbol("t", positive=True)  # v = t/(1 + t)
    rest = sp.Symbol("c", positive=True)  # (B - 1)/2

    def moment(order: int) -> Formula:
        half = sp.Rational(1, 2)
        integral = sp.integrate(t ** (order - half) * (1 + t) ** (-order - half - rest), (t, 0, sp.oo))
        return sp.gamma(half + rest) / (sp.gamma(half) * sp.gamma(rest)) * integral

    size = 2 * rest + 1
    mean = size * moment(1)
    proof.equal("The mean of $U^2 = BV$, with $c = (B-1)/2$", mean, sp.Integer(1), _expand_gamma)
    left, right = size**2 * moment(2), 3 * size / (size + 2)
    proof.equal("The mean of $U^4$", left, right, _expand_gamma, r"E[U^4]")
    return left, right
