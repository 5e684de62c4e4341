"""Files that name a format for every tensor: `bitlaw llm allocate` writes them, `bitlaw llm quantise` takes them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bitlaw.theory.formats import Format, parse_format

from .errors import UsageError
from .llm_faults import faults_of_tensors
from .llm_headers import read_model_plan
from .llm_plan import Plan, Work, check_inputs, show_plan

__all__ = ["check_allocation", "plan_allocation", "read_allocation"]


def read_allocation(path: str) -> dict[str, Format]:
    """Formats by name of the tensor.

    Raises
    ------
    UsageError
        If the file is missing or is no allocation, names a tensor twice, or a format in it is unknown; the tensor
        is named.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"--allocation {path}: there is no such file") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"--allocation {path}: not JSON ({error})") from error
    found: dict[str, Format] = {}
    for entry in _entries(content, path):
        name = entry["name"]
        if name in found:
            raise UsageError(f"--allocation {path}: {name} stands there twice")
        try:
            found[name] = parse_format(entry["format"])
        except ValueError as error:
            raise UsageError(f"--allocation {path}: {name}: {error}") from error
    return found


def _entries(content: Any, path: str) -> list[dict[str, Any]]:
    """Entries of the list of tensors, each with a name and a format in words."""
    entries = content.get("tensors") if isinstance(content, dict) else None
    whole = isinstance(entries, list) and all(
        isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in ("name", "format"))
        for entry in entries
    )
    if not whole or not entries:
        raise UsageError(
            f"--allocation {path}: not what `bitlaw llm allocate --output` writes: an object with a list `tensors`, "
            "whose entries have a `name` and a `format`"
        )
    return list(entries)


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


def plan_allocation(args: argparse.Namespace, allocation: Mapping[str, Format], work: Work) -> int:
    """Print what quantising as allocated would take, from the headers of the model.

    Raises
    ------
    UsageError, ValueError
        As `dry_run`, and as `check_allocation`.
    """
    check_inputs(args.device, None, model=args.model)
    model = read_model_plan(args.model, args.dtype)
    check_allocation(allocation, {name: part for name, (part, _) in model.weights.items()}, args.allocation)
    formats: dict[Format, set[str]] = {}
    for name, format in allocation.items():
        formats.setdefault(format, set()).add(name)
    faults = faults_of_tensors(model, [(str(format), format, names) for format, names in formats.items()])
    show_plan(Plan(model, work, faults), args.json)
    return 0
