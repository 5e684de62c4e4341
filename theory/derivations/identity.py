"""What a derivation is: a chain of equations that sympy has checked one by one.

A derivation is a function without arguments.  It builds its objects from their definitions, lets sympy
differentiate, integrate and solve, records each claim on the way as a step, and returns the identity the
last step proves.  A claim whose two sides do not simplify to the same expression raises at once, so an
identity that exists has been proved, and a formula that was mistyped cannot be returned.

The catch: sympy proves that an expression is zero by rewriting it to 0.  A failure therefore means "not
shown", not "false"; the cure is a hint (`by`) that names the rewriting, never a numerical test.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

__all__ = ["Derivation", "DerivationError", "Identity", "Proof", "Step", "derivation"]

# sympy's expressions and matrices carry no types.
Formula = Any
Rewriting = Callable[[Formula], Formula]


class DerivationError(ArithmeticError):
    """A step of a derivation could not be shown to hold."""


@dataclass(frozen=True)
class Step:
    """One checked claim: left = right, left > right or left >= right.

    Parameters
    ----------
    claim : str
        What the step says, in words; may hold maths between dollar signs.
    left, right : sympy expression or matrix
    relation : {"=", ">", ">="}
    by : callable, optional
        Rewriting that turns left - right into 0 (or into a form whose sign sympy knows);
        expansion, then general simplification, when left out.
    symbol : str, optional
        Name of the left side in LaTeX, printed in its place where the expression is long.

    Raises
    ------
    DerivationError
        On construction, if the relation cannot be shown.
    ValueError
        If the relation is not one of the three.

    Examples
    --------
    >>> import sympy as sp
    >>> x = sp.Symbol("x", real=True)
    >>> Step("A binomial", (x + 1) ** 2, x**2 + 2 * x + 1).relation
    '='
    >>> Step("A square", x**2, x)  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    ...
    DerivationError: not shown: A square: x**2 = x; their difference was reduced to x**2 - x
    """

    claim: str
    left: Formula
    right: Formula
    relation: str = "="
    by: Rewriting | None = field(default=None, repr=False, compare=False)
    symbol: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.relation not in _SHOWN:
            raise ValueError(f"relation must be one of {', '.join(_SHOWN)}; got {self.relation!r}")
        difference = self.left - self.right
        rewritings: tuple[Rewriting, ...] = (sp.expand, sp.simplify) if self.by is None else (self.by,)
        remainder = difference
        for rewriting in rewritings:
            remainder = rewriting(difference)
            if _SHOWN[self.relation](remainder):
                return
        raise DerivationError(
            f"not shown: {self.claim}: {self.left} {self.relation} {self.right}; "
            f"their difference was reduced to {remainder}"
        )


def _is_zero(expression: Formula) -> bool:
    if isinstance(expression, sp.MatrixBase):
        return all(entry == 0 for entry in expression)
    return bool(expression == 0)


_SHOWN: dict[str, Callable[[Formula], bool]] = {
    "=": _is_zero,
    ">": lambda expression: bool(expression.is_positive),
    ">=": lambda expression: bool(expression.is_nonnegative),
}


@dataclass(frozen=True)
class Identity:
    """A proved formula.

    Attributes
    ----------
    name : str
        Name of the function that derives it.
    statement : str
        The formula in words, with maths between dollar signs.
    conclusion : Step
        The claim it is all for, left = right.
    steps : tuple of Step
        The checked claims of the derivation, in order; the conclusion is one of them.

    Examples
    --------
    >>> from bitlaw.theory.derivations.panter_dite_constants import panter_dite_laplace
    >>> identity = panter_dite_laplace()
    >>> print(identity.right)
    9*sigma**2/(2*N**2)
    >>> identity.verify(2 * identity.right)  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    ...
    DerivationError: not shown
    """

    name: str
    statement: str
    conclusion: Step
    steps: tuple[Step, ...]

    @property
    def left(self) -> Formula:
        """What is asked."""
        return self.conclusion.left

    @property
    def right(self) -> Formula:
        """What it equals."""
        return self.conclusion.right

    def __bool__(self) -> bool:
        """Whether it holds: an identity that exists was proved."""
        return True

    def verify(self, right: Formula) -> None:
        """Check another candidate for the right-hand side by the means that proved this one.

        Raises
        ------
        DerivationError
            If the candidate cannot be shown to equal the left-hand side.
        """
        Step(self.conclusion.claim, self.left, _frozen(right), by=self.conclusion.by)


class Proof:
    """The steps of a derivation as it goes."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def equal(
        self, claim: str, left: Formula, right: Formula, by: Rewriting | None = None, symbol: str = ""
    ) -> Formula:
        """Record that left = right, and return right."""
        self.steps.append(Step(claim, _frozen(left), _frozen(right), "=", by, symbol))
        return right

    def positive(self, claim: str, expression: Formula, by: Rewriting | None = None) -> None:
        """Record that the expression is positive for all values its symbols are declared to take."""
        self.steps.append(Step(claim, expression, sp.Integer(0), ">", by))

    def nonnegative(self, claim: str, expression: Formula, by: Rewriting | None = None) -> None:
        """Record that the expression is never negative."""
        self.steps.append(Step(claim, expression, sp.Integer(0), ">=", by))

    def touches_zero(self, claim: str, expression: Formula, variable: Formula, at: Formula) -> None:
        """Record that a convex expression touches zero at a point, so that it is nowhere negative."""
        slope = expression.diff(variable)
        self.equal(f"{claim}: it is zero there", expression.subs(variable, at), sp.Integer(0))
        self.equal(f"{claim}: its slope is zero there", slope.subs(variable, at), sp.Integer(0))
        self.positive(f"{claim}: it is convex, hence never negative", slope.diff(variable))


Derivation = Callable[[], Identity]


def derivation(build: Callable[[Proof], tuple[Formula, Formula]]) -> Derivation:
    """Turn a function that records its steps and returns (left, right) into a derivation.

    The docstring's first paragraph becomes the identity's statement, the function's name its name.

    Examples
    --------
    >>> import sympy as sp
    >>> x = sp.Symbol("x", real=True)
    >>> @derivation
    ... def slope_of_square(proof):
    ...     "Slope of a square: twice the argument."
    ...     proof.equal("Differentiate", (x**2).diff(x), 2 * x)
    ...     return (x**2).diff(x), 2 * x
    >>> slope_of_square().statement
    'Slope of a square: twice the argument.'
    """
    statement = " ".join((inspect.getdoc(build) or "").split("\n\n")[0].split())

    @functools.wraps(build)
    def derive() -> Identity:
        proof = Proof()
        sides = tuple(_frozen(side) for side in build(proof))
        for step in proof.steps:
            if step.relation == "=" and (step.left, step.right) == sides:
                return Identity(build.__name__, statement, step, tuple(proof.steps))
        raise DerivationError(f"{build.__name__} returns an equation that none of its steps shows")

    return derive


def _frozen(expression: Formula) -> Formula:
    return sp.ImmutableMatrix(expression) if isinstance(expression, sp.MatrixBase) else sp.sympify(expression)
