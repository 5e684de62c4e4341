"""Measured KL divergence of a model against half the sum of Fisher information times squared error, and their ratio.

Up to the dotted line the quadratic form is meant to hold.  The prediction knows the weights' statistics and the Fisher
information, and nothing of the quantised model.  Its own interval, which comes from the targets that were drawn, is not
shown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .model_formats import MAIN
from .model_points import Point, caption, draw_points, identity, kl_point, measured_on
from .model_results import ModelResults
from .model_study import ModelStudy
from .style import BLACK, GREY, panels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "Data", "compute", "draw", "paper", "title"]

title = "Measured KL divergence against its prediction from Fisher information"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), KL divergence against its Fisher prediction"

FORMATS = MAIN

# KL up to which the quadratic form is meant to hold (`bitlaw.llm.audit`).
_SMALL = 0.05


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
    """Both on the left, the ratio on the right, where intervals can be seen."""
    figure, (left, right) = panels(2, height=3.2)
    ends = [value for point in data.points for value in (point.x, point.y)]
    identity(left, min(ends) / 1.5, max(ends) * 1.5, "measured as predicted")
    draw_points(left, data.points)
    draw_points(right, [_over_predicted(point) for point in data.points if point.x > 0])
    right.axhline(1.0, color=GREY, linewidth=0.8, linestyle="--", zorder=1)
    for axes in (left, right):
        axes.axvline(_SMALL, color=BLACK, linewidth=0.6, linestyle=":", zorder=1, label=f"{_SMALL:g} nats")
        axes.set_xscale("log")
        axes.set(xlabel="predicted KL divergence (nats per token)")
    left.set_yscale("log")
    left.set(ylabel="measured KL (nats per token)")
    right.set(ylabel="measured over predicted KL")
    caption(figure, left, data.results, columns=4)
    left.set_title("")
    figure.suptitle(measured_on(data.results), fontsize=9.0)
    return figure


def _over_predicted(point: Point) -> Point:
    return replace(point, y=point.y / point.x, lower=point.lower / point.x, upper=point.upper / point.x)
