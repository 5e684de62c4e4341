"""Budgets for the weights of a model, and the least that formats need for it, from headers."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bitlaw.theory.formats import Format, storage

from ..arguments import whole
from ..errors import UsageError
from .constraints import Constraints
from .headers import ModelPlan
from .options import format_of

__all__ = ["Budget", "add_budget_options", "budget_of", "check_budget"]

# A budget may miss the least number of bits by what sums of floats round.
_ROUNDING = 1e-9

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Budget:
    """Bits that tensors share.

    Attributes
    ----------
    told : str
        How it was asked for, for errors.
    amount : float or Format
        A format stands for what it would need.
    unit : {"bits_per_element", "bytes"}
    """

    told: str
    amount: float | Format
    unit: str = "bits_per_element"


def add_budget_options(parser: argparse.ArgumentParser) -> None:
    """Options for the budget; one is needed."""
    either = parser.add_mutually_exclusive_group(required=True)
    either.add_argument("--bits", type=float, metavar="X", help="for each weight that gets a format")
    either.add_argument("--bytes", type=whole("bytes", 1), metavar="N", help="for all of them")
    either.add_argument("--like", metavar="FORMAT", help="as many bits as they need in one format")


def budget_of(args: argparse.Namespace) -> Budget:
    """The budget that was asked for."""
    if args.like is not None:
        return Budget(f"--like {args.like}", format_of("--like", args.like))
    if args.bytes is not None:
        return Budget(f"--bytes {args.bytes}", args.bytes, "bytes")
    if not 0 < args.bits < float("inf"):
        raise UsageError(f"--bits must be positive and finite, got {args.bits}")
    return Budget(f"--bits {args.bits:g}", args.bits)


def check_budget(
    model: ModelPlan, formats: Iterable[Format], budget: Budget, constraints: Constraints
) -> None:
    """Refuse what no choice of formats meets, as far as headers tell.

    Raises
    ------
    UsageError
        If the cheapest choice takes more bits than the budget, or a floor is above all formats.
    """
    candidates, shapes = list(formats), {name: model.weights[name][1] for name in constraints.names}
    elements = max(sum(map(math.prod, shapes.values())), 1)
    least = _least_bits(candidates, shapes, constraints)
    given: float | None
    if isinstance(budget.amount, Format):
        given = _bits_in(budget.amount, shapes, constraints.fixed)
    else:
        given = budget.amount * (8 if budget.unit == "bytes" else elements)
    if given is not None and given < least * (1 - _ROUNDING):
        needed = f"{least / elements:.6g} bits for each weight"
        if budget.unit == "bytes":
            needed = f"{math.ceil(least / 8)} bytes"
        fixed = sum(_certain_bits(format, shapes[name]) for name, format in constraints.fixed.items())
        taken = f"; the tensors of --fix alone take {fixed / given:.0%} of the budget" if fixed else ""
        raise UsageError(f"{budget.told}: the budget must be at least {needed} with these formats{taken}")


def _least_bits(candidates: list[Format], shapes: Mapping[str, Shape], constraints: Constraints) -> int:
    """Bits that any choice takes at least."""
    known: dict[tuple[Shape, Format | None], int | None] = {}
    total = 0
    for name, shape in shapes.items():
        if name in constraints.fixed:
            total += _certain_bits(constraints.fixed[name], shape)
            continue
        floor = constraints.floors.get(name)
        if (shape, floor) not in known:
            known[shape, floor] = min(_allowed(candidates, shape, floor), default=None)
        bits = known[shape, floor]
        if bits is None:
            raise UsageError(f"--floor: no format has as many bits for {name} as {floor}")
        total += bits
    return total


def _allowed(candidates: list[Format], shape: Shape, floor: Format | None) -> list[int]:
    """Certain bits of the formats that a floor does not forbid for certain."""
    bits = [(_certain_bits(format, shape), _is_certain(format)) for format in candidates]
    if floor is None or not _is_certain(floor):
        return [count for count, _ in bits]
    least = _certain_bits(floor, shape)
    return [max(count, least) for count, certain in bits if count >= least or not certain]


def _bits_in(format: Format, shapes: Mapping[str, Shape], fixed: Mapping[str, Format]) -> int | None:
    """Bits of all tensors in one format but for fixed ones; None where weights decide them."""
    chosen = [(fixed.get(name, format), shape) for name, shape in shapes.items()]
    if not all(_is_certain(one) for one, _ in chosen):
        return None
    return sum(_certain_bits(one, shape) for one, shape in chosen)


def _is_certain(format: Format) -> bool:
    """Whether bits are known before the weights are seen: not those of an entropy code, nor of outliers."""
    return format.code == "fixed" and format.outliers is None


def _certain_bits(format: Format, shape: Shape) -> int:
    """Bits that are known before the weights are seen."""
    found = storage(format, shape)
    codes = 0 if format.code == "entropy" else found.codes
    return codes + found.scales + found.zeros + found.groups + found.codebook
