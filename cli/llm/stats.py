"""`bitlaw llm stats`: what the weights of every tensor look like, and what that predicts for formats."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bitlaw.theory._typing import FloatArray
from bitlaw.theory.formats import Format
from bitlaw.theory.source_names import source_name

from ..arguments import subparser
from ..output import json_text, show
from .headers import read_model_plan
from .options import PARTS, add_model_options, formats_of, needs_llm, steps
from .plan import Work, dry_run
from .stats_tables import TAILS, stats_blocks, summary
from .tensor_names import add_tensor_option, matching_names

if TYPE_CHECKING:
    import torch

    from bitlaw.llm.models import WeightTensor
    from bitlaw.llm.statistics import TensorStatistics
    from bitlaw.theory import Source

__all__ = ["add_parser", "run"]

EXAMPLES = """\
  bitlaw llm stats
      moments and laws of the embedded model's tensors
  bitlaw llm stats --model ./llama --formats nf4 mxfp4
      with R predicted and measured
  bitlaw llm stats --model ./encoder --details
      also tails, fits of every family, channels and block maxima
  bitlaw llm stats --tensors 'model.layers.0.*' --formats int4_g64 --details
      one layer alone, with R row by row"""

# Elements turned to float64 at once.
_SLICE = 1 << 22

_DESCRIPTION = """\
Moments of every matrix, how far its rows differ in strength (in octaves), its largest element, and the law that
fits best: of all elements together, and of elements over their row's root mean square. With --formats, the
relative error R that follows for each tensor, beside the measured one; --details and --json have it row by row too.

Safetensors are read tensor by tensor: no model is built, so any architecture will do, and a model may be larger than
the memory."""


def add_parser(tasks: Any) -> None:
    """Add the task to the parser of `bitlaw llm`."""
    parser = subparser(tasks, "stats", "moments and laws of the weights", _DESCRIPTION, EXAMPLES)
    parser.set_defaults(run=run)
    add_model_options(parser, text=False, spread=False)
    parser.add_argument(
        "--formats", nargs="+", default=[], metavar="FORMAT", help="also predict and measure R"
    )
    add_tensor_option(parser, "only tensors whose names fit, as in a shell (default: all)")
    parser.add_argument(
        "--details",
        action="store_true",
        help="also tails, fits of every family, channels and blocks (JSON always has them)",
    )


def run(args: argparse.Namespace) -> int:
    """Measure tensor by tensor, print."""
    formats = formats_of(args.formats)
    if args.dry_run:
        matching_names(args.tensors, read_model_plan(args.model, args.dtype).weights)
        return dry_run(args, Work(streams=True), formats, PARTS)
    needs_llm(args)
    from bitlaw.llm.models import pick_device
    from bitlaw.llm.statistics import tensor_statistics

    device = pick_device(args.device)
    count, tensors = _tensors(args)
    rows = []
    with steps() as step:
        for tensor in tensors:
            found = tensor_statistics(tensor)
            rows.append(
                _row(found, full=args.details or args.json)
                | {"formats": _errors(tensor, found, formats, device)}
            )
            del tensor  # the next one is read when this one has gone
            step("tensors", len(rows), count)
    if args.json:
        content = {"model": args.model, "tensors": rows, "formats": summary(rows)}
        show([json_text(content).rstrip("\n")])
    else:
        show(stats_blocks(rows, details=args.details))
    return 0


def _tensors(args: argparse.Namespace) -> tuple[int, Iterator[WeightTensor]]:
    """How many tensors there are, and one after the other, in the type that was asked for.

    Safetensors are streamed; a model in other files is built by transformers.
    """
    from bitlaw.llm.models import load_model, weight_tensors
    from bitlaw.llm.weight_files import fetch_weights, load_weight
    from bitlaw.theory.fitting import list_weights

    folder = fetch_weights(args.model)
    if any(folder.glob("*.safetensors*")) or not any(folder.glob("*.bin")):
        listed = {weight.name: weight for weight in list_weights(folder, compare_ties=True)}
        weights = [listed[name] for name in matching_names(args.tensors, listed)]
        return len(weights), (_as_type(load_weight(weight), args.dtype) for weight in weights)
    model = load_model(args.model, device="cpu", dtype=args.dtype).model
    tensors = {tensor.name: tensor for tensor in weight_tensors(model)}
    chosen = matching_names(args.tensors, tensors)
    return len(chosen), (tensors[name] for name in chosen)


def _as_type(tensor: WeightTensor, dtype: str) -> WeightTensor:
    if dtype != "auto":
        import torch

        tensor.parameter.data = tensor.parameter.data.to(getattr(torch, dtype))
    return tensor


def _row(found: TensorStatistics, *, full: bool) -> dict[str, Any]:
    """Plain values of one tensor; expected block maxima, which take longest, only where they are shown."""
    from bitlaw.llm.statistics_record import statistics_record

    record = statistics_record(found)
    for size, block in record["blocks"].items() if full else ():
        block["expected"] = found.expected_maximum(int(size))
    histogram = found.histogram
    return record | {
        "row_spread": found.row_spread,
        "law": _law(found.law),
        "row_law": _law(found.row_law),
        "histogram": {"edges": histogram.edges.tolist(), "counts": histogram.counts.tolist()},
        "tails": [_tail(found, magnitude) for magnitude in TAILS],
    }


def _tail(found: TensorStatistics, magnitude: float) -> dict[str, float]:
    """Share of elements beyond some multiples of their row's rms, and what the law has there."""
    law = 2 * float(found.row_law.cdf(-magnitude))
    return {"beyond": magnitude, "share": found.histogram.beyond(magnitude), "law": law}


def _law(source: Source) -> dict[str, Any]:
    return {"name": source_name(source), "std": float(source.std)}


def _errors(
    tensor: WeightTensor, found: TensorStatistics, formats: Mapping[str, Format], device: torch.device
) -> list[dict[str, Any]]:
    """Predicted and measured R and bits of one tensor in each format."""
    from bitlaw.llm.format_codec import quantise_tensor
    from bitlaw.llm.tensor_prediction import predict_tensor

    rows = []
    weights = tensor.parameter.detach().to(device)
    for name, format in formats.items():
        predicted = predict_tensor(format, found)
        try:
            stored = quantise_tensor(format, weights)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{tensor.name}: {error}") from error
        errors, spreads = _row_errors(weights, stored.restored), np.asarray(found.row_rms)
        rows.append(
            {
                "format": name,
                "bits": stored.bits / weights.numel(),
                "predicted_bits": predicted.bits,
                "r": math.sqrt(errors.mean()) / found.rms if found.rms else 0.0,
                "predicted_r": predicted.R,
                "row_r": _relative(errors, spreads),
                "predicted_row_r": _relative(predicted.row_errors, spreads),
            }
        )
    return rows


def _relative(errors: FloatArray, spreads: FloatArray) -> list[float]:
    """R of each row; 0 for rows of zeros."""
    found = np.divide(np.sqrt(errors), spreads, out=np.zeros(len(spreads)), where=spreads > 0)
    return [float(one) for one in found]


def _row_errors(weights: torch.Tensor, restored: torch.Tensor) -> FloatArray:
    """Mean square of the change of each row, in float64, some rows at a time."""
    before, after = (values.reshape(-1, values.shape[-1]) for values in (weights, restored))
    step = max(1, _SLICE // before.shape[-1])
    parts = (slice(start, start + step) for start in range(0, len(before), step))
    found = [(after[k].double() - before[k].double()).square().mean(1).cpu().numpy() for k in parts]
    return np.asarray(np.concatenate(found))
