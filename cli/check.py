"""`bitlaw check`: how good someone's codebook is."""

from __future__ import annotations

import argparse
import math
from typing import Any

from bitlaw.theory.quantisers.codebook_check import CodebookCheck, check_codebook

from .arguments import add_force, subparser
from .codebook_file import read_codebook
from .errors import UsageError
from .files import check_target
from .output import Table, emit, json_text, number, show
from .sources import Origin, add_source_options, resolve_source

__all__ = ["add_parser", "run", "verdict"]

EXAMPLES = """\
  bitlaw check nf4.txt
      a codebook of one number a line, on Gaussian values
  bitlaw check design.json --source student-t:5 --tolerance 30
      one that 'bitlaw design --json' wrote; up to 30% above the optimum pass
  bitlaw check nf4.txt --data weights.npz:layer0 --tolerance 20 --json
      on the values of a tensor, against the best codebook for these very values"""

_DESCRIPTION = """\
Judge a codebook at the scale that suits the source best, against the Lloyd-Max codebook of as many levels.

FILE is a JSON list, the JSON of 'bitlaw design', CSV with a column "codepoint", a .npy array or plain text,
one number a line; - is standard input. The order does not matter. "best absmax" is where the codepoint of
largest magnitude should lie, in the source's units: the scale of a codebook normalised to absolute maximum 1.

The exit code is 1 where the codebook is further above the optimum than the tolerance."""

# Within this many per cent of the optimum nothing is left to gain: a thousandth of a bit.
_OPTIMAL_PERCENT = 0.1


def add_parser(commands: Any) -> None:
    """Add the sub-command to the program's parser."""
    parser = subparser(commands, "check", "judge a codebook", _DESCRIPTION, EXAMPLES)
    parser.set_defaults(run=run)
    parser.add_argument("file", metavar="FILE", help="the codebook")
    add_source_options(parser, required=False)
    parser.add_argument(
        "--tolerance",
        type=float,
        default=10.0,
        metavar="PERCENT",
        help="distortion above the optimum that passes (default %(default)g per cent, 0.07 bit)",
    )
    parser.add_argument("--json", action="store_true", help="everything, as JSON")
    add_force(parser)


def run(args: argparse.Namespace) -> int:
    """Read, check, print; 1 where the codebook is wanting."""
    if not args.tolerance >= 0:
        raise UsageError(f"--tolerance must be at least 0, got {args.tolerance}")
    target = check_target(args.output, args.force)
    codepoints = read_codebook(args.file)
    origin = resolve_source(args)
    try:
        found = check_codebook(codepoints, origin.source)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{args.file}: {error}") from error
    wanting = 100 * found.excess > args.tolerance
    sentence = verdict(found, origin.name, args.tolerance)
    if args.json:
        emit(json_text(_record(found, origin, wanting, sentence)), target)
    else:
        show([_table(args.file, found, origin), sentence], target)
    return int(wanting)


def verdict(found: CodebookCheck, source: str, tolerance: float) -> str:
    """One sentence that says how good the codebook is and what it wastes."""
    percent = 100 * found.excess
    if percent <= _OPTIMAL_PERCENT:
        grade = "Optimal"
    else:
        grade = "Good" if percent <= tolerance else "Wanting"
    optimum = f"the {found.levels}-level optimum for {source}"
    above = f"{percent:.3g}% above {optimum} ({found.bits_lost:.3g} bit)"
    if math.isinf(percent):
        above = f"not without error, as {optimum} is"
    faults = []
    wasted = found.levels - len(set(found.codepoints.tolist()))
    if wasted:
        values = ", ".join(map(number, found.duplicates))
        faults.append(f"{wasted} of its {found.levels} codes repeat{'s' * (wasted == 1)} a value ({values})")
    if found.dead:
        count = len(found.dead)
        values = ", ".join(map(number, found.dead[:4])) + (", ..." if count > 4 else "")
        faults.append(f"{count} codepoint{'s' * (count > 1)} could go at no cost ({values})")
    return (
        f"{grade}: at its best scale the codebook is {above}"
        + "".join(f"; {fault}" for fault in faults)
        + "."
    )


def _record(found: CodebookCheck, origin: Origin, wanting: bool, sentence: str) -> dict[str, Any]:
    return {
        "source": origin.record,
        "levels": found.levels,
        "codepoints": found.codepoints.tolist(),
        "ascending": found.ascending,
        "duplicates": list(found.duplicates),
        "dead": list(found.dead),
        "has_zero": found.has_zero,
        "asymmetry": found.asymmetry,
        "scale": found.scale,
        "absmax": found.absmax,
        "distortion": found.distortion,
        "distortion_as_given": found.distortion_as_given,
        "entropy": found.entropy,
        "optimum": found.optimum,
        "certificate": found.certificate,
        "excess": found.excess if math.isfinite(found.excess) else None,
        "bits_lost": found.bits_lost if math.isfinite(found.bits_lost) else None,
        "wanting": wanting,
        "verdict": sentence,
    }


def _table(file: str, found: CodebookCheck, origin: Origin) -> Table:
    symmetry = (
        "exact"
        if found.asymmetry == 0
        else f"no: opposite codepoints differ by {found.asymmetry:.2g} of the largest"
    )
    rows = [
        ("codes", str(found.levels)),
        ("order", "ascending" if found.ascending else "not ascending (sorted for the check)"),
        ("symmetric", symmetry),
        ("exact zero", "yes" if found.has_zero else "no"),
        ("duplicates", ", ".join(map(number, found.duplicates)) or "none"),
        ("dead codepoints", ", ".join(map(number, found.dead)) or "none"),
        ("best scale", number(found.scale, 9)),
        ("best absmax", number(found.absmax, 9)),
        ("distortion as given", number(found.distortion_as_given, 9)),
        ("distortion at best", number(found.distortion, 9)),
        ("optimum", f"{number(found.optimum, 9)} ({found.certificate})"),
        ("above the optimum", f"{100 * found.excess:.4g}% ({found.bits_lost:.4g} bit)"),
        ("entropy of the index", f"{number(found.entropy)} bit"),
    ]
    title = f"{file} on {origin.name}, std {number(origin.source.std)}"
    return Table(("", " "), rows, left=("", " "), title=title)
