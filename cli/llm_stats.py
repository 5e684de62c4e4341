"""`bitlaw llm stats`: what the weights of every tensor look like, and what that predicts for formats."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bitlaw.theory.formats import Format
from bitlaw.theory.source_names import source_name

from .arguments import subparser
from .llm_options import PARTS, add_model_options, formats_of, needs_llm, steps
from .llm_plan import Work, dry_run
from .output import Block, Table, json_text, number, show

if TYPE_CHECKING:
    from bitlaw.llm.models import WeightTensor
    from bitlaw.llm.statistics import TensorStatistics
    from bitlaw.theory import Source

__all__ = ["add_parser", "run"]

EXAMPLES = """\
  bitlaw llm stats
      moments and laws of the embedded model's tensors
  bitlaw llm stats --model ./llama --formats nf4 mxfp4 --json
      with R predicted and measured"""

_DESCRIPTION = """\
Moments of every matrix, how far its rows differ in strength (in octaves), its largest element, and the law that
fits best: of all elements together, and of elements over their row's root mean square. With --formats, the
relative error R that follows for each tensor, beside the measured one."""


def add_parser(tasks: Any) -> None:
    """Add the task to the parser of `bitlaw llm`."""
    parser = subparser(tasks, "stats", "moments and laws of the weights", _DESCRIPTION, EXAMPLES)
    parser.set_defaults(run=run)
    add_model_options(parser, text=False)
    parser.add_argument(
        "--formats", nargs="+", default=[], metavar="FORMAT", help="also predict and measure R"
    )


def run(args: argparse.Namespace) -> int:
    """Measure tensor by tensor, print."""
    formats = formats_of(args.formats)
    if args.dry_run:
        return dry_run(args, Work(), formats, PARTS)
    needs_llm(args)
    from bitlaw.llm.models import load_model, weight_tensors
    from bitlaw.llm.statistics import tensor_statistics

    language_model = load_model(args.model, device=args.device, dtype=args.dtype)
    tensors = list(weight_tensors(language_model.model))
    rows = []
    with steps() as step:
        for k, tensor in enumerate(tensors):
            found = tensor_statistics(tensor)
            rows.append(_row(found) | {"formats": _errors(tensor, found, formats)})
            step("tensors", k + 1, len(tensors))
    show([json_text({"model": args.model, "tensors": rows}).rstrip("\n")] if args.json else _blocks(rows))
    return 0


def _row(found: TensorStatistics) -> dict[str, Any]:
    return {
        "name": found.name,
        "part": found.part,
        "shape": list(found.shape),
        "mean": found.mean,
        "rms": found.rms,
        "kurtosis": None if found.kurtosis != found.kurtosis else found.kurtosis,
        "largest": found.largest,
        "row_spread": found.row_spread,
        "block_maxima": {str(size): value for size, value in found.block_maxima.items()},
        "law": _law(found.law),
        "row_law": _law(found.row_law),
    }


def _law(source: Source) -> dict[str, Any]:
    return {"name": source_name(source), "std": float(source.std)}


def _errors(
    tensor: WeightTensor, found: TensorStatistics, formats: Mapping[str, Format]
) -> list[dict[str, Any]]:
    """Predicted and measured R and bits of one tensor in each format."""
    from bitlaw.llm.format_codec import quantise_tensor
    from bitlaw.llm.tensor_prediction import predict_tensor

    rows = []
    for name, format in formats.items():
        predicted = predict_tensor(format, found)
        weights = tensor.parameter.detach()
        try:
            stored = quantise_tensor(format, weights)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{tensor.name}: {error}") from error
        change = (stored.restored.double() - weights.double()).square().mean().sqrt()
        rows.append(
            {
                "format": name,
                "bits": stored.bits / weights.numel(),
                "predicted_bits": predicted.bits,
                "r": float(change) / found.rms if found.rms else 0.0,
                "predicted_r": predicted.R,
            }
        )
    return rows


def _blocks(rows: list[dict[str, Any]]) -> list[Block]:
    columns = (
        "tensor",
        "part",
        "shape",
        "rms",
        "kurtosis",
        "largest/rms",
        "row spread",
        "law",
        "law within rows",
    )
    lines = [
        (
            row["name"],
            row["part"],
            "x".join(map(str, row["shape"])),
            number(row["rms"], 4),
            number(row["kurtosis"], 4),
            number(row["largest"] / row["rms"], 4) if row["rms"] else "-",
            number(row["row_spread"], 3),
            _short(row["law"]),
            _short(row["row_law"]),
        )
        for row in rows
    ]
    blocks: list[Block] = [Table(columns, lines, left=("tensor", "part", "shape", "law", "law within rows"))]
    for k, told in enumerate(rows[0]["formats"] if rows else []):
        errors = [(row["name"], *_pair(row["formats"][k])) for row in rows]
        titles = ("tensor", "bits", "R predicted", "R", "R / predicted")
        blocks.append(Table(titles, errors, left=("tensor",), title=told["format"]))
    return blocks


def _pair(one: dict[str, Any]) -> tuple[str, ...]:
    ratio = number(one["r"] / one["predicted_r"], 4) if one["predicted_r"] else "-"
    return number(one["bits"], 4), number(one["predicted_r"], 4), number(one["r"], 4), ratio


def _short(law: dict[str, Any]) -> str:
    name, colon, shape = law["name"].partition(":")
    return f"{name} {number(float(shape), 3)}" if colon else name
