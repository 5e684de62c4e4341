"""KL divergence of a model as it is, and with every row of its weights rotated before it is quantised.

A rotation mixes the weights of a row, by random signs and a Hadamard matrix, so that rotated weights are nearly Normal
and a few large ones are spread over all.  That helps a scale of many weights, which a large one would stretch, and
takes from outliers and entropy codes what they live on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .model_formats import BLOCK, CHANNEL, CODED, OUTLIERS, TENSOR
from .model_panels import Compared, row_panels, scaled
from .model_results import ModelResults
from .model_study import ModelStudy
from .style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "ROWS", "Data", "compute", "draw", "paper", "title"]

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
ROWS: dict[str, tuple[str, str]] = {
    f"{family}, {width} bits": (text, f"{text},rotation=hadamard")
    for family, formats in _FAMILIES.items()
    for width, text in zip((3, 4), formats, strict=False)
}

FORMATS = tuple(text for pair in ROWS.values() for text in pair)


@dataclass(frozen=True)
class Data:
    """Scaled numbers of `ROWS`."""

    results: ModelResults
    plain: dict[str, Compared]
    rotated: dict[str, Compared]


def compute(study: ModelStudy) -> Data:
    """Scaled KL and R with and without rotations."""
    runs = study.results.need(FORMATS)
    plain = {row: scaled(runs[texts[0]]) for row, texts in ROWS.items()}
    return Data(study.results, plain, {row: scaled(runs[texts[1]]) for row, texts in ROWS.items()})


@styled
def draw(data: Data) -> Figure:
    """A row for each way of scaling and width."""
    figure, _ = row_panels(data.results, {"as they are": data.plain, "rotated": data.rotated}, tuple(ROWS))
    return figure
