"""KL divergence of a model against the mantissa bits of block scales, rounded to nearest and up.

Scales have no sign and eight exponent bits, which are counted with their mantissa, for blocks of 64 and four bits an
element.  Rounding up keeps every weight in range; rounding to nearest wastes less and clips the largest weight of a
block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .model_panels import LOOKS, Compared, curve_panels, scaled
from .model_results import ModelResults
from .model_study import ModelStudy
from .style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["CURVES", "FORMATS", "Data", "compute", "draw", "paper", "title"]

title = "Mantissa bits of block scales against KL divergence at 4 bits"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), scale mantissa bits"

_MANTISSAS = (0, 1, 2, 3, 4, 7)
# Format of each number of mantissa bits.
CURVES: dict[str, dict[float, str]] = {
    name: {bits: f"cbrt4:normal,block=64,scale=absmax:ue8m{bits}:{rounding}" for bits in _MANTISSAS}
    for name, rounding in (("rounded to nearest", "nearest"), ("rounded up", "up"))
}

FORMATS = tuple(text for curve in CURVES.values() for text in curve.values())


@dataclass(frozen=True)
class Data:
    """Scaled numbers by the names of `CURVES` and mantissa bits."""

    results: ModelResults
    curves: dict[str, dict[float, Compared]]


def compute(study: ModelStudy) -> Data:
    """Scaled KL and R of all scales."""
    runs = study.results.need(FORMATS)
    return Data(
        study.results,
        {name: {bits: scaled(runs[text]) for bits, text in curve.items()} for name, curve in CURVES.items()},
    )


@styled
def draw(data: Data) -> Figure:
    """KL on the left, R on the right."""
    looks = dict(zip(CURVES, LOOKS, strict=False))
    figure, axes = curve_panels(data.results, data.curves, {}, looks, "scale mantissa bits")
    for panel in axes:
        panel.set_xticks(_MANTISSAS)
    return figure
