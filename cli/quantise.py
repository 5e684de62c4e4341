"""`bitlaw quantise`: the tensors of a file as a format restores them, or what it stores of them."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bitlaw.theory.fitting import TensorInfo, iterate_tensors, list_tensors
from bitlaw.theory.fitting.tensor_writing import copy_tensors, other_tensors, write_tensors
from bitlaw.theory.formats import Encoded, Format, decode, encode, parse_format, predict, relative_error

from .arguments import subparser
from .errors import UsageError
from .files import check_target, part_of
from .output import Block, Table, json_text, note, number, show
from .progress import Bar, progress_bars
from .tensors import add_tensor_option, check_values, chosen_tensors, law_or_none

__all__ = ["add_parser", "run"]

EXAMPLES = """\
  bitlaw quantise model.safetensors --format nf4 --output nf4.safetensors
      matrices as NF4 restores them, everything else as it is
  bitlaw quantise model.safetensors --format int4_g64 --tensor 'layer*' --output layers.safetensors --json
      some tensors only; measured and predicted numbers as JSON
  bitlaw quantise weights.npz --format mxfp4 --codes --output codes.safetensors
      codes, scales and a header: NAME.codes, NAME.scales, NAME.header, ..."""

_DESCRIPTION = """\
Quantise the tensors of a .npy, .npz or .safetensors file. The values that the format restores are written to
a file of the same kind, in the type of each tensor (bfloat16 too); or, with --codes, what it stores: codes,
scales, outliers and a header, which bitlaw.theory.formats.Encoded.from_arrays reads back.

Tensors of one dimension (unless the file has no others, or --vectors is given), of other types than floating
point, and those that no pattern names, are copied as they are. The measured R = rms error / rms value and the
exact bits stand beside what is predicted for independent values of the law that fits the tensor best."""


@dataclass(frozen=True)
class _Result:
    """What was measured of a tensor, and what its law predicts (None where no law fits)."""

    tensor: str
    shape: tuple[int, ...]
    dtype: str
    elements: int
    bits: float
    R: float
    entropy: float
    predicted_bits: float | None
    predicted_R: float | None


def add_parser(commands: Any) -> None:
    """Add the sub-command to the program's parser."""
    summary = "restored values or codes of tensors, with R measured and predicted"
    parser = subparser(commands, "quantise", summary, _DESCRIPTION, EXAMPLES)
    parser.set_defaults(run=run)
    parser.add_argument("file", metavar="FILE", help=".npy, .npz or .safetensors")
    parser.add_argument("--format", required=True, metavar="FORMAT", help="a name or a specification")
    parser.add_argument("--output", required=True, metavar="FILE", help="where the result goes")
    parser.add_argument("--force", action="store_true", help="replace it where it exists")
    parser.add_argument("--codes", action="store_true", help="write codes and scales (.safetensors or .npz)")
    add_tensor_option(parser)
    parser.add_argument("--vectors", action="store_true", help="also tensors of one dimension")
    parser.add_argument("--no-predict", action="store_true", help="only measure: no law is fitted")
    parser.add_argument("--json", action="store_true", help="the table as JSON")


def run(args: argparse.Namespace) -> int:
    """Quantise tensor by tensor, write, print."""
    target = _target(args)
    format = parse_format(args.format)
    infos = chosen_tensors(args.file, args.tensor, vectors=args.vectors)
    work = _Work(args, format, infos)
    with progress_bars() as bars, part_of(target) as part:
        work.write(part, target.suffix, bars.bar(f"quantise {args.file}"))
    note(f"wrote {target}")
    if args.json:
        record = {"file": args.file, "format": str(format), "tensors": [asdict(one) for one in work.results]}
        show([json_text(record).rstrip("\n")])
    else:
        show(_blocks(work.results, format, len(list_tensors(args.file)) - len(infos)))
    return 0


class _Work:
    """Quantises chosen tensors, and keeps what was measured."""

    def __init__(self, args: argparse.Namespace, format: Format, infos: Sequence[TensorInfo]) -> None:
        self.path = args.file
        self.codes = args.codes
        self.predicts = not args.no_predict
        self.format = format
        self.infos = {info.name: info for info in infos}
        self.results: list[_Result] = []

    def write(self, part: Path, kind: str, bar: Bar) -> None:
        """Write the file of restored values or of codes."""

        def changed(name: str, array: Any) -> Any:
            restored = self.measure(name, array)[1]
            bar(len(self.results), len(self.infos))
            return restored

        if self.codes:
            write_tensors(part, dict(self._stored(bar)), kind)
        else:
            copy_tensors(Path(self.path), part, self.infos, changed)

    def measure(self, name: str, array: Any) -> tuple[Encoded, Any]:
        """Encode and decode one tensor; what it costs is kept in `results`."""
        check_values(self.path, name, array)
        encoded = encode(self.format, array)
        restored = decode(encoded)
        error = relative_error(array, restored)
        law = law_or_none(array) if self.predicts else None
        told = None if law is None else predict(self.format, law, shape=array.shape)
        self.results.append(
            _Result(
                name,
                tuple(array.shape),
                self.infos[name].dtype,
                array.size,
                encoded.bits_per_element,
                error,
                encoded.entropy(),
                None if told is None else told.bits,
                None if told is None else told.R,
            )
        )
        return encoded, restored

    def _stored(self, bar: Bar) -> Iterator[tuple[str, Any]]:
        """Arrays of the file of codes; tensors that are not quantised keep their names."""
        for name, array in iterate_tensors(self.path):
            if name not in self.infos:
                yield name, array
                continue
            encoded = self.measure(name, array)[0]
            bar(len(self.results), len(self.infos))
            for key, values in encoded.to_arrays().items():
                yield f"{name}.{key}", values
        yield from other_tensors(Path(self.path)).items()


def _target(args: argparse.Namespace) -> Path:
    """Output file, whose kind goes with what is written."""
    if args.output == "-":
        raise UsageError("--output must be a file")
    target = check_target(args.output, args.force)
    assert target is not None  # only "-" and a missing option have none
    source = Path(args.file)
    if source.is_dir():
        raise UsageError(f"{args.file}: is a folder; quantise its files one by one")
    kinds = (".safetensors", ".npz") if args.codes else (source.suffix,)
    if target.suffix not in kinds:
        what = "codes are written" if args.codes else f"values of {source.name} are written"
        raise UsageError(f"--output {args.output}: {what} to a file of kind {' or '.join(kinds)}")
    return target


def _blocks(results: Sequence[_Result], format: Format, copied: int) -> list[Block]:
    columns = ("tensor", "shape", "type", "bits", "predicted", "R", "predicted", "difference", "entropy")
    rows = [
        (
            one.tensor,
            "x".join(map(str, one.shape)) or "scalar",
            one.dtype,
            f"{one.bits:.4f}",
            "-" if one.predicted_bits is None else f"{one.predicted_bits:.4f}",
            number(one.R),
            number(one.predicted_R),
            "-" if not one.predicted_R else f"{100 * (one.R / one.predicted_R - 1):+.2f}%",
            f"{one.entropy:.4f}",
        )
        for one in results
    ]
    blocks: list[Block] = [Table(columns, rows, left=columns[:3], title=str(format))]
    total = sum(one.elements for one in results)
    bits = sum(one.bits * one.elements for one in results) / total
    error = math.sqrt(sum(one.R**2 * one.elements for one in results) / total)
    rest = f"; {copied} copied as they are" if copied else ""
    blocks.append(f"{len(results)} quantised: {total:,} elements at {bits:.4f} bits, R {number(error)}{rest}")
    return blocks
