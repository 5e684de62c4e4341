"""Formats as points with intervals, in the look of their families."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .model_results import ModelResults
from .model_runs import FAMILIES, RunResult
from .style import BLACK, GREY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "Point",
    "caption",
    "draw_curve",
    "draw_points",
    "families",
    "floor_of",
    "identity",
    "kl_point",
    "measured_on",
    "scaled",
]


@dataclass(frozen=True)
class Point:
    """A format's place; the ends of the interval of y (equal to y where there is none)."""

    name: str
    family: str
    x: float
    y: float
    lower: float
    upper: float


def measured_on(results: ModelResults) -> str:
    """Model and text of a study, for titles."""
    name = Path(results.model).name
    return f"{name}, {results.sequences} sequences of {results.length} tokens, 95% intervals"


def kl_point(run: RunResult, x: float) -> Point:
    """Measured KL of a run with its interval, as a logarithmic axis can show it."""
    return Point(run.name, run.family, x, run.kl, floor_of(run.kl, run.kl_lower), run.kl_upper or run.kl)


def floor_of(value: float, lower: float | None) -> float:
    """Lower end of an interval where a logarithmic axis can show it, a tenth of the value at the least."""
    return value if lower is None else max(lower, value / 10)


def families(points: Iterable[Point]) -> dict[str, list[Point]]:
    """Points by family in the order of legends, from left to right."""
    ordered = sorted(points, key=lambda point: point.x)
    grouped = {family: [point for point in ordered if point.family == family] for family in FAMILIES}
    return {family: members for family, members in grouped.items() if members}


def draw_points(axes: Axes, points: Iterable[Point], *, faint: bool = False) -> None:
    """One marker for each point, with its interval; one entry of the legend for each family, none for faint ones."""
    look: dict[str, Any] = {"alpha": 0.3, "markeredgewidth": 0, "zorder": 1} if faint else {}
    for family, members in families(points).items():
        axes.errorbar(
            [point.x for point in members],
            [point.y for point in members],
            yerr=[[p.y - p.lower for p in members], [p.upper - p.y for p in members]],
            linestyle="none",
            elinewidth=0.8,
            capsize=1.5,
            label=None if faint else family,
            **FAMILIES[family],
            **look,
        )


def scaled(point: Point) -> Point:
    """KL times 4 to the power of the bits, which are x."""
    factor = 4.0**point.x
    ends = (factor * value for value in (point.y, point.lower, point.upper))
    return Point(point.name, point.family, point.x, *ends)


def draw_curve(axes: Axes, points: Iterable[Point], label: str, **look: Any) -> Any:
    """Points with their intervals, joined from left to right; the legend's handle is returned."""
    ordered = sorted(points, key=lambda point: point.x)
    return axes.errorbar(
        [point.x for point in ordered],
        [point.y for point in ordered],
        yerr=[[p.y - p.lower for p in ordered], [p.upper - p.y for p in ordered]],
        linewidth=0.9,
        elinewidth=0.8,
        capsize=1.5,
        label=label,
        **look,
    )


def identity(axes: Axes, lower: float, upper: float, label: str) -> None:
    """Line on which both axes are equal, over a range."""
    values = np.geomspace(lower, upper, 200)  # a curve where one axis is linear near zero
    axes.plot(values, values, color=GREY, linewidth=0.8, linestyle="--", label=label, zorder=1)


def caption(figure: Figure, axes: Axes, results: ModelResults, columns: int = 3) -> None:
    """What was measured as a title, and the legend below."""
    axes.set_title(measured_on(results), color=BLACK)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)
