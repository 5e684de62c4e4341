"""KL divergence of a model against bits per weight, measured, for formats of all families.

A bit less of R by half is a quarter of the KL, so that formats of one family lie on falling straight lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .model_points import Point, caption, draw_points
from .model_results import ModelResults
from .style import panels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Data", "compute", "draw", "floor_of", "title"]

title = "Measured KL divergence against bits per weight"


@dataclass(frozen=True)
class Data:
    """Bits and KL of each format."""

    results: ModelResults
    points: tuple[Point, ...]


def compute(results: ModelResults) -> Data:
    """Bits and measured KL of each format."""
    points = (
        Point(row.name, row.family, row.bits, row.kl, floor_of(row.kl, row.kl_lower), row.kl_upper or row.kl)
        for row in results.formats
    )
    return Data(results, tuple(points))


def floor_of(value: float, lower: float | None) -> float:
    """Lower end of an interval where a logarithmic axis can show it, a tenth of the value at the least."""
    return value if lower is None else max(lower, value / 10)


@styled
def draw(data: Data) -> Figure:
    """One panel."""
    figure, (axes,) = panels(1, height=3.6)
    draw_points(axes, data.points)
    axes.set_yscale("log")
    axes.set(xlabel="bits per weight, everything counted", ylabel="KL divergence (nats per token)")
    caption(figure, axes, data.results)
    return figure
