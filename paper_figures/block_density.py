"""Density of an element over its block's largest magnitude, and a histogram of a draw.

An element is itself the largest of its block of B with probability 1 / B: that mass is an atom at -1 and one at 1,
drawn as arrows, which no density can show.  Between them the density is exact.  The dashed line is the usual
approximation, the law cut at the expected maximum, with as much mass as lies between the atoms.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bitlaw.theory import Truncated

from .block_designs import Estimate, blocks, divided
from .laws import NORMAL, Law, student_t
from .style import BLACK, GREY, panels, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["BLOCK", "LAWS", "Data", "Density", "compute", "draw", "paper", "title"]

title = "Density of elements divided by their block's maximum"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), block-scaled density and histogram"

LAWS = (NORMAL, student_t(5))
BLOCK = 64
_BINS = 80


@dataclass(frozen=True)
class Density:
    """Elements of one law over their block's maximum.

    Attributes
    ----------
    law : Law
    x, exact, cut : ndarray of float64, shape (n,)
        Density between the atoms, and that of the law cut at the expected maximum, at x.
    edges, probability, count : ndarray of float64, shape (81,), (80,), (80,)
        Bins, the exact probability of each, atoms left out, and how many of the draw lie in each.
    drawn : int
        Elements of the draw, extremes included.
    atom : float
        Mass of each of the two atoms.
    audit : Estimate
        Share of the draw that is +1.
    """

    law: Law
    x: NDArray[np.float64]
    exact: NDArray[np.float64]
    cut: NDArray[np.float64]
    edges: NDArray[np.float64]
    probability: NDArray[np.float64]
    count: NDArray[np.float64]
    drawn: int
    atom: float
    audit: Estimate


@dataclass(frozen=True)
class Data:
    """One `Density` for each of `LAWS`."""

    laws: tuple[Density, ...]


@cache
def compute() -> Data:
    """Integrate the densities and count the draws."""
    return Data(tuple(_density(law) for law in LAWS))


def _density(law: Law) -> Density:
    divided_law = divided(law.source, BLOCK)
    most = divided_law.expected_scale
    x = np.linspace(-1.0, 1.0, 401)
    atom = 0.5 / BLOCK
    cut = (1 - 2 * atom) * most * Truncated(law.source, -most, most).pdf(most * x)
    edges = np.linspace(-1.0, 1.0, _BINS + 1)
    inner = edges.copy()
    inner[0], inner[-1] = np.nextafter(-1.0, 0.0), np.nextafter(1.0, 0.0)  # atoms apart
    values = blocks(law.source, BLOCK)
    ratios = values / np.abs(values).max(axis=1, keepdims=True)
    share = float((ratios == 1.0).mean())
    count = np.histogram(ratios[np.abs(ratios) < 1.0], edges)[0].astype(np.float64)
    # Of the extremes of n blocks as many as a coin shows heads are positive.
    spread = 0.5 / (BLOCK * len(values) ** 0.5)
    return Density(
        law,
        x,
        divided_law.pdf(np.clip(x, inner[0], inner[-1])),
        cut,
        edges,
        divided_law.probability(inner[:-1], inner[1:]),
        count,
        values.size,
        atom,
        Estimate(share, spread),
    )


@styled
def draw(data: Data) -> Figure:
    """One panel for each law."""
    figure, row = panels(len(data.laws), height=2.7)
    for axes, found in zip(row, data.laws, strict=True):
        _draw_density(axes, found)
    row[0].set_ylabel("probability density")
    row[1].set_ylabel("probability density")
    handles, labels = row[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, columnspacing=1.2)
    return figure


def _draw_density(axes: Axes, found: Density) -> None:
    colour = found.law.colour
    heights = found.count / found.drawn / np.diff(found.edges)
    axes.stairs(heights, found.edges, fill=True, color=GREY, alpha=0.35, label="simulated")
    axes.plot(found.x, found.exact, color=BLACK, label="exact, between the atoms")
    axes.plot(found.x, found.cut, color=colour, linestyle="--", label="law cut at E[$M$]")
    top = 0.95 * float(found.exact.max())
    for place in (-1.0, 1.0):
        axes.annotate(
            "",
            (place, top),
            (place, 0.0),
            arrowprops=dict(arrowstyle="-|>", color=BLACK, linewidth=1.2, shrinkA=0, shrinkB=0),
        )
    axes.plot([], [], color=BLACK, marker="^", label="atom (its mass beside)")
    axes.text(0.93, top, f"$1/{2 * BLOCK}$\n= {found.atom:.5f}", ha="right", va="top", fontsize=7.0)
    axes.text(0.93, 0.72 * top, f"simulated:\n{found.audit.value:.5f}", ha="right", va="top", fontsize=7.0)
    axes.set_xlim(-1.08, 1.08)
    axes.set_ylim(0.0, None)
    axes.set(xlabel="element over block maximum $U$", title=f"{found.law.label}, $B$ = {BLOCK}")
