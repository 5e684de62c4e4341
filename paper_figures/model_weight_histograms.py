"""Histograms of a model's weights by kind of tensor, with the laws that were fitted to them.

Elements are over the root mean square of their row, as in a format with a scale for each row; the tensors are those
of the middle layer.  The fits are by maximum likelihood, so that the tails, which few elements are in, weigh little.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .model_runs import NotInStudy
from .model_study import ModelStudy
from .model_tensors import middle, need_parts, tensors_of
from .style import BLACK, BLUE, GREEN, ORANGE, PURPLE, grid, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from bitlaw.theory import Source

__all__ = ["FORMATS", "Data", "Panel", "compute", "draw", "paper", "title"]

title = "Weights over their row's root mean square, with fitted laws"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), parameter histograms"

FORMATS: tuple[str, ...] = ()

# Families that are drawn; others count where the best is named.
_LAWS: dict[str, dict[str, Any]] = {
    # On top, where others are Normal too.
    "normal": {"color": BLUE, "linestyle": ":", "zorder": 2.6},
    "laplace": {"color": PURPLE, "linestyle": "-."},
    "student_t": {"color": ORANGE, "linestyle": "-"},
    "generalised_normal": {"color": GREEN, "linestyle": "--"},
}
_NAMES = {
    "normal": "Normal",
    "laplace": "Laplace",
    "student_t": "Student-t",
    "generalised_normal": "gen. Normal",
}
_COLUMNS = 3


@dataclass(frozen=True, eq=False)
class Panel:
    """One tensor: density in cells (NaN in the two outer ones, which hold all beyond), and laws by family."""

    name: str
    label: str
    elements: int
    edges: NDArray[np.float64]
    density: NDArray[np.float64]
    laws: dict[str, Source]
    best: str

    @property
    def reach(self) -> float:
        """End of the outermost cell that holds anything."""
        held = np.flatnonzero(self.density > 0)
        return float(max(-self.edges[held[0]], self.edges[held[-1] + 1])) if len(held) else 1.0


@dataclass(frozen=True)
class Data:
    """A panel for each kind of tensor."""

    model: str
    panels: tuple[Panel, ...]


def compute(study: ModelStudy) -> Data:
    """Histogram and laws of one tensor of each kind."""
    statistics = need_parts(study).statistics
    shown = middle(tensors_of({name: found.part for name, found in statistics.items()}))
    panels = []
    for tensor in shown.values():
        found = statistics[tensor.name]
        if not found.fits:
            continue  # all elements are equal
        density = found.histogram.density.copy()
        density[[0, -1]] = np.nan
        laws = {fit.family: fit.source for fit in found.fits if fit.family in _LAWS}
        edges = found.histogram.edges
        panels.append(
            Panel(tensor.name, tensor.label, found.elements, edges, density, laws, found.fits[0].family)
        )
    if not panels:
        raise NotInStudy("all weights of every tensor are equal: there is no law to fit")
    return Data(study.results.model, tuple(panels))


@styled
def draw(data: Data) -> Figure:
    """A panel for each kind, all with the same axes."""
    columns = min(_COLUMNS, len(data.panels))
    rows = -(-len(data.panels) // columns)
    figure, axes = grid(rows, columns, height=0.9 + 1.6 * rows, sharex=True, sharey=True)
    flat = [one for row in axes for one in row]
    reach = max(panel.reach for panel in data.panels)
    for one, panel in zip(flat, data.panels, strict=False):
        _draw_panel(one, panel, reach)
    for one in flat[len(data.panels) :]:
        one.set_axis_off()
    for column in range(columns):
        lowest = max(place for place in range(column, len(data.panels), columns))
        flat[lowest].tick_params(labelbottom=True)
    # Below half an element to a cell in the largest tensor nothing can be seen.
    width = data.panels[0].edges[1] - data.panels[0].edges[0]
    flat[0].set(
        ylim=(0.5 / (width * max(panel.elements for panel in data.panels)), 1.5), xlim=(-reach, reach)
    )
    figure.suptitle(Path(data.model).name, fontsize=9.0)
    # A label of the whole figure would lie over the legend.
    flat[min(len(data.panels), (rows - 1) * columns + columns // 2 + 1) - 1].set_xlabel(
        "weight over the root mean square of its row"
    )
    figure.supylabel("density", fontsize=9.0)
    # A law may be missing from some of the panels.
    entries = {
        label: handle for one in flat for handle, label in zip(*one.get_legend_handles_labels(), strict=True)
    }
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=len(entries))
    return figure


def _draw_panel(axes: Axes, panel: Panel, reach: float) -> None:
    """A point for each cell that is not empty, and the laws through them."""
    centres = (panel.edges[1:] + panel.edges[:-1]) / 2
    filled = panel.density > 0
    axes.plot(
        centres[filled], panel.density[filled], ".", color=BLACK, markersize=2.2, label="weights", zorder=3
    )
    values = np.linspace(-reach, reach, 801)
    for family, look in _LAWS.items():
        if family in panel.laws:
            axes.plot(values, panel.laws[family].pdf(values), linewidth=0.9, label=_name(family), **look)
    axes.set_yscale("log")
    axes.set_title(f"{panel.label}\nbest: {_said(panel)}", fontsize=8.0, pad=3)


def _name(family: str) -> str:
    return _NAMES.get(family, family.replace("_", " "))


def _said(panel: Panel) -> str:
    """The best law with its shape."""
    law = panel.laws.get(panel.best)
    shape = {"student_t": ("df", r"\nu"), "generalised_normal": ("beta", r"\beta")}.get(panel.best)
    words = _name(panel.best)
    return words if law is None or shape is None else f"{words}, ${shape[1]}={getattr(law, shape[0]):.3g}$"
