"""Distance of neighbouring codepoints at 4 bits for three laws of unit variance: cube root and Lloyd-Max.

The RMS half of the published figure: tensors are scaled to unit RMS, without blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bitlaw.theory import compand, evaluate, lloyd_max

from .laws import LAPLACE, NORMAL, Law, student_t
from .style import BLACK, panels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["LAWS", "Data", "Spacing", "compute", "draw", "paper", "title"]

title = "Codepoint spacing of three laws at 4 bits"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), eg_crd_curves_4bit, left half"

LAWS = (NORMAL, LAPLACE, student_t(7))
_LEVELS = 16


@dataclass(frozen=True)
class Spacing:
    """Steps q[i+1] - q[i] of one law, shape (15,), and relative RMS errors."""

    law: Law
    cube_root: NDArray[np.float64]
    lloyd_max: NDArray[np.float64]
    cube_root_error: float
    lloyd_max_error: float


@dataclass(frozen=True)
class Data:
    """One `Spacing` for each of `LAWS`."""

    spacings: tuple[Spacing, ...]


@cache
def compute() -> Data:
    """Design both quantisers for each law."""
    return Data(tuple(_spacing(law) for law in LAWS))


def _spacing(law: Law) -> Spacing:
    cube_root, optimum = compand(law.source, _LEVELS), lloyd_max(law.source, _LEVELS)
    errors = [evaluate(design, law.source).distortion ** 0.5 for design in (cube_root, optimum)]
    return Spacing(law, np.diff(cube_root.codepoints), np.diff(optimum.codepoints), *errors)


@styled
def draw(data: Data) -> Figure:
    """Steps against their index; thick pale lines with crosses are Lloyd-Max."""
    figure, (axes,) = panels(1, height=2.9)
    index = np.arange(1, _LEVELS)
    for spacing in data.spacings:
        law = spacing.law
        errors = f"$R$ = {spacing.cube_root_error:.4f}, {spacing.lloyd_max_error:.4f}"
        axes.plot(
            index, spacing.lloyd_max, color=law.colour, linewidth=3, alpha=0.35, marker="x", markersize=6
        )
        axes.plot(
            index, spacing.cube_root, color=law.colour, marker=law.marker, label=f"{law.label}: {errors}"
        )
    axes.plot(
        [], [], color=BLACK, linewidth=3, alpha=0.35, marker="x", markersize=6, label="Lloyd-Max (second $R$)"
    )
    axes.set_xticks(index)
    axes.set_ylim(0.0, None)
    axes.set(xlabel="index $i$", ylabel=r"codepoint step $q_{i+1} - q_i$ ($\sigma$)")
    axes.legend(loc="upper center")
    return figure
