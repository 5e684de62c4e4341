"""KL divergence of a model against bits per weight, measured, for formats of all families.

A bit more halves R and so divides the KL by about four, which makes falling straight lines of families whose
formats differ in their width alone; those are joined.  Formats that have a name of their own are named beside their
markers, in the order of their KL; formats that other figures brought into the study are faint.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .model_formats import MAIN
from .model_points import Point, caption, draw_points, kl_point
from .model_results import ModelResults
from .model_runs import FAMILIES
from .model_study import ModelStudy
from .style import GREY, panels, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "Data", "compute", "draw", "paper", "title"]

title = "Measured KL divergence against bits per weight"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), KL divergence against bits"

FORMATS = MAIN

# Width at the end of an element's first word, and the step of a uniform grid.
_WIDTH = re.compile(r"(?<=^cbrt)\d+|(?<=^int)\d+|(?<=multiplier=)[\d.]+")
_CLOSE = 0.1  # bits between names that share a place


@dataclass(frozen=True)
class Data:
    """Bits and KL of each format: the figure's own, and others that the study has beside them."""

    results: ModelResults
    points: tuple[Point, ...]
    others: tuple[Point, ...]


def compute(study: ModelStudy) -> Data:
    """Bits and measured KL of each format."""
    results = study.results
    own = results.main(FORMATS)
    others = [run for run in results.uniform if run not in own]
    return Data(results, *(tuple(kl_point(run, run.bits) for run in runs) for runs in (own, others)))


@styled
def draw(data: Data) -> Figure:
    """One panel."""
    figure, (axes,) = panels(1, height=3.6)
    for members in _ladders(data.points):
        look = {"color": FAMILIES[members[0].family]["color"], "linewidth": 0.9, "alpha": 0.6, "zorder": 1.5}
        axes.plot([point.x for point in members], [point.y for point in members], **look)
    draw_points(axes, data.points)
    if data.others:
        draw_points(axes, data.others, faint=True)
        axes.plot([], [], "s", color=GREY, alpha=0.3, markeredgewidth=0, label="others of the study")
    axes.set_yscale("log")
    axes.margins(x=0.1)
    _name(axes, data.points)
    axes.set(xlabel="bits per weight, everything counted", ylabel="KL divergence (nats per token)")
    caption(figure, axes, data.results)
    return figure


def _ladders(points: tuple[Point, ...]) -> list[list[Point]]:
    """Points whose specifications differ in the width of the element, or in a step, and nowhere else."""
    ladders: dict[str, list[Point]] = {}
    for point in sorted((p for p in points if "," in p.name), key=lambda p: p.x):
        ladders.setdefault(_WIDTH.sub("*", point.name), []).append(point)
    return list(ladders.values())


def _name(axes: Axes, points: tuple[Point, ...]) -> None:
    """Names of named formats; those of nearly the same bits share a place, the largest KL first."""
    groups: list[list[Point]] = []
    for point in sorted((p for p in points if "," not in p.name), key=lambda p: p.x):
        if groups and point.x - groups[-1][0].x < _CLOSE:
            groups[-1].append(point)
        else:
            groups.append([point])
    for group in groups:
        ordered = sorted(group, key=lambda point: -point.y)
        axes.annotate(
            ", ".join(point.name for point in ordered),
            (max(p.x for p in group), math.exp(sum(math.log(max(p.y, 1e-30)) for p in group) / len(group))),
            xytext=(5, 0),
            textcoords="offset points",
            verticalalignment="center",
            fontsize=7.0,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.5},
        )
