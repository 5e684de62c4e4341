"""KL divergence of a model times 4 to the power of its bits, against bits per weight.

One more bit divides R by about two and so the KL by about four, which this factor undoes: a family whose formats
differ in their width alone is a level line, and its height is what the family costs at any width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .model_formats import BLOCK, CHANNEL, CODED, OUTLIERS, TENSOR
from .model_points import Point, caption, draw_curve, families, kl_point, scaled
from .model_results import ModelResults
from .model_runs import FAMILIES, missing_runs
from .model_study import ModelStudy
from .style import panels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "Data", "compute", "draw", "paper", "title"]

title = "KL divergence with the gain of each bit undone, against bits per weight"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), scaled KL divergence"

FORMATS = (*TENSOR, *CHANNEL, *BLOCK, *OUTLIERS, *CODED)


@dataclass(frozen=True)
class Data:
    """Bits and scaled KL of each format."""

    results: ModelResults
    points: tuple[Point, ...]


def compute(study: ModelStudy) -> Data:
    """Bits and scaled KL of those families that the study has more than one width of."""
    found = [scaled(kl_point(run, run.bits)) for run in study.results.find(FORMATS).values()]
    points = tuple(point for members in families(found).values() if len(members) > 1 for point in members)
    if not points:
        raise missing_runs(FORMATS)
    return Data(study.results, points)


@styled
def draw(data: Data) -> Figure:
    """One panel."""
    figure, (axes,) = panels(1, height=3.6)
    for family, members in families(data.points).items():
        draw_curve(axes, members, family, **FAMILIES[family])
    axes.set_ylim(bottom=0)
    axes.set(
        xlabel="bits per weight, everything counted",
        ylabel=r"KL divergence $\times\ 4^{\,\mathrm{bits}}$ (nats per token)",
    )
    caption(figure, axes, data.results)
    return figure
