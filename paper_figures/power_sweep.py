"""Relative RMS error at 4 bits against the exponent of the point density, with and without an entropy code.

The upper row has one scale for the tensor, the lower one divides blocks of 64 by their largest magnitude; their
densities are cut at the closed form of the expected maximum, and both ends are codepoints.

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
    ScalarQuantiser,
    Source,
    StudentT,
    compand,
    entropy_constrained,
    evaluate,
    lloyd_max,
    uniform,
)

from .block_designs import Estimate, closed_form, divided, draw_estimate, measured, measured_entry, optimum
from .laws import LAPLACE, NORMAL, Law, student_t
from .style import BLACK, BLUE, GREY, ORANGE, PURPLE, grid, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["BLOCK", "LAWS", "RATE", "Data", "Sweep", "compute", "draw", "paper", "title"]

title = "Power of the point density against error at 4 bits"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), power sweep, both rows"

LAWS = (NORMAL, LAPLACE, student_t(5))
RATE = 4.0
BLOCK = 64

# Exponents: dense where the fixed-length curve turns.  Below 0.01 the grid of the entropy-coded case is
# uniform to the width of a line, and the fixed-length case is off the scale.
_POWERS = np.unique(
    np.concatenate(
        [[0.01, 0.02, 0.04, 0.06], np.arange(0.08, 0.5, 0.02), np.arange(0.5, 1.01, 0.05), [1 / 3]]
    )
)
_BLOCK_POWERS = np.array([0.01, 0.08, 0.15, 0.22, 0.28, 1 / 3, 0.4, 0.48, 0.56, 0.65, 0.75, 0.85, 1.0])
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
    audit : dict of float to Estimate
        R of a draw with 16 codepoints, by exponent.
    """

    law: Law
    powers: NDArray[np.float64]
    fixed: NDArray[np.float64]
    coded: NDArray[np.float64]
    lloyd_max: float
    entropy_constrained: float
    uniform_coded: float
    audit: dict[float, Estimate]


@dataclass(frozen=True)
class Data:
    """One `Sweep` for each of `LAWS`: of tensors scaled by their RMS, and of blocks by their largest magnitude."""

    sweeps: tuple[Sweep, ...]
    blocks: tuple[Sweep, ...]


@cache
def compute() -> Data:
    """Integrate the error of every design."""
    return Data(tuple(_sweep(law) for law in LAWS), tuple(_block_sweep(law) for law in LAWS))


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
        audit={p: measured(compand(source, levels, power=p), source, 64, "none") for p in _audited(powers)},
    )


def _audited(powers: NDArray[np.float64]) -> list[float]:
    """The exponents nearest to these."""
    return [float(powers[np.abs(powers - p).argmin()]) for p in (0.22, 1 / 3, 0.65)]


def _block_sweep(law: Law) -> Sweep:
    source, levels = law.source, round(2**RATE)
    divided_law = divided(source, BLOCK)

    def design(count: int, power: float) -> ScalarQuantiser:
        return closed_form(source, count, BLOCK, power)

    def coded(power: float) -> float:
        return float(_coded(lambda count: evaluate(design(count, power), divided_law)) ** 0.5)

    def grid_of(count: int) -> Evaluation:
        return evaluate(ScalarQuantiser(np.linspace(-1.0, 1.0, count)), divided_law)

    return Sweep(
        law,
        _BLOCK_POWERS,
        fixed=np.array([evaluate(design(levels, p), divided_law).distortion for p in _BLOCK_POWERS]) ** 0.5,
        coded=np.array([coded(p) for p in _BLOCK_POWERS]),
        lloyd_max=evaluate(optimum(source, levels, BLOCK), divided_law).distortion ** 0.5,
        entropy_constrained=evaluate(entropy_constrained(divided_law, rate=RATE), divided_law).distortion
        ** 0.5,
        uniform_coded=_coded(grid_of) ** 0.5,
        audit={p: measured(design(levels, p), source, BLOCK) for p in _audited(_BLOCK_POWERS)},
    )


def _coded_distortion(source: Source, power: float) -> float:
    return _coded(lambda levels: evaluate(compand(source, levels, power=power), source))


def _coded(evaluation: Callable[[int], Evaluation]) -> float:
    """Least distortion at the entropy RATE, over both parities of the number of codepoints."""

    @cache
    def point(levels: int) -> Evaluation:
        return evaluation(levels)

    return min(_shared(point, parity) for parity in (0, 1))


def _shared(point: Callable[[int], Evaluation], parity: int) -> float:
    """Distortion of two neighbouring numbers of one parity, mixed to have the entropy RATE."""
    # Half the number of codepoints.  So few that no probabilities have the entropy, whence steps that double.
    low = round(2**RATE) // 2 - 1
    high = low + 2
    while point(2 * high + parity).entropy < RATE:
        low, high = high, high + 2 * (high - low)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if point(2 * middle + parity).entropy < RATE else (low, middle)
    below, above = point(2 * low + parity), point(2 * high + parity)
    share = (RATE - below.entropy) / (above.entropy - below.entropy)
    return (1 - share) * below.distortion + share * above.distortion


@styled
def draw(data: Data) -> Figure:
    """One panel for each law, blocks in the lower row."""
    figure, rows = grid(2, len(data.sweeps), height=5.0, sharey=True)
    for row, sweeps in zip(rows, (data.sweeps, data.blocks), strict=True):
        for axes, sweep in zip(row, sweeps, strict=True):
            _draw_sweep(axes, sweep)
    for axes, sweep in zip(rows[0], data.sweeps, strict=True):
        axes.set_title(sweep.law.label)
    rows[0][0].set_ylabel("relative RMS error $R$\ntensor RMS")
    rows[1][0].set_ylabel(f"relative RMS error $R$\nabsmax of blocks of {BLOCK}")
    measured_entry(rows[0][0])
    handles, labels = rows[0][0].get_legend_handles_labels()
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
    axes.set_xlabel("exponent $p$")
    for power, found in sweep.audit.items():
        draw_estimate(axes, power, found)
