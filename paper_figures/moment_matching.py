"""Relative RMS error against the scale of four-bit elements, a tensor scaled by its RMS.

Moment matching maps the data's RMS on that of the law an element's codepoints are spread for, and needs no search.
A searched scale is at the lowest point of each curve, which is found by integration here.  What matching loses is
the height of the circle over that point.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bitlaw.theory import ScalarQuantiser
from bitlaw.theory.formats.elements import parse_element
from bitlaw.theory.quantisers.codebook_scale import best_scale

from .block_designs import Estimate, draw_estimate, error, measured, measured_entry
from .laws import LAPLACE, NORMAL, Law, student_t
from .style import BLACK, BLUE, GREEN, ORANGE, PURPLE, panels, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["ELEMENTS", "LAWS", "Data", "Search", "compute", "draw", "paper", "title"]

title = "Moment matching against a searched scale at 4 bits"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), moment matching against search"

LAWS = (NORMAL, LAPLACE, student_t(5))
# Label, colour and line of each element.
ELEMENTS: dict[str, tuple[str, str, str]] = {
    "int4": ("INT4", BLUE, "-"),
    "e2m1": ("E2M1", ORANGE, "-"),
    "e3m0": ("E3M0", GREEN, "-"),
    "nf4": ("NF4", PURPLE, "-"),
    "cbrt4:normal": ("cube root of the Normal", BLACK, "--"),
}
# Scales relative to that of moment matching.
FACTORS = np.geomspace(0.4, 2.5, 49)


@dataclass(frozen=True)
class Search:
    """R of one element on one law.

    Attributes
    ----------
    errors : ndarray of float64, shape (49,)
        By `FACTORS`.
    matched, searched : float
        R at factor 1, and the least of all.
    best : float
        Factor of the least R.
    audit : Estimate
        R of a draw at factor 1.
    """

    errors: NDArray[np.float64]
    matched: float
    searched: float
    best: float
    audit: Estimate


@dataclass(frozen=True)
class Data:
    """Searches by law, in the order of `LAWS`, and by element."""

    laws: tuple[dict[str, Search], ...]


@cache
def compute() -> Data:
    """Integrate the error of each element over the factors, and find the best one."""
    return Data(tuple({name: _search(law, name) for name in ELEMENTS} for law in LAWS))


def _search(law: Law, name: str) -> Search:
    element = parse_element(name)
    points = np.unique(element.quantiser("rms", np.inf).codepoints) / element.design_rms

    def at(factor: float) -> float:
        return error(ScalarQuantiser(points * factor), law.source)

    best = best_scale(law.source, points)
    audit = measured(ScalarQuantiser(points), law.source, 64, "none")
    return Search(np.array([at(factor) for factor in FACTORS]), at(1.0), at(best), best, audit)


@styled
def draw(data: Data) -> Figure:
    """One panel for each law: circles are matched, triangles searched."""
    figure, row = panels(len(data.laws), height=2.9, sharey=True)
    for axes, law, found in zip(row, LAWS, data.laws, strict=True):
        _draw_law(axes, found)
        axes.set_title(law.label)
    row[0].set_ylabel("relative RMS error $R$")
    row[0].plot([], [], color=BLACK, marker="o", markerfacecolor="white", linestyle="none", label="matched")
    row[0].plot([], [], color=BLACK, marker="v", linestyle="none", label="searched")
    measured_entry(row[0])
    handles, labels = row[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, columnspacing=1.2)
    return figure


def _draw_law(axes: Axes, found: dict[str, Search]) -> None:
    for name, (label, colour, line) in ELEMENTS.items():
        search = found[name]
        axes.plot(FACTORS, search.errors, color=colour, linestyle=line, label=label)
        axes.plot(1.0, search.matched, color=colour, marker="o", markerfacecolor="white", zorder=3)
        axes.plot(search.best, search.searched, color=colour, marker="v", zorder=4)
        draw_estimate(axes, 1.0, search.audit)
    axes.axvline(1.0, color=BLACK, linewidth=0.6, linestyle=(0, (1, 2)))
    axes.set_xscale("log")
    axes.set_xlim(FACTORS[0], FACTORS[-1])
    axes.set_xticks([0.5, 1.0, 2.0], ["0.5", "1", "2"])
    axes.set_yscale("log")
    axes.set_ylim(0.085, 0.4)
    axes.set_yticks([0.1, 0.2, 0.4], ["0.1", "0.2", "0.4"])
    axes.minorticks_off()
    axes.set_xlabel("scale over matched scale")
