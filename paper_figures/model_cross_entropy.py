"""Change of a model's cross-entropy on a text against its KL divergence from the reference.

The two have one expectation where the text is a draw from the reference; on other text the cross-entropy may
rise less, or fall, and its interval over the same sequences is far wider.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .model_points import Point, caption, draw_points, identity
from .model_results import ModelResults
from .style import panels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Data", "compute", "draw", "title"]

title = "Change of the cross-entropy against KL divergence"


@dataclass(frozen=True)
class Data:
    """KL and paired change of the cross-entropy of each format."""

    results: ModelResults
    points: tuple[Point, ...]


def compute(results: ModelResults) -> Data:
    """KL and paired change of the cross-entropy of each format."""
    points = (
        Point(
            row.name,
            row.family,
            row.kl,
            row.loss_change,
            row.loss_change if row.loss_lower is None else row.loss_lower,
            row.loss_change if row.loss_upper is None else row.loss_upper,
        )
        for row in results.formats
    )
    return Data(results, tuple(points))


@styled
def draw(data: Data) -> Figure:
    """One panel, linear in both near zero and logarithmic beyond."""
    figure, (axes,) = panels(1, height=3.6)
    largest = max(point.x for point in data.points)
    smallest = max(min(point.x for point in data.points), 1e-9)
    axes.set_xscale("symlog", linthresh=smallest)
    axes.set_yscale("symlog", linthresh=smallest)
    draw_points(axes, data.points)
    identity(axes, 0.0, largest * 1.5, "equal")
    axes.set(xlabel="KL divergence (nats per token)", ylabel="cross-entropy change (nats per token)")
    caption(figure, axes, data.results)
    return figure
