"""Bits that named formats spend above the rate-distortion function at the error they reach.

Formats of different sizes and errors become comparable: the gap is the bits per element of everything stored,
less those that the best code of any kind needs for the same error on independent elements of that law.  What an
entropy code of the indices would save is the distance to the open marker.  The tensor has a standard deviation
of 0.02, as weights of language models have, which matters where a scale is a power of two.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from bitlaw.theory import FORMAT_NAMES, Prediction, parse_format, predict

from .bound_curve import RATES, bound_rate
from .laws import LAPLACE, NORMAL, Law
from .style import BLUE, GREY, ORANGE, panels, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["LAWS", "NAMES", "STD", "Data", "Gap", "compute", "draw", "paper", "title"]

title = "Gap of named formats to the rate-distortion bound in bits"
paper = "bitlaw, exact values of the formats in use"

LAWS = (NORMAL, LAPLACE)
# The types of 16 bits are what weights come in, and would push all others together.
NAMES = tuple(name for name in FORMAT_NAMES if parse_format(name).element.bits < 16)
STD = 0.02


@dataclass(frozen=True)
class Gap:
    """A format on one law.

    Attributes
    ----------
    name : str
    bits, R : float
        Bits per element as stored, and relative RMS error.
    fixed, coded : float
        Bits above the bound as stored, and with the indices coded to their entropy.
    method : {"exact", "simulation"}
        Of the prediction.
    """

    name: str
    bits: float
    R: float
    fixed: float
    coded: float
    method: str


@dataclass(frozen=True)
class Data:
    """A `Gap` for each law of `LAWS` and each name, in ascending order of the first law's gap as stored."""

    gaps: tuple[tuple[Gap, ...], ...]


@cache
def compute() -> Data:
    """Predict every named format below 16 bits."""
    columns = [{name: _gap(name, law) for name in NAMES} for law in LAWS]
    order = sorted(NAMES, key=lambda name: columns[0][name].fixed)
    return Data(tuple(tuple(column[name] for name in order) for column in columns))


def _gap(name: str, law: Law) -> Gap:
    found = predict(name, law.source, std=STD)
    limit = _limit(found, law)
    return Gap(name, found.bits, found.R, found.bits - limit, found.compressed_bits - limit, found.method)


def _limit(found: Prediction, law: Law) -> float:
    """Bits of the bound, read off a curve where it has points."""
    if law is NORMAL:
        return float(np.log2(1 / found.R))
    return float(bound_rate(law.source, found.R**2)) if found.R > 2.0 ** -RATES[-1] else found.limit


@styled
def draw(data: Data) -> Figure:
    """One panel for each law, one row for each name with its bits."""
    names = [f"{gap.name} {gap.bits:6.3f}" for gap in data.gaps[0]]
    figure, row = panels(len(LAWS), height=4.6, sharey=True)
    for axes, law, gaps in zip(row, LAWS, data.gaps, strict=True):
        _draw_gaps(axes, gaps)
        axes.set(xlabel="gap to $R(D)$ (bits)", title=law.label)
    row[0].set_yticks(range(len(names)), names, family="monospace", size=7.0)
    row[0].set_ylim(len(names) - 0.4, -0.6)
    row[0].set_ylabel("format, and bits per element as stored")
    handles, labels = row[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def _draw_gaps(axes: Axes, gaps: tuple[Gap, ...]) -> None:
    places = range(len(gaps))
    fixed, coded = [gap.fixed for gap in gaps], [gap.coded for gap in gaps]
    axes.hlines(places, coded, fixed, color=GREY, linewidth=0.8)
    axes.plot(fixed, places, color=BLUE, marker="o", linestyle="none", markersize=4.5, label="as stored")
    axes.plot(
        coded,
        places,
        color=ORANGE,
        marker="D",
        markerfacecolor="white",
        linestyle="none",
        markersize=4.0,
        label="indices entropy-coded",
    )
    axes.set_xlim(0.0, max(4.2, 1.03 * max(fixed)))
