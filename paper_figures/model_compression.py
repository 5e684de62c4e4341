"""What an entropy code or outliers add to scales of tensors, channels and blocks: KL divergence against bits.

Codebooks of fixed length need scales of small blocks, or outliers kept apart, to follow large weights.  A code that
spends more bits on rare weights does the same by itself, so that it gains most where scales are fewest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .model_formats import (
    BLOCK,
    BLOCK_CODED,
    BLOCK_OUTLIERS,
    CHANNEL,
    CHANNEL_CODED,
    CHANNEL_OUTLIERS,
    CODED,
    OUTLIERS,
    TENSOR,
)
from .model_points import Point, draw_curve, kl_point, measured_on, scaled
from .model_results import ModelResults
from .model_runs import FAMILIES, missing_runs
from .model_study import ModelStudy
from .style import BLUE, GREY, grid, styled

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "Data", "Scaling", "compute", "draw", "paper", "title"]

title = "Scales of tensors, channels and blocks with outliers or an entropy code"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), compression and scaling"

_FIXED, _OUTLIERS, _CODED = "fixed length", "outliers kept", "entropy-coded"
_OTHERS = "fixed length, other panels"
_SCALINGS = {
    "tensor scale": {_FIXED: TENSOR, _OUTLIERS: OUTLIERS, _CODED: CODED},
    "channel scale": {_FIXED: CHANNEL, _OUTLIERS: CHANNEL_OUTLIERS, _CODED: CHANNEL_CODED},
    "block scale": {_FIXED: BLOCK, _OUTLIERS: BLOCK_OUTLIERS, _CODED: BLOCK_CODED},
}

_LOOKS = {
    _FIXED: {"color": BLUE, "marker": "o"},
    _OUTLIERS: FAMILIES["outliers kept"],
    _CODED: FAMILIES["entropy-coded"],
}

FORMATS = tuple(text for curves in _SCALINGS.values() for formats in curves.values() for text in formats)


@dataclass(frozen=True)
class Scaling:
    """Bits and KL by what is done beside one way of scaling."""

    name: str
    curves: dict[str, tuple[Point, ...]]


@dataclass(frozen=True)
class Data:
    """Ways of scaling that the study has more than one curve of."""

    results: ModelResults
    scalings: tuple[Scaling, ...]


def compute(study: ModelStudy) -> Data:
    """Bits and measured KL of each curve that the study holds two formats of."""
    scalings = []
    for name, curves in _SCALINGS.items():
        found = {label: study.results.find(formats).values() for label, formats in curves.items()}
        points = {label: tuple(kl_point(run, run.bits) for run in runs) for label, runs in found.items()}
        kept = {label: curve for label, curve in points.items() if len(curve) > 1}
        if len(kept) > 1:
            scalings.append(Scaling(name, kept))
    if not scalings:
        raise missing_runs(FORMATS)
    return Data(study.results, tuple(scalings))


@styled
def draw(data: Data) -> Figure:
    """A column for each way of scaling: KL above, and below with the gain of each bit undone."""
    figure, rows = grid(2, len(data.scalings), height=4.4, sharex=True, sharey="row")
    handles: dict[str, Artist] = {}
    converters: tuple[Callable[[Point], Point], ...] = (lambda point: point, scaled)
    for row, convert in zip(rows, converters, strict=True):
        for panel, scaling in zip(row, data.scalings, strict=True):
            for other in data.scalings:
                if other is not scaling and _FIXED in other.curves:
                    points = sorted((p.x, convert(p).y) for p in other.curves[_FIXED])
                    x, y = [p[0] for p in points], [p[1] for p in points]
                    (line,) = panel.plot(x, y, color=GREY, linewidth=0.6, zorder=1)
                    handles[_OTHERS] = line
            for label, curve in scaling.curves.items():
                handles[label] = draw_curve(panel, map(convert, curve), label, **_LOOKS[label])
    for column, scaling in enumerate(data.scalings):
        rows[0][column].set_title(scaling.name)
        rows[1][column].set_xlabel("bits per weight")
    rows[0][0].set_yscale("log")
    rows[0][0].set_ylabel("KL (nats per token)")
    rows[1][0].set_ylim(bottom=0)
    rows[1][0].set_ylabel(r"KL $\times\ 4^{\,\mathrm{bits}}$")
    figure.suptitle(measured_on(data.results), fontsize=9.0)
    ordered = [label for label in (*_LOOKS, _OTHERS) if label in handles]
    figure.legend([handles[label] for label in ordered], ordered, loc="outside lower center", ncols=4)
    return figure
