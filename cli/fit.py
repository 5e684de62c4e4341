"""`bitlaw fit`: the law of every tensor of a file, and what it predicts beside what is measured."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bitlaw.theory.fitting import Fit, TensorAnalysis, TensorInfo, analyse_file
from bitlaw.theory.fitting.summary import Agreement, summarise

from .arguments import add_force, integers, subparser
from .errors import UsageError
from .files import check_target
from .output import Block, Table, csv_text, emit, json_text, number, show
from .progress import progress_bars

__all__ = ["add_parser", "analyse_with_progress", "analyses_csv", "analyses_record", "law", "run"]

EXAMPLES = """\
  bitlaw fit model.safetensors
      every tensor at 2 to 8 bits
  bitlaw fit weights.npz --bits 3,4 --details
      with a table of R for each tensor
  bitlaw fit weights.npz --bits 4 --json --output fit.json
      everything, for other programs"""

_DESCRIPTION = """\
Fit six families to every tensor of a .npy, .npz or .safetensors file (or a folder of shards) by maximum
likelihood, predict the relative error R = rms error / rms value of quantisers designed for the best of them,
and measure R on the values themselves.

R is predicted from the law alone; the measured R carries the standard error that sampling explains. Where the
two agree within it, the law is all there is to know about quantising the tensor."""

# Up to this many tensors the table of R is printed for each without asking.
_FEW = 3

_COLUMNS = (
    "tensor shape dtype skipped family std shape_parameter ks_distance "
    "method bits predicted measured standard_error"
).split()


def add_parser(commands: Any) -> None:
    """Add the sub-command to the program's parser."""
    parser = subparser(
        commands, "fit", "fit laws to tensors and test their predictions", _DESCRIPTION, EXAMPLES
    )
    parser.set_defaults(run=run)
    parser.add_argument("file", metavar="FILE", help=".npy, .npz, .safetensors, or a folder of shards")
    parser.add_argument(
        "--bits", type=integers, default=list(range(2, 9)), metavar="LIST", help="default 2-8"
    )
    parser.add_argument("--details", action="store_true", help="print R for every tensor")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", dest="form", action="store_const", const="json", help="everything, as JSON")
    form.add_argument("--csv", dest="form", action="store_const", const="csv", help="one line per quantiser")
    add_force(parser)


def run(args: argparse.Namespace) -> int:
    """Analyse tensor by tensor, print."""
    target = check_target(args.output, args.force)
    analyses = analyse_with_progress(args.file, args.bits)
    if args.form == "json":
        emit(json_text(analyses_record(args.file, args.bits, analyses)), target)
    elif args.form == "csv":
        emit(analyses_csv(analyses), target)
    else:
        show(_blocks(analyses, args.details), target)
    if not any(analysis.fits for analysis in analyses):
        raise UsageError(f"{args.file}: no tensor could be analysed; the reasons stand above")
    return 0


def analyse_with_progress(path: str, bits: Sequence[int]) -> list[TensorAnalysis]:
    """Analyses of all tensors of a file, with a bar that counts bytes."""
    with progress_bars() as bars:
        bar = bars.bar(f"fit {path}")

        def progress(info: TensorInfo, done: int, total: int) -> None:
            bar(done, total)

        return list(analyse_file(path, bits, progress))


def analyses_record(path: str, bits: Sequence[int], analyses: Sequence[TensorAnalysis]) -> dict[str, Any]:
    """Everything as plain values."""
    return {
        "file": path,
        "bits": list(bits),
        "tensors": [analysis.to_dict() for analysis in analyses],
        "summary": [asdict(row) for row in summarise(analyses)],
    }


def analyses_csv(analyses: Sequence[TensorAnalysis]) -> str:
    """One line for each quantiser of each tensor, and one for each tensor that was skipped."""
    return csv_text((line for analysis in analyses for line in _lines(analysis)), _COLUMNS)


def law(fit: Fit) -> str:
    """Name of a fitted law with its shape parameter, for people."""
    shape = [f"{name} {number(value, 4)}" for name, value in fit.parameters.items() if name != "std"]
    return " ".join([fit.family.replace("_", "-"), *shape]) + (f" ({fit.bound} end)" if fit.bound else "")


def _lines(analysis: TensorAnalysis) -> list[dict[str, Any]]:
    line: dict[str, Any] = {
        "tensor": analysis.name,
        "shape": "x".join(map(str, analysis.shape)),
        "dtype": analysis.dtype,
        "skipped": analysis.skipped,
    }
    best = analysis.best
    if best is None:
        return [line]
    shape = [float(value) for name, value in best.parameters.items() if name != "std"]
    line |= {
        "family": best.family,
        "std": float(best.parameters["std"]),
        "shape_parameter": shape[0] if shape else None,
        "ks_distance": float(best.ks_distance),
    }
    return [line | asdict(row) for row in analysis.comparisons]


def _blocks(analyses: Sequence[TensorAnalysis], details: bool) -> list[Block]:
    fitted = [analysis for analysis in analyses if analysis.fits]
    skipped = [(analysis.name, analysis.skipped or "") for analysis in analyses if not analysis.fits]
    blocks: list[Block] = []
    if fitted:
        blocks.append(_tensors(fitted))
    if details or len(fitted) <= _FEW:
        blocks += [_comparisons(analysis) for analysis in fitted]
    if len(fitted) > 1:
        blocks.append(_summary(summarise(fitted)))
    if skipped:
        blocks.append(Table(("tensor", "skipped because"), skipped, left=("tensor", "skipped because")))
    return blocks


def _tensors(analyses: Sequence[TensorAnalysis]) -> Table:
    columns = (
        "tensor",
        "shape",
        "type",
        "best law",
        "std",
        "95%",
        "KS distance",
        "kurtosis",
        "mean/rms",
    )
    rows = []
    for analysis in analyses:
        best, moments = analysis.best, analysis.moments
        if best is None or moments is None:
            continue
        low, high = best.intervals["std"]
        rows.append(
            (
                analysis.name,
                "x".join(map(str, analysis.shape)) or "scalar",
                analysis.dtype,
                law(best),
                number(best.parameters["std"], 5),
                f"±{50 * (high - low) / best.parameters['std']:.2g}%",
                number(best.ks_distance, 2),
                number(moments.kurtosis, 4),
                number(moments.mean / moments.rms, 2),
            )
        )
    return Table(columns, rows, left=("tensor", "shape", "type", "best law"))


def _comparisons(analysis: TensorAnalysis) -> Table:
    columns = ("bits", "method", "R predicted", "R measured", "standard error", "difference")
    rows = [
        (
            str(row.bits),
            row.method.replace("_", "-"),
            number(row.predicted),
            number(row.measured),
            number(row.standard_error, 2),
            f"{100 * (row.measured / row.predicted - 1):+.2f}%",
        )
        for row in analysis.comparisons
    ]
    return Table(columns, rows, left=("method",), title=f"{analysis.name}: R predicted and measured")


def _summary(summary: Sequence[Agreement]) -> Table:
    columns = ("bits", "method", "median R predicted", "measured", "median ratio", "within 2 s.e.")
    rows = [
        (
            str(row.bits),
            row.method.replace("_", "-"),
            number(row.predicted),
            number(row.measured),
            number(row.ratio, 4),
            f"{100 * row.within:.0f}%",
        )
        for row in summary
    ]
    return Table(columns, rows, left=("method",), title=f"all {summary[0].tensors} tensors together")
