"""What a task on a model would take, told before any weights are loaded; what the task would refuse is refused."""

from __future__ import annotations

import argparse
import importlib.util
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from bitlaw.theory.formats import Format, encode
from bitlaw.theory.formats._candidates import stored

from .errors import UsageError
from .llm_headers import PARTS, ModelPlan, read_model_plan
from .output import Block, Table, json_text, number, show

__all__ = ["Plan", "Work", "check_inputs", "check_plans", "dry_run", "faults_of", "make_plan"]

# A budget may miss the least number of bits by what sums of floats round.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Work:
    """What a task does with a model; sequences are 0 where it runs none.

    Attributes
    ----------
    sequences, length, batch : int
    forwards : int
        Passes over all sequences.
    fisher : bool
    overwrites : tuple of str
        Parts whose weights are overwritten for a while; they are read again from the files of the model.
    keeps_reference : bool
        Whether the reference's states and the Fisher information go to the disk.
    writes : {"", "weights", "fisher"}
        What else is written.
    by_rows : bool
        Whether sums along rows alone are kept of the Fisher information.
    """

    sequences: int = 0
    length: int = 0
    batch: int = 0
    forwards: int = 0
    fisher: bool = False
    overwrites: tuple[str, ...] = ()
    keeps_reference: bool = False
    writes: Literal["", "weights", "fisher"] = ""
    by_rows: bool = False


class Fault(NamedTuple):
    """A format, the tensors it does not fit, why, and whether they cannot be stored at all."""

    format: str
    tensors: str
    reason: str
    fatal: bool


@dataclass(frozen=True)
class Plan:
    """A model, what is done with it, and what does not divide."""

    model: ModelPlan
    work: Work
    faults: Sequence[Fault]

    def estimates(self) -> dict[str, float]:
        """Tokens, operations, and bytes of memory and disk."""
        model, work = self.model, self.work
        tokens = work.sequences * work.length
        # Two operations a weight and token forwards; backwards two for inputs and two for the squares.
        operations = 2.0 * model.parameters * tokens * (work.forwards + (3 if work.fisher else 0))
        logits = work.batch * work.length * model.vocabulary * (model.element + 4)
        # What a tensor is restored as lies beside it, and its codes.
        largest = max(
            (math.prod(s) for part, s in model.weights.values() if part in work.overwrites), default=0
        )
        memory = (model.parameters + 2 * largest) * model.element + logits
        fisher = 4 * model.elements(PARTS)
        if work.by_rows:
            fisher = 8 * sum(math.prod(shape[:-1]) for _, shape in model.weights.values())
        kept = tokens * model.hidden * model.element + fisher if work.keeps_reference else 0
        written = {"": 0, "weights": model.parameters * model.element, "fisher": fisher}[work.writes]
        return {
            "tokens": tokens,
            "operations": operations,
            "memory_bytes": memory + (fisher if work.fisher else 0),
            "disk_bytes": written + kept,
        }

    def record(self) -> dict[str, Any]:
        """The plan as plain values."""
        model = self.model
        about = {
            "model": model.name,
            "architecture": model.architecture,
            "parameters": model.parameters,
            "stored_bytes": model.stored,
            "matrices": len(model.weights),
        }
        rows = [{"format": f.format, "tensors": f.tensors, "reason": f.reason} for f in self.faults]
        return about | self.estimates() | {"undivided": rows}

    def blocks(self) -> list[Block]:
        """The plan for people."""
        model, work, found = self.model, self.work, self.estimates()
        passes = f"{work.forwards} forward passes" + (", one Fisher pass" if work.fisher else "")
        rows = [
            (
                "model",
                f"{model.name}: {model.architecture}, {model.parameters:,} weights, {_size(model.stored)}",
            ),
            ("matrices", ", ".join(_counted(model, part) for part in PARTS)),
        ]
        if work.sequences:
            text = f"at most {work.sequences} sequences of {work.length} tokens"
            rows += [("text", text), ("work", f"{passes}: {number(found['operations'], 2)} operations")]
        rows += [("memory", f"about {_size(found['memory_bytes'])}"), ("disk", _size(found["disk_bytes"]))]
        blocks: list[Block] = [Table(("", " "), rows, left=("", " "))]
        if self.faults:
            titles = ("format", "tensors", "does not divide")
            blocks.append(Table(titles, [fault[:3] for fault in self.faults], left=titles))
        return blocks


def dry_run(
    args: argparse.Namespace,
    work: Work,
    formats: Mapping[str, Format] | None = None,
    parts: Sequence[str] = (),
    budget: float | None = None,
) -> int:
    """Print what a task on `args.model` would take, and return its exit code.

    Raises
    ------
    UsageError, ValueError
        If the task would refuse its device, its text or its model, a tensor cannot be stored, or no format meets a
        budget of bits per weight of the parts.
    """
    check_inputs(args.device, getattr(args, "text", None))
    plan = make_plan(args.model, args.dtype, work, formats or {}, parts)
    show([json_text(plan.record()).rstrip("\n")] if args.json else plan.blocks())
    check_plans([plan])
    if budget is not None:
        _check_budget(plan.model, (formats or {}).values(), parts, budget)
    return 0


def make_plan(
    model: str, dtype: str, work: Work, formats: Mapping[str, Format], parts: Sequence[str]
) -> Plan:
    """Plan from the headers of a model that is here."""
    found = read_model_plan(model, dtype)
    return Plan(found, work, faults_of(found, formats, parts))


def check_inputs(device: str, text: str | None) -> None:
    """Refuse a device or a text as the library would, where torch is there to say so."""
    if importlib.util.find_spec("torch") is None:
        return
    if device not in ("auto", "cpu"):
        from bitlaw.llm.models import pick_device

        pick_device(device)
    if text is not None and not text.startswith("dataset:"):
        from bitlaw.llm.text import load_text

        load_text(text)


def check_plans(plans: Sequence[Plan]) -> None:
    """Refuse formats that cannot store a tensor."""
    for plan in plans:
        for fault in plan.faults:
            if fault.fatal:
                raise UsageError(f"{plan.model.name}: {fault.tensors} in {fault.format}: {fault.reason}")


def _check_budget(model: ModelPlan, formats: Any, parts: Sequence[str], budget: float) -> None:
    shapes = [shape for part, shape in model.weights.values() if part in parts]
    least: dict[tuple[int, ...], float] = {}
    for shape in set(shapes):
        # An entropy code has no length before the weights are seen.
        least[shape] = min(0.0 if f.code == "entropy" else stored(f, [shape]) for f in formats)
    elements = sum(map(math.prod, shapes))
    needed = sum(least[shape] * math.prod(shape) for shape in shapes) / max(elements, 1)
    if budget < needed * (1 - _ROUNDING):
        raise UsageError(f"--bits {budget:g}: these formats need at least {needed:.6g} bits for each weight")


def faults_of(model: ModelPlan, formats: Mapping[str, Format], parts: Sequence[str]) -> list[Fault]:
    """What does not divide or cannot be stored, one entry for each format and width of rows."""
    found = []
    for name, format in formats.items():
        widths: dict[int, list[str]] = {}
        for tensor, (part, shape) in model.weights.items():
            if part in parts:
                widths.setdefault(shape[-1], []).append(tensor)
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


def _counted(model: ModelPlan, part: str) -> str:
    count = sum(found == part for found, _ in model.weights.values())
    return f"{count} in the {part} ({model.elements((part,)):,} weights)"


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} TiB"
