r"""Partial moments of the Gaussian law: $M_k(a, b) = \int_a^b x^k f(x)\,dx$ for $k = 0, 1, 2$.

With the density $f(x) = e^{-x^2/2\sigma^2}/\sqrt{2\pi\sigma^2}$.
"""

from __future__ import annotations

import sympy as sp

from .identity import Formula, Proof, derivation

__all__ = ["gaussian_partial_moments"]


@derivation
def gaussian_partial_moments(proof: Proof) -> tuple[Formula, Formula]:
    r"""Gaussian partial moments: $M_1 = \sigma^2[f(a)-f(b)]$, $M_2 = \sigma^2[M_0 + a f(a) - b f(b)]$.

    $M_0$ is half the difference of error functions. $M_1$ is the derivative of the density, $M_2$ an
    integration by parts.

    References
    ----------
    Max (1960), "Quantizing for minimum distortion".
    """
    x, a, b = sp.symbols("x a b", real=True)
    sigma = sp.Symbol("sigma", positive=True)

    def density(at: Formula) -> Formula:
        return sp.exp(-(at**2) / (2 * sigma**2)) / sp.sqrt(2 * sp.pi * sigma**2)

    proof.equal("The slope of the density", density(x).diff(x), -x / sigma**2 * density(x))
    proof.equal(
        "By parts: the slope of $-\\sigma^2 x f(x)$",
        (-(sigma**2) * x * density(x)).diff(x),
        x**2 * density(x) - sigma**2 * density(x),
    )
    left = sp.Matrix([sp.integrate(x**k * density(x), (x, a, b)) for k in range(3)])
    mass = (sp.erf(b / (sp.sqrt(2) * sigma)) - sp.erf(a / (sp.sqrt(2) * sigma))) / 2
    right = sp.Matrix(
        [
            mass,
            sigma**2 * (density(a) - density(b)),
            sigma**2 * (mass + a * density(a) - b * density(b)),
        ]
    )
    proof.equal("The three partial moments", left, right, symbol=r"(M_0,\ M_1,\ M_2)^T")
    return left, right
