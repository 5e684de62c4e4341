"""KL divergence of a model with blocks divided by their largest magnitude, or by the element that has it, sign and all.

Codepoints around zero can be symmetric, which leaves out the zero itself, or asymmetric with a zero and one
codepoint more on one side.  After division by the signed element the largest is always +1, so that the codepoint at -1
is free for elsewhere.  Blocks of 64 with float16 scales.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .model_rows import Rows, compute_rows, draw_rows, formats_of
from .model_study import ModelStudy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "SERIES", "compute", "draw", "paper", "title"]

title = "Signed against unsigned block maxima by KL divergence"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), symmetric, asymmetric and signmax scaling"

_LAYOUTS = {
    "cube root, absmax, symmetric": ("cbrt{width}:normal", "absmax"),
    "cube root, absmax, asymmetric": ("cbrt{width}:normal:asymmetric", "absmax"),
    "cube root, signmax": ("cbrt{width}:normal", "signmax"),
    "integer, absmax, symmetric": ("int{width}half", "absmax"),
    "integer, absmax, asymmetric": ("int{width}", "absmax"),
    "integer, signmax": ("int{width}", "signmax"),
}
# Format of each layout by width.
SERIES: dict[str, dict[str, str]] = {
    f"{width} bits": {
        name: f"{element.format(width=width)},block=64,scale={statistic}:float16"
        for name, (element, statistic) in _LAYOUTS.items()
    }
    for width in (3, 4, 5)
}

FORMATS = formats_of(SERIES)


def compute(study: ModelStudy) -> Rows:
    """Scaled KL and R of all layouts."""
    return compute_rows(study, SERIES)


def draw(data: Rows) -> Figure:
    """A row for each element and layout."""
    return draw_rows(data)
