"""Gap to the bound at 2 bits of scalar, lattice and trellis-coded quantisers, on three laws.

Scalar quantisers are integrated.  The others quantise many values together and are measured on seeded draws;
their bars of two standard errors are shorter than most marks are wide.  Lattices are scaled and trellises
trained on other draws than those they are measured on.

On the right the price of the last tenths: twice the states of a trellis take twice the work, and save less
each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from bitlaw.theory import Source, entropy_constrained, evaluate, lloyd_max
from bitlaw.theory.limits import GISH_PIERCE_GAP

from .bound_curve import bound_rate
from .operating_points import LAWS
from .style import BLACK, panels, styled
from .vector_measurements import RATE, STATES
from .vector_table import LATTICE_ROWS, TRELLIS_ROWS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["RATE", "STATES", "Data", "Point", "compute", "draw", "paper", "title"]

title = "Gap to the bound of lattices and trellises at 2 bits"
paper = "after Marcellin and Fischer (1990), and Fischer and Wang (1992)"

# Trellises among the rows on the left, by their states.
_FIXED_STATES, _CODED_STATES = (8, 256), (8, 256)


@dataclass(frozen=True)
class Point:
    """Gap of one method on one law in bits, and its standard error (0 where it is integrated)."""

    gap: float
    error: float


@dataclass(frozen=True)
class Data:
    """Gaps of methods on each of `LAWS`.

    Attributes
    ----------
    points : dict of str to tuple of Point
        By name of the method; those of fixed length come first.
    fixed, coded : dict of int to tuple of Point
        Trellises of fixed length and entropy-coded ones, by their number of states.
    """

    points: dict[str, tuple[Point, ...]]
    fixed: dict[int, tuple[Point, ...]]
    coded: dict[int, tuple[Point, ...]]

    @property
    def fixed_length(self) -> int:
        """How many methods have a fixed length."""
        return 1 + len(_FIXED_STATES)


@cache
def compute() -> Data:
    """Integrate the scalar quantisers, and read the others from the table."""
    sources = [law.source for law in LAWS]
    fixed = {states: _tabled(TRELLIS_ROWS["fixed", states]) for states in STATES}
    coded = {states: _tabled(TRELLIS_ROWS["entropy", states]) for states in STATES}
    lattices = {f"{name} lattice, coded": _tabled(rows) for name, rows in LATTICE_ROWS.items()}
    points = {
        "Lloyd-Max": tuple(map(_lloyd_max, sources)),
        **{f"trellis, {states} states": fixed[states] for states in _FIXED_STATES},
        "scalar, coded": tuple(map(_entropy_constrained, sources)),
        **lattices,
        **{f"trellis, {states} states, coded": coded[states] for states in _CODED_STATES},
    }
    return Data(points, fixed, coded)


def _lloyd_max(source: Source) -> Point:
    return _gap(source, RATE, evaluate(lloyd_max(source, 2**RATE), source).distortion)


def _entropy_constrained(source: Source) -> Point:
    result = evaluate(entropy_constrained(source, rate=RATE), source)
    return _gap(source, result.entropy, result.distortion)


def _tabled(rows: Sequence[tuple[float, float, float]]) -> tuple[Point, ...]:
    return tuple(_gap(law.source, *row) for law, row in zip(LAWS, rows, strict=True))


def _gap(source: Source, rate: float, distortion: float, error: float = 0.0) -> Point:
    return Point(rate - float(bound_rate(source, distortion)), error)


@styled
def draw(data: Data) -> Figure:
    """Methods on the left, fixed length above entropy-coded; trellises by states on the right."""
    figure, (left, right) = panels(2, height=3.2, width_ratios=(1.25, 1.0))
    _draw_methods(left, data)
    _draw_states(right, data)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(LAWS))
    return figure


def _draw_methods(axes: Axes, data: Data) -> None:
    names = list(data.points)
    for column, law in enumerate(LAWS):
        gaps = [data.points[name][column].gap for name in names]
        errors = [2 * data.points[name][column].error for name in names]
        rows = [row + 0.18 * (column - 1) for row in range(len(names))]
        axes.errorbar(
            gaps, rows, xerr=errors, elinewidth=1.0,
            color=law.colour, marker=law.marker, linestyle="none", label=law.label,
        )  # fmt: skip
    axes.axhline(data.fixed_length - 0.5, color=BLACK, linewidth=0.6)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(0.0, None)
    axes.set(xlabel="gap to $R(D)$ (bits)", ylabel="quantiser")


def _draw_states(axes: Axes, data: Data) -> None:
    for column, law in enumerate(LAWS):
        for trellises, dash in ((data.fixed, "-"), (data.coded, "--")):
            gaps = [trellises[states][column].gap for states in STATES]
            errors = [2 * trellises[states][column].error for states in STATES]
            axes.errorbar(
                STATES, gaps, yerr=errors, color=law.colour, marker=law.marker, linestyle=dash, elinewidth=1.0
            )
    axes.axhline(GISH_PIERCE_GAP, color=BLACK, linewidth=0.8, linestyle=":", label="scalar limit, 0.2546")
    axes.plot([], [], color=BLACK, linestyle="-", label="fixed length")
    axes.plot([], [], color=BLACK, linestyle="--", label="entropy-coded")
    axes.set_xscale("log", base=2)
    axes.set_xticks(STATES, [str(states) for states in STATES])
    axes.minorticks_off()
    axes.set_ylim(0.0, None)
    axes.set(xlabel="states of the trellis", ylabel="gap to $R(D)$ (bits)")
    axes.legend(loc="center right", bbox_to_anchor=(1.0, 0.56))
