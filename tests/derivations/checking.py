"""Numbers beside the formulas: each derivation is evaluated at drawn parameters and computed another way.

A check is a function named after its derivation.  It draws parameters, evaluates the derived right-hand side
there, and returns it with a number (or a list) found without the formula: by quadrature, finite differences,
numerical minimisation or linear algebra.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import mpmath as mp
import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from bitlaw.theory.derivations import ALL, Derivation, Identity

DIGITS = 22
TRIALS = 2


class Draw:
    """Parameters drawn from intervals, rounded to three decimals so that a page can print them."""

    def __init__(self, seed: str) -> None:
        self._generator = random.Random(seed)
        self.values: dict[str, mp.mpf] = {}

    def __call__(self, ranges: Mapping[str, tuple[float, float]] | None = None, **named: tuple[float, float]):
        """Draw one number for every name; tuples of integers give integers."""
        drawn = {}
        for name, (low, high) in {**(ranges or {}), **named}.items():
            if isinstance(low, int) and isinstance(high, int):
                drawn[name] = mp.mpf(self._generator.randint(low, high))
            else:
                drawn[name] = mp.mpf(f"{self._generator.uniform(low, high):.3f}")
        self.values |= drawn
        return drawn


@dataclass(frozen=True)
class Row:
    """One comparison."""

    where: Mapping[str, mp.mpf]
    derived: list[mp.mpf]
    independent: list[mp.mpf]
    how: str
    tolerance: float

    def agrees(self) -> bool:
        """Whether all entries agree, relative to the largest of them."""
        size = max(abs(entry) for entry in self.independent)
        errors = [abs(d - i) for d, i in zip(self.derived, self.independent, strict=True)]
        return max(errors) <= self.tolerance * max(size, mp.mpf(10) ** -12)


Check = Callable[[Identity, Draw], tuple[Any, Any]]
CHECKS: dict[str, tuple[Check, str, float]] = {}


def check(how: str, tolerance: float = 1e-12) -> Callable[[Check], Check]:
    """Register a check under its own name."""

    def register(function: Check) -> Check:
        CHECKS[function.__name__] = (function, how, tolerance)
        return function

    return register


def rows(identity: Identity) -> list[Row]:
    """All comparisons for one derivation."""
    function, how, tolerance = CHECKS[identity.name]
    found = []
    for trial in range(TRIALS):
        draw = Draw(f"{identity.name} {trial}")
        with mp.workdps(DIGITS):
            derived, independent = function(identity, draw)
            found.append(Row(draw.values, entries(derived), entries(independent), how, tolerance))
    return found


@functools.cache
def derived(derivation: Derivation) -> Identity:
    """The identity of a derivation, found once."""
    return derivation()


def identities() -> list[Identity]:
    """All identities in reading order."""
    return [derived(derivation) for derivation in ALL]


def entries(value: Any) -> list[mp.mpf]:
    """A scalar, vector or matrix as a flat list."""
    if isinstance(value, (mp.matrix, list, tuple)):
        return [mp.mpf(entry) for entry in value]
    if hasattr(value, "ravel"):
        return [mp.mpf(float(entry)) for entry in value.ravel()]
    return [mp.mpf(value)]


Functions = Mapping[str, Callable[..., Any]]


def value(expression: Any, at: Mapping[str, Any], functions: Functions | None = None) -> Any:
    """Evaluate an expression at named parameters, its unspecified functions replaced by given ones."""
    expression = _with_functions(expression, functions or {})
    symbols = _symbols(expression)
    numbers = [at[symbol.name] for symbol in symbols]
    if expression.atoms(sp.Integral):
        return sp.lambdify(symbols, expression, "mpmath")(*numbers)
    exact = {symbol: _exact(number) for symbol, number in zip(symbols, numbers, strict=True)}
    numeric = sp.N(expression.subs(exact, simultaneous=True), DIGITS)
    if isinstance(numeric, sp.MatrixBase):
        return [mp.mpf(str(entry)) for entry in numeric]
    return mp.mpf(str(numeric))


def compiled(
    expression: Any, at: Mapping[str, Any], functions: Functions | None = None
) -> Callable[..., Any]:
    """Turn an expression into a function of the symbols that are not named in `at`, in alphabetical order."""
    expression = _with_functions(expression, functions or {})
    symbols = _symbols(expression)
    free = [symbol for symbol in symbols if symbol.name not in at]
    fixed = {symbol: _exact(at[symbol.name]) for symbol in symbols if symbol.name in at}
    return sp.lambdify(free, expression.subs(fixed, simultaneous=True), "mpmath")


def _with_functions(expression: Any, functions: Functions) -> Any:
    for applied in expression.atoms(AppliedUndef):
        if applied.func.__name__ in functions:
            expression = expression.replace(applied.func, functions[applied.func.__name__])
    return expression.replace(
        lambda part: isinstance(part, (sp.Derivative, sp.Subs)), lambda part: part.doit()
    )


def _symbols(expression: Any) -> list[Any]:
    return sorted(expression.free_symbols, key=lambda symbol: symbol.name)


def _exact(number: Any) -> Any:
    number = mp.mpf(number)
    return sp.Integer(int(number)) if number == int(number) else sp.Float(mp.nstr(number, DIGITS), DIGITS)


@functools.cache
def formula(name):
    """Right-hand side of a derivation as a function of its symbols in alphabetical order, and their names."""
    (function,) = (f for f in ALL if f.__name__ == name)
    expression = derived(function).right
    return compiled(expression, {}), sorted(symbol.name for symbol in expression.free_symbols)


def right(name, **at):
    """Right-hand side of a derivation at parameters, as floats."""
    function, names = formula(name)
    found = entries(function(*[mp.mpf(at[key]) for key in names]))
    return np.array([float(entry) for entry in found]) if len(found) > 1 else float(found[0])
