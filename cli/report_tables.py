"""The tables of a report, and what they say in a sentence or two."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

from bitlaw.theory.source_names import source_name
from bitlaw.theory.tables import TableRow

from .report_html import details, files, heading, paragraph, section, table

__all__ = ["table_facts", "tables_section"]

Rows = Sequence[TableRow]

# What entropy-constrained scalar quantisers lose to the bound at high rate (Gish and Pierce 1968).
_SPACE_FILLING = 0.5 * math.log2(math.pi * math.e / 6)

_ABOUT = (
    "Each table holds the optimal quantiser of every law for every size. All laws have mean 0 and variance "
    "1, so that a distortion of 0.01 is a relative error R of 0.1, or 20 dB. The files hold every digit, "
    "the codebooks, the residuals of the conditions of optimality, and the certificates."
)
_ABOUT_GAP = (
    "log2(levels) less the rate that Shannon's lower bound demands for the same error: the most that a "
    "better code of any length could save. Heavy tails cost a quantiser of fixed rate more and more."
)
_ABOUT_ENTROPY = (
    "With an ideal entropy code behind it, a scalar quantiser pays its entropy. At high rate every smooth "
    f"law ends {_SPACE_FILLING:.4f} bit (1.53 dB) above Shannon's lower bound. The bound is out of reach at "
    "low rate, except for the Gaussian: gaps there are no promise of a better code."
)


def table_facts(lloyd_max: Rows, entropy_constrained: Rows) -> list[str]:
    """What the tables show, in a sentence each."""
    facts = []
    if lloyd_max:
        facts.append(
            f"{len(lloyd_max)} Lloyd-Max quantisers; no codepoint lies further from the centroid of its "
            f"cell than {_residual(lloyd_max):.0e} of the cell's rms error. {_proofs(lloyd_max)}"
        )
    gaps = [row.gap_bits for row in entropy_constrained if row.rate > _highest(entropy_constrained) - 0.01]
    if gaps:
        facts.append(
            f"{len(entropy_constrained)} entropy-constrained quantisers: at "
            f"{_highest(entropy_constrained):.3g} bits they lie {min(gaps):.4f} to {max(gaps):.4f} bit "
            f"above Shannon's lower bound; the theory of high rates says {_SPACE_FILLING:.4f}."
        )
    return facts


def _proofs(rows: Rows) -> str:
    """How many rows are the global optimum, and by what proof."""
    certificates = [row.quantiser.design.certificate for row in rows if row.quantiser.design]
    theorem = certificates.count("log-concave law")
    brackets = [
        float(found[1]) for text in certificates if (found := re.search(r"at most (\S+) above", text))
    ]
    text = f"{theorem} are the global optimum by theorem (log-concave law)"
    if brackets:
        text += f", {len(brackets)} by dynamic programming to within {max(brackets):.0e} of the distortion"
    local = len(rows) - theorem - len(brackets)
    return f"{text}, {local} are local minima without such a proof." if local else f"{text}."


def _highest(rows: Rows) -> float:
    return max((row.rate for row in rows), default=0.0)


def _residual(rows: Rows) -> float:
    return max((row.quantiser.design.residual for row in rows if row.quantiser.design), default=0.0)


def tables_section(lloyd_max: Rows, entropy_constrained: Rows) -> str:
    """Both tables, with what they mean and where their files are."""
    return section(
        "tables",
        "Certified tables",
        paragraph(_ABOUT),
        heading("Lloyd-Max: least error for a number of levels"),
        _grid(lloyd_max, "levels", _levels, _distortion, "Mean squared error."),
        details(
            "Bits above Shannon's lower bound",
            paragraph(_ABOUT_GAP),
            _grid(lloyd_max, "levels", _levels, _gap),
        ),
        details("Why each row is the optimum", _certificates(lloyd_max)),
        files("tables/lloyd_max.json", "tables/lloyd_max.csv"),
        heading("Entropy-constrained: least error for an entropy of the index"),
        paragraph(_ABOUT_ENTROPY),
        _grid(entropy_constrained, "bits", _rate, _gap, "Bits above Shannon's lower bound."),
        details("Mean squared errors", _grid(entropy_constrained, "bits", _rate, _distortion)),
        files("tables/entropy_constrained.json", "tables/entropy_constrained.csv"),
    )


def _levels(row: TableRow) -> str:
    return str(row.quantiser.levels)


def _rate(row: TableRow) -> str:
    return f"{row.rate:.4g}"


def _distortion(row: TableRow) -> str:
    return f"{row.distortion:.6g}"


def _gap(row: TableRow) -> str:
    return f"{row.gap_bits:.4f}"


def _grid(
    rows: Rows, size: str, key: Callable[[TableRow], str], cell: Callable[[TableRow], str], caption: str = ""
) -> str:
    """Sizes down, laws across."""
    names = list(dict.fromkeys(source_name(row.source) for row in rows))
    cells = {(key(row), source_name(row.source)): cell(row) for row in rows}
    sizes = dict.fromkeys(at for at, _ in cells)
    lines = [(at, *(cells.get((at, name), "") for name in names)) for at in sizes]
    return table((size, *names), lines, caption=caption)


def _certificates(rows: Rows) -> str:
    """One line for each law: the certificates of its rows, and their largest residual."""
    lines = []
    for name in dict.fromkeys(source_name(row.source) for row in rows):
        own = [row for row in rows if source_name(row.source) == name]
        kinds: dict[str, list[str]] = {}
        for row in own:
            certificate = row.quantiser.design.certificate if row.quantiser.design else "none"
            kinds.setdefault(certificate.split(":")[0], []).append(_levels(row))
        text = "; ".join(f"{kind} ({', '.join(levels)} levels)" for kind, levels in kinds.items())
        lines.append((name, text, f"{_residual(own):.0e}"))
    return table(("law", "certificate", "largest residual"), lines, left=(0, 1))
