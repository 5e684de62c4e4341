"""Measured KL divergence of a model against half the sum of Fisher information times squared error.

The prediction knows the weights' statistics and the Fisher information, and nothing of the quantised model.  Its
own interval, which comes from the targets that were drawn, is not shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .model_points import Point, caption, draw_points, identity
from .model_results import ModelResults
from .model_trade_off import floor_of
from .style import panels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Data", "compute", "draw", "title"]

title = "Measured KL divergence against its prediction from Fisher information"


@dataclass(frozen=True)
class Data:
    """Predicted and measured KL of each format."""

    results: ModelResults
    points: tuple[Point, ...]


def compute(results: ModelResults) -> Data:
    """Predicted and measured KL of each format."""
    points = (
        Point(
            row.name,
            row.family,
            row.predicted_kl,
            row.kl,
            floor_of(row.kl, row.kl_lower),
            row.kl_upper or row.kl,
        )
        for row in results.formats
    )
    return Data(results, tuple(points))


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
