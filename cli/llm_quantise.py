"""`bitlaw llm quantise`: a model folder whose weights are what a format restores."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitlaw.theory.formats import parse_format

from .arguments import subparser
from .errors import UsageError
from .llm_options import add_model_options, add_part_options, ends_of, needs_llm, parts_of, steps, with_ends
from .llm_plan import Work, dry_run
from .output import Block, Table, json_text, note, number, show

if TYPE_CHECKING:
    from bitlaw.llm.models import LanguageModel
    from bitlaw.llm.quantise import Assignment, TensorRecord

__all__ = ["add_parser", "run"]

EXAMPLES = """\
  bitlaw llm quantise --format nf4 --output nf4-model
      the embedded model
  bitlaw llm quantise --model ./llama --format int4_g64 --parts all --ends q8_0 --output small --dry-run
      what it would take, and which tensors do not divide"""

_DESCRIPTION = """\
Write a model folder whose weights are what the format restores, in the type of the model, so that any program
that runs the model runs it as quantised. The exact bits that storing codes and scales takes, and the error R of
every tensor, stand in its bitlaw.json. The folder is complete or not there."""


def add_parser(tasks: Any) -> None:
    """Add the task to the parser of `bitlaw llm`."""
    parser = subparser(tasks, "quantise", "write a quantised model folder", _DESCRIPTION, EXAMPLES)
    parser.set_defaults(run=run)
    add_model_options(parser, text=False)
    parser.add_argument("--format", required=True, metavar="FORMAT", help="a name or a specification")
    add_part_options(parser)
    parser.add_argument("--output", required=True, metavar="DIR", help="the new folder")


def run(args: argparse.Namespace) -> int:
    """Quantise, write, print."""
    format, parts, ends = parse_format(args.format), parts_of(args.parts), ends_of(args)
    target = _target(args.output)
    if args.dry_run:
        formats = with_ends({args.format: format}, args)
        return dry_run(args, Work(copies=parts, writes="weights"), formats, parts)
    needs_llm(args)
    from bitlaw.llm.models import load_model
    from bitlaw.llm.quantise import assign, model_bits

    language_model = load_model(args.model, device=args.device, dtype=args.dtype)
    records = _write(language_model, assign(language_model.model, format, parts=parts, ends=ends), target)
    bits = model_bits(language_model.model, records)
    note(f"wrote {target}")
    record = {
        "model": args.model,
        "format": str(format),
        "bits": bits.per_parameter,
        "decoder_bits": bits.per_decoder_parameter,
        "tensors": [asdict(one) | {"bits_per_element": one.bits_per_element} for one in records],
    }
    show([json_text(record).rstrip("\n")] if args.json else _blocks(record))
    return 0


def _target(path: str) -> Path:
    target = Path(path)
    if target.exists():
        raise UsageError(f"--output {path}: is there already; a new folder is needed")
    if not target.parent.is_dir():
        raise UsageError(f"--output {path}: the folder {target.parent} does not exist")
    return target


def _write(language_model: LanguageModel, assignment: Assignment, target: Path) -> list[TensorRecord]:
    """Quantise and save beside the target, then rename."""
    from bitlaw.llm.quantise import quantised

    unfinished = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        with steps() as step:
            done = 0

            def progress(_: object) -> None:
                nonlocal done
                done += 1
                step("quantise", done, len(assignment))

            with quantised(language_model, assignment, progress=progress) as records:
                language_model.model.save_pretrained(unfinished)
                language_model.tokenizer.save_pretrained(unfinished)
        told = json_text([asdict(record) for record in records])
        (unfinished / "bitlaw.json").write_text(told, encoding="utf-8")
        unfinished.chmod(0o755)
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return records


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
