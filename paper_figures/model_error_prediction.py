"""Measured over predicted R of every tensor of a model in every format.

The prediction takes elements of a row as independent draws of one law.  Tensors beyond a few percent are those
whose elements are not, or whose law is of none of the families.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .model_formats import MAIN
from .model_points import caption
from .model_results import ModelResults
from .model_runs import FAMILIES
from .model_study import ModelStudy
from .style import panels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "Data", "Pair", "compute", "draw", "paper", "title"]

title = "Measured over predicted error of every tensor in every format"
paper = "bitlaw; predictions of this library"

FORMATS = MAIN


@dataclass(frozen=True)
class Pair:
    """R of one tensor in one format."""

    tensor: str
    format: str
    family: str
    predicted: float
    measured: float


@dataclass(frozen=True)
class Data:
    """All tensors that a format changes."""

    results: ModelResults
    pairs: tuple[Pair, ...]


def compute(study: ModelStudy) -> Data:
    """R of all tensors in all formats; those without a predicted error are left out."""
    pairs = (
        Pair(tensor.name, row.name, row.family, tensor.predicted_r, tensor.r)
        for row in study.results.main(FORMATS)
        for tensor in row.tensors
        if tensor.predicted_r > 0
    )
    return Data(study.results, tuple(pairs))


@styled
def draw(data: Data) -> Figure:
    """One panel."""
    from matplotlib.ticker import PercentFormatter

    figure, (axes,) = panels(1, height=3.6)
    axes.axhspan(-0.03, 0.03, color="#EEEEEE", linewidth=0, label="within 3%", zorder=0)
    for family, look in FAMILIES.items():
        pairs = [pair for pair in data.pairs if pair.family == family]
        if pairs:
            axes.plot(
                [pair.predicted for pair in pairs],
                [pair.measured / pair.predicted - 1 for pair in pairs],
                linestyle="none",
                label=family,
                markerfacecolor="none",
                markeredgewidth=0.7,
                **look,
            )
    axes.set_xscale("log")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    axes.set(xlabel=r"predicted $R$ of a tensor", ylabel=r"measured over predicted $R$, less one")
    caption(figure, axes, data.results)
    axes.set_title(f"{data.results.model}, one marker for each tensor and format")
    return figure
