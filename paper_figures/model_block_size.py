"""KL divergence of a model against the size of blocks that share a float16 scale, four bits an element.

Small blocks spend bits on scales, large ones waste codes on a maximum that most weights stay far below, so that
KL with the bits undone has a least value.  Blocks end with a row, so that sizes of which every row has one block
are left out.  Dotted lines are one scale for a row or for the tensor, as measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .model_formats import CHANNEL, CODED, TENSOR
from .model_panels import Compared, curve_panels, scaled
from .model_results import ModelResults
from .model_study import ModelStudy
from .style import BLACK, BLUE, ORANGE, PURPLE, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["CURVES", "FORMATS", "LEVELS", "Data", "compute", "draw", "paper", "title"]

title = "Block size against KL divergence at 4 bits, scales counted"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), block size"

_ABSMAX, _SIGNMAX = "cube root, absmax", "cube root, signmax"
_ROW, _TENSOR, _CODED = (
    "cube root, row absmax",
    "cube root, tensor RMS",
    "uniform, tensor RMS, entropy-coded",
)

# Format of each block size.
CURVES: dict[str, dict[float, str]] = {
    _ABSMAX: {
        size: f"cbrt4:normal,block={size},scale=absmax:float16" for size in (16, 32, 64, 128, 256, 1024)
    },
    _SIGNMAX: {size: f"cbrt4:normal,block={size},scale=signmax:float16" for size in (16, 32, 64, 128)},
}
LEVELS = {_ROW: CHANNEL[1], _TENSOR: TENSOR[1], _CODED: CODED[1]}
_LOOKS: dict[str, dict[str, Any]] = {
    _ABSMAX: {"color": BLUE, "marker": "o"},
    _SIGNMAX: {"color": ORANGE, "marker": "s"},
    _ROW: {"color": BLUE},
    _TENSOR: {"color": PURPLE},
    _CODED: {"color": BLACK},
}

FORMATS = (*(text for curve in CURVES.values() for text in curve.values()), *LEVELS.values())


@dataclass(frozen=True)
class Data:
    """Scaled numbers by the names of `CURVES` and block sizes shorter than a row, and by those of `LEVELS`."""

    results: ModelResults
    curves: dict[str, dict[float, Compared]]
    levels: dict[str, Compared]


def compute(study: ModelStudy) -> Data:
    """Scaled KL and R of all block sizes."""
    runs = study.results.need(FORMATS)
    # As many scales as rows: the same blocks as a row's, under a codebook for larger ones.
    least = runs[LEVELS[_ROW]].scale_bits * (1 + 1e-9)
    curves = {
        name: {place: scaled(runs[text]) for place, text in curve.items() if runs[text].scale_bits > least}
        for name, curve in CURVES.items()
    }
    return Data(study.results, curves, {name: scaled(runs[text]) for name, text in LEVELS.items()})


@styled
def draw(data: Data) -> Figure:
    """KL on the left, R on the right."""
    figure, axes = curve_panels(data.results, data.curves, data.levels, _LOOKS, "block size")
    shown = list(data.curves[_ABSMAX])
    for panel in axes:
        panel.set_xscale("log", base=2)
        panel.set_xticks(shown, [f"{place:g}" for place in shown])
        panel.minorticks_off()
    return figure
