r"""Densities proportional to a power of a density: the families are closed under it.

The power family of codebooks takes its points as quantiles of the density proportional to $f^p$ ($p =
1/3$ is the cube-root rule). For the families here that density is of the same family, with other
parameters: shown by the derivative of $\log f^p$ equalling that of the new density's logarithm, which
fixes it up to a constant, and so entirely.
"""

from __future__ import annotations

import sympy as sp

from .identity import Formula, Proof, derivation

__all__ = [
    "power_density_gaussian",
    "power_density_generalised_gaussian",
    "power_density_laplace",
    "power_density_student_t",
    "power_distortion_gaussian",
]

_X = sp.Symbol("x", positive=True)  # all laws here are even
_P = sp.Symbol("p", positive=True)
_SCALE, _NEW = sp.symbols("s s'", positive=True)


def _slopes(proof: Proof, log_density: Formula, new: Formula) -> None:
    proof.equal(
        "The logarithms of $f^p$ and of the new density have one slope (for $x > 0$; both are even)",
        (_P * log_density).diff(_X),
        new.diff(_X),
        sp.simplify,
    )


@derivation
def power_density_gaussian(proof: Proof) -> tuple[Formula, Formula]:
    r"""Power of a Gaussian: $f^p$ normalised is Gaussian with $\sigma' = \sigma/\sqrt p$.

    The cube root widens it by $\sqrt3$.

    References
    ----------
    Panter and Dite (1951); Orr, Ribar and Luschi (2025), arXiv:2505.12988.
    """
    law = -(_X**2) / (2 * _SCALE**2)
    new = law.subs(_SCALE, _NEW)
    left = sp.solve(sp.expand((_P * law - new) / _X**2), _NEW)[0]
    _slopes(proof, law, new.subs(_NEW, left))
    proof.equal("The new scale", left, _SCALE / sp.sqrt(_P), symbol="s'")
    return left, _SCALE / sp.sqrt(_P)


@derivation
def power_density_laplace(proof: Proof) -> tuple[Formula, Formula]:
    r"""Power of a Laplace density: $f^p$ normalised is Laplace with $s' = s/p$.

    The cube root triples the scale.

    References
    ----------
    Orr, Ribar and Luschi (2025), arXiv:2505.12988.
    """
    law = -_X / _SCALE
    new = law.subs(_SCALE, _NEW)
    left = sp.solve(sp.expand((_P * law - new) / _X), _NEW)[0]
    _slopes(proof, law, new.subs(_NEW, left))
    proof.equal("The new scale", left, _SCALE / _P, symbol="s'")
    return left, _SCALE / _P


@derivation
def power_density_generalised_gaussian(proof: Proof) -> tuple[Formula, Formula]:
    r"""Power of a generalised Gaussian: $f^p$ normalised keeps its shape, $s' = s\,p^{-1/\beta}$.

    The Gaussian is $\beta=2$ and the Laplace law $\beta=1$.

    References
    ----------
    Follows from the definition f(x) proportional to exp(-(|x|/s)^beta).
    """
    beta = sp.Symbol("beta", positive=True)
    law = -((_X / _SCALE) ** beta)
    left = sp.solve(_P * _SCALE ** (-beta) - _NEW ** (-beta), _NEW)[0]
    _slopes(proof, law, law.subs(_SCALE, left))
    right = _SCALE * _P ** (-1 / beta)
    proof.equal("The new scale", left, right, lambda e: sp.powsimp(sp.powdenest(e, force=True)), "s'")
    return left, right


@derivation
def power_density_student_t(proof: Proof) -> tuple[Formula, Formula]:
    r"""Power of a Student-t density: $f^p$ normalised has $\nu' = p(\nu+1)-1$ and $s' = s\sqrt{\nu/\nu'}$.

    It exists for $p(\nu+1)>1$. The cube root has $(\nu-2)/3$ degrees of freedom; of a law of unit variance,
    whose scale is $s=\sqrt{(\nu-2)/\nu}$, it has the scale $s'=\sqrt3$.

    References
    ----------
    Orr, Ribar and Luschi (2025), arXiv:2505.12988.
    """
    nu, new_nu = sp.symbols("nu nu'", positive=True)
    law = -(nu + 1) / 2 * sp.log(1 + (_X / _SCALE) ** 2 / nu)
    new = law.subs({nu: new_nu, _SCALE: _NEW}, simultaneous=True)
    tails = [sp.limit(_X * density.diff(_X), _X, sp.oo) for density in (_P * law, new)]
    degrees = sp.solve(tails[0] - tails[1], new_nu)[0]
    proof.equal("Equal tails fix the degrees of freedom", degrees, _P * (nu + 1) - 1, symbol=r"\nu'")
    curvatures = [density.diff(_X, 2).subs(_X, 0) for density in (_P * law, new)]
    scale = sp.solve(
        sp.numer(sp.together((curvatures[0] - curvatures[1]).subs(nu, (new_nu + 1) / _P - 1))), _NEW
    )
    right = _SCALE * sp.sqrt(nu / new_nu)
    squared = (scale[-1] ** 2).subs(new_nu, degrees)
    proof.equal(
        "Equal curvature at 0 fixes the scale", squared, (right**2).subs(new_nu, degrees), symbol="s'^2"
    )
    matched = new.subs(_NEW, right).subs(new_nu, degrees)
    _slopes(proof, law, matched)
    cube = {_P: sp.Rational(1, 3), _SCALE: sp.sqrt((nu - 2) / nu)}
    values = sp.Matrix([degrees, (right**2).subs(new_nu, degrees)]).subs(cube)
    proof.equal(
        "At unit variance and $p = 1/3$: degrees of freedom and squared scale",
        values,
        sp.Matrix([(nu - 2) / 3, 3]),
    )
    left = sp.Matrix([degrees, squared])
    final = sp.Matrix([_P * (nu + 1) - 1, _SCALE**2 * nu / (_P * (nu + 1) - 1)])
    proof.equal("Degrees of freedom and squared scale", left, final, symbol=r"(\nu',\ s'^2)^T")
    return left, final


@derivation
def power_distortion_gaussian(proof: Proof) -> tuple[Formula, Formula]:
    r"""Power family on a Gaussian: points as $f^p$ have $D \approx \pi\sigma^2 / (6 p \sqrt{1-2p}\,N^2)$.

    Bennett's integral for $\lambda$ proportional to $f^p$; the exponent 1/3 is its only stationary point. At
    $p\ge\frac12$ the integral diverges: tail cells are then never narrow.

    References
    ----------
    Bennett (1948); Panter and Dite (1951) for p = 1/3.
    """
    n, sigma, q = sp.symbols("N sigma q", positive=True)  # q = 1 - 2p, positive where the integral converges
    y = sp.Symbol("y", real=True)

    def integral_of_power(power: Formula) -> Formula:
        bell = sp.integrate(sp.exp(-power * y**2 / (2 * sigma**2)), (y, -sp.oo, sp.oo))
        return bell * (2 * sp.pi * sigma**2) ** (-power / 2)

    power = (1 - q) / 2
    width = sp.Symbol("w", positive=True)
    left = integral_of_power(q) * integral_of_power(width).subs(width, power) ** 2 / (12 * n**2)
    right = sp.pi * sigma**2 / (6 * power * sp.sqrt(q) * n**2)
    proof.equal(
        "Bennett's integral $\\frac{1}{12N^2}\\int f^{q}\\,(\\int f^p)^2$, with $q = 1 - 2p$",
        left,
        right,
        sp.simplify,
        "D",
    )
    as_power = right.subs(q, 1 - 2 * _P)
    proof.equal(
        "Its only stationary exponent",
        sp.Matrix(sp.solve(as_power.diff(_P), _P)),
        sp.Matrix([sp.Rational(1, 3)]),
    )
    at_third = as_power.subs(_P, sp.Rational(1, 3))
    proof.equal("There it is the Panter-Dite value", at_third, sp.sqrt(3) * sp.pi * sigma**2 / (2 * n**2))
    return left, right
