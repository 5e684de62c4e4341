"""Files that name a format for every tensor: `bitlaw llm allocate` writes them, `bitlaw llm quantise` takes them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from bitlaw.theory.formats import Format
from bitlaw.theory.formats.tensor_formats import read_tensor_formats

from ..errors import UsageError
from .faults import Fault, faults_of_tensors
from .headers import ModelPlan, read_model_plan
from .plan import Plan, Work, check_inputs, show_plan

__all__ = ["allocation_faults", "check_allocation", "plan_allocation", "read_allocation"]


def read_allocation(path: str) -> dict[str, Format]:
    """Formats by name of the tensor.

    Raises
    ------
    UsageError
        As `read_tensor_formats`.
    """
    try:
        return read_tensor_formats(path)
    except ValueError as error:
        raise UsageError(f"--allocation {error}") from error


def check_allocation(allocation: Mapping[str, Format], parts: Mapping[str, str], path: str) -> None:
    """Compare an allocation with the parts of a model's tensors by their names.

    Raises
    ------
    UsageError
        If it names a tensor that the model does not have, or leaves out one of a part that it covers otherwise.
    """
    for name in allocation:
        if name not in parts:
            raise UsageError(f"--allocation {path}: the model has no weight tensor {name}")
    covered = {parts[name] for name in allocation}
    missing = [name for name, part in parts.items() if part in covered and name not in allocation]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UsageError(f"--allocation {path}: has no format for {missing[0]}{more}")


def allocation_faults(model: ModelPlan, allocation: Mapping[str, Format], path: str) -> list[Fault]:
    """What of an allocation does not divide or cannot be stored, from the headers of the model.

    Raises
    ------
    UsageError
        As `check_allocation`.
    """
    check_allocation(allocation, {name: part for name, (part, _) in model.weights.items()}, path)
    formats: dict[Format, set[str]] = {}
    for name, format in allocation.items():
        formats.setdefault(format, set()).add(name)
    return faults_of_tensors(model, [(str(format), format, names) for format, names in formats.items()])


def plan_allocation(args: argparse.Namespace, allocation: Mapping[str, Format], work: Work) -> int:
    """Print what quantising as allocated would take, from the headers of the model.

    Raises
    ------
    UsageError, ValueError
        As `dry_run`, and as `check_allocation`.
    """
    check_inputs(args.device, None, model=args.model)
    model = read_model_plan(args.model, args.dtype)
    show_plan(Plan(model, work, allocation_faults(model, allocation, args.allocation)), args.json)
    return 0
