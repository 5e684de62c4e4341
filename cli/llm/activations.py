"""`bitlaw llm activations`: second moments of what every matrix is multiplied with."""

from __future__ import annotations

import argparse
import math
from functools import partial
from typing import TYPE_CHECKING, Any

from ..arguments import subparser
from ..files import check_target
from ..output import Block, Table, json_text, note, number, show
from .headers import ModelPlan
from .larger_plan import Extra, larger_dry_run
from .options import add_model_options, needs_llm, steps, workload_of
from .plan import Work

if TYPE_CHECKING:
    import torch

    from bitlaw.llm.activations import Activations

__all__ = ["add_parser", "run"]

EXAMPLES = """\
  bitlaw llm activations
      how unevenly the inputs of each matrix of the embedded model are spread
  bitlaw llm activations --model ./llama --sequences 128 --output importance.safetensors
      the importance matrix: a mean square for each input of each matrix
  bitlaw llm activations --full --output covariances.safetensors
      whole matrices of second moments, as codes that compensate errors need them"""

_DESCRIPTION = """\
Second moments, not centred, of the inputs of every matrix over a text: an error d of a weight costs its layer d
squared times the mean square of the weight's input. Without --full one number for each input is kept, the importance
matrix; with it the mean of x times x transposed, inputs squared numbers for each matrix (and each expert) in float32:
--dry-run says what that takes."""

Row = dict[str, Any]


def add_parser(tasks: Any) -> None:
    """Add the task to the parser of `bitlaw llm`."""
    parser = subparser(tasks, "activations", "second moments of inputs", _DESCRIPTION, EXAMPLES)
    parser.set_defaults(run=run)
    add_model_options(parser)
    parser.add_argument("--full", action="store_true", help="whole covariances instead of their diagonals")
    parser.add_argument("--output", metavar="FILE", help="write all moments there, as safetensors")
    parser.add_argument("--force", action="store_true", help="replace FILE where it exists")


def run(args: argparse.Namespace) -> int:
    """Sum products of inputs batch by batch, write, print."""
    target = check_target(args.output, args.force)
    if args.dry_run:
        work = Work(args.sequences, args.length, args.batch, 1)
        return larger_dry_run(args, work, partial(_moments_of, full=args.full, written=target is not None))
    needs_llm(args)
    from bitlaw.llm.activation_files import save_activations
    from bitlaw.llm.activations import activation_moments
    from bitlaw.llm.workload import open_workload

    with steps() as step:
        opened = open_workload(args.model, workload_of(args))
        found = activation_moments(
            opened.language_model,
            opened.sequences,
            full=args.full,
            batch=args.batch,
            progress=partial(step, "activations"),
        )
    if target is not None:
        save_activations(found, target)
        note(f"wrote {target}")
    record = {
        "model": args.model,
        "text": args.text,
        "sequences": len(opened.sequences),
        "length": opened.sequences.length,
        "full": args.full,
        "tensors": [_row(name, found, args.full) for name in found.moments],
        "left_out": list(found.left_out),
    }
    show([json_text(record).rstrip("\n")] if args.json else _blocks(record))
    return 0


def _moments_of(model: ModelPlan, *, full: bool, written: bool) -> Extra:
    """Bytes of all moments, of twice the largest while means are taken, and of the file."""
    parts = {part for part, _ in model.weights.values()}
    # An embedding is multiplied where it is the head too, and looked up otherwise.
    without = {"embedding"} if "head" in parts else set()
    sizes = [
        4 * math.prod(shape[:-2]) * shape[-1] ** (2 if full else 1)
        for part, shape in model.weights.values()
        if part not in without
    ]
    total = sum(sizes)
    return 2 * total, total if written else 0


def _row(name: str, found: Activations, full: bool) -> Row:
    """What the moments of one tensor amount to; experts are told together."""
    moments, tokens = found.moments[name].double(), found.tokens[name]
    diagonal = moments.diagonal(dim1=-2, dim2=-1) if full else moments
    diagonal = diagonal.reshape(len(tokens), -1)
    squares = (moments if full else diagonal).reshape(len(tokens), -1).square().sum(1)
    return {
        "name": name,
        "inputs": diagonal.shape[1],
        "tokens": tokens,
        "unseen": sum(count == 0 for count in tokens),
        "mean_square": float(diagonal.mean()),
        "largest_over_mean": _over_mean(diagonal),
        "effective_inputs": _effective(diagonal.sum(1), squares),
    }


def _over_mean(diagonal: torch.Tensor) -> float | None:
    mean = float(diagonal.mean())
    return float(diagonal.max()) / mean if mean > 0 else None


def _effective(sums: torch.Tensor, squares: torch.Tensor) -> float | None:
    """Inputs of equal strength (with --full also without correlation) that would spread as evenly: the mean expert."""
    seen = squares > 0
    return float((sums[seen].square() / squares[seen]).mean()) if seen.any() else None


def _blocks(record: dict[str, Any]) -> list[Block]:
    lines = [
        (
            row["name"],
            f"{row['inputs']:,}",
            _tokens(row["tokens"]),
            number(row["mean_square"], 4),
            number(row["largest_over_mean"], 4),
            number(row["effective_inputs"], 4),
        )
        for row in record["tensors"]
    ]
    titles = ("tensor", "inputs", "tokens", "mean square", "largest / mean", "effective inputs")
    blocks: list[Block] = [
        Table(titles, lines, left=("tensor",), title="second moments of the inputs of every matrix")
    ]
    unseen = [row for row in record["tensors"] if row["unseen"]]
    if unseen:
        blocks.append(
            f"{sum(row['unseen'] for row in unseen)} experts of {len(unseen)} tensors saw no token: their moments are "
            "zeros, and a longer text is needed"
        )
    if record["left_out"]:
        blocks.append(
            f"without moments, because they are not used in products alone: {', '.join(record['left_out'])}"
        )
    return blocks


def _tokens(counts: list[int]) -> str:
    return f"{counts[0]:,}" if len(counts) == 1 else f"{min(counts):,} to {max(counts):,}"
