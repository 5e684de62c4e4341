"""KL divergence of a model as it is, and with every row of its weights rotated before it is quantised.

A rotation mixes the weights of a row, by random signs and a Hadamard matrix, so that rotated weights are nearly Normal
and a few large ones are spread over all.  That helps a scale of many weights, which a large one would stretch, and
takes from outliers and entropy codes what they live on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .model_formats import BLOCK, CHANNEL, CODED, OUTLIERS, TENSOR
from .model_rows import Rows, compute_rows, draw_rows, formats_of
from .model_study import ModelStudy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "SERIES", "compute", "draw", "paper", "title"]

title = "Rotated weights against weights as they are, by KL divergence"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), random rotations"

_FAMILIES = {
    "tensor RMS": TENSOR,
    "tensor RMS, outliers": OUTLIERS,
    "channel absmax": CHANNEL,
    "block absmax": BLOCK,
    "tensor RMS, coded": CODED,
}
# Format of each row as it is, and rotated; the steps of the entropy code give about 3 and 4 bits.
_ROWS: dict[str, tuple[str, str]] = {
    f"{family}, {width} bits": (text, f"{text},rotation=hadamard")
    for family, formats in _FAMILIES.items()
    for width, text in zip((3, 4), formats, strict=False)
}

SERIES: dict[str, dict[str, str]] = {
    name: {row: texts[place] for row, texts in _ROWS.items()}
    for place, name in enumerate(("as they are", "rotated"))
}

FORMATS = formats_of(SERIES)


def compute(study: ModelStudy) -> Rows:
    """Scaled KL and R with and without rotations."""
    return compute_rows(study, SERIES)


def draw(data: Rows) -> Figure:
    """A row for each way of scaling and width."""
    return draw_rows(data)
