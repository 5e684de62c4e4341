"""Bits that scalar quantisers spend above the rate-distortion function, against rate, on three laws.

The gap is the rate (log2 of the levels, or the entropy of the index) less R(D) at the distortion reached.
At high rate entropy-coded quantisers settle at log2(2 pi e / 12) / 2 = 0.2546 bit (Gish and Pierce 1968); the
gap of fixed-length ones depends on the law.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import e, log2, pi
from typing import TYPE_CHECKING

from .operating_points import LAWS, Reached, reached
from .rate_distortion import LOOKS
from .style import BLACK, panels, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["HIGH_RATE_GAP", "Data", "compute", "draw", "paper", "title"]

title = "Gap of scalar quantisers to the bound in bits"
paper = "after Farvardin and Modestino (1984), and Gish and Pierce (1968)"

HIGH_RATE_GAP = 0.5 * log2(2 * pi * e / 12)  # Gish and Pierce (1968)


@dataclass(frozen=True)
class Data:
    """One `Reached` for each of `LAWS`."""

    reached: tuple[Reached, ...]


@cache
def compute() -> Data:
    """Operating points of every method on every law."""
    return Data(tuple(reached(law) for law in LAWS))


@styled
def draw(data: Data) -> Figure:
    """One panel for each law."""
    figure, row = panels(len(data.reached), height=2.9, sharey=True)
    for axes, result in zip(row, data.reached, strict=True):
        _draw_law(axes, result)
    row[0].set_ylabel("gap to $R(D)$ (bits)")
    handles, labels = row[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _draw_law(axes: Axes, result: Reached) -> None:
    for name, look in LOOKS.items():
        curve = result.curves[name]
        axes.plot(curve.rate, curve.gap, label=name, markersize=2.5, linewidth=0.9, **look)
    axes.axhline(HIGH_RATE_GAP, color=BLACK, linewidth=0.8, linestyle=":", label="0.2546 bit (Gish-Pierce)")
    axes.set_ylim(0.0, 2.0)
    axes.set_xlim(0.0, 6.1)
    axes.set_xticks(range(7))
    axes.set(xlabel="rate (bits per element)", title=result.law.label)
