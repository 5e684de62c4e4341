"""How many levels are many: the formulas of high-resolution theory against exact quantisers, on three laws.

Panter and Dite's distortion of N levels is compared with that of the Lloyd-Max quantiser, and Gish and
Pierce's distortion at an entropy with that of the entropy-constrained quantiser.  The first settles slowly,
with 1 / N times the weight of the tails; the second at once where the density is smooth, and like the step
where it has a cusp.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bitlaw.theory import Source, entropy_constrained, evaluate, lloyd_max
from bitlaw.theory.limits import gish_pierce, panter_dite

from .laws import Law
from .operating_points import LAWS
from .style import BLACK, panels, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["ACCURATE", "Accuracy", "Data", "compute", "draw", "paper", "title"]

title = "Relative error of the high-resolution formulas"
paper = "after Panter and Dite (1951), and Gish and Pierce (1968)"

# Relative error at which a formula is called accurate.
ACCURATE = 0.01

# Numbers of levels, four an octave from 1 to 10 bits, and entropies, closer where smooth laws settle; below
# 1e-7 lines would show rounding.
_LEVELS = tuple(sorted({round(2 ** (k / 4)) for k in range(4, 41)}))
_ENTROPIES = (*(k / 4 for k in range(2, 16)), *(k / 2 for k in range(8, 17)))
_LEAST_SHOWN = 1e-5


@dataclass(frozen=True)
class Accuracy:
    """Relative error of a formula, predicted over exact distortion less 1, at rates in bits."""

    rate: NDArray[np.float64]
    error: NDArray[np.float64]

    @property
    def accurate_from(self) -> float:
        """Rate from which the error stays within `ACCURATE`, between two points by a straight line."""
        last = int(np.flatnonzero(np.abs(self.error) > ACCURATE)[-1])
        logarithm = np.log(np.abs(self.error[last : last + 2]))
        part = (logarithm[0] - np.log(ACCURATE)) / (logarithm[0] - logarithm[1])
        return float(self.rate[last] + part * (self.rate[last + 1] - self.rate[last]))


@dataclass(frozen=True)
class Data:
    """Accuracy of both formulas on each of the laws."""

    laws: tuple[Law, ...]
    panter_dite: tuple[Accuracy, ...]
    gish_pierce: tuple[Accuracy, ...]


@cache
def compute() -> Data:
    """Compare both formulas with exact designs on every law."""
    sources = [law.source for law in LAWS]
    return Data(LAWS, tuple(map(_by_levels, sources)), tuple(map(_by_entropy, sources)))


def _by_levels(source: Source) -> Accuracy:
    exact = [evaluate(lloyd_max(source, levels), source).distortion for levels in _LEVELS]
    predicted = [panter_dite(source, levels) for levels in _LEVELS]
    return Accuracy(np.log2(_LEVELS), np.divide(predicted, exact) - 1)


def _by_entropy(source: Source) -> Accuracy:
    exact = [evaluate(entropy_constrained(source, rate=rate), source).distortion for rate in _ENTROPIES]
    predicted = [gish_pierce(source, rate) for rate in _ENTROPIES]
    return Accuracy(np.array(_ENTROPIES), np.divide(predicted, exact) - 1)


@styled
def draw(data: Data) -> Figure:
    """Panter and Dite left, Gish and Pierce right; a mark where each becomes accurate."""
    figure, (left, right) = panels(2, height=2.9, sharey=True)
    _draw_formula(left, data.laws, data.panter_dite, "levels")
    _draw_formula(right, data.laws, data.gish_pierce, "bits")
    left.legend(loc="lower left", title="within 1% from", title_fontsize=8.0)
    right.legend(loc="upper right", title="within 1% from", title_fontsize=8.0)
    left.set(title="Panter-Dite against Lloyd-Max", xlabel="$\\log_2$ of the levels (bits)", xlim=(0.8, 10.2))
    right.set(title="Gish-Pierce against entropy-constrained", xlabel="entropy (bits)", xlim=(0.3, 8.2))
    left.set_ylabel("relative error of the distortion")
    return figure


def _draw_formula(axes: Axes, laws: tuple[Law, ...], results: tuple[Accuracy, ...], unit: str) -> None:
    axes.axhline(ACCURATE, color=BLACK, linewidth=0.8, linestyle=":")
    axes.text(0.99, 1.08 * ACCURATE, "1%", transform=axes.get_yaxis_transform(), ha="right", va="bottom")
    for law, result in zip(laws, results, strict=True):
        start = result.accurate_from
        amount = f"{2**start:.0f} levels" if unit == "levels" else f"{start:.1f} bits"
        size = np.abs(result.error)
        shown = size >= _LEAST_SHOWN / 100  # lines run on to the edge
        axes.plot(result.rate[shown], size[shown], color=law.colour)
        # One entry of the legend for the line and its mark.
        axes.plot(start, ACCURATE, color=law.colour, marker=law.marker, label=f"{law.label}: {amount}")
    axes.set_yscale("log")
    axes.set_ylim(_LEAST_SHOWN, 5.0)
