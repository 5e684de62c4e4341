"""`bitlaw design`: one quantiser, its performance, and what bounds it."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import Any

from bitlaw.theory import (
    ScalarQuantiser,
    Source,
    compand,
    entropy_constrained,
    half_step_compander,
    lloyd_max,
    rate_distortion,
    uniform,
)
from bitlaw.theory.tables import TableRow, describe

from .arguments import add_force, hyphenated, subparser
from .errors import UsageError
from .files import check_target
from .literals import c_literal, numpy_literal
from .output import Block, Table, csv_text, emit, json_text, number, show
from .sources import Origin, add_source_options, resolve_source

__all__ = ["add_parser", "run"]

EXAMPLES = """\
  bitlaw design --source normal --levels 4
      the 2-bit Lloyd-Max quantiser of a Gaussian (distortion 0.117481847811)
  bitlaw design --source student-t:5 --bits 4 --method compand --layout asymmetric --csv
      cube-root codepoints with an exact zero, as CSV
  bitlaw design --source laplace --method entropy-constrained --rate 2 --json --output laplace2.json
      least distortion at an entropy of 2 bits, every digit as JSON
  bitlaw design --source generalised-normal:0.5 --levels 16 --certify --c
      C arrays; optimality proved by dynamic programming
  bitlaw design --data weights.npz:layer0 --bits 3 --numpy
      the best 8 codepoints of a tensor's own values, as NumPy source"""

_DESCRIPTION = """\
Design a scalar quantiser for a law or for the values of a tensor, and evaluate it exactly.

The size is one of --levels, --bits, --rate and --slope: methods of fixed rate take --levels or --bits,
entropy-constrained takes --rate or --slope, uniform takes --levels, --bits or --rate."""

# Rows of a codebook that are printed for people; JSON, CSV, C and NumPy always have all.
_MOST_ROWS = 64

_SIZES = ("levels", "bits", "rate", "slope")
_METHODS: dict[str, tuple[str, ...]] = {  # the sizes and options that each method takes
    "lloyd-max": ("levels", "bits", "certify"),
    "entropy-constrained": ("rate", "slope", "variant"),
    "uniform": ("levels", "bits", "rate", "kind"),
    "compand": ("levels", "bits", "power", "layout", "ends"),
    "half-step": ("levels", "bits", "power"),
}
_OPTIONS = ("certify", "variant", "kind", "power", "layout", "ends")


def add_parser(commands: Any) -> None:
    """Add the sub-command to the program's parser."""
    parser = subparser(commands, "design", "design and evaluate one quantiser", _DESCRIPTION, EXAMPLES)
    parser.set_defaults(run=run)
    add_source_options(parser, required=True)
    method = parser.add_argument(
        "--method", type=hyphenated([*_METHODS]), default="lloyd-max", metavar="NAME"
    )
    method.help = f"{', '.join(_METHODS)} (default %(default)s)"
    size = parser.add_mutually_exclusive_group(required=True)
    size.add_argument("--levels", type=int, metavar="N", help="number of codepoints, 2 to 65536")
    size.add_argument("--bits", type=int, metavar="B", help="2^B codepoints, 1 to 16")
    size.add_argument("--rate", type=float, metavar="R", help="entropy of the index in bits")
    size.add_argument(
        "--slope", type=float, metavar="L", help="price of a bit: least distortion + L * entropy"
    )
    _add_method_options(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", dest="form", action="store_const", const="json", help="everything, as JSON")
    form.add_argument("--csv", dest="form", action="store_const", const="csv", help="one line per cell")
    form.add_argument("--c", dest="form", action="store_const", const="c", help="C arrays of double")
    form.add_argument("--numpy", dest="form", action="store_const", const="numpy", help="NumPy source text")
    add_force(parser)


def _add_method_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--power", type=float, metavar="A", help="point density ~ f^A (default 1/3; compand, half-step)"
    )
    layouts = ["symmetric", "asymmetric", "repeat-zero"]
    parser.add_argument("--layout", type=hyphenated(layouts), help=f"{', '.join(layouts)} (compand)")
    parser.add_argument("--ends", type=hyphenated(["interior", "closed"]), help="interior, closed (compand)")
    parser.add_argument(
        "--kind", type=hyphenated(["mid-rise", "mid-tread"]), help="mid-rise, mid-tread (uniform)"
    )
    variants = ["optimal", "uniform-threshold", "dead-zone"]
    parser.add_argument(
        "--variant", type=hyphenated(variants), help=f"{', '.join(variants)} (entropy-constrained)"
    )
    parser.add_argument(
        "--certify",
        action="store_true",
        default=None,
        help="prove optimality by dynamic programming where no theorem does (lloyd-max)",
    )
    parser.add_argument(
        "--rate-distortion",
        action="store_true",
        help="also the gap to the exact rate-distortion function (takes seconds)",
    )


def run(args: argparse.Namespace) -> int:
    """Design, evaluate, print."""
    _check_combination(args)
    target = check_target(args.output, args.force)
    origin = resolve_source(args)
    quantiser = _designed(args, origin.source)
    coded = args.method == "entropy-constrained" or args.rate is not None
    row = describe(quantiser, origin.source, entropy_coded=coded)
    title = f"bitlaw design: {args.method}, {quantiser.levels} levels, {origin.name}"
    if args.form == "c":
        emit(c_literal(quantiser, title), target)
    elif args.form == "numpy":
        emit(numpy_literal(quantiser, title), target)
    elif args.form == "csv":
        cells = _cells(row)
        emit(csv_text(cells, [*cells[0]]), target)
    elif args.form == "json":
        emit(json_text(_record(args, origin, row)), target)
    else:
        show(_blocks(args, origin, row), target)
    return 0


def _check_combination(args: argparse.Namespace) -> None:
    """Refuse sizes and options that the method does not have."""
    taken = _METHODS[args.method]
    for name in (*_SIZES, *_OPTIONS):
        if getattr(args, name) is not None and name not in taken:
            owners = " and ".join(method for method, names in _METHODS.items() if name in names)
            sizes = ", ".join(f"--{size}" for size in _SIZES if size in taken)
            hint = f"; {args.method} takes {sizes}" if name in _SIZES else ""
            raise UsageError(f"--{name} goes with method {owners}, not with {args.method}{hint}")
    if args.bits is not None and not 1 <= args.bits <= 16:
        raise UsageError(f"--bits must be between 1 and 16, got {args.bits}")


def _designed(args: argparse.Namespace, source: Source) -> ScalarQuantiser:
    levels = args.levels if args.bits is None else 2**args.bits
    chosen: dict[str, Any] = {
        name: value.replace("-", "_") if name in ("layout", "variant") else value
        for name in _OPTIONS
        if (value := getattr(args, name)) is not None
    }
    if args.method == "entropy-constrained":
        if source.discrete:
            raise UsageError(
                "--method entropy-constrained needs a law with a density; 'bitlaw fit FILE' names the law "
                "that fits the data best, for --source and --std"
            )
        return entropy_constrained(source, rate=args.rate, slope=args.slope, **chosen)
    if args.method == "uniform" and args.rate is not None:
        return uniform(source, rate=args.rate, **chosen)
    designers: dict[str, Callable[..., ScalarQuantiser]] = {
        "lloyd-max": lloyd_max,
        "uniform": uniform,
        "compand": compand,
        "half-step": half_step_compander,
    }
    return designers[args.method](source, levels, **chosen)


def _cells(row: TableRow) -> list[dict[str, Any]]:
    """One dictionary for each cell."""
    quantiser = row.quantiser
    edges = [-math.inf, *quantiser.thresholds.tolist(), math.inf]
    probabilities = row.source.probability(edges[:-1], edges[1:]).tolist()
    return [
        {
            "index": k,
            "lower": edges[k],
            "codepoint": point,
            "upper": edges[k + 1],
            "probability": probabilities[k],
        }
        for k, point in enumerate(quantiser.codepoints.tolist())
    ]


def _record(args: argparse.Namespace, origin: Origin, row: TableRow) -> dict[str, Any]:
    numbers = row.numbers()
    numbers["probabilities"] = [cell["probability"] for cell in _cells(row)]
    return {
        "source": origin.record,
        "method": args.method,
        "options": {name: value for name in _OPTIONS if (value := getattr(args, name)) is not None},
        "quantiser": row.quantiser.to_dict(),
        "evaluation": numbers,
        "rate_distortion": _limit(row) if args.rate_distortion else None,
    }


def _limit(row: TableRow) -> dict[str, float]:
    """Proved bracket of the least rate at the quantiser's distortion."""
    found = rate_distortion(row.source, row.distortion)
    return {"lower": found.lower, "upper": found.upper, "gap_bits": row.rate - found.rate}


def _blocks(args: argparse.Namespace, origin: Origin, row: TableRow) -> list[Block]:
    quantiser, design = row.quantiser, row.quantiser.design
    facts = [
        ("levels", str(quantiser.levels)),
        ("distortion", number(row.distortion, 12)),
        ("relative error R", number(row.relative_error, 9)),
        ("signal to noise", f"{number(row.snr_db)} dB"),
        ("entropy of the index", f"{number(row.entropy, 9)} bit"),
        ("rate", f"{number(row.rate, 9)} bit"),
    ]
    if not origin.source.discrete:
        bound = f"{number(row.gap_bits)} bit (distortion {number(row.shannon_lower_bound, 9)} at this rate)"
        facts.append(("above Shannon's bound", bound))
    if args.rate_distortion:
        facts.append(("above rate-distortion", f"{number(_limit(row)['gap_bits'])} bit"))
    if design:
        steps = f" in {design.iterations} steps, residual {design.residual:.1e}" if design.iterations else ""
        facts += [("status", f"{design.status}{steps}"), ("certificate", design.certificate)]
        if not math.isnan(design.slope):
            facts.append(("slope", f"{number(design.slope, 9)} per bit"))
    std = f", std {number(origin.source.std)}"
    title = f"{args.method} quantiser of {origin.name}{std}"
    return [Table(("", " "), facts, left=("", " "), title=title), *_codebook(row)]


def _codebook(row: TableRow) -> list[Block]:
    cells = _cells(row)
    shown = cells if len(cells) <= _MOST_ROWS else cells[: _MOST_ROWS // 2] + cells[-_MOST_ROWS // 2 :]
    columns = ("index", "lower", "codepoint", "upper", "probability")
    rows = [
        (str(cell["index"]), *(number(cell[name], 10) for name in columns[1:4]), number(cell["probability"]))
        for cell in shown
    ]
    table = Table(columns, rows)
    left_out = len(cells) - len(shown)
    return (
        [table, f"{left_out} cells in the middle are not shown; --csv or --json has all"]
        if left_out
        else [table]
    )
