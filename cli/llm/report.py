"""`bitlaw llm report`: what theory predicts of each format, and what is measured, side by side."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..arguments import subparser
from ..errors import UsageError
from ..files import make_folder, write_file
from ..output import Block, Table, csv_text, json_text, number, show
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
from .page import FILES, check_folder, markdown, page
from .plan import Work, dry_run

if TYPE_CHECKING:
    from bitlaw.llm.workload import Parts
    from bitlaw.theory.formats import Format

__all__ = ["DEFAULT_FORMATS", "add_parser", "report_tables", "run"]

DEFAULT_FORMATS = ("q8_0", "nf4", "nvfp4", "mxfp4", "q4_0", "int4_g64", "nf3_g64", "int3_g64")

EXAMPLES = """\
  bitlaw llm report
      the embedded model in eight formats
  bitlaw llm report --model ./llama --formats nf4 mxfp4 --parts all --output nf4-report
      every matrix of a model; a page, Markdown, JSON and CSV in a folder
  bitlaw llm report --model ./llama --dry-run
      what that would take"""

_DESCRIPTION = """\
For each format: bits, relative error R and KL divergence, predicted from statistics of the weights and Fisher
information before anything is quantised, and measured afterwards with 95% intervals over sequences. Where the
two part, the report says why as far as the statistics show it."""


def add_parser(tasks: Any) -> None:
    """Add the task to the parser of `bitlaw llm`."""
    parser = subparser(tasks, "report", "predict, then audit, a list of formats", _DESCRIPTION, EXAMPLES)
    parser.set_defaults(run=run)
    add_model_options(parser)
    add_format_options(parser, DEFAULT_FORMATS)
    add_fisher_options(parser)
    parser.add_argument("--details", action="store_true", help="a table of all tensors for each format")
    parser.add_argument(
        "--output", metavar="DIR", help="also write index.html, report.md, report.json, tensors.csv"
    )


def run(args: argparse.Namespace) -> int:
    """Predict and audit format by format, print, write."""
    formats, parts = formats_of(args.formats), parts_of(args.parts)
    folder = None if args.output is None else check_folder(args.output, FILES)
    if args.dry_run:
        work = Work(args.sequences, args.length, args.batch, 1 + len(formats), True, parts, by_rows=args.rows)
        return dry_run(args, work, formats, parts)
    needs_llm(args)
    record = _audited(args, formats)
    if folder is not None:
        _write(make_folder(folder), record)
    show([json_text(record).rstrip("\n")] if args.json else report_tables(record, details=args.details))
    return 0


def _audited(args: argparse.Namespace, formats: Mapping[str, Format]) -> dict[str, Any]:
    """Everything that was predicted and measured, as plain values."""
    from bitlaw.llm.audit import audit
    from bitlaw.llm.audit_record import run_row, tensor_rows
    from bitlaw.llm.workload import prepare_parts

    with steps() as step:
        opened, assignments = open_assigned(args, formats, step)
        shared = prepare_parts(opened, progress=step)
        rows, tensors = [], []
        for k, (name, assignment) in enumerate(assignments.items()):
            step("formats", k, len(formats))
            found = audit(
                opened.language_model, assignment, shared.reference, shared.statistics, shared.fisher
            )
            rows.append({"format": name, "specification": str(formats[name])} | run_row(found))
            tensors += [{"asked": name} | row for row in tensor_rows(found)]
            step("formats", k + 1, len(formats))
    return _about(args, shared) | {"formats": rows, "tensors": tensors}


def _write(folder: Path, record: dict[str, Any]) -> None:
    """All files, the page last."""
    blocks = report_tables(record, details=True)
    write_file(folder / "report.json", json_text(record))
    write_file(folder / "tensors.csv", csv_text(record["tensors"], list(record["tensors"][0])))
    write_file(folder / "report.md", markdown(blocks))
    write_file(folder / "index.html", page(record, blocks))


def _about(args: argparse.Namespace, shared: Parts) -> dict[str, Any]:
    sequences = shared.reference.sequences
    return {
        "model": args.model,
        "parameters": sum(p.numel() for p in shared.language_model.model.parameters()),
        "text": args.text,
        "sequences": len(sequences),
        "length": sequences.length,
        "parts": list(parts_of(args.parts)),
        "ends": args.ends,
        "targets": args.targets,
        "device": str(shared.language_model.device),
    }


def report_tables(record: dict[str, Any], *, details: bool = False) -> list[Block]:
    """Everything that a report says, as text and tables."""
    rows = record["formats"]
    if not rows:
        raise UsageError("no format was given")
    blocks: list[Block] = [
        f"{record['model']}: {record['parameters']:,} weights; {' and '.join(record['parts'])} quantised; "
        f"{record['sequences']} sequences of {record['length']} tokens of {record['text']}; "
        f"reference perplexity {number(rows[0]['reference_perplexity'], 5)}",
        _errors(rows),
        _divergences(rows),
    ]
    warnings = [f"{row['format']}: {words}" for row in rows for words in row["warnings"]]
    if warnings:
        blocks.append(
            "\n".join(["where theory is outside its range, or off:", *(f"- {w}" for w in warnings)])
        )
    if details:
        blocks += [_tensors(row["format"], record["tensors"]) for row in rows]
    return blocks


def _errors(rows: Sequence[dict[str, Any]]) -> Table:
    columns = ("format", "bits predicted", "bits", "R predicted", "R", "R / predicted", "median tensor")
    lines = [
        (
            row["format"],
            number(row["predicted_bits"], 4),
            number(row["bits"], 4),
            number(row["predicted_r"], 4),
            number(row["r"], 4),
            _ratio(row["r"], row["predicted_r"]),
            number(row["median_r_ratio"], 4),
        )
        for row in rows
    ]
    return Table(columns, lines, left=("format",), title="error of the weights (R: relative to their rms)")


def _divergences(rows: Sequence[dict[str, Any]]) -> Table:
    """With a column for the noise floor where divergences are small enough to be looked at beside it."""
    columns = ["format", "KL predicted", "KL", "95% interval", "KL / predicted"]
    floors = any(row.get("noise_floor") is not None for row in rows)
    columns += ["noise floor"] if floors else []
    lines = [
        (
            row["format"],
            number(row["predicted_kl"], 3),
            number(row["kl"], 3),
            f"{number(row['kl_lower'], 3)} to {number(row['kl_upper'], 3)}",
            _ratio(row["kl"], row["predicted_kl"]),
            *([number(row["noise_floor"], 2)] if floors else []),
            number(row["kl_99"], 3),
            number(row["perplexity"], 5),
            f"{row['same_top']:.2%}",
        )
        for row in rows
    ]
    columns += ["99% of tokens", "perplexity", "same top"]
    return Table(columns, lines, left=("format",), title="divergence of the predictions (nats per token)")


def _tensors(name: str, tensors: Sequence[dict[str, Any]]) -> Table:
    columns = ("tensor", "bits", "R predicted", "R", "R / predicted", "KL predicted")
    lines = [
        (
            row["name"],
            number(row["bits"], 4),
            number(row["predicted_r"], 4),
            number(row["r"], 4),
            _ratio(row["r"], row["predicted_r"]),
            number(row["predicted_kl"], 3),
        )
        for row in tensors
        if row["asked"] == name
    ]
    return Table(columns, lines, left=("tensor",), title=name)


def _ratio(measured: float, predicted: float) -> str:
    return number(measured / predicted, 4) if predicted > 0 else "-"
