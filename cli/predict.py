"""`bitlaw predict`: bits and error of formats on laws, or on the laws fitted to the tensors of a file."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bitlaw.theory import Source
from bitlaw.theory.formats import FORMAT_NAMES, Format, Prediction, parse_format, predict
from bitlaw.theory.source_names import SOURCE_NAMES, parse_source, source_name

from .arguments import add_force, hyphenated, lengths, subparser
from .errors import UsageError
from .files import check_target
from .output import Block, Table, csv_text, emit, json_text, number, show
from .progress import Bar, progress_bars
from .tensors import add_tensor_option, chosen_tensors, fitted_law, read_tensors

__all__ = ["add_parser", "run"]

EXAMPLES = """\
  bitlaw predict
      named formats on a Gaussian: bits, R, entropy, and bits above the rate-distortion function
  bitlaw predict --format nf4 --format int4_g64 --source normal --source student-t:5
      two formats on two laws
  bitlaw predict --format 'lloyd4:normal,block=64,scale=signmax' --format iq4_nl --sort gap
      the best codebook for blocks of 64 under a signed maximum, against a published one
  bitlaw predict --file model.safetensors --tensor 'layer*' --format mxfp4 --format nvfp4
      on the law that fits each tensor, at its shape and standard deviation"""

_DESCRIPTION = """\
Predict what number formats do to a law, or to each tensor of a file by the law that fits it best: bits per
element with everything counted, the relative error R = rms error / rms value, the entropy of the codes, and
the bits above the rate-distortion function at the same error (nothing can be below it).

Rows are in groups of about equal bits, by R within a group. Nothing is sampled but where the last column says
so: formats that search a factor for each block, and a few others, are applied to a draw."""

# What people ask about, without near twins; `--format all` has every name.
_USUAL = (
    *(
        "binary",
        "ternary",
        "nf4",
        "nf4_dq",
        "sf4",
        "mxfp4",
        "nvfp4",
        "q4_0",
        "iq4_nl",
        "int4_g64",
        "int4_g128",
    ),
    *("q5_0", "mxfp6", "q8_0", "mxfp8", "mxint8", "fp8_e4m3", "fp8_e5m2"),
)
_SORTS = ("bits", "r", "gap", "name")
# Up to this many tensors the table is printed for each without asking.
_FEW = 3
_COLUMNS = (
    "tensor source std shape name format bits compressed_bits R standard_error entropy element_bits scale_bits "
    "outlier_bits codebook_bits gap_bits compressed_gap_bits method"
).split()


@dataclass(frozen=True)
class _Case:
    """A law with the shape of a tensor, and the tensor's name if it has one."""

    tensor: str
    law: Source
    shape: tuple[int, ...]

    @property
    def title(self) -> str:
        shape = "x".join(map(str, self.shape)) or "scalar"
        return f"{self.tensor or _law(self.law)}{f': {_law(self.law)}' if self.tensor else ''}, std " + (
            f"{number(self.law.std)}, {shape}"
        )


@dataclass(frozen=True)
class _Row:
    case: _Case
    name: str
    found: Prediction
    gap: float
    compressed_gap: float


def add_parser(commands: Any) -> None:
    """Add the sub-command to the program's parser."""
    summary = "bits and error of formats on laws and tensors"
    parser = subparser(commands, "predict", summary, _DESCRIPTION, EXAMPLES)
    parser.set_defaults(run=run)
    parser.add_argument(
        "--format",
        action="append",
        default=[],
        metavar="FORMAT",
        help="a name or a specification; may be repeated; 'all' stands for every name (default: usual names)",
    )
    data = parser.add_mutually_exclusive_group()
    data.add_argument(
        "--source",
        action="append",
        default=[],
        metavar="NAME",
        help=f"a law, may be repeated: {', '.join(SOURCE_NAMES)} (default normal)",
    )
    data.add_argument("--file", metavar="FILE", help=".npy, .npz, .safetensors, or a folder of shards")
    parser.add_argument("--std", type=float, metavar="S", help="standard deviation of the laws (default 1)")
    parser.add_argument("--shape", type=lengths, metavar="RxC", help="of the tensor (default 4096x4096)")
    add_tensor_option(parser)
    parser.add_argument(
        "--sort", type=hyphenated(_SORTS), default="bits", metavar="KEY", help=f"{', '.join(_SORTS)}"
    )
    parser.add_argument("--details", action="store_true", help="a table for every tensor of a file")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", dest="form", action="store_const", const="json", help="everything, as JSON")
    form.add_argument("--csv", dest="form", action="store_const", const="csv", help="one line a prediction")
    add_force(parser)


def run(args: argparse.Namespace) -> int:
    """Fit, predict, print."""
    target = check_target(args.output, args.force)
    formats = _formats(args.format)
    _check_options(args)
    with progress_bars() as bars:
        cases = _file_cases(args, bars.bar(f"fit {args.file}")) if args.file else _law_cases(args)
        rows = list(_rows(cases, formats, bars.bar("predict")))
    if args.form == "json":
        emit(json_text({"predictions": [_record(row) for row in rows]}), target)
    elif args.form == "csv":
        emit(csv_text(({name: _record(row)[name] for name in _COLUMNS} for row in rows), _COLUMNS), target)
    else:
        show(_blocks(args, cases, rows), target)
    return 0


def _formats(texts: Sequence[str]) -> dict[str, Format]:
    """Formats by the text that asked for them."""
    wanted = [name for text in texts or _USUAL for name in (FORMAT_NAMES if text == "all" else (text,))]
    return {text: parse_format(text) for text in dict.fromkeys(wanted)}


def _check_options(args: argparse.Namespace) -> None:
    if args.file and (args.std is not None or args.shape is not None):
        raise UsageError("--std and --shape go with --source; tensors have their own")
    if args.tensor and not args.file:
        raise UsageError("--tensor goes with --file")


def _law_cases(args: argparse.Namespace) -> list[_Case]:
    std = 1.0 if args.std is None else args.std
    names = dict.fromkeys(args.source or ["normal"])
    return [_Case("", parse_source(name, std), args.shape or (4096, 4096)) for name in names]


def _file_cases(args: argparse.Namespace, bar: Bar) -> list[_Case]:
    infos = chosen_tensors(args.file, args.tensor)
    cases = []
    for done, (info, array) in enumerate(read_tensors(args.file, infos), 1):
        try:
            law = fitted_law(array)
        except ValueError as error:
            raise UsageError(f"{args.file}: tensor {info.name!r}: no law fits: {error}") from error
        cases.append(_Case(info.name, law, info.shape))
        bar(done, len(infos))
    return cases


def _rows(cases: Sequence[_Case], formats: dict[str, Format], bar: Bar) -> Iterator[_Row]:
    total = len(cases) * len(formats)
    for place, case in enumerate(cases):
        for done, (name, format) in enumerate(formats.items(), 1):
            found = predict(format, case.law, shape=case.shape)
            yield _Row(case, name, found, found.gap_bits, found.compressed_gap_bits)
            bar(place * len(formats) + done, total)


def _record(row: _Row) -> dict[str, Any]:
    record = row.found.to_dict() | {
        "tensor": row.case.tensor,
        "name": row.name,
        "source": source_name(row.case.law),
        "std": row.case.law.std,
        "gap_bits": row.gap,
        "compressed_gap_bits": row.compressed_gap,
    }
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in record.items()
    }


def _blocks(args: argparse.Namespace, cases: Sequence[_Case], rows: Sequence[_Row]) -> list[Block]:
    blocks: list[Block] = []
    if args.details or not args.file or len(cases) <= _FEW:
        blocks += [_table(case.title, [row for row in rows if row.case is case], args.sort) for case in cases]
    if args.file and len(cases) > 1:
        blocks.append(_summary(rows, len(cases), args.sort))
    notes = dict.fromkeys(text for row in rows for text in row.found.approximations)
    return [*blocks, "\n".join(f"taken as given: {text}" for text in notes)] if notes else blocks


def _table(title: str, rows: Sequence[_Row], sort: str) -> Table:
    columns = ("bits", "compressed", "R", "entropy", "gap (bit)", "coded gap", "method")
    found = [(row.name, *_numbers(row), _method(row.found)) for row in rows]
    return Table(("format", *columns), _grouped(found, sort), left=("format", "method"), title=title)


def _summary(rows: Sequence[_Row], tensors: int, sort: str) -> Table:
    """All tensors together: bits by elements, R^2 by elements."""
    columns = ("format", "bits", "compressed", "R", "entropy", "gap (bit)", "coded gap")
    found = []
    for name in dict.fromkeys(row.name for row in rows):
        mine = [row for row in rows if row.name == name]
        sizes = [math.prod(row.case.shape) for row in mine]
        numbers = np.array([_numbers(row) for row in mine])
        numbers[:, 2] **= 2
        bits, compressed, square, *others = np.average(numbers, axis=0, weights=sizes).tolist()
        found.append((name, bits, compressed, math.sqrt(square), *others))
    return Table(columns, _grouped(found, sort), left=("format",), title=f"all {tensors} tensors together")


def _grouped(found: Sequence[tuple[Any, ...]], sort: str) -> list[tuple[str, ...]]:
    """Rows of text in order; groups of about equal bits have an empty row between."""
    keys = {
        "bits": lambda row: (_about(row[1]), row[3]),
        "r": lambda row: (row[3],),
        "gap": lambda row: (row[5],),
        "name": lambda row: (row[0],),
    }
    rows: list[tuple[str, ...]] = []
    group = None
    for row in sorted(found, key=keys[sort]):
        if sort == "bits" and group not in (None, _about(row[1])):
            rows.append(("",) * len(row))
        group = _about(row[1])
        bits = (f"{row[1]:.4f}", f"{row[2]:.4f}", f"{row[3]:.6f}", f"{row[4]:.4f}", f"{row[5]:.4f}")
        rows.append((row[0], *bits, f"{row[6]:.4f}", *row[7:]))
    return rows


def _numbers(row: _Row) -> tuple[float, ...]:
    found = row.found
    return (found.bits, found.compressed_bits, found.R, found.entropy, row.gap, row.compressed_gap)


def _about(bits: float) -> int:
    """Whole bits of a row's group: scales take up to half a bit."""
    return math.floor(bits + 0.39)


def _method(found: Prediction) -> str:
    return found.method if found.method == "exact" else f"drawn, R ± {found.standard_error:.1g}"


def _law(law: Source) -> str:
    name, colon, shape = source_name(law).partition(":")
    return f"{name}{colon}{number(float(shape), 4)}" if colon else name
