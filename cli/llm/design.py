"""`bitlaw llm design`: codebooks and scales of a format fitted to a model, weighted by what errors cost there."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitlaw.theory.formats import Codebook, Format, parse_format

from ..arguments import subparser, whole
from ..errors import UsageError
from ..files import check_target, write_file
from ..output import json_text, note, show
from .design_record import design_blocks, measured_record, tensor_record
from .options import (
    add_fisher_options,
    add_model_options,
    format_of,
    needs_llm,
    parts_of,
    steps,
    workload_of,
)
from .plan import Work, dry_run

if TYPE_CHECKING:
    import torch

    from bitlaw.llm.models import LanguageModel
    from bitlaw.llm.workload import Opened

    Step = Callable[[str, int, int], None]
    Weights = Mapping[str, torch.Tensor]

__all__ = ["add_parser", "run"]

_MOST_LEVELS = 1 << 16

EXAMPLES = """\
  bitlaw llm design --format int4_g64 --codebook --codebook-output book.json
      one codebook for the embedded model's decoder: file:book.json,block=64,scale=absmax:float16,reach=1
  bitlaw llm design --format nf4 --scales --weights activations --measure --output scaled.json
      a factor on the scales of each tensor, for bitlaw llm quantise --allocation scaled.json
  bitlaw llm design --model ./llama --format int3_g64 --codebook 8 --each --weights fisher.safetensors
      a codebook for each tensor, with the diagonals that bitlaw llm fisher (or activations) wrote"""

_DESCRIPTION = """\
Fit a format to a model at the least weighted squared error: its codebook, a factor on the scales of each tensor, or
both. Elements are weighted by Fisher information (the error is twice the predicted KL divergence then) or by the second
moments of their inputs (the error of a layer's outputs). The result has ordinary formats, one for each tensor: a file
for `bitlaw llm quantise --allocation` and for studies, or a codebook that any command takes as file:PATH."""


def add_parser(tasks: Any) -> None:
    """Add the task to the parser of `bitlaw llm`."""
    parser = subparser(tasks, "design", "codebooks and scales fitted to a model", _DESCRIPTION, EXAMPLES)
    parser.set_defaults(run=run)
    add_model_options(parser)
    parser.add_argument(
        "--format", required=True, metavar="FORMAT", help="whose codebook or scales are fitted"
    )
    parser.add_argument("--parts", default="decoder", metavar="LIST", help="embedding, decoder, head or all")
    parser.add_argument(
        "--codebook",
        nargs="?",
        type=whole("codebook", 2),
        const=0,
        metavar="LEVELS",
        help="a codebook instead of the element (default: as many levels as its codes tell apart)",
    )
    parser.add_argument("--each", action="store_true", help="a codebook for each tensor, not one for all")
    parser.add_argument(
        "--exact", action="store_true", help="the codebook of least error on the sample, proved"
    )
    parser.add_argument("--scales", action="store_true", help="search a factor on the scales of each tensor")
    parser.add_argument(
        "--weights", default="fisher", help="fisher (default), activations, or a file of either"
    )
    add_fisher_options(parser)
    parser.add_argument("--measure", action="store_true", help="measure it beside the format as it was")
    parser.add_argument("--codebook-output", metavar="FILE", help="write the codebook there, for file:FILE")
    parser.add_argument("--output", metavar="FILE", help="write there what --json prints")
    parser.add_argument("--force", action="store_true", help="replace FILE where it exists")


def run(args: argparse.Namespace) -> int:
    """Weigh, fit, print."""
    format, parts = _asked_format(args), parts_of(args.parts)
    target, book = check_target(args.output, args.force), _book_target(args)
    if args.dry_run:
        passes = (args.weights == "activations") + 3 * args.measure
        work = Work(
            args.sequences,
            args.length,
            args.batch,
            passes,
            args.weights == "fisher",
            parts if args.measure else (),
            by_rows=args.rows,
        )
        return dry_run(args, work, {args.format: format}, parts)
    needs_llm(args)
    record = _designed(args, format, parts)
    if book is not None:
        _write_book(book, parse_format(record["format"]))
    if target is not None:
        write_file(target, json_text(record))
        note(f"wrote {target}")
    show([json_text(record).rstrip("\n")] if args.json else design_blocks(record))
    return 0


def _asked_format(args: argparse.Namespace) -> Format:
    """The format; what does not go together is refused."""
    if args.codebook is None and not args.scales:
        raise UsageError("nothing is to be fitted: name --codebook, --scales or both")
    for option in ("each", "exact"):
        if getattr(args, option) and args.codebook is None:
            raise UsageError(f"--{option} goes with --codebook")
    if (args.codebook or 0) > _MOST_LEVELS:
        raise UsageError(
            f"--codebook {args.codebook}: must be at most {_MOST_LEVELS}, which codes of 16 bits tell apart"
        )
    if args.codebook_output is not None and (args.codebook is None or args.each or args.scales):
        raise UsageError(
            "--codebook-output holds one codebook for all tensors: --codebook without --each and --scales"
        )
    if args.weights not in ("fisher", "activations") and not Path(args.weights).is_file():
        raise UsageError(f"--weights {args.weights}: neither fisher nor activations nor a file that is there")
    return format_of("--format", args.format)


def _book_target(args: argparse.Namespace) -> Path | None:
    if "," in (args.codebook_output or ""):
        raise UsageError(f"--codebook-output {args.codebook_output}: the path must have no comma")
    if args.codebook_output == "-":
        raise UsageError("--codebook-output -: a file is needed")
    try:
        return check_target(args.codebook_output, args.force)
    except UsageError as error:
        raise UsageError(str(error).replace("--output", "--codebook-output", 1)) from error


def _write_book(path: Path, format: Format) -> None:
    """Write the codebook of a format, and say how the format is named with it."""
    write_file(path, json_text(format.element.quantiser("absmax", 1).to_dict()))
    note(f"wrote {path}: {replace(format, element=Codebook.from_file(path))}")


def _designed(args: argparse.Namespace, format: Format, parts: tuple[str, ...]) -> dict[str, Any]:
    """Everything that was found, as plain values."""
    from bitlaw.llm.models import weight_tensors
    from bitlaw.llm.weighted_design import weighted_formats
    from bitlaw.llm.workload import open_workload

    with steps() as step:
        step("loading the model", 0, 1)
        opened = open_workload(args.model, workload_of(args))
        step("loading the model", 1, 1)
        tensors = [w for w in weight_tensors(opened.language_model.model) if w.part in parts]
        if not tensors:
            raise UsageError(f"--parts {args.parts}: the model has no such weights")
        weights = _weights(args, opened, step)
        levels = None if args.codebook is None else args.codebook or round(2**format.element.bits)
        try:
            found = weighted_formats(
                tensors,
                weights,
                format,
                levels=levels,
                each=args.each,
                scales=args.scales,
                exact=args.exact,
                seed=args.seed,
                progress=partial(step, "design"),
            )
            rows = [tensor_record(tensor, weights, format, found[tensor.name]) for tensor in tensors]
        except ValueError as error:
            raise UsageError(f"--format {args.format} with --weights {args.weights}: {error}") from error
        measured = measured_record(opened, format, found, step) if args.measure else None
    shared = set(found.values())
    elements = sum(tensor.parameter.numel() for tensor in tensors)
    return {
        "model": args.model,
        "weights": args.weights,
        "of": str(format),
        "format": str(shared.pop()) if len(shared) == 1 else None,
        "codebook_bits": sum(row["codebook_bits"] for row in rows) / elements,
        "error": sum(row["error"] for row in rows),
        "error_of": sum(row["error_of"] for row in rows),
        "tensors": rows,
        "measured": measured,
    }


def _weights(args: argparse.Namespace, opened: Opened, step: Step) -> Weights:
    """Weights of elements by name of the tensor."""
    from bitlaw.llm.activations import activation_moments
    from bitlaw.llm.fisher import fisher_information
    from bitlaw.llm.weighted_design import activation_weights, fisher_weights, read_weights

    model: LanguageModel = opened.language_model
    if args.weights == "activations":
        found = activation_moments(
            model, opened.sequences, batch=args.batch, progress=partial(step, "activations")
        )
        return activation_weights(found)
    if args.weights != "fisher":
        try:
            return read_weights(args.weights)
        except ValueError as error:
            raise UsageError(f"--weights {error}") from error
    fisher = fisher_information(
        model,
        opened.sequences,
        targets=args.targets,
        unit=args.unit,
        batch=args.batch,
        seed=args.seed,
        keep="rows" if args.rows else "diagonal",
        checkpointing=args.checkpointing,
        progress=partial(step, "Fisher information"),
    )
    return fisher_weights(fisher)
