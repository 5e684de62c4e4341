"""`bitlaw llm allocate`: a format for each tensor at a budget, beside one format for all and the published rule."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..arguments import subparser
from ..errors import UsageError
from ..files import check_target, write_file
from ..output import json_text, note, show
from .allocation_record import allocation_blocks, allocation_record, published_record
from .budget import Budget, add_budget_options, budget_of, check_budget
from .constraints import add_constraint_options, constraints_of
from .faults import faults_of_tensors
from .headers import read_model_plan
from .options import (
    add_fisher_options,
    add_model_options,
    formats_of,
    needs_llm,
    parts_of,
    steps,
    workload_of,
)
from .plan import Plan, Work, check_inputs, show_plan

if TYPE_CHECKING:
    from bitlaw.llm.divergence import Divergence
    from bitlaw.llm.model_allocation import ModelAllocation
    from bitlaw.llm.models import Part
    from bitlaw.llm.quantise import Assignment
    from bitlaw.llm.workload import Parts
    from bitlaw.theory.formats import Format

__all__ = ["add_parser", "run"]

DEFAULT_FORMATS = ("int2_g64", "int3_g64", "int4_g64", "int5_g64", "int6_g64", "int8_g64")

EXAMPLES = """\
  bitlaw llm allocate --bits 3.5
      groups of 64 at 2 to 8 bits, for the embedded model's decoder
  bitlaw llm allocate --model ./llama --like int4_g64 --formats nf4 int3_g64 q8_0 --fused --measure --json
      the bits of int4_g64; projections that are merged when served share a format; all sides measured
  bitlaw llm allocate --bytes 400000 --exact --fix lm_head.weight=q8_0 --floor '*.down_proj.*=int4_g64'
      400 kB with the head among them, which has 8 bits; some tensors get 4 bits at least
  bitlaw llm allocate --bits 3.5 --published --output chosen.json
      beside the published rule; for bitlaw llm quantise --allocation chosen.json"""

_DESCRIPTION = """\
Choose a format for every tensor at the least predicted KL divergence (half Fisher information times squared error)
within a budget: the exact optimum over the formats, or one with a bound that no choice can beat. The best single
format within the same budget always stands beside it, and it is said plainly when that is as good. With --measure
all of them are applied and measured on the same sequences. Patterns are those of a shell, over names of tensors."""


def add_parser(tasks: Any) -> None:
    """Add the task to the parser of `bitlaw llm`."""
    parser = subparser(tasks, "allocate", "a format for each tensor at a budget", _DESCRIPTION, EXAMPLES)
    parser.set_defaults(run=run)
    add_model_options(parser)
    add_budget_options(parser)
    parser.add_argument(
        "--formats", nargs="+", default=list(DEFAULT_FORMATS), metavar="FORMAT", help="to choose from"
    )
    parser.add_argument("--parts", default="decoder", metavar="LIST", help="embedding, decoder, head or all")
    add_constraint_options(parser)
    parser.add_argument("--exact", action="store_true", help="close the duality gap by dynamic programming")
    parser.add_argument("--published", action="store_true", help="the published rule beside it")
    parser.add_argument("--measure", action="store_true", help="apply and measure allocation and controls")
    add_fisher_options(parser)
    parser.add_argument("--output", metavar="FILE", help="write there what --json prints")
    parser.add_argument("--force", action="store_true", help="replace FILE where it exists")


def run(args: argparse.Namespace) -> int:
    """Predict every tensor in every format, choose, print."""
    budget, formats, parts = budget_of(args), formats_of(args.formats), parts_of(args.parts)
    if args.published and (args.fix or args.floor or args.group or args.fused):
        raise UsageError(
            "--published knows no --fix, --floor, --group and --fused; leave them out to compare"
        )
    target = check_target(args.output, args.force)
    if args.dry_run:
        return _dry_run(args, formats, parts, budget)
    needs_llm(args)
    _check_early(args, formats.values(), parts, budget)
    from bitlaw.llm.workload import open_workload, prepare_parts

    with steps() as step:
        shared = prepare_parts(open_workload(args.model, workload_of(args)), progress=step)
        step("allocation", 0, 1)
        found = _allocated(args, shared, formats.values(), parts, budget)
        rule = _by_rule(shared, formats.values(), parts, found) if args.published else None
        step("allocation", 1, 1)
    record = {"model": args.model, "budget": args.bits or found.budget} | allocation_record(found)
    record["published"] = None if rule is None else published_record(rule, shared)
    record["measured"] = _measured(shared, found, rule) if args.measure else None
    if target is not None:
        write_file(target, json_text(record))
        note(f"wrote {target}")
    show([json_text(record).rstrip("\n")] if args.json else allocation_blocks(record))
    return 0


def _dry_run(
    args: argparse.Namespace, formats: Mapping[str, Format], parts: tuple[Part, ...], budget: Budget
) -> int:
    """Print what it would take; refuse what headers show to be impossible."""
    check_inputs(args.device, args.text, model=args.model, length=args.length)
    model = read_model_plan(args.model, args.dtype)
    given = constraints_of(args, {name: part for name, (part, _) in model.weights.items()}, parts)
    free = set(given.names) - given.fixed.keys()
    chosen = [(name, format, free) for name, format in formats.items()]
    chosen += [(str(format), format, {name}) for name, format in given.fixed.items()]
    passes = 3 + args.published if args.measure else 1
    overwritten = tuple({model.weights[name][0] for name in given.names}) if args.measure else ()
    work = Work(args.sequences, args.length, args.batch, passes, True, overwritten, by_rows=args.rows)
    show_plan(Plan(model, work, faults_of_tensors(model, chosen)), args.json)
    check_budget(model, formats.values(), budget, given)
    return 0


def _check_early(
    args: argparse.Namespace, formats: Iterable[Format], parts: tuple[Part, ...], budget: Budget
) -> None:
    """Refuse a budget at once where the headers of the model are here to tell."""
    try:
        plan = read_model_plan(args.model, args.dtype)
        given = constraints_of(args, {name: part for name, (part, _) in plan.weights.items()}, parts)
    except (UsageError, ValueError, OSError):  # what is wrong, if anything, loading will tell
        return
    check_budget(plan, formats, budget, given)


def _allocated(
    args: argparse.Namespace,
    shared: Parts,
    formats: Iterable[Format],
    parts: tuple[Part, ...],
    budget: Budget,
) -> ModelAllocation:
    """The choice; what the library refuses is told by the names of the options."""
    from bitlaw.llm.allocation import allocate_formats

    given = constraints_of(args, {name: one.part for name, one in shared.statistics.items()}, parts)
    try:
        return allocate_formats(
            shared.statistics,
            shared.fisher,
            formats,
            budget.amount,
            unit=budget.unit,
            parts=parts,
            groups=given.groups,
            fixed=given.fixed,
            floors=given.floors,
            exact=args.exact,
        )
    except ValueError as error:
        what, _, rest = str(error).partition(" ")
        option = {"budget": f"{budget.told}: the budget", "floors:": "--floor:"}.get(what)
        if option is None:
            raise
        raise UsageError(f"{option} {rest}") from error


def _by_rule(
    shared: Parts, formats: Iterable[Format], parts: tuple[Part, ...], found: ModelAllocation
) -> Assignment:
    """What the published rule makes of the same bits."""
    from bitlaw.llm.published_allocation import published_allocation

    try:
        return published_allocation(
            shared.statistics, shared.fisher, list(formats), found.budget, parts=parts
        )
    except ValueError as error:
        raise UsageError(f"--published: {error}") from error


def _measured(shared: Parts, found: ModelAllocation, rule: Assignment | None) -> dict[str, Any]:
    """All sides on the same sequences."""
    from bitlaw.llm.model_allocation import compare_measured

    allocated = _divergence(shared, found.assignment)
    record: dict[str, Any] = {"kl": float(allocated.kl.mean())}
    words = []
    if found.uniform is not None:
        uniform = _divergence(shared, found.uniform.assignment)
        record["uniform_kl"] = float(uniform.kl.mean())
        words.append(compare_measured(allocated, uniform))
    if rule is not None:
        other = _divergence(shared, rule)
        record["published_kl"] = float(other.kl.mean())
        words.append(compare_measured(allocated, other, name="the published rule"))
    record["statement"] = "\n".join(words) or f"measured KL {record['kl']:.4g} allocated"
    return record


def _divergence(shared: Parts, assignment: Assignment) -> Divergence:
    from bitlaw.llm.divergence import measure_divergence
    from bitlaw.llm.quantise import quantised

    with quantised(shared.language_model, assignment):
        return measure_divergence(shared.language_model, shared.reference)
