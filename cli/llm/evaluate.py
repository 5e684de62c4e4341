"""`bitlaw llm evaluate`: how far formats move a model's predictions, with intervals and paired differences."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from ..arguments import subparser
from ..output import Block, Table, json_text, number, show
from .allocation_file import allocation_faults, check_allocation, read_allocation
from .headers import read_model_plan
from .options import (
    add_format_options,
    add_model_options,
    formats_of,
    needs_llm,
    open_assigned,
    parts_of,
    steps,
)
from .plan import Plan, Work, check_plans, dry_run

if TYPE_CHECKING:
    from bitlaw.llm.divergence import Divergence
    from bitlaw.llm.estimates import Estimate
    from bitlaw.llm.models import LanguageModel
    from bitlaw.llm.quantise import Assignment
    from bitlaw.llm.reference import Reference
    from bitlaw.theory.formats import Format

__all__ = ["add_parser", "run"]

EXAMPLES = """\
  bitlaw llm evaluate --formats nf4 int4_g64
      the embedded model on held-out documentation
  bitlaw llm evaluate --model ./llama --text wiki.txt --formats mxfp4 --parts all --json
      every matrix; all numbers as JSON
  bitlaw llm evaluate --formats int4_g64 --allocation chosen.json scaled.json
      what bitlaw llm allocate or design wrote, beside a format"""

_DESCRIPTION = """\
Quantise the model's weights in place, format by format, and compare its predictions with those of the
unquantised model, token by token over the whole vocabulary. Intervals (95%) come from the spread between
sequences. Formats after the first are compared with it on the same sequences, which cancels most of that spread.
The noise floor is what the arithmetic shows by itself: the divergence of the unquantised model from itself with one
weight of twelve moved by its last bit, about what a format without errors would show. A divergence near it says
little of the format."""

# The interval that a hint on the number of sequences aims at, as a share of the divergence.
_AIM = 0.05


def add_parser(tasks: Any) -> None:
    """Add the task to the parser of `bitlaw llm`."""
    parser = subparser(tasks, "evaluate", "divergence and perplexity of formats", _DESCRIPTION, EXAMPLES)
    parser.set_defaults(run=run)
    add_model_options(parser)
    add_format_options(parser)
    parser.add_argument(
        "--allocation",
        nargs="+",
        default=[],
        metavar="FILE",
        help="also measured: files of a format for each tensor",
    )


def run(args: argparse.Namespace) -> int:
    """Measure format by format, print."""
    formats, parts = formats_of(args.formats), parts_of(args.parts)
    allocations = {path: read_allocation(path) for path in args.allocation}
    if args.dry_run:
        passes = 2 + len(formats) + len(allocations)
        work = Work(args.sequences, args.length, args.batch, passes, False, parts)
        dry_run(args, work, formats, parts)
        model = read_model_plan(args.model, args.dtype)
        for path, allocation in allocations.items():
            check_plans([Plan(model, work, allocation_faults(model, allocation, path))])
        return 0
    needs_llm(args)
    record = _evaluated(args, formats, allocations)
    show([json_text(record).rstrip("\n")] if args.json else _blocks(record))
    return 0


def _evaluated(
    args: argparse.Namespace, formats: Mapping[str, Format], allocations: Mapping[str, Assignment]
) -> dict[str, Any]:
    """Everything that was measured, as plain values."""
    from bitlaw.llm.noise_floor import is_near_floor, noise_floor
    from bitlaw.llm.reference import build_reference

    with steps() as step:
        opened, assignments = open_assigned(args, formats, step)
        model = opened.language_model
        assignments |= _checked(model, allocations)
        reference = build_reference(
            model, opened.sequences, batch=args.batch, progress=partial(step, "reference")
        )
        floor = noise_floor(model, reference, progress=partial(step, "noise floor"))
        rows, found = [], {}
        for name, assignment in assignments.items():
            row, found[name] = _one_format(model, assignment, reference, partial(step, name))
            told = dict.fromkeys(map(str, assignment.values() if name in allocations else [formats[name]]))
            rows.append({"format": name, "specification": " | ".join(told)} | row)
    first, least = next(iter(found)), float(floor.kl.mean())
    return {
        "model": args.model,
        "text": args.text,
        "sequences": len(opened.sequences),
        "length": opened.sequences.length,
        "reference_perplexity": floor.reference_perplexity,
        "noise_floor": least,
        "near_noise_floor": [
            name for name, one in found.items() if is_near_floor(float(one.kl.mean()), least)
        ],
        "formats": rows,
        "differences": [
            {"format": name, "than": first} | _estimate(found[name].less(found[first]), "kl")
            for name in found
            if name != first
        ],
        "sequences_for_5_percent": _needed(found[first], least),
    }


def _checked(model: LanguageModel, allocations: Mapping[str, Assignment]) -> dict[str, Assignment]:
    """Allocations by path, if they are for this model."""
    from bitlaw.llm.models import weight_tensors

    tensors = {weight.name: weight.part for weight in weight_tensors(model.model)}
    for path, allocation in allocations.items():
        check_allocation(allocation, tensors, path)
    return dict(allocations)


def _one_format(
    model: LanguageModel, assignment: Assignment, reference: Reference, progress: Callable[[int, int], object]
) -> tuple[dict[str, Any], Divergence]:
    """Bits and divergence under one assignment."""
    from bitlaw.llm.divergence import measure_divergence
    from bitlaw.llm.quantise import model_bits, quantised

    with quantised(model, assignment) as records:
        bits = model_bits(model.model, records)
        found = measure_divergence(model, reference, progress=progress)
    stored = sum(record.bits for record in records) / sum(record.elements for record in records)
    return {"bits": stored, "model_bits": bits.per_parameter, **_row(found)}, found


def _row(measured: Divergence) -> dict[str, Any]:
    return {
        **_estimate(measured.mean(), "kl"),
        **_estimate(measured.quantile(0.5), "kl_median"),
        **_estimate(measured.quantile(0.99), "kl_99"),
        **_estimate(measured.mean("top_kl"), "top_kl"),
        **_estimate(measured.mean("loss"), "loss"),
        "perplexity": measured.perplexity,
        **_estimate(measured.mean("same_top"), "same_top"),
    }


def _estimate(estimate: Estimate, name: str) -> dict[str, float | None]:
    """Value and interval; a single sequence has none."""
    alone = estimate.sequences == 1
    return {
        name: estimate.value,
        f"{name}_lower": None if alone else estimate.lower,
        f"{name}_upper": None if alone else estimate.upper,
    }


def _needed(measured: Divergence, floor: float) -> int | None:
    """Sequences for an interval of a twentieth of the KL; None where the KL is the noise of the arithmetic."""
    from bitlaw.llm.estimates import sequences_needed
    from bitlaw.llm.noise_floor import is_near_floor

    value = float(measured.kl.mean())
    known = len(measured.kl) > 1 and value > 0 and not is_near_floor(value, floor)
    return sequences_needed(measured.kl, _AIM * value) if known else None


def _blocks(record: dict[str, Any]) -> list[Block]:
    columns = ("format", "bits", "KL", "95% interval", "median", "99% of tokens", "perplexity", "same top")
    lines = [
        (
            row["format"],
            number(row["bits"], 4),
            number(row["kl"], 4),
            _interval(row),
            number(row["kl_median"], 3),
            number(row["kl_99"], 3),
            number(row["perplexity"], 5),
            f"{row['same_top']:.2%}",
        )
        for row in record["formats"]
    ]
    blocks: list[Block] = [
        f"{record['model']}: {record['sequences']} sequences of {record['length']} tokens of {record['text']}; "
        f"reference perplexity {number(record['reference_perplexity'], 5)}; "
        f"noise floor {number(record['noise_floor'], 2)} nats",
        Table(columns, lines, left=("format",), title="divergence from the reference (nats per token)"),
    ]
    if record["differences"]:
        told = [
            (f"{one['format']} less {one['than']}", number(one["kl"], 4), _interval(one))
            for one in record["differences"]
        ]
        blocks.append(Table(("KL", "difference", "95% interval"), told, left=("KL",)))
    if record["near_noise_floor"]:
        blocks.append(
            f"near the noise floor of the arithmetic, which is in the divergence and no error of the format: "
            f"{', '.join(record['near_noise_floor'])}"
        )
    needed = record["sequences_for_5_percent"]
    if needed is not None and needed > record["sequences"]:
        name = record["formats"][0]["format"]
        blocks.append(f"for an interval of ±5% of the KL of {name}: {needed} sequences")
    return blocks


def _interval(row: dict[str, Any]) -> str:
    if row["kl_lower"] is None:
        return "-"
    return f"{number(row['kl_lower'], 4)} to {number(row['kl_upper'], 4)}"
