"""Relative RMS error at 4 bits against the exponent of the point density, with and without an entropy code.

Codepoints are spread as f^p.  Without an entropy code there are 16 of them and the best exponent is near
1/3.  With one, the number of codepoints is chosen for an entropy of 4 bits, and the best exponent is 0, a
uniform grid.

The catch is that a number of codepoints is an integer.  Two numbers of one parity whose entropies enclose
4 bits are used in turn, in the proportion that gives 4 bits exactly; the better parity is shown.  Such a
mixture is a real code, so it cannot undercut the entropy-constrained optimum.  A Student-t law to a power of
1 / (df + 1) or less has no finite integral: its curve ends there, and the uniform grid stands alone at 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bitlaw.theory import (
    Evaluation,
    Source,
    StudentT,
    compand,
    entropy_constrained,
    evaluate,
    lloyd_max,
    uniform,
)

from .laws import LAPLACE, NORMAL, Law, student_t
from .style import BLACK, BLUE, GREY, ORANGE, PURPLE, panels, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["LAWS", "RATE", "Data", "Sweep", "compute", "draw", "paper", "title"]

title = "Power of the point density against error at 4 bits"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), power sweep, RMS row"

LAWS = (NORMAL, LAPLACE, student_t(5))
RATE = 4.0

# Exponents: dense where the fixed-length curve turns.  Below 0.01 the grid of the entropy-coded case is
# uniform to the width of a line, and the fixed-length case is off the scale.
_POWERS = np.unique(
    np.concatenate(
        [[0.01, 0.02, 0.04, 0.06], np.arange(0.08, 0.5, 0.02), np.arange(0.5, 1.01, 0.05), [1 / 3]]
    )
)
# How far above its pole 1 / (df + 1) a Student-t curve starts: nearer, most codepoints lie in the far tail.
_POLE_MARGIN = 0.02


@dataclass(frozen=True)
class Sweep:
    """Relative RMS errors of one law.

    Attributes
    ----------
    law : Law
    powers : ndarray of float64, shape (n,)
        Exponents p.
    fixed, coded : ndarray of float64, shape (n,)
        R of 16 codepoints, and of as many as have an entropy of 4 bits.
    lloyd_max, entropy_constrained, uniform_coded : float
        R of the two optima, and of the uniform grid with an entropy of 4 bits (p = 0).
    """

    law: Law
    powers: NDArray[np.float64]
    fixed: NDArray[np.float64]
    coded: NDArray[np.float64]
    lloyd_max: float
    entropy_constrained: float
    uniform_coded: float


@dataclass(frozen=True)
class Data:
    """One `Sweep` for each of `LAWS`."""

    sweeps: tuple[Sweep, ...]


@cache
def compute() -> Data:
    """Integrate the error of every design."""
    return Data(tuple(_sweep(law) for law in LAWS))


def _sweep(law: Law) -> Sweep:
    source, levels = law.source, round(2**RATE)
    pole = 1 / (source.df + 1) + _POLE_MARGIN if isinstance(source, StudentT) else 0.0
    powers = _POWERS[_POWERS > pole]
    return Sweep(
        law,
        powers,
        fixed=np.array([evaluate(compand(source, levels, power=p), source).distortion for p in powers])
        ** 0.5,
        coded=np.array([_coded_distortion(source, p) for p in powers]) ** 0.5,
        lloyd_max=evaluate(lloyd_max(source, levels), source).distortion ** 0.5,
        entropy_constrained=evaluate(entropy_constrained(source, rate=RATE), source).distortion ** 0.5,
        uniform_coded=evaluate(uniform(source, rate=RATE), source).distortion ** 0.5,
    )


def _coded_distortion(source: Source, power: float) -> float:
    """Least distortion at the entropy RATE, over both parities of the number of codepoints."""

    @cache
    def point(levels: int) -> Evaluation:
        return evaluate(compand(source, levels, power=power), source)

    return min(_shared(point, parity) for parity in (0, 1))


def _shared(point: Callable[[int], Evaluation], parity: int) -> float:
    """Distortion of two neighbouring numbers of one parity, mixed to have the entropy RATE."""
    low, high = 1, 2  # half the number of codepoints
    while point(2 * high + parity).entropy < RATE:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if point(2 * middle + parity).entropy < RATE else (low, middle)
    below, above = point(2 * low + parity), point(2 * high + parity)
    share = (RATE - below.entropy) / (above.entropy - below.entropy)
    return (1 - share) * below.distortion + share * above.distortion


@styled
def draw(data: Data) -> Figure:
    """One panel for each law."""
    figure, row = panels(len(data.sweeps), height=2.7, sharey=True)
    for axes, sweep in zip(row, data.sweeps, strict=True):
        _draw_sweep(axes, sweep)
    row[0].set_ylabel("relative RMS error $R$")
    handles, labels = row[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _draw_sweep(axes: Axes, sweep: Sweep) -> None:
    axes.axhline(sweep.lloyd_max, color=GREY, linewidth=1.0, label="Lloyd-Max")
    axes.axhline(
        sweep.entropy_constrained,
        color=GREY,
        linewidth=1.0,
        linestyle=":",
        label="entropy-constrained optimum",
    )
    axes.axvline(1 / 3, color=BLACK, linewidth=0.6, linestyle=(0, (1, 2)))
    axes.plot(sweep.powers, sweep.fixed, color=BLUE, label="16 codepoints")
    axes.plot(sweep.powers, sweep.coded, color=ORANGE, linestyle="--", label="entropy 4 bits")
    axes.plot(
        0.0,
        sweep.uniform_coded,
        color=PURPLE,
        marker="D",
        linestyle="none",
        label="uniform, entropy 4 bits",
        clip_on=False,
    )
    axes.set_yscale("log")
    axes.set_ylim(0.06, 0.4)
    axes.set_yticks([0.06, 0.1, 0.2, 0.4], ["0.06", "0.1", "0.2", "0.4"])
    axes.minorticks_off()
    axes.set_xlim(-0.02, 1.0)
    axes.set_xticks([0.0, 1 / 3, 2 / 3, 1.0], ["0", "1/3", "2/3", "1"])
    axes.set(xlabel="exponent $p$", title=sweep.law.label)
