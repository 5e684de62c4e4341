"""`bitlaw recommend`: the formats of least error for a file, or a law, at a budget of bits."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from bitlaw.theory import Source
from bitlaw.theory.fitting import TensorInfo
from bitlaw.theory.formats import Recommendation, recommend
from bitlaw.theory.source_names import SOURCE_NAMES, parse_source, source_name

from .arguments import add_force, hyphenated, lengths, subparser, whole
from .errors import UsageError
from .files import check_target
from .output import Block, Table, csv_text, emit, json_text, number, show
from .progress import progress_bars
from .tensors import add_tensor_option, chosen_tensors, law_or_none, read_tensors

__all__ = ["add_parser", "run"]

EXAMPLES = """\
  bitlaw recommend --file model.safetensors --bits 4.25
      the best formats for all its matrices, measured on them
  bitlaw recommend --source student-t:5 --bits 3.25 --codes fixed
      the best formats of fixed length for a law, predicted
  bitlaw recommend --file model.safetensors --bits 4.5 --with outliers=0.5% --with rotation=hadamard
      outliers kept apart, and rotated rows, tried with every candidate
  bitlaw recommend --file model.safetensors --tensor 'layer*' --bits 2 --count 3 --json
      three of each kind for some tensors, every digit as JSON"""

_DESCRIPTION = """\
Find the formats of least relative error R = rms error / rms value whose bits, everything counted, fit a
budget: all named formats, a grid of elements, block sizes, scale types and statistics, and, for a lossless
code behind them, uniform grids whose step is fitted to the budget.

Candidates are compared on one sample of the values; the best are measured on up to four million of them, in
evenly spaced rows (for a law: predicted). The first of each kind comes with its reasons: what changing one part
would give."""

# Values held in memory at once; of larger files each tensor gives evenly spaced rows.
_MOST_VALUES = 1 << 26
# Degrees of freedom above which the best codebook is that of the normal law to four digits.
_NEARLY_NORMAL = 200
_COLUMNS = tuple(entry.name for entry in fields(Recommendation) if entry.name != "reasons")


def add_parser(commands: Any) -> None:
    """Add the sub-command to the program's parser."""
    summary = "the best formats for a file or a law at a budget of bits"
    parser = subparser(commands, "recommend", summary, _DESCRIPTION, EXAMPLES)
    parser.set_defaults(run=run)
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--file", metavar="FILE", help=".npy, .npz, .safetensors, or a folder of shards")
    data.add_argument("--source", metavar="NAME", help=f"a law: {', '.join(SOURCE_NAMES)}")
    parser.add_argument("--bits", type=float, required=True, metavar="B", help="budget, bits per element")
    parser.add_argument(
        "--tolerance", type=float, default=0.01, metavar="T", help="bits above it (default 0.01)"
    )
    parser.add_argument(
        "--count", type=whole("count", 1), default=5, metavar="N", help="of each kind (default 5)"
    )
    parser.add_argument(
        "--codes", type=hyphenated(("both", "fixed", "entropy")), default="both", metavar="KIND"
    ).help = "fixed, entropy (a lossless code), or both (default)"
    parser.add_argument(
        "--also", action="append", default=[], metavar="FORMAT", help="try this format too (may be repeated)"
    )
    parser.add_argument(
        "--with",
        dest="parts",
        action="append",
        default=[],
        metavar="PART",
        help="outliers=... or rotation=..., tried with every candidate (may be repeated)",
    )
    parser.add_argument("--std", type=float, metavar="S", help="standard deviation of the law (default 1)")
    parser.add_argument("--shape", type=lengths, metavar="RxC", help="of a law's tensor (default 4096x4096)")
    add_tensor_option(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", dest="form", action="store_const", const="json", help="everything, as JSON")
    form.add_argument("--csv", dest="form", action="store_const", const="csv", help="one line a format")
    add_force(parser)


def run(args: argparse.Namespace) -> int:
    """Read, recommend, print."""
    target = check_target(args.output, args.force)
    if args.file and (args.std is not None or args.shape is not None):
        raise UsageError("--std and --shape go with --source; tensors have their own")
    if args.tensor and not args.file:
        raise UsageError("--tensor goes with --file")
    data, laws, what = _data(args)
    with progress_bars() as bars:
        found = recommend(
            data,
            args.bits,
            tolerance=args.tolerance,
            count=args.count,
            codes=args.codes,
            laws=laws,
            also=args.also,
            parts=args.parts,
            shape=args.shape or (4096, 4096),
            progress=bars.bar("try formats"),
        )
    if args.form == "json":
        record = {"data": what, "budget": args.bits, "recommendations": [one.to_dict() for one in found]}
        emit(json_text(record), target)
    elif args.form == "csv":
        rows = ({name: one.to_dict()[name] for name in _COLUMNS} for one in found)
        emit(csv_text(rows, _COLUMNS), target)
    else:
        show(_blocks(args, what, found), target)
    return 0


def _data(args: argparse.Namespace) -> tuple[Source | list[Any], list[Source] | None, str]:
    """Law or tensors, the laws that codebooks are designed for, and words for it."""
    if args.source:
        law = parse_source(args.source, 1.0 if args.std is None else args.std)
        return law, None, source_name(law)
    infos = chosen_tensors(args.file, args.tensor)
    arrays = _arrays(args.file, infos)
    fit = law_or_none(max(arrays, key=lambda array: array.size))
    laws = None if fit is None else [_rounded(fit)]
    tensors = f"{len(arrays)} tensors" if len(arrays) > 1 else infos[0].name
    fitted = f", codebooks designed for {source_name(laws[0])}" if laws else ""
    return arrays, laws, f"{tensors} of {args.file}, {sum(a.size for a in arrays):,} values{fitted}"


def _arrays(path: str, infos: Sequence[TensorInfo]) -> list[Any]:
    total = sum(math.prod(info.shape) for info in infos)
    if total <= _MOST_VALUES:
        return [np.asarray(array) for _, array in read_tensors(path, infos)]
    step = -(-total // _MOST_VALUES)
    return [np.ascontiguousarray(array[::step]) for _, array in read_tensors(path, infos)]


def _rounded(law: Source) -> Source:
    """The law at unit standard deviation, its shape parameter to three digits: the text of an element."""
    name, colon, shape = source_name(law).partition(":")
    if name == "student-t" and float(shape) > _NEARLY_NORMAL:
        return parse_source("normal")
    return parse_source(f"{name}{colon}{float(shape):.3g}" if colon else name)


def _blocks(args: argparse.Namespace, what: str, found: Sequence[Recommendation]) -> list[Block]:
    blocks: list[Block] = [f"at most {number(args.bits)} bits per element, for {what}"]
    titles = {"fixed": "codes of fixed length", "entropy": "codes behind a lossless code, at their entropy"}
    for kind, title in titles.items():
        ranked = [one for one in found if one.format.code == kind]
        if not ranked:
            if args.codes in (kind, "both"):
                blocks.append(f"{title}: none fits")
            continue
        blocks.append(_table(title, ranked))
        blocks.append("\n".join(["why the first:", *(f"  {reason}" for reason in ranked[0].reasons)]))
    return blocks


def _table(title: str, ranked: Sequence[Recommendation]) -> Table:
    predicted = ranked[0].method != "measured"
    apart = any(one.outlier_bits for one in ranked)
    columns = ("bits", "codes", "scales", *(["outliers"] if apart else []), "entropy", "R", "to the first")
    rows = [
        (
            f"{one.format}{f' ({one.name})' if one.name else ''}",
            *(f"{value:.4f}" for value in (one.bits, one.element_bits, one.scale_bits)),
            *([f"{one.outlier_bits:.4f}"] if apart else []),
            f"{one.entropy:.4f}",
            f"{one.R:.6f}",
            f"{100 * (one.R / ranked[0].R - 1):+.1f}%" if ranked[0].R > 0 else "-",
            *([number(one.gap_bits, 4)] if predicted else []),
            one.method,
        )
        for one in ranked
    ]
    gap = ["gap (bit)"] if predicted else []
    return Table(("format", *columns, *gap, "R is"), rows, left=("format", "R is"), title=title)
