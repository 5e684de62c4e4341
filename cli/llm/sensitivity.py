"""`bitlaw llm sensitivity`: noise on one tensor after the other, and what it costs beside what was predicted."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from ..arguments import subparser
from ..errors import UsageError
from ..output import Block, Table, json_text, number, show
from .headers import read_model_plan
from .options import add_fisher_options, add_model_options, needs_llm, steps, workload_of
from .plan import Work, dry_run
from .sensitivity_file import SweepFile, sweep_target, write_sweep
from .tensor_names import add_tensor_option, matching_names

if TYPE_CHECKING:
    from bitlaw.llm.fisher import Fisher
    from bitlaw.llm.sensitivity import Sensitivity
    from bitlaw.llm.workload import Opened

__all__ = ["add_parser", "run"]

EXAMPLES = """\
  bitlaw llm sensitivity --sequences 8
      every matrix of the embedded model, noise of 5%
  bitlaw llm sensitivity --tensors '*down_proj*' '*o_proj*' --noise 0.02 0.1
      some matrices, two strengths
  bitlaw llm sensitivity --model ./llama --output noise.csv
      a long sweep: started again after an interruption, it goes on from noise.csv.part"""

_DESCRIPTION = """\
Add Gaussian noise to one tensor at a time and measure the KL divergence that it causes, beside half the sum of Fisher
information times the squared noise. The ratio of both tells how far a prediction from Fisher information may
be trusted, tensor by tensor. Intervals (95%) come from the spread between sequences; that noise is drawn once and
that Fisher information has an error of its own is not in them."""

Row = dict[str, Any]


def add_parser(tasks: Any) -> None:
    """Add the task to the parser of `bitlaw llm`."""
    parser = subparser(tasks, "sensitivity", "noise on one tensor at a time", _DESCRIPTION, EXAMPLES)
    parser.set_defaults(run=run)
    add_model_options(parser)
    parser.add_argument(
        "--noise",
        nargs="+",
        type=_strength,
        default=[0.05],
        metavar="X",
        help="root mean square of the noise over that of the weights (default 0.05)",
    )
    add_tensor_option(parser, "only tensors whose names fit, as in a shell (default: all)")
    parser.add_argument(
        "--fisher", metavar="FILE", help="as `bitlaw llm fisher` wrote it, or none (default: computed first)"
    )
    add_fisher_options(parser)
    parser.add_argument("--output", metavar="FILE", help="write all numbers there, .csv or .json")
    parser.add_argument("--force", action="store_true", help="replace FILE where it exists")


def _strength(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"noise must be positive and finite, got {text!r}")
    return value


def run(args: argparse.Namespace) -> int:
    """Measure tensor by tensor, write, print."""
    target = sweep_target(args.output, args.force)
    args.noise = list(dict.fromkeys(args.noise))
    if args.fisher not in (None, "none") and not Path(args.fisher).is_file():
        raise UsageError(f"--fisher {args.fisher}: there is no such file")
    if args.dry_run:
        return dry_run(args, _work(args))
    needs_llm(args)
    record = _swept(args, target)
    show([json_text(record).rstrip("\n")] if args.json else _blocks(record))
    return 0


def _work(args: argparse.Namespace) -> Work:
    """One pass for the reference, and one for each measurement."""
    weights = read_model_plan(args.model, args.dtype).weights
    names = matching_names(args.tensors, weights)
    passes = 1 + len(names) * len(args.noise)
    parts = tuple(dict.fromkeys(weights[name][0] for name in names))
    made = args.fisher is None
    return Work(args.sequences, args.length, args.batch, passes, made, parts, by_rows=args.rows)


def _swept(args: argparse.Namespace, target: Path | None) -> dict[str, Any]:
    """All measurements, those of an interrupted sweep included, as plain values."""
    from bitlaw.llm.models import weight_tensors
    from bitlaw.llm.workload import open_workload

    with steps() as step:
        opened = open_workload(args.model, workload_of(args))
        parts = {w.name: w.part for w in weight_tensors(opened.language_model.model)}
        names = matching_names(args.tensors, parts)
        kept = SweepFile(target, opened.digests | {"fisher": args.fisher or "computed"})
        wanted = [(name, noise) for name in names for noise in args.noise]
        left = [one for one in wanted if one not in kept.rows]
        sums = None if target is None else target.with_name(f"{target.name}.fisher.part")
        if left:
            measure = _measurement(args, opened, sums, names, step)
            for index, (name, noise) in enumerate(left):
                kept.add(_row(measure(name, noise), parts[name]))
                step("tensors", index + 1, len(left))
    rows = [kept.rows[one] for one in wanted]
    record = {
        "model": args.model,
        "text": args.text,
        "sequences": len(opened.sequences),
        "length": opened.sequences.length,
        "tensors": rows,
        "summary": [_summary(noise, [row for row in rows if row["noise"] == noise]) for noise in args.noise],
    }
    if target is not None and sums is not None:
        write_sweep(target, record)
        kept.remove()
        sums.unlink(missing_ok=True)
    return record


def _measurement(
    args: argparse.Namespace,
    opened: Opened,
    sums: Path | None,
    names: Sequence[str],
    step: Callable[[str, int, int], None],
) -> Callable[[str, float], Sensitivity]:
    """What disturbs one tensor, with the reference and the Fisher information it needs."""
    from bitlaw.llm.reference import build_reference
    from bitlaw.llm.sensitivity import noise_sensitivity

    model = opened.language_model
    fisher = _fisher(args, opened, sums, step)
    unknown = [name for name in names if fisher is not None and name not in fisher.names]
    if unknown:
        raise UsageError(f"--fisher {args.fisher}: holds no tensor {unknown[0]}")
    reference = build_reference(
        model, opened.sequences, batch=args.batch, progress=partial(step, "reference")
    )

    def measure(name: str, noise: float) -> Sensitivity:
        (found,) = noise_sensitivity(
            model, reference, noise=noise, fisher=fisher, names=[name], seed=args.seed
        )
        return found

    return measure


def _fisher(
    args: argparse.Namespace, opened: Opened, sums: Path | None, step: Callable[[str, int, int], None]
) -> Fisher | None:
    from bitlaw.llm.fisher import Fisher, fisher_information

    if args.fisher is not None:
        return None if args.fisher == "none" else Fisher.load(args.fisher)
    return fisher_information(
        opened.language_model,
        opened.sequences,
        targets=args.targets,
        unit=args.unit,
        batch=args.batch,
        seed=args.seed,
        keep="rows" if args.rows else "diagonal",
        checkpointing=args.checkpointing,
        resume=sums,
        progress=partial(step, "Fisher information"),
    )


def _row(found: Sensitivity, part: str) -> Row:
    kl, known = found.kl, math.isfinite(found.predicted)
    alone = kl.sequences == 1
    return {
        "tensor": found.name,
        "part": part,
        "noise": found.noise,
        "kl": kl.value,
        "kl_lower": None if alone else kl.lower,
        "kl_upper": None if alone else kl.upper,
        "predicted_kl": found.predicted if known else None,
        "ratio": found.ratio if known and found.predicted > 0 else None,
        "outside": None if alone or not known else found.is_outside,
    }


def _summary(noise: float, rows: Sequence[Row]) -> Row:
    ratios = [row["ratio"] for row in rows if row["ratio"] is not None]
    told = [row["outside"] for row in rows if row["outside"] is not None]
    return {
        "noise": noise,
        "tensors": len(rows),
        "median_ratio": median(ratios) if ratios else None,
        "least_ratio": min(ratios, default=None),
        "largest_ratio": max(ratios, default=None),
        "outside": sum(told) if told else None,
        "most_sensitive": max(rows, key=lambda row: row["kl"])["tensor"],
    }


def _blocks(record: dict[str, Any]) -> list[Block]:
    lines = [
        (
            row["tensor"],
            number(row["noise"], 4),
            number(row["predicted_kl"], 4),
            number(row["kl"], 4),
            "-" if row["kl_lower"] is None else f"{row['kl_lower']:.3g} to {row['kl_upper']:.3g}",
            number(row["ratio"], 4),
            "outside" if row["outside"] else "",
        )
        for row in record["tensors"]
    ]
    titles = ("tensor", "noise", "KL predicted", "KL", "95% interval", "KL / predicted", "prediction")
    table = Table(titles, lines, left=("tensor", "prediction"), title="divergence by noise (nats per token)")
    columns = ("noise", "tensors", "median KL / predicted", "least", "largest", "outside", "most sensitive")
    summary = [
        (
            number(one["noise"], 4),
            str(one["tensors"]),
            *(number(one[key], 4) for key in ("median_ratio", "least_ratio", "largest_ratio")),
            "-" if one["outside"] is None else str(one["outside"]),
            one["most_sensitive"],
        )
        for one in record["summary"]
    ]
    about = (
        f"{record['model']}: {record['sequences']} sequences of {record['length']} tokens of {record['text']}"
    )
    return [about, table, Table(columns, summary, left=("most sensitive",))]
