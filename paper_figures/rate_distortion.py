"""Distortion against rate on three laws: what scalar quantisers reach, and what nothing can.

Fixed-length quantisers are drawn at log2 of their number of levels, entropy-coded ones at the entropy of
their index.  Distances to the bound are easier to read in `gap_to_bound`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from .operating_points import LAWS, Reached, reached
from .style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, panels, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["LOOKS", "Data", "compute", "draw", "numbers", "paper", "title"]

title = "Distortion against rate of scalar quantisers, and the bound"
paper = "after Gersho and Gray (1992), and Farvardin and Modestino (1984)"
numbers = "operating points"  # those that both figures of operating points show

LOOKS: dict[str, dict[str, Any]] = {
    "uniform": dict(color=PURPLE, marker="v", linestyle="-"),
    "Lloyd-Max": dict(color=BLUE, marker="o", linestyle="-"),
    "uniform, entropy-coded": dict(color=GREEN, marker="^", linestyle="--"),
    "entropy-constrained": dict(color=ORANGE, marker="s", linestyle="--"),
}


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
    row[0].set_ylabel(r"distortion $D / \sigma^2$")
    handles, labels = row[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _draw_law(axes: Axes, result: Reached) -> None:
    for name, look in LOOKS.items():
        curve = result.curves[name]
        axes.plot(curve.rate, curve.distortion, label=name, markersize=2.5, linewidth=0.9, **look)
    axes.plot(result.bound.rate, result.bound.distortion, color=BLACK, linewidth=1.4, label="bound $R(D)$")
    axes.plot(
        result.bound.rate,
        result.shannon,
        color=GREY,
        linewidth=1.4,
        linestyle=":",
        label="Shannon lower bound",
    )
    axes.set_yscale("log")
    axes.set_ylim(2e-4, 1.5)
    axes.set_xlim(0.0, 6.1)
    axes.set_xticks(range(7))
    axes.set(xlabel="rate (bits per element)", title=result.law.label)
