"""Relative RMS error of four-bit elements in blocks of 64, divided by the largest magnitude or by the signed one.

The cube-root codebook and the exact optimum are made for the law, NF4 for the Normal and SF4 for Student-t of 5
degrees of freedom; integers and floats are for all.  E0M3 are the integers from -7 to 7.  The signed maximum
lies at +1, so a codebook needs no codepoint at -1: those that have one all the same gain nothing, and INT4
with its -8 gains most.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .format_curves import FORMAT_LAWS, Curve, curve, draw_measured, law_name, measured_entry
from .laws import Law
from .style import BLUE, ORANGE, panels, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["ELEMENTS", "LAWS", "STATISTICS", "Data", "Elements", "compute", "draw", "paper", "title"]

title = "Four-bit elements beside the cube root and the optimum, in blocks of 64"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), other formats"

LAWS = FORMAT_LAWS

ELEMENTS: dict[str, str] = {
    "optimum": "lloyd4:{law}",
    "cube root": "cbrt4:{law}",
    "NF4": "nf4",
    "SF4": "sf4",
    "E2M1": "e2m1",
    "E0M3": "e0m3",
    "INT4": "int4",
    "E3M0": "e3m0",
}
# Colour and marker of each scale.
STATISTICS: dict[str, dict[str, Any]] = {
    "absmax": {"color": BLUE, "marker": "o"},
    "signmax": {"color": ORANGE, "marker": "D"},
}
_AUDITED = (1, 2, 4, 6)
_SHIFT = 0.16  # of the two markers of a row from its middle


@dataclass(frozen=True)
class Elements:
    """Formats of one law in the order of `ELEMENTS`, for each of `STATISTICS`."""

    law: Law
    curves: dict[str, Curve]


@dataclass(frozen=True)
class Data:
    """One `Elements` for each of `LAWS`."""

    laws: tuple[Elements, ...]


@cache
def compute() -> Data:
    """Predict every element with both scales."""
    return Data(tuple(_elements(law) for law in LAWS))


def _elements(law: Law) -> Elements:
    named = [element.format(law=law_name(law.source)) for element in ELEMENTS.values()]
    return Elements(
        law,
        {
            statistic: curve(
                law.source, (f"{element},block=64,scale={statistic}:float16" for element in named), _AUDITED
            )
            for statistic in STATISTICS
        },
    )


@styled
def draw(data: Data) -> Figure:
    """One panel for each law, one row for each element."""
    figure, row = panels(len(data.laws), height=3.2, sharey=True)
    for axes, elements in zip(row, data.laws, strict=True):
        _draw_elements(axes, elements)
    row[0].set_yticks(range(len(ELEMENTS)), list(ELEMENTS))
    row[0].set_ylim(len(ELEMENTS) - 0.4, -0.6)
    row[0].set_ylabel("four-bit element")
    handles, labels = row[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _draw_elements(axes: Axes, elements: Elements) -> None:
    for (statistic, look), shift in zip(STATISTICS.items(), (-_SHIFT, _SHIFT), strict=True):
        found = elements.curves[statistic]
        places = np.arange(len(ELEMENTS)) + shift
        axes.plot(found.R, places, linestyle="none", markersize=4.5, label=statistic, **look)
        audit = found.audit.values()
        draw_measured(
            axes,
            [point.R for point in audit],
            [float(places[index]) for index in found.audit],
            xerr=[2 * point.standard_error for point in audit],
        )
    measured_entry(axes)
    axes.set(xlim=(0.08, 0.2), xlabel="relative RMS error $R$", title=elements.law.label)
