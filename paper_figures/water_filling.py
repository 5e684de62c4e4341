"""Reverse water-filling of a correlated Gaussian vector: who gets bits, and what it saves.

A first-order autoregressive covariance, the standard example.  On the left its eigenvalues: a component above
the water level is coded down to it, one below gets no bits and keeps its variance.  On the right the least
distortion against the mean rate, beside that of equal rates; at high rate the curves lie half the logarithm of
arithmetic over geometric mean of the eigenvalues apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bitlaw.theory.limits import covariance_water_filling, reverse_water_filling

from .style import BLUE, GREY, ORANGE, panels, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["CORRELATION", "SIZE", "Data", "compute", "draw", "paper", "title"]

title = "Reverse water-filling of a correlated Gaussian vector"
paper = "after Kolmogorov (1956), and Cover and Thomas (2006), figure 10.7"

SIZE = 32
CORRELATION = 0.9
_SHOWN_RATE = 0.4


@dataclass(frozen=True)
class Data:
    """Numbers of both panels.

    Attributes
    ----------
    variances : ndarray of float64, shape (SIZE,)
        Eigenvalues, descending; their mean is 1.
    distortions : ndarray of float64, shape (SIZE,)
        Of each component at a mean rate of 0.4 bit.
    level : float
        Water level at that rate.
    rates : ndarray of float64, shape (n,)
        Mean rates of the right panel.
    filled, equal : ndarray of float64, shape (n,)
        Distortion at those rates by water-filling, and with equal rates.
    """

    variances: NDArray[np.float64]
    distortions: NDArray[np.float64]
    level: float
    rates: NDArray[np.float64]
    filled: NDArray[np.float64]
    equal: NDArray[np.float64]


@cache
def compute() -> Data:
    """Fill at 0.4 bit, and along the curve."""
    lag = np.abs(np.subtract.outer(np.arange(SIZE), np.arange(SIZE)))
    shown = covariance_water_filling(CORRELATION**lag, _SHOWN_RATE)
    rates = np.linspace(0.0, 4.0, 81)
    return Data(
        variances=shown.variances[::-1],
        distortions=shown.distortions[::-1],
        level=shown.level,
        rates=rates,
        filled=np.array([reverse_water_filling(shown.variances, rate).distortion for rate in rates]),
        equal=np.exp2(-2 * rates) * shown.variances.mean(),
    )


@styled
def draw(data: Data) -> Figure:
    """Components on the left, the gain on the right."""
    figure, (left, right) = panels(2, height=2.5)
    _draw_components(left, data)
    _draw_gain(right, data)
    return figure


def _draw_components(axes: Axes, data: Data) -> None:
    index = np.arange(1, SIZE + 1)
    axes.bar(index, data.variances, width=0.8, color=ORANGE, alpha=0.45, label="removed by coding")
    axes.bar(index, data.distortions, width=0.8, color=BLUE, label="left as distortion")
    axes.axhline(data.level, color=GREY, linestyle="--", linewidth=1.0, label="water level")
    axes.set_yscale("log")
    axes.set_ylim(2e-2, None)
    axes.set_xticks([1, 8, 16, 24, 32])
    axes.set(xlabel="component, by variance", ylabel=r"variance ($\sigma^2$)")
    axes.legend(loc="upper right")


def _draw_gain(axes: Axes, data: Data) -> None:
    axes.plot(data.rates, data.equal, color=GREY, linestyle="--", label="equal rates")
    axes.plot(data.rates, data.filled, color=BLUE, label="water-filling")
    axes.plot(
        _SHOWN_RATE, data.distortions.mean(), color=ORANGE, marker="o", linestyle="none", label="left panel"
    )
    axes.set_yscale("log")
    axes.set(xlabel="mean rate (bits per component)", ylabel=r"mean distortion ($\sigma^2$)")
    axes.legend(loc="upper right")
