"""Bits that scalar quantisers spend above the rate-distortion function, against rate, on three laws.

The gap is the rate (log2 of the levels, or the entropy of the index) less R(D) at the distortion reached.
At high rate entropy-coded quantisers settle at log2(2 pi e / 12) / 2 = 0.2546 bit (Gish and Pierce 1968), and
Lloyd-Max quantisers at a gap that depends on the law (Panter and Dite 1951).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import log2
from typing import TYPE_CHECKING

from bitlaw.theory import Source, shannon_lower_bound
from bitlaw.theory.limits import GISH_PIERCE_GAP, panter_dite

from .operating_points import LAWS, Reached, reached
from .rate_distortion import LOOKS
from .style import BLACK, BLUE, panels, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Data", "compute", "draw", "numbers", "paper", "title"]

title = "Gap of scalar quantisers to the bound in bits"
paper = "after Farvardin and Modestino (1984), and Gish and Pierce (1968)"
numbers = "operating points"  # those that both figures of operating points show


@dataclass(frozen=True)
class Data:
    """One `Reached` for each of `LAWS`, and the gaps of Lloyd-Max quantisers of many levels, in bits."""

    reached: tuple[Reached, ...]
    many_levels: tuple[float, ...]


@cache
def compute() -> Data:
    """Operating points of every method on every law."""
    return Data(tuple(reached(law) for law in LAWS), tuple(_gap_of_many_levels(law.source) for law in LAWS))


def _gap_of_many_levels(source: Source) -> float:
    """Half the logarithm of Panter and Dite's distortion over Shannon's, at one number of levels."""
    return 0.5 * log2(panter_dite(source, 1) / shannon_lower_bound(source, 0))


@styled
def draw(data: Data) -> Figure:
    """One panel for each law."""
    figure, row = panels(len(data.reached), height=2.9, sharey=True)
    for axes, result, limit in zip(row, data.reached, data.many_levels, strict=True):
        _draw_law(axes, result, limit)
    row[0].set_ylabel("gap to $R(D)$ (bits)")
    handles, labels = row[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _draw_law(axes: Axes, result: Reached, limit: float) -> None:
    for name, look in LOOKS.items():
        curve = result.curves[name]
        axes.plot(curve.rate, curve.gap, label=name, markersize=2.5, linewidth=0.9, **look)
    axes.axhline(limit, color=BLUE, linewidth=0.8, linestyle=":", label="Panter-Dite limit")
    axes.axhline(GISH_PIERCE_GAP, color=BLACK, linewidth=0.8, linestyle=":", label="0.2546 bit (Gish-Pierce)")
    axes.set_ylim(0.0, 2.0)
    axes.set_xlim(0.0, 6.1)
    axes.set_xticks(range(7))
    axes.set(xlabel="rate (bits per element)", title=result.law.label)
