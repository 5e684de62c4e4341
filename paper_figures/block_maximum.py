"""Expected largest magnitude of a block against the closed forms in use.

Exact values are integrals over the law of the maximum.  The closed forms are sqrt(2 ln(B / pi)) for the Normal,
(gamma + ln B) / sqrt(2) for Laplace and (2 ln(B / pi))^((v - 3) / (2 v)) B^(1 / v) for Student-t, all in standard
deviations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bitlaw.theory.formats.elements.cube_root import approximate_block_maximum

from .block_designs import Estimate, blocks, divided, draw_estimate, measured_entry
from .laws import LAPLACE, NORMAL, Law, student_t
from .style import BLACK, GREY, panels, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["AUDITED", "LAWS", "SIZES", "Data", "Maxima", "compute", "draw", "paper", "title"]

title = "Expected block maximum and its closed forms"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), expected block maximum"

LAWS = (NORMAL, LAPLACE, student_t(5))
SIZES = tuple(2**k for k in range(2, 17))
AUDITED = (4, 16, 64, 256, 1024, 4096)


@dataclass(frozen=True)
class Maxima:
    """E[M] of one law over `SIZES`, exact and by the closed form, and means of the draw by size."""

    law: Law
    exact: NDArray[np.float64]
    approximate: NDArray[np.float64]
    audit: dict[int, Estimate]

    @property
    def deviation(self) -> NDArray[np.float64]:
        """Closed form over exact value, less 1."""
        return self.approximate / self.exact - 1


@dataclass(frozen=True)
class Data:
    """One `Maxima` for each of `LAWS`."""

    laws: tuple[Maxima, ...]


@cache
def compute() -> Data:
    """Integrate the maxima of each law."""
    return Data(tuple(_maxima(law) for law in LAWS))


def _maxima(law: Law) -> Maxima:
    return Maxima(
        law,
        np.array([divided(law.source, size).expected_scale for size in SIZES]),
        np.array([approximate_block_maximum(law.source, size) for size in SIZES]),
        {size: _mean_maximum(law, size) for size in AUDITED},
    )


def _mean_maximum(law: Law, size: int) -> Estimate:
    maxima = np.abs(blocks(law.source, size)).max(axis=1)
    return Estimate(float(maxima.mean()), float(maxima.std(ddof=1) / len(maxima) ** 0.5))


@styled
def draw(data: Data) -> Figure:
    """Maxima on the left, deviations of the closed forms on the right."""
    figure, (left, right) = panels(2, height=2.9)
    for found in data.laws:
        law = found.law
        left.plot(SIZES, found.exact, color=law.colour, label=law.label)
        left.plot(SIZES, found.approximate, color=law.colour, linestyle="--")
        right.plot(SIZES, 100 * found.deviation, color=law.colour, marker=law.marker)
        for size, point in found.audit.items():
            draw_estimate(left, size, point)
    left.plot([], [], color=BLACK, linestyle="--", label="closed form")
    measured_entry(left)
    right.axhline(0.0, color=GREY, linewidth=1.0)
    left.set_ylabel(r"expected block maximum E[$M$] ($\sigma$)")
    left.set_yscale("log")
    left.set_yticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
    left.set_ylim(0.6, 30)
    right.set_ylabel("closed form over exact, less 1 (%)")
    for axes in (left, right):
        _sizes_below(axes)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, columnspacing=1.2)
    return figure


def _sizes_below(axes: Axes) -> None:
    axes.set_xscale("log", base=2)
    ticks = (4, 16, 64, 256, 1024, 4096, 16384, 65536)
    axes.set_xticks(ticks, ["4", "16", "64", "256", "1k", "4k", "16k", "64k"])
    axes.minorticks_off()
    axes.set_xlabel("block size $B$")
