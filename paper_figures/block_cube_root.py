"""Codepoints at 4 bits for blocks of 64 divided by their largest magnitude: cube root and exact optimum.

The cube-root curve is that of the law cut at the closed form of a block's expected maximum, with both ends on
codepoints.  The optimum is that of the exact law of a divided element, atoms and weights included, with the same
two ends held, and on the right also with all codepoints free.
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
from .style import BLACK, panels, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["BLOCK", "DESIGNS", "LAWS", "Codebooks", "Data", "compute", "draw", "paper", "title"]

title = "Cube-root codepoints for block absmax at 4 bits"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), eg_crd_curves_4bit, right half"

LAWS = (NORMAL, LAPLACE, student_t(7))
BLOCK = 64
_LEVELS = 16
DESIGNS = ("cube root", "optimum with ends", "free optimum")


@dataclass(frozen=True)
class Codebooks:
    """Codepoints of one law by `DESIGNS`, each of shape (16,), their R, and R of a draw."""

    law: Law
    codepoints: dict[str, NDArray[np.float64]]
    errors: dict[str, float]
    audit: dict[str, Estimate]


@dataclass(frozen=True)
class Data:
    """One `Codebooks` for each of `LAWS`."""

    laws: tuple[Codebooks, ...]


@cache
def compute() -> Data:
    """Design the codebooks of each law and integrate their errors."""
    return Data(tuple(_codebooks(law) for law in LAWS))


def _codebooks(law: Law) -> Codebooks:
    made = (
        closed_form(law.source, _LEVELS, BLOCK),
        optimum_with_ends(law.source, _LEVELS, BLOCK),
        optimum(law.source, _LEVELS, BLOCK),
    )
    designs = dict(zip(DESIGNS, made, strict=True))
    return Codebooks(
        law,
        {name: design.codepoints for name, design in designs.items()},
        {name: error(design, divided(law.source, BLOCK)) for name, design in designs.items()},
        {name: measured(design, law.source, BLOCK) for name, design in designs.items()},
    )


@styled
def draw(data: Data) -> Figure:
    """Steps against their index on the left, errors on the right."""
    figure, (left, right) = panels(2, height=2.9, width_ratios=[1.6, 1.0])
    _draw_steps(left, data)
    for place, found in enumerate(data.laws):
        _draw_errors(right, place, found)
    measured_entry(right)
    right.set_xticks(range(len(DESIGNS)), ["cube\nroot", "optimum\nwith ends", "free\noptimum"])
    right.set_xlim(-0.4, 2.4)
    right.set_ylabel("relative RMS error $R$")
    handles, labels = right.get_legend_handles_labels()
    right.legend(handles[-1:], labels[-1:], loc="lower left")  # laws are named on the left
    right.set_ylim(0.0835, None)
    return figure


def _draw_steps(axes: Axes, data: Data) -> None:
    index = np.arange(1, _LEVELS)
    for found in data.laws:
        law = found.law
        thick = np.diff(found.codepoints["optimum with ends"])
        axes.plot(index, thick, color=law.colour, linewidth=3, alpha=0.35, marker="x", markersize=6)
        steps = np.diff(found.codepoints["cube root"])
        axes.plot(index, steps, color=law.colour, marker=law.marker, label=law.label)
    axes.plot(
        [], [], color=BLACK, linewidth=3, alpha=0.35, marker="x", markersize=6, label="optimum with ends"
    )
    axes.set_xticks(index[::2])
    axes.set_ylim(0.0, None)
    axes.set(xlabel="index $i$", ylabel=r"codepoint step $q_{i+1} - q_i$ (block maxima)")
    axes.legend(loc="upper center")


def _draw_errors(axes: Axes, place: int, found: Codebooks) -> None:
    law = found.law
    exact = [found.errors[name] for name in DESIGNS]
    axes.plot(range(len(DESIGNS)), exact, color=law.colour, marker=law.marker, label=law.label)
    for x, name in enumerate(DESIGNS):
        draw_estimate(axes, x + 0.08 * (place - 1), found.audit[name])
    axes.set_xlabel("codebook")
