"""Change of a model's cross-entropy on a text against its KL divergence from the reference.

The two have one expectation where the text is a draw from the reference; on other text the cross-entropy may
rise less, or fall, and its interval over the same sequences is far wider.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .model_formats import MAIN
from .model_points import Point, caption, draw_points, identity
from .model_results import ModelResults
from .model_study import ModelStudy
from .style import BLACK, panels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "Data", "compute", "draw", "paper", "title"]

title = "Change of the cross-entropy against KL divergence"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), KL divergence against cross-entropy"

FORMATS = MAIN


@dataclass(frozen=True)
class Data:
    """KL and paired change of the cross-entropy of each format."""

    results: ModelResults
    points: tuple[Point, ...]


def compute(study: ModelStudy) -> Data:
    """KL and paired change of the cross-entropy of each format."""
    points = (
        Point(
            row.name,
            row.family,
            row.kl,
            row.loss_change,
            row.loss_change if row.loss_change_lower is None else row.loss_change_lower,
            row.loss_change if row.loss_change_upper is None else row.loss_change_upper,
        )
        for row in study.results.main(FORMATS)
    )
    return Data(study.results, tuple(points))


@styled
def draw(data: Data) -> Figure:
    """One panel; the change is linear near zero and logarithmic beyond."""
    figure, (axes,) = panels(1, height=3.6)
    ends = max(min(point.x for point in data.points), 1e-9) / 1.5, max(point.x for point in data.points) * 1.5
    axes.set_xscale("log")
    # Linear as far as intervals reach below zero, so that they do not fill the figure, and on to a labelled power.
    reach = max(ends[0], *(-point.lower for point in data.points))
    linear = 10.0 ** math.ceil(math.log10(reach))
    axes.set_yscale("symlog", linthresh=linear)
    draw_points(axes, data.points)
    low, high = axes.get_ylim()
    decades = linear * 10.0 ** np.arange(1, 5)
    ticks = np.concatenate([-decades, linear * np.linspace(-1, 1, 9), decades])
    ticks = ticks[(ticks >= low) & (ticks <= high)]
    axes.set_yticks(ticks, [f"{tick:.3g}" for tick in ticks])
    axes.axhline(0.0, color=BLACK, linewidth=0.5)
    identity(axes, *ends, "equal")
    axes.set(xlabel="KL divergence (nats per token)", ylabel="cross-entropy change (nats per token)")
    caption(figure, axes, data.results)
    return figure
