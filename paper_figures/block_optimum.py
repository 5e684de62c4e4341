"""How much error the closed-form codebooks for blocks leave on the table, by block size.

The measure is R over that of the exact optimum with all codepoints free, less 1.  Codepoints at the two ends cost
something by themselves, which the optimum with ends shows; what the cube root of the cut law lacks beyond that
is due to the approximation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .block_designs import (
    Estimate,
    closed_form,
    divided,
    draw_estimate,
    error,
    measured,
    measured_entry,
    optimum,
    optimum_with_ends,
)
from .laws import LAPLACE, NORMAL, Law, student_t
from .style import BLUE, ORANGE, panels, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["AUDITED", "BITS", "LAWS", "SIZES", "Data", "Excess", "compute", "draw", "paper", "title"]

title = "Closed-form codebooks over the exact optimum by block size"
paper = "bitlaw; closed forms of Orr, Ribar and Luschi (arXiv 2505.12988)"

LAWS = (NORMAL, LAPLACE, student_t(5))
SIZES = (8, 16, 32, 64, 128, 256, 512, 1024, 4096)
BITS = (3, 4)
AUDITED = (32, 256)


@dataclass(frozen=True)
class Excess:
    """R of one law and number of bits over `SIZES`; excess of the closed form on a draw, by size."""

    law: Law
    bits: int
    free: NDArray[np.float64]
    with_ends: NDArray[np.float64]
    cube_root: NDArray[np.float64]
    audit: dict[int, Estimate]


@dataclass(frozen=True)
class Data:
    """An `Excess` for each of `LAWS` and, within, of `BITS`."""

    excesses: tuple[Excess, ...]


@cache
def compute() -> Data:
    """Design the codebooks of each law, width and block size."""
    return Data(tuple(_excess(law, bits) for law in LAWS for bits in BITS))


def _excess(law: Law, bits: int) -> Excess:
    source, levels = law.source, 2**bits
    free = np.array([error(optimum(source, levels, size), divided(source, size)) for size in SIZES])
    held = [error(optimum_with_ends(source, levels, size), divided(source, size)) for size in SIZES]
    spread = [error(closed_form(source, levels, size), divided(source, size)) for size in SIZES]
    audit = {size: measured(closed_form(source, levels, size), source, size) for size in AUDITED}
    return Excess(law, bits, free, np.array(held), np.array(spread), audit)


@styled
def draw(data: Data) -> Figure:
    """One panel for each law."""
    figure, row = panels(len(LAWS), height=2.9, sharey=True)
    for index, found in enumerate(data.excesses):
        _draw_excess(row[index // len(BITS)], found)
    row[0].set_ylabel("$R$ over that of the free optimum, less 1 (%)")
    row[0].set_ylim(0.0, None)
    measured_entry(row[0])
    handles, labels = row[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, columnspacing=1.2)
    return figure


def _draw_excess(axes: Axes, found: Excess) -> None:
    colour = {3: BLUE, 4: ORANGE}[found.bits]
    cube_root, with_ends = (100 * (r / found.free - 1) for r in (found.cube_root, found.with_ends))
    axes.plot(SIZES, cube_root, color=colour, marker="o", label=f"cube root, {found.bits} bits")
    axes.plot(SIZES, with_ends, color=colour, linestyle="--", label=f"optimum with ends, {found.bits} bits")
    for size, point in found.audit.items():
        best = found.free[SIZES.index(size)]
        shown = Estimate(100 * (point.value / best - 1), 100 * point.standard_error / best)
        draw_estimate(axes, size, shown)
    axes.set_xscale("log", base=2)
    axes.set_xticks([8, 64, 512, 4096], ["8", "64", "512", "4k"])
    axes.minorticks_off()
    axes.set(xlabel="block size $B$", title=found.law.label)
