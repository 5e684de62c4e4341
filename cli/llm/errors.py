"""`bitlaw llm errors`: what a format's errors cost, step by step from the diagonal prediction to the measurement."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from bitlaw.theory.formats import Format

from ..arguments import subparser, whole
from ..output import Block, Table, json_text, number, show
from .headers import ModelPlan
from .larger_plan import Extra, larger_dry_run
from .options import (
    add_fisher_options,
    add_format_options,
    add_model_options,
    formats_of,
    needs_llm,
    open_assigned,
    parts_of,
    steps,
)
from .plan import Work

if TYPE_CHECKING:
    from bitlaw.llm.error_structure import ErrorStructure
    from bitlaw.llm.estimates import Estimate

__all__ = ["add_parser", "run"]

EXAMPLES = """\
  bitlaw llm errors --formats nf3_g64 int3_g64 --sequences 8
      two formats on the embedded model
  bitlaw llm errors --formats lloyd3:normal,block=64,scale=absmax lloyd3:normal:closed,block=64,scale=absmax
      codebooks whose ends are free and closed: the first shrinks the largest weight of every block"""

_DESCRIPTION = """\
The prediction from diagonal Fisher information takes the errors of weights as independent. This follows the
divergence of each format in four steps: "diagonal" is that prediction with the errors that were made, "independent"
the second-order KL of the same errors with random signs, "full" that of the errors as they are, with the whole Fisher
matrix, and "measured" the KL divergence itself. Where full leaves independent the errors are correlated; where measured
leaves full, higher orders count.

The second table takes the full divergence apart: the part of the error that shrinks each tensor by one factor
("coherent") and what remains; the part on the largest weight of every block and the others; each alone, without the
cross terms. "regained" is the change of the measured KL when every tensor is divided by its gain."""

# Forward passes that one forward-mode derivative takes; and the parts that are differentiated beside random signs.
_DERIVATIVE = 4
_PARTS = 4

Row = dict[str, Any]


def add_parser(tasks: Any) -> None:
    """Add the task to the parser of `bitlaw llm`."""
    parser = subparser(tasks, "errors", "correlated errors of formats, taken apart", _DESCRIPTION, EXAMPLES)
    parser.set_defaults(run=run)
    add_model_options(parser)
    add_format_options(parser)
    parser.add_argument(
        "--draws",
        type=whole("draws", 1),
        default=2,
        metavar="N",
        help="of random signs (default %(default)s)",
    )
    add_fisher_options(parser)


def run(args: argparse.Namespace) -> int:
    """Take the errors of each format apart, print."""
    formats, parts = formats_of(args.formats), parts_of(args.parts)
    if args.dry_run:
        forwards = 1 + len(formats) * (3 + _DERIVATIVE * (_PARTS + args.draws))
        work = Work(args.sequences, args.length, args.batch, forwards, True, parts, by_rows=args.rows)
        extra = partial(_held, args=args, parts=parts)
        return larger_dry_run(args, work, extra, formats, parts)
    needs_llm(args)
    record = _examined(args, formats)
    show([json_text(record).rstrip("\n")] if args.json else _blocks(record))
    return 0


def _held(model: ModelPlan, *, args: argparse.Namespace, parts: Sequence[str]) -> Extra:
    """Bytes of the errors with all their parts, and of the changes of logits that these cause."""
    changes = _PARTS + args.draws
    errors = (changes + 1) * model.elements(parts) * max(4, model.element)
    logits = changes * args.batch * args.length * model.vocabulary * (model.element + 4)
    return errors + logits, 0


def _examined(args: argparse.Namespace, formats: Mapping[str, Format]) -> dict[str, Any]:
    """Everything that was found, as plain values."""
    from bitlaw.llm.error_structure import error_structure
    from bitlaw.llm.fisher import fisher_information
    from bitlaw.llm.reference import build_reference

    with steps() as step:
        opened, assignments = open_assigned(args, formats, step)
        model, sequences = opened.language_model, opened.sequences
        fisher = fisher_information(
            model,
            sequences,
            targets=args.targets,
            unit=args.unit,
            batch=args.batch,
            seed=args.seed,
            keep="rows" if args.rows else "diagonal",
            checkpointing=args.checkpointing,
            progress=partial(step, "Fisher information"),
        )
        reference = build_reference(model, sequences, batch=args.batch, progress=partial(step, "reference"))
        rows = []
        for index, (name, assignment) in enumerate(assignments.items()):
            step("formats", index, len(assignments))
            found = error_structure(
                model, assignment, reference, fisher=fisher, draws=args.draws, seed=args.seed
            )
            rows.append({"format": name, "specification": str(formats[name])} | _row(found))
    return {
        "model": args.model,
        "text": args.text,
        "sequences": len(sequences),
        "length": sequences.length,
        "draws": args.draws,
        "formats": rows,
    }


def _row(found: ErrorStructure) -> Row:
    row: Row = {"r": found.error, "gain": found.gain, "diagonal": found.diagonal}
    for name, estimate in found.estimates.items():
        row |= _estimate(name.replace(" ", "_"), estimate)
    return row | {"derivative": found.quadratic.derivative}


def _estimate(name: str, estimate: Estimate) -> dict[str, float | None]:
    """Value and interval; a single sequence has none."""
    alone = estimate.sequences == 1
    return {
        name: estimate.value,
        f"{name}_lower": None if alone else estimate.lower,
        f"{name}_upper": None if alone else estimate.upper,
    }


def _blocks(record: dict[str, Any]) -> list[Block]:
    rows = record["formats"]
    about = (
        f"{record['model']}: {record['sequences']} sequences of {record['length']} tokens of {record['text']}"
    )
    single = ("diagonal", "independent", "full", "measured")
    lines = [
        (
            row["format"],
            number(row["r"], 4),
            number(row["gain"], 4),
            *(number(row[name], 4) for name in single),
            _interval(row, "measured"),
            _ratio(row, "measured", "diagonal"),
        )
        for row in rows
    ]
    titles = ("format", "R", "gain", *single, "95% interval", "measured / diagonal")
    steps_of = Table(titles, lines, left=("format",), title="divergence, step by step (nats per token)")
    differences = ("correlation", "higher_orders", "regaining")
    columns = ("format", "coherent", "remainder", "largest", "others")
    shares = [(row["format"], *(number(row[name], 3) for name in columns[1:])) for row in rows]
    changes = [
        (
            row["format"],
            *(cell for name in differences for cell in (number(row[name], 3), _interval(row, name))),
        )
        for row in rows
    ]
    return [
        about,
        steps_of,
        Table(columns, shares, left=("format",), title="second-order KL of parts of the error, each alone"),
        Table(
            ("format", "correlation", "95%", "higher orders", " 95%", "regained", "  95%"),
            changes,
            left=("format",),
            title="what each step adds, with its interval",
        ),
    ]


def _interval(row: Row, name: str) -> str:
    if row[f"{name}_lower"] is None:
        return "-"
    return f"{row[f'{name}_lower']:.3g} to {row[f'{name}_upper']:.3g}"


def _ratio(row: Row, above: str, below: str) -> str:
    if not row[below] > 0 or not math.isfinite(row[below]):
        return "-"
    return number(row[above] / row[below], 4)
