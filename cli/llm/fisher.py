"""`bitlaw llm fisher`: diagonal Fisher information of every weight, and its sums by tensor."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Literal

from ..arguments import subparser
from ..files import check_target
from ..output import Table, json_text, note, number, show
from .options import add_fisher_options, add_model_options, needs_llm, steps, workload_of
from .plan import Work, dry_run

if TYPE_CHECKING:
    from bitlaw.llm.fisher import Fisher

__all__ = ["add_parser", "run"]

EXAMPLES = """\
  bitlaw llm fisher
      means by tensor, for the embedded model
  bitlaw llm fisher --model ./llama --sequences 64 --output fisher.safetensors
      the whole diagonal too; goes on from fisher.safetensors.part when it was interrupted
  bitlaw llm fisher --model ./llama --rows --checkpointing --output rows.safetensors
      sums along rows alone, for models whose diagonal does not fit"""

_DESCRIPTION = """\
Diagonal Fisher information from squared gradients, in float32: with weights changed by d, the KL divergence per
token is about half the sum of the diagonal times d squared, in nats. Targets are sampled from the model's predictions
(the Fisher information proper), and the gradients of whole sequences are squared; or they are taken from the text (the
"empirical" one), and those of single positions are."""


def add_parser(tasks: Any) -> None:
    """Add the task to the parser of `bitlaw llm`."""
    parser = subparser(tasks, "fisher", "Fisher information of the weights", _DESCRIPTION, EXAMPLES)
    parser.set_defaults(run=run)
    add_model_options(parser)
    add_fisher_options(parser)
    parser.add_argument(
        "--output", metavar="FILE", help="write all diagonals (or sums) there, as safetensors"
    )
    parser.add_argument("--force", action="store_true", help="replace FILE where it exists")


def run(args: argparse.Namespace) -> int:
    """Sum squared gradients batch by batch, write, print."""
    target = check_target(args.output, args.force)
    if args.dry_run:
        writes: Literal["", "fisher"] = "" if target is None else "fisher"
        work = Work(args.sequences, args.length, args.batch, 0, True, writes=writes, by_rows=args.rows)
        return dry_run(args, work)
    needs_llm(args)
    from bitlaw.llm.fisher import fisher_information
    from bitlaw.llm.workload import open_workload

    part = None if target is None else target.with_name(f"{target.name}.part")
    with steps() as step:
        opened = open_workload(args.model, workload_of(args))
        fisher = fisher_information(
            opened.language_model,
            opened.sequences,
            targets=args.targets,
            unit=args.unit,
            batch=args.batch,
            seed=args.seed,
            keep="rows" if args.rows else "diagonal",
            checkpointing=args.checkpointing,
            resume=part,
            progress=lambda k, n: step("Fisher information", k, n),
        )
    if target is not None and part is not None:
        fisher.save(target)
        part.unlink(missing_ok=True)
        note(f"wrote {target}")
    rows = [_row(fisher, name) for name in fisher.names]
    record = {
        "model": args.model,
        "text": args.text,
        "targets": args.targets,
        "unit": fisher.unit,
        "tokens": fisher.tokens,
        "tensors": rows,
    }
    show([json_text(record).rstrip("\n")] if args.json else [_table(rows, fisher)])
    return 0


def _row(fisher: Fisher, name: str) -> dict[str, Any]:
    sums = fisher.rows(name)
    total, mean = float(sums.sum()), fisher.mean(name)
    row = {
        "name": name,
        "elements": fisher.elements(name),
        "sum": total,
        "mean": mean,
        "largest": None,
        "share_of_largest_thousandth": None,
    }
    if name in fisher.diagonals:
        diagonal = fisher.diagonals[name].reshape(-1)
        top = float(diagonal.topk(max(1, diagonal.numel() // 1000)).values.double().sum())
        row["largest"] = float(diagonal.max())
        row["share_of_largest_thousandth"] = top / total if total > 0 else 0.0
    return row


def _table(rows: list[dict[str, Any]], fisher: Fisher) -> Table:
    lines = [
        (
            row["name"],
            f"{row['elements']:,}",
            number(row["mean"], 4),
            number(row["sum"], 4),
            "-" if row["largest"] is None else number(row["largest"], 3),
            "-" if row["largest"] is None else f"{row['share_of_largest_thousandth']:.1%}",
        )
        for row in rows
    ]
    return Table(
        ("tensor", "weights", "mean", "sum", "largest", "in one of a thousand"),
        lines,
        left=("tensor",),
        title=f"diagonal Fisher information per token, {fisher.targets} targets, by {fisher.unit}s, "
        f"{fisher.tokens:,} tokens",
    )
