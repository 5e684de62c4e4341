"""Where eight codepoints go for blocks of 64: with or without a zero, and after division by a maximum with its sign.

Closed forms (cube root) lie beside the exact optima.  Symmetric codepoints have no zero; a zero costs a codepoint on
one side, or a repeated code.  Division by the signed extreme frees the codepoint at -1: the extreme is always +1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bitlaw.theory import ScalarQuantiser, lloyd_max
from bitlaw.theory.formats.elements import CubeRoot

from .block_designs import Estimate, divided, error, measured, measured_entry, optimum
from .laws import LAPLACE, NORMAL, Law, student_t
from .style import BLACK, GREY, panels, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["BLOCK", "LAWS", "LAYOUTS", "Data", "Layouts", "compute", "draw", "paper", "title"]

title = "Sign and zero layouts at 3 bits for blocks of 64"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), sign and zero layouts at 3 bits"

LAWS = (NORMAL, LAPLACE, student_t(5))
BLOCK = 64
_BITS = 3
# Name: statistic, and layout of the closed form or None for the exact optimum.
LAYOUTS: dict[str, tuple[str, str | None]] = {
    "absmax, symmetric": ("absmax", "symmetric"),
    "absmax, zero twice": ("absmax", "repeat_zero"),
    "absmax, with zero": ("absmax", "asymmetric"),
    "absmax, optimum": ("absmax", None),
    "signmax, with zero": ("signmax", "asymmetric"),
    "signmax, optimum": ("signmax", None),
}


@dataclass(frozen=True)
class Layouts:
    """Codepoints of one law by `LAYOUTS`, each of shape (8,), their R, and R of a draw."""

    law: Law
    codepoints: dict[str, NDArray[np.float64]]
    errors: dict[str, float]
    audit: dict[str, Estimate]


@dataclass(frozen=True)
class Data:
    """One `Layouts` for each of `LAWS`."""

    laws: tuple[Layouts, ...]


@cache
def compute() -> Data:
    """Design every layout for each law and integrate its error."""
    return Data(tuple(_layouts(law) for law in LAWS))


def _layouts(law: Law) -> Layouts:
    designs = {name: _design(law, *kind) for name, kind in LAYOUTS.items()}
    return Layouts(
        law,
        {name: design.codepoints for name, design in designs.items()},
        {
            name: error(design, divided(law.source, BLOCK, LAYOUTS[name][0]))
            for name, design in designs.items()
        },
        {name: measured(design, law.source, BLOCK, LAYOUTS[name][0]) for name, design in designs.items()},
    )


def _design(law: Law, statistic: str, layout: str | None) -> ScalarQuantiser:
    if layout is not None:
        element = CubeRoot(_BITS, law.source, layout)  # type: ignore[arg-type]
        return element.quantiser(statistic, BLOCK)
    if statistic == "absmax":
        return optimum(law.source, 2**_BITS, BLOCK)
    start = CubeRoot(_BITS, law.source).quantiser(statistic, BLOCK).codepoints
    return lloyd_max(divided(law.source, BLOCK, statistic), 2**_BITS, start=start)


@styled
def draw(data: Data) -> Figure:
    """Codepoints of the Normal on the left, errors of all laws on the right."""
    figure, (left, right) = panels(2, height=2.9, sharey=True, width_ratios=[1.3, 1.0])
    rows = range(len(LAYOUTS))
    _draw_codepoints(left, data.laws[0])
    for place, found in enumerate(data.laws):
        law = found.law
        values = [found.errors[name] for name in LAYOUTS]
        right.plot(values, rows, color=law.colour, marker=law.marker, linestyle="none", label=law.label)
        for row, name in enumerate(LAYOUTS):
            _draw_across(right, found.audit[name], row + 0.16 * (place - 1))
    measured_entry(right)
    right.set_xlabel("relative RMS error $R$")
    left.set_yticks(rows, list(LAYOUTS))
    left.set_ylim(len(LAYOUTS) - 0.5, -0.5)
    handles, labels = right.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, columnspacing=1.2)
    return figure


def _draw_codepoints(axes: Axes, found: Layouts) -> None:
    for row, name in enumerate(LAYOUTS):
        points = found.codepoints[name]
        axes.plot([-1, 1], [row, row], color=GREY, linewidth=0.6)
        axes.plot(points, np.full(len(points), row), color=found.law.colour, marker="o", linestyle="none")
    axes.axvline(0.0, color=BLACK, linewidth=0.6, linestyle=(0, (1, 2)))
    axes.set_xticks([-1.0, -0.5, 0.0, 0.5, 1.0])
    axes.set(xlabel="codepoint (block maxima), Normal", ylabel="scale and layout")


def _draw_across(axes: Axes, found: Estimate, row: float) -> None:
    """A cross whose bar runs along the error, which is the x axis here."""
    width = 2 * found.standard_error
    axes.plot([found.value - width, found.value + width], [row, row], color=BLACK, linewidth=0.7)
    axes.plot(found.value, row, color=BLACK, marker="x", markersize=3.2, markeredgewidth=0.7)
