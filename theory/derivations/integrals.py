"""Integrals over densities that are left unspecified.

`f` stands for any smooth density.  Its partial moments stay unevaluated integrals, which sympy
differentiates by Leibniz's rule; `split` writes them in one normal form (one integral per power, constants
in front), so that equal ones cancel.
"""

from __future__ import annotations

import sympy as sp

from .identity import Formula

__all__ = ["cell_error", "f", "moment", "split", "x"]

x = sp.Symbol("x", real=True)
f = sp.Function("f", positive=True)


def moment(order: int, lower: Formula, upper: Formula) -> Formula:
    """Partial moment M_k(a, b): the integral of x^k f(x) from a to b."""
    return sp.Integral(x**order * f(x), (x, lower, upper))


def cell_error(codepoint: Formula, lower: Formula, upper: Formula) -> Formula:
    """Squared error of a cell: the integral of (x - q)^2 f(x) from a to b."""
    return sp.Integral((x - codepoint) ** 2 * f(x), (x, lower, upper))


def split(expression: Formula) -> Formula:
    """Expand, with every integral written as a sum of constants times integrals of single terms."""
    return sp.expand(expression.replace(lambda part: isinstance(part, sp.Integral), _split_one))


def _split_one(integral: Formula) -> Formula:
    (limits,) = integral.limits
    total = sp.Integer(0)
    for term in sp.Add.make_args(sp.expand(integral.function)):
        constant, rest = term.as_independent(limits[0], as_Add=False)
        total += constant * sp.Integral(rest, limits)
    return total
