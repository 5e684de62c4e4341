"""What a task on a model would take, told before any weights are loaded; what the task would refuse is refused."""

from __future__ import annotations

import argparse
import importlib.util
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bitlaw.theory.formats import Format

from ..errors import UsageError
from ..output import Block, Table, json_text, number, show
from .faults import Fault, faults_of
from .headers import PARTS, ModelPlan, model_folder, read_model_plan
from .options import format_of

__all__ = ["Plan", "Work", "check_inputs", "check_plans", "dry_run", "make_plan", "show_plan"]


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
    streams : bool
        Whether weights are read one tensor at a time and the model is never run.
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
    streams: bool = False


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
        used = work.overwrites or (PARTS if work.streams else ())
        largest = max((math.prod(shape) for part, shape in model.weights.values() if part in used), default=0)
        memory = ((largest if work.streams else model.parameters) + 2 * largest) * model.element + logits
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
        else:
            rows.append(("work", f"{model.elements(PARTS):,} weights read once; no text is run"))
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
) -> int:
    """Print what a task on `args.model` would take, and return its exit code.

    Parameters
    ----------
    args : argparse.Namespace
        With `model`, `dtype`, `device`, `json`; with `text` and `length`, and `ends`, where the task has them.
    work : Work
    formats : mapping of str to Format, optional
        For the tensors of the parts.
    parts : sequence of str

    Raises
    ------
    UsageError, ValueError
        If the task would refuse its device, its model or its text, or a tensor cannot be stored.
    """
    # A task that reads nothing but weights takes folders that transformers knows nothing of.
    model = None if work.streams and not work.writes else args.model
    check_inputs(args.device, getattr(args, "text", None), model=model, length=getattr(args, "length", 2))
    asked = getattr(args, "ends", None)
    ends = {asked: format_of("--ends", asked)} if asked else {}
    plan = make_plan(args.model, args.dtype, work, formats or {}, parts, ends)
    show_plan(plan, args.json)
    return 0


def show_plan(plan: Plan, as_json: bool) -> None:
    """Print a plan; refuse formats that cannot store a tensor."""
    show([json_text(plan.record()).rstrip("\n")] if as_json else plan.blocks())
    check_plans([plan])


def make_plan(
    model: str,
    dtype: str,
    work: Work,
    formats: Mapping[str, Format],
    parts: Sequence[str],
    ends: Mapping[str, Format] | None = None,
) -> Plan:
    """Plan from the headers of a model that is here; `ends` go to the ends of the model."""
    found = read_model_plan(model, dtype)
    return Plan(found, work, faults_of(found, formats, parts, ends))


def check_inputs(device: str, text: str | None, *, model: str | None = None, length: int = 2) -> None:
    """Refuse a device, a model and a text as the library would, where torch is there to say so.

    Raises
    ------
    UsageError, ValueError, OSError
        If the device is not there, the model is no language model or has no tokenizer, or the text cannot be read
        or is shorter than a sequence of `length` tokens (told where a model is given).
    """
    if any(importlib.util.find_spec(name) is None for name in ("torch", "transformers")):
        return
    if device != "auto":
        from bitlaw.llm.models import pick_device

        pick_device(device)
    if model is None:
        if text is not None and not text.startswith("dataset:"):
            from bitlaw.llm.text import load_text

            load_text(text)
        return
    from bitlaw.llm.loading import check_architecture, read_tokenizer
    from bitlaw.llm.text import check_text

    folder = str(model_folder(model))
    check_architecture(model, folder)
    tokenizer = read_tokenizer(model, folder)
    if text is not None:
        check_text(text, tokenizer, length=length)


def check_plans(plans: Sequence[Plan]) -> None:
    """Refuse formats that cannot store a tensor."""
    for plan in plans:
        for fault in plan.faults:
            if fault.fatal:
                raise UsageError(f"{plan.model.name}: {fault.tensors} in {fault.format}: {fault.reason}")


def _counted(model: ModelPlan, part: str) -> str:
    count = sum(found == part for found, _ in model.weights.values())
    return f"{count} in the {part} ({model.elements((part,)):,} weights)"


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} TiB"
