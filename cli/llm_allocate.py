"""`bitlaw llm allocate`: a format for each tensor at a budget of bits, beside one format for all."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .arguments import subparser
from .errors import UsageError
from .files import check_target, write_file
from .llm_faults import check_budget
from .llm_headers import read_model_plan
from .llm_options import (
    add_fisher_options,
    add_model_options,
    formats_of,
    needs_llm,
    parts_of,
    steps,
    workload_of,
)
from .llm_plan import Work, dry_run
from .output import Block, Table, json_text, note, number, show

if TYPE_CHECKING:
    from bitlaw.llm.model_allocation import ModelAllocation
    from bitlaw.llm.models import Part
    from bitlaw.llm.workload import Parts
    from bitlaw.theory.formats import Format

__all__ = ["add_parser", "run"]

DEFAULT_FORMATS = ("int2_g64", "int3_g64", "int4_g64", "int5_g64", "int6_g64", "int8_g64")

EXAMPLES = """\
  bitlaw llm allocate --bits 3.5
      groups of 64 at 2 to 8 bits, for the embedded model's decoder
  bitlaw llm allocate --model ./llama --bits 4.25 --formats nf4 int3_g64 q8_0 --fused --measure --json
      projections that are merged when served share a format; both sides measured
  bitlaw llm allocate --bits 3.5 --output chosen.json
      for bitlaw llm quantise --allocation chosen.json"""

_DESCRIPTION = """\
Choose a format for every tensor at the least predicted KL divergence (half Fisher information times squared error)
within a budget: the exact optimum over the formats, with a bound that no choice can beat. The best single format
within the same budget always stands beside it, and it is said plainly when that is as good. With --measure both
are applied and measured on the same sequences."""


def add_parser(tasks: Any) -> None:
    """Add the task to the parser of `bitlaw llm`."""
    parser = subparser(tasks, "allocate", "a format for each tensor at a budget", _DESCRIPTION, EXAMPLES)
    parser.set_defaults(run=run)
    add_model_options(parser)
    parser.add_argument("--bits", type=float, required=True, metavar="X", help="for each weight of the parts")
    parser.add_argument(
        "--formats", nargs="+", default=list(DEFAULT_FORMATS), metavar="FORMAT", help="to choose from"
    )
    parser.add_argument("--parts", default="decoder", metavar="LIST", help="embedding, decoder, head or all")
    parser.add_argument("--fused", action="store_true", help="q, k, v share a format, gate and up too")
    parser.add_argument("--measure", action="store_true", help="apply and measure allocation and control")
    add_fisher_options(parser)
    parser.add_argument("--output", metavar="FILE", help="write there what --json prints")
    parser.add_argument("--force", action="store_true", help="replace FILE where it exists")


def run(args: argparse.Namespace) -> int:
    """Predict every tensor in every format, choose, print."""
    if not 0 < args.bits < float("inf"):
        raise UsageError(f"--bits must be positive and finite, got {args.bits}")
    formats, parts = formats_of(args.formats), parts_of(args.parts)
    target = check_target(args.output, args.force)
    if args.dry_run:
        passes, overwritten = (3, parts) if args.measure else (1, ())
        work = Work(args.sequences, args.length, args.batch, passes, True, overwritten, by_rows=args.rows)
        return dry_run(args, work, formats, parts)
    needs_llm(args)
    _check_budget(args, formats.values(), parts)
    from bitlaw.llm.workload import open_workload, prepare_parts

    with steps() as step:
        shared = prepare_parts(open_workload(args.model, workload_of(args)), progress=step)
        step("allocation", 0, 1)
        found = _allocated(args, shared, formats.values(), parts)
        step("allocation", 1, 1)
    record = {"model": args.model, "budget": args.bits} | _record(found)
    record["measured"] = _measure(shared, found) if args.measure else None
    if target is not None:
        write_file(target, json_text(record))
        note(f"wrote {target}")
    show([json_text(record).rstrip("\n")] if args.json else _blocks(record))
    return 0


def _check_budget(args: argparse.Namespace, formats: Iterable[Format], parts: tuple[Part, ...]) -> None:
    """Refuse a budget at once where the headers of the model are here to tell."""
    try:
        plan = read_model_plan(args.model, args.dtype)
    except (UsageError, ValueError, OSError):  # what is wrong, if anything, loading will tell
        return
    check_budget(plan, formats, parts, args.bits)


def _allocated(
    args: argparse.Namespace, shared: Parts, formats: Iterable[Format], parts: tuple[Part, ...]
) -> ModelAllocation:
    from bitlaw.llm.allocation import allocate_formats, fused_groups

    names = [name for name, found in shared.statistics.items() if found.part in parts]
    groups = fused_groups(names) if args.fused else None
    return allocate_formats(shared.statistics, shared.fisher, formats, args.bits, parts=parts, groups=groups)


def _record(found: ModelAllocation) -> dict[str, Any]:
    """What was chosen, as plain values."""
    control = found.uniform
    return {
        "bits": found.bits_per_element,
        "predicted_kl": found.kl,
        "bound": found.bound,
        "feasible": list(found.feasible),
        "uniform": None
        if control is None
        else {"format": str(control.format), "bits": control.bits_per_element, "predicted_kl": control.kl},
        "uniform_is_as_good": found.uniform_is_as_good,
        "statement": found.statement,
        "tensors": [
            {
                "name": one.name,
                "format": str(one.format),
                "bits": one.prediction.bits,
                "predicted_r": one.prediction.R,
                "predicted_kl": one.kl,
            }
            for one in found.tensors
        ],
    }


def _measure(shared: Parts, found: ModelAllocation) -> dict[str, Any] | None:
    """Both sides on the same sequences; None without a control."""
    from bitlaw.llm.divergence import measure_divergence
    from bitlaw.llm.model_allocation import compare_measured
    from bitlaw.llm.quantise import quantised

    if found.uniform is None:
        return None
    measured = []
    for assignment in (found.assignment, found.uniform.assignment):
        with quantised(shared.language_model, assignment):
            measured.append(measure_divergence(shared.language_model, shared.reference))
    return {
        "kl": float(measured[0].kl.mean()),
        "uniform_kl": float(measured[1].kl.mean()),
        "statement": compare_measured(measured[0], measured[1]),
    }


def _blocks(record: dict[str, Any]) -> list[Block]:
    lines = [
        (
            one["name"],
            one["format"],
            number(one["bits"], 4),
            number(one["predicted_r"], 4),
            number(one["predicted_kl"], 3),
        )
        for one in record["tensors"]
    ]
    counted = Counter(one["format"] for one in record["tensors"])
    blocks: list[Block] = [
        Table(("tensor", "format", "bits", "R predicted", "KL predicted"), lines, left=("tensor", "format")),
        "; ".join(f"{count} tensors in {format}" for format, count in sorted(counted.items())),
        record["statement"],
    ]
    if record["measured"] is not None:
        blocks.append(record["measured"]["statement"])
    return blocks
