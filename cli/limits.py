"""`bitlaw limits`: what no format can beat on a law, and what each method reaches."""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict
from typing import Any

from bitlaw.theory import rate_distortion
from bitlaw.theory.quantisers.comparison import Comparison, compare

from .arguments import add_force, subparser, whole
from .errors import UsageError
from .files import check_target
from .output import Block, Table, csv_text, emit, json_text, number, show
from .sources import Origin, add_source_options, resolve_source

__all__ = ["add_parser", "run"]

EXAMPLES = """\
  bitlaw limits --source normal --rate 2
      the bound at 2 bits (distortion 0.0625), and how far above it each method is
  bitlaw limits --source student-t:5 --distortion 0.05 --json
      the rate that a distortion needs, and what methods reach at it, every digit as JSON
  bitlaw limits --source normal --rate 2 --vector --csv
      also lattices and trellises, measured on draws"""

_DESCRIPTION = """\
State the rate-distortion function of a law, in its proved bracket, and what each method reaches at that rate.

Methods of fixed length have the number of levels whose logarithm is nearest to the rate; the column "rate"
says what each spends, and "gap" counts its bits above the rate-distortion function at its own distortion.
Formulas of many levels (kind "asymptote") are no bounds, and may promise less or more than can be reached."""

_COLUMNS = ("method", "kind", "rate", "distortion", "snr_db", "gap_bits", "distortion_error", "gap_error")


def add_parser(commands: Any) -> None:
    """Add the sub-command to the program's parser."""
    summary = "what no format can beat, and what methods reach"
    parser = subparser(commands, "limits", summary, _DESCRIPTION, EXAMPLES)
    parser.set_defaults(run=run)
    add_source_options(parser, required=True)
    amount = parser.add_mutually_exclusive_group(required=True)
    amount.add_argument("--rate", type=float, metavar="R", help="bits per element, 0 to 24")
    amount.add_argument(
        "--distortion", type=float, metavar="D", help="mean squared error, in the units of the data squared"
    )
    parser.add_argument(
        "--vector",
        action="store_true",
        help="also design and measure lattice and trellis quantisers (takes half a minute)",
    )
    parser.add_argument(
        "--seed", type=whole("seed", 0), metavar="N", help="of the draws of --vector (default 0)"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", dest="form", action="store_const", const="json", help="everything, as JSON")
    form.add_argument("--csv", dest="form", action="store_const", const="csv", help="one line per method")
    add_force(parser)


def run(args: argparse.Namespace) -> int:
    """Bound, compare, print."""
    if args.seed is not None and not args.vector:
        raise UsageError("--seed goes with --vector; everything else is integrated")
    target = check_target(args.output, args.force)
    origin = resolve_source(args)
    if args.vector and origin.source.discrete:
        raise UsageError(
            "--vector needs a law with a density; 'bitlaw fit FILE' names the one that fits best"
        )
    rate = args.rate if args.rate is not None else _needed(origin, args.distortion)
    found = compare(origin.source, rate, vector=args.vector, seed=args.seed or 0)
    if args.form == "csv":
        emit(csv_text(_rows(found), _COLUMNS), target)
    elif args.form == "json":
        emit(json_text(_record(args, origin, found)), target)
    else:
        show(_blocks(args, origin, found), target)
    return 0


def _needed(origin: Origin, distortion: float) -> float:
    return rate_distortion(origin.source, distortion).rate


def _rows(found: Comparison) -> list[dict[str, Any]]:
    """One dictionary for each method; None where the signal-to-noise ratio is infinite."""
    return [
        {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(performance).items()
        }
        for performance in found.reached
    ]


def _record(args: argparse.Namespace, origin: Origin, found: Comparison) -> dict[str, Any]:
    bound = found.bound
    record = {
        "source": origin.record,
        "bound": {
            "rate": bound.rate,
            "distortion": bound.distortion,
            "lower": bound.lower,
            "upper": bound.upper,
            "bracket_bits": bound.bracket_bits,
            "slope": bound.slope,
            "method": bound.method,
            "shannon_lower_bound": found.shannon_lower_bound,
        },
        "methods": _rows(found),
        "left_out": [{"method": method, "reason": reason} for method, reason in found.left_out],
    }
    if args.distortion is not None:
        needed = rate_distortion(origin.source, args.distortion)
        record["needed"] = {
            "distortion": needed.distortion,
            "rate": needed.rate,
            "lower": needed.lower,
            "upper": needed.upper,
        }
    return record


def _blocks(args: argparse.Namespace, origin: Origin, found: Comparison) -> list[Block]:
    blocks: list[Block] = [_bound(args, origin, found), _methods(found)]
    if found.left_out:
        blocks.append("\n".join(f"left out: {method} ({reason})" for method, reason in found.left_out))
    return blocks


def _bound(args: argparse.Namespace, origin: Origin, found: Comparison) -> Table:
    bound = found.bound
    facts = []
    if args.distortion is not None:
        needed = rate_distortion(origin.source, args.distortion)
        bracket = f"proved between {number(needed.lower, 9)} and {number(needed.upper, 9)}"
        facts = [("distortion asked for", number(args.distortion, 12)), ("least rate", f"{bracket} bit")]
    variance = origin.source.std**2
    ratio = 10 * math.log10(variance / bound.distortion) if bound.distortion > 0 else math.inf
    facts += [
        ("rate", f"{number(bound.rate, 9)} bit"),
        ("least distortion", number(bound.distortion, 12)),
        ("proved between", f"{number(bound.lower, 12)} and {number(bound.upper, 12)}"),
        ("found by", bound.method),
        ("Shannon's lower bound", number(found.shannon_lower_bound, 12)),
        ("signal to noise", f"{number(ratio)} dB"),
    ]
    title = f"limits of {origin.name}, std {number(origin.source.std)}"
    return Table(("", " "), facts, left=("", " "), title=title)


def _methods(found: Comparison) -> Table:
    sampled = any(performance.kind == "measured" for performance in found.reached)
    rows = []
    for one in found.reached:
        row = [one.method, one.kind, number(one.rate), number(one.distortion, 9), f"{one.snr_db:.3f}"]
        row.append(f"{one.gap_bits:.4f}")
        if sampled:
            row.append(f"{one.gap_error:.4f}" if one.kind == "measured" else "-")
        rows.append(row)
    columns = ["method", "kind", "rate", "distortion", "SNR (dB)", "gap (bit)", "+-"]
    return Table(
        columns if sampled else columns[:-1], rows, left=("method", "kind"), title="what methods reach"
    )
