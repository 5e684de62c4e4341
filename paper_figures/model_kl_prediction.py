"""Measured KL divergence of a model against half the sum of Fisher information times squared error.

The prediction knows the weights' statistics and the Fisher information, and nothing of the quantised model.  Its
own interval, which comes from the targets that were drawn, is not shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .model_formats import MAIN
from .model_points import Point, caption, draw_points, identity, kl_point
from .model_results import ModelResults
from .model_study import ModelStudy
from .style import panels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "Data", "compute", "draw", "paper", "title"]

title = "Measured KL divergence against its prediction from Fisher information"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), KL divergence against its Fisher prediction"

FORMATS = MAIN


@dataclass(frozen=True)
class Data:
    """Predicted and measured KL of each format."""

    results: ModelResults
    points: tuple[Point, ...]


def compute(study: ModelStudy) -> Data:
    """Predicted and measured KL of each format."""
    results = study.results
    return Data(results, tuple(kl_point(run, run.predicted_kl) for run in results.uniform))


@styled
def draw(data: Data) -> Figure:
    """One panel."""
    figure, (axes,) = panels(1, height=3.6)
    ends = [value for point in data.points for value in (point.x, point.y)]
    identity(axes, min(ends) / 1.5, max(ends) * 1.5, "measured as predicted")
    draw_points(axes, data.points)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set(xlabel="predicted KL divergence (nats per token)", ylabel="measured KL (nats per token)")
    caption(figure, axes, data.results)
    return figure
