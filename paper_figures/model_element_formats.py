"""KL divergence of a model by element, at 3, 4 and 5 bits in blocks of 64 with float16 scales of absmax.

The optimum has the least squared error there is for independent Normal weights; the cube root is its closed form.
Optima for a law are not those for KL: a codebook that moves weights of large Fisher information more can have the
smaller R and the larger KL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .model_rows import Rows, compute_rows, draw_rows, formats_of
from .model_study import ModelStudy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "SERIES", "compute", "draw", "paper", "title"]

title = "Elements of 3, 4 and 5 bits in blocks of 64 by KL divergence"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), element formats"

_ELEMENTS = {
    "optimum, Normal": "lloyd{width}:normal",
    "cube root, Normal": "cbrt{width}:normal",
    "cube root, Laplace": "cbrt{width}:laplace",
    "cube root, Student-t": "cbrt{width}:student-t:5",
    "NF4": "nf4",
    "SF4": "sf4",
    "float, 2 exponent bits": "e2m{mantissa}",
    "integer": "int{width}",
}
_WIDTHS = (3, 4, 5)
# Format of each element by width; NF4 and SF4 have one.
SERIES: dict[str, dict[str, str]] = {
    f"{width} bits": {
        name: f"{element.format(width=width, mantissa=width - 3)},block=64,scale=absmax:float16"
        for name, element in _ELEMENTS.items()
        if "{" in element or width == 4
    }
    for width in _WIDTHS
}

FORMATS = formats_of(SERIES)


def compute(study: ModelStudy) -> Rows:
    """Scaled KL and R of all elements."""
    return compute_rows(study, SERIES)


def draw(data: Rows) -> Figure:
    """A row for each element."""
    return draw_rows(data)
