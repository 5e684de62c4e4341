"""`bitlaw llm quantise`: a model folder whose weights are what a format restores."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..arguments import subparser
from ..errors import UsageError
from ..output import Block, Table, json_text, note, number, show
from .allocation_file import check_allocation, plan_allocation, read_allocation
from .headers import PARTS
from .options import add_model_options, add_part_options, ends_of, format_of, needs_llm, parts_of, steps
from .plan import Work, dry_run

if TYPE_CHECKING:
    from bitlaw.llm.models import Part
    from bitlaw.llm.quantise import Assignment, ModelBits, TensorRecord
    from bitlaw.theory.formats import Format

    # Writes the files of a model into a folder, and tells of each tensor.
    Fill = Callable[[Path, Callable[[object], None]], tuple[list[TensorRecord], ModelBits]]

__all__ = ["add_parser", "run"]

EXAMPLES = """\
  bitlaw llm quantise --format nf4 --output nf4-model
      the embedded model
  bitlaw llm quantise --model ./llama --format int4_g64 --parts all --ends q8_0 --output small --dry-run
      what it would take, and which tensors do not divide
  bitlaw llm quantise --model ./large --format mxfp4 --stream --output large-mxfp4
      a model that fits in no memory: its files are copied with other values
  bitlaw llm quantise --allocation chosen.json --output mixed
      each tensor in the format that `bitlaw llm allocate --bits 3.5 --output chosen.json` chose for it"""

_DESCRIPTION = """\
Write a model folder whose weights are what the format restores, in the type of the model, so that any program
that runs the model runs it as quantised. The exact bits that storing codes and scales takes, and the error R of
every tensor, stand in its bitlaw.json. The folder is complete or not there."""


def add_parser(tasks: Any) -> None:
    """Add the task to the parser of `bitlaw llm`."""
    parser = subparser(tasks, "quantise", "write a quantised model folder", _DESCRIPTION, EXAMPLES)
    parser.set_defaults(run=run)
    add_model_options(parser, text=False)
    either = parser.add_mutually_exclusive_group(required=True)
    either.add_argument("--format", metavar="FORMAT", help="a name or a specification")
    either.add_argument(
        "--allocation", metavar="FILE", help="a format for each tensor, as `bitlaw llm allocate` writes it"
    )
    add_part_options(parser)
    parser.add_argument(
        "--stream",
        action="store_true",
        help="file by file, one tensor in memory, in the type of the files; the model is not built",
    )
    parser.add_argument("--output", required=True, metavar="DIR", help="the new folder")


def run(args: argparse.Namespace) -> int:
    """Quantise, write, print."""
    allocation, target, parts = _allocation(args), _target(args.output), parts_of(args.parts)
    formats = {} if args.format is None else {args.format: format_of("--format", args.format)}
    ends_of(args)  # a format that is unknown is told before anything is loaded
    if args.stream and args.dtype != "auto":
        raise UsageError("--stream keeps the type that the files have; --dtype does not go with it")
    if args.stream and args.device_map is not None:
        raise UsageError("--stream builds no model; --device-map does not go with it")
    if args.dry_run:
        changed = parts if allocation is None else PARTS
        work = Work(overwrites=changed, writes="weights", streams=args.stream)
        return (
            dry_run(args, work, formats, parts)
            if allocation is None
            else plan_allocation(args, allocation, work)
        )
    needs_llm(args)
    assignment, fill = (_from_files if args.stream else _from_model)(args, allocation)
    records, bits = _write(target, len(assignment), fill)
    note(f"wrote {target}")
    record = {
        "model": args.model,
        "format": None if args.format is None else str(formats[args.format]),
        "allocation": args.allocation,
        "bits": bits.per_parameter,
        "decoder_bits": bits.per_decoder_parameter,
        "tensors": [asdict(one) | {"bits_per_element": one.bits_per_element} for one in records],
    }
    show([json_text(record).rstrip("\n")] if args.json else _blocks(record))
    return 0


def _allocation(args: argparse.Namespace) -> dict[str, Format] | None:
    """Formats by tensor where a file says them."""
    if args.allocation is None:
        return None
    if args.ends is not None or args.parts != "decoder":
        raise UsageError(
            "--parts and --ends go with --format; an allocation says itself what gets which format"
        )
    return read_allocation(args.allocation)


def _target(path: str) -> Path:
    target = Path(path)
    if target.exists():
        raise UsageError(f"--output {path}: is there already; a new folder is needed")
    if not target.parent.is_dir():
        raise UsageError(f"--output {path}: the folder {target.parent} does not exist")
    return target


def _assigned(
    args: argparse.Namespace, allocation: dict[str, Format] | None, parts: Mapping[str, Part]
) -> Assignment:
    """Formats of a model's tensors, by their parts or as a file says."""
    from bitlaw.llm.quantise import assign_tensors

    if allocation is None:
        format, wanted = format_of("--format", args.format), parts_of(args.parts)
        return assign_tensors(parts.items(), format, parts=wanted, ends=ends_of(args))
    check_allocation(allocation, parts, args.allocation)
    return allocation


def _from_model(args: argparse.Namespace, allocation: dict[str, Format] | None) -> tuple[Assignment, Fill]:
    """Load the model, and overwrite its weights while it is saved."""
    from bitlaw.llm.models import load_model, weight_tensors
    from bitlaw.llm.quantise import model_bits, quantised

    loaded = load_model(args.model, device=args.device, dtype=args.dtype, device_map=args.device_map)
    assignment = _assigned(args, allocation, {w.name: w.part for w in weight_tensors(loaded.model)})

    def fill(folder: Path, progress: Callable[[object], None]) -> tuple[list[TensorRecord], ModelBits]:
        with quantised(loaded, assignment, progress=progress) as records:
            loaded.model.save_pretrained(folder)
            loaded.tokenizer.save_pretrained(folder)
        return records, model_bits(loaded.model, records)

    return assignment, fill


def _from_files(args: argparse.Namespace, allocation: dict[str, Format] | None) -> tuple[Assignment, Fill]:
    """Copy the files of the model with other values."""
    from bitlaw.llm.loading import check_architecture, read_tokenizer
    from bitlaw.llm.models import locate_model
    from bitlaw.llm.quantised_files import quantise_files
    from bitlaw.llm.weight_files import fetch_weights
    from bitlaw.theory.fitting import list_weights

    source = fetch_weights(args.model)
    check_architecture(args.model, str(source))
    tokenizer = read_tokenizer(args.model, locate_model(args.model))
    weights = list_weights(source, compare_ties=True)
    assignment = _assigned(args, allocation, {weight.name: weight.part for weight in weights})

    def fill(folder: Path, progress: Callable[[object], None]) -> tuple[list[TensorRecord], ModelBits]:
        for name in ("config.json", "generation_config.json"):
            if (source / name).is_file():
                shutil.copyfile(source / name, folder / name)
        tokenizer.save_pretrained(folder)
        return quantise_files(source, folder, assignment, progress=progress)

    return assignment, fill


def _write(target: Path, count: int, fill: Fill) -> tuple[list[TensorRecord], ModelBits]:
    """Fill a folder beside the target, then rename it."""
    unfinished = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        with steps() as step:
            done = 0

            def progress(_: object) -> None:
                nonlocal done
                done += 1
                step("quantise", done, count)

            records, bits = fill(unfinished, progress)
        told = json_text([asdict(record) for record in records])
        (unfinished / "bitlaw.json").write_text(told, encoding="utf-8")
        unfinished.chmod(0o755)
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return records, bits


def _blocks(record: dict[str, Any]) -> list[Block]:
    lines = [
        (
            one["name"],
            one["part"],
            f"{one['elements']:,}",
            number(one["bits_per_element"], 4),
            number(one["error"], 4),
        )
        for one in record["tensors"]
    ]
    table = Table(("tensor", "part", "weights", "bits", "R"), lines, left=("tensor", "part"))
    return [
        table,
        f"{number(record['bits'], 5)} bits for each weight of the model, "
        f"{number(record['decoder_bits'], 5)} for each of the decoder",
    ]
