"""Reverse water-filling: who gets bits, and what it saves, for two spectra.

Above, a first-order autoregressive covariance, the standard example.  On the left its eigenvalues: a component
above the water level is coded down to it, one below gets no bits and keeps its variance.  On the right the
least distortion against the mean rate, beside that of equal rates; at high rate the curves lie half the
logarithm of arithmetic over geometric mean of the eigenvalues apart.

Below, variances that fall like 1/i, and real formats: Lloyd-Max quantisers of 0 to 8 whole bits, shared out by
the exact allocation from a finite list.  It keeps to the continuous rates as far as whole bits can; what
separates it from the bound is the quantisers' own gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bitlaw.theory import Normal, evaluate, lloyd_max
from bitlaw.theory.limits import ComponentTable, allocate, covariance_water_filling, reverse_water_filling

from .style import BLACK, BLUE, GREY, ORANGE, grid, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["BITS", "CORRELATION", "SIZE", "Allocated", "Data", "Filled", "compute", "draw", "paper", "title"]

title = "Reverse water-filling of two spectra, continuous and by whole bits"
paper = "after Kolmogorov (1956), and Cover and Thomas (2006), figure 10.7"

SIZE = 32
CORRELATION = 0.9
BITS = range(9)
_SHOWN_RATE = 0.4
_SHOWN_BITS = 2


@dataclass(frozen=True)
class Filled:
    """A spectrum and its distortions at mean rates.

    Attributes
    ----------
    variances : ndarray of float64, shape (SIZE,)
        Of the components, descending; their mean is 1.
    rates : ndarray of float64, shape (n,)
        Mean rates.
    filled, equal : ndarray of float64, shape (n,)
        Distortion at those rates by water-filling, and with equal rates.
    """

    variances: NDArray[np.float64]
    rates: NDArray[np.float64]
    filled: NDArray[np.float64]
    equal: NDArray[np.float64]


@dataclass(frozen=True)
class Allocated:
    """Whole bits for each component.

    Attributes
    ----------
    rates, distortions : ndarray of float64, shape (m,)
        Mean rates of the best allocations, and what they reach.
    equal : ndarray of float64, shape (len(BITS),)
        Distortion of the same bits for all, by `BITS`.
    shown : ndarray of float64, shape (SIZE,)
        Bits of the components at a mean of 2 bits.
    continuous : ndarray of float64, shape (SIZE,)
        Rates of water-filling at that mean.
    """

    rates: NDArray[np.float64]
    distortions: NDArray[np.float64]
    equal: NDArray[np.float64]
    shown: NDArray[np.float64]
    continuous: NDArray[np.float64]


@dataclass(frozen=True)
class Data:
    """Numbers of the four panels.

    Attributes
    ----------
    regression, falling : Filled
        The autoregressive spectrum, and 1/i.
    distortions : ndarray of float64, shape (SIZE,)
        Of each component of the first at a mean rate of 0.4 bit.
    level : float
        Water level at that rate.
    allocated : Allocated
        Of the second spectrum.
    """

    regression: Filled
    falling: Filled
    distortions: NDArray[np.float64]
    level: float
    allocated: Allocated


@cache
def compute() -> Data:
    """Fill both spectra along the curves, and allocate whole bits to the second."""
    lag = np.abs(np.subtract.outer(np.arange(SIZE), np.arange(SIZE)))
    shown = covariance_water_filling(CORRELATION**lag, _SHOWN_RATE)
    falling = 1 / np.arange(1, SIZE + 1)
    falling /= falling.mean()
    return Data(
        regression=_filled(shown.variances[::-1]),
        falling=_filled(falling),
        distortions=shown.distortions[::-1],
        level=shown.level,
        allocated=_allocated(falling),
    )


def _filled(variances: NDArray[np.float64]) -> Filled:
    rates = np.linspace(0.0, 4.0, 81)
    filled = np.array([reverse_water_filling(variances, rate).distortion for rate in rates])
    return Filled(variances, rates, filled, np.exp2(-2 * rates) * variances.mean())


def _allocated(variances: NDArray[np.float64]) -> Allocated:
    unit = np.array([1.0, *(evaluate(lloyd_max(Normal(), 2**b), Normal()).distortion for b in BITS[1:])])
    table = ComponentTable.from_arrays(list(BITS), np.outer(variances, unit))
    budgets = np.arange(SIZE // 8, 4 * SIZE + 1, SIZE // 8)
    found = [allocate(table, int(budget), exact=True) for budget in budgets]
    return Allocated(
        rates=np.array([result.bits for result in found]) / SIZE,
        distortions=np.array([result.loss for result in found]) / SIZE,
        equal=unit * variances.mean(),
        shown=allocate(table, _SHOWN_BITS * SIZE, exact=True).rates,
        continuous=reverse_water_filling(variances, _SHOWN_BITS).rates,
    )


@styled
def draw(data: Data) -> Figure:
    """Components on the left, the gain on the right; below by whole bits."""
    figure, (above, below) = grid(2, 2, height=4.6)
    _draw_components(above[0], data)
    _draw_gain(above[1], data.regression)
    above[1].set_title("autoregression")
    above[1].plot(
        _SHOWN_RATE, data.distortions.mean(), color=ORANGE, marker="o", linestyle="none", label="left panel"
    )
    above[1].legend(loc="upper right")
    _draw_bits(below[0], data.allocated)
    _draw_allocations(below[1], data)
    return figure


def _draw_components(axes: Axes, data: Data) -> None:
    index = np.arange(1, SIZE + 1)
    axes.bar(index, data.regression.variances, width=0.8, color=ORANGE, alpha=0.45, label="removed by coding")
    axes.bar(index, data.distortions, width=0.8, color=BLUE, label="left as distortion")
    axes.axhline(data.level, color=GREY, linestyle="--", linewidth=1.0, label="water level")
    axes.set_yscale("log")
    axes.set_ylim(2e-2, None)
    _set_components(axes)
    axes.set(ylabel=r"variance ($\sigma^2$)", title=f"autoregression, {_SHOWN_RATE} bit")
    axes.legend(loc="upper right")


def _draw_gain(axes: Axes, filled: Filled) -> None:
    axes.plot(filled.rates, filled.equal, color=GREY, linestyle="--", label="equal rates")
    axes.plot(filled.rates, filled.filled, color=BLUE, label="water-filling")
    axes.set_yscale("log")
    axes.set(xlabel="mean rate (bits per component)", ylabel=r"mean distortion ($\sigma^2$)")


def _draw_bits(axes: Axes, allocated: Allocated) -> None:
    index = np.arange(1, SIZE + 1)
    axes.bar(index, allocated.shown, width=0.8, color=ORANGE, alpha=0.45, label="whole bits, allocated")
    axes.plot(index, allocated.continuous, color=BLUE, label="water-filling")
    axes.axhline(_SHOWN_BITS, color=GREY, linestyle="--", linewidth=1.0, label="equal rates")
    _set_components(axes)
    axes.set(ylabel="rate (bits)", title=f"variances 1/$i$, {_SHOWN_BITS} bits")
    axes.legend(loc="upper right")


def _draw_allocations(axes: Axes, data: Data) -> None:
    _draw_gain(axes, data.falling)
    axes.set_title("variances 1/$i$")
    allocated = data.allocated
    axes.plot(
        allocated.rates, allocated.distortions, color=ORANGE, linewidth=0.8, marker="o", markersize=2.0,
        label="Lloyd-Max, allocated",
    )  # fmt: skip
    whole = [bits for bits in BITS if bits <= allocated.rates[-1]]
    axes.plot(
        whole,
        allocated.equal[: len(whole)],
        color=BLACK,
        marker="s",
        linestyle="none",
        label="Lloyd-Max, equal bits",
    )
    axes.legend(loc="lower left")


def _set_components(axes: Axes) -> None:
    axes.set_xticks([1, 8, 16, 24, 32])
    axes.set_xlabel("component, by variance")
