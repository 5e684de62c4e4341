"""What of a model formats do not fit: rows that do not divide, tensors not to be stored, budgets that none meets."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bitlaw.theory.formats import Format, encode, storage

from .errors import UsageError
from .llm_headers import ModelPlan

__all__ = ["Fault", "check_budget", "faults_of"]

# A budget may miss the least number of bits by what sums of floats round.
_ROUNDING = 1e-9


class Fault(NamedTuple):
    """A format, the tensors it does not fit, why, and whether they cannot be stored at all."""

    format: str
    tensors: str
    reason: str
    fatal: bool


def faults_of(
    model: ModelPlan,
    formats: Mapping[str, Format],
    parts: Sequence[str],
    ends: Mapping[str, Format] | None = None,
) -> list[Fault]:
    """What does not divide or cannot be stored, one entry for each format and width of rows.

    Parameters
    ----------
    model : ModelPlan
    formats : mapping of str to Format
        For the tensors of the parts.
    parts : sequence of str
    ends : mapping of str to Format, optional
        For those in the first and the last layer, in place of the others.
    """
    outer = model.outer_layers(parts) if ends else set()
    inner = {name for name, (part, _) in model.weights.items() if part in parts} - outer
    found = [_faults(model, name, format, inner) for name, format in formats.items()]
    found += [_faults(model, name, format, outer) for name, format in (ends or {}).items()]
    return [fault for faults in found for fault in faults]


def _faults(model: ModelPlan, name: str, format: Format, members: set[str]) -> list[Fault]:
    widths: dict[int, list[str]] = {}
    for tensor, (_, shape) in model.weights.items():
        if tensor in members:
            widths.setdefault(shape[-1], []).append(tensor)
    found = []
    for width, tensors in widths.items():
        reason, fatal = _reason(format, width)
        if reason:
            more = f" and {len(tensors) - 1} more" if len(tensors) > 1 else ""
            found.append(Fault(name, f"{tensors[0]}{more}", reason, fatal))
    return found


def _reason(format: Format, width: int) -> tuple[str, bool]:
    """What is wrong with rows of a width, if anything, and whether it is fatal."""
    try:
        encode(format, np.zeros((1, width), dtype=np.float32))
    except (ValueError, TypeError) as error:
        return f"cannot be stored: {error}", True
    block = format.block[1] if isinstance(format.block, tuple) else format.block
    if isinstance(block, int) and width % block:
        return f"rows of {width}: the last block has {width % block} of {block}", False
    return "", False


def check_budget(model: ModelPlan, formats: Iterable[Format], parts: Sequence[str], budget: float) -> None:
    """Raise UsageError where the cheapest format of every tensor takes more bits than a budget for each weight."""
    candidates = list(formats)
    shapes = [shape for part, shape in model.weights.values() if part in parts]
    least = {shape: min(_fixed_bits(format, shape) for format in candidates) for shape in set(shapes)}
    needed = sum(least[shape] for shape in shapes) / max(sum(map(math.prod, shapes)), 1)
    if budget < needed * (1 - _ROUNDING):
        raise UsageError(
            f"--bits {budget:g}: the budget must be at least {needed:.6g} bits for each weight with these formats"
        )


def _fixed_bits(format: Format, shape: tuple[int, ...]) -> int:
    """Bits that are known before the weights are seen: those of an entropy code, and of outliers, are not."""
    found = storage(format, shape)
    codes = 0 if format.code == "entropy" else found.codes
    return codes + found.scales + found.zeros + found.groups + found.codebook
