"""KL divergence of a model by element, at 3, 4 and 5 bits in blocks of 64 with float16 scales of absmax.

The optimum has the least squared error there is for independent Normal weights; the cube root is its closed form.
Optima for a law are not those for KL: a codebook that moves weights of large Fisher information more can have the
smaller R and the larger KL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .model_panels import Compared, row_panels, scaled
from .model_results import ModelResults
from .model_study import ModelStudy
from .style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "SERIES", "Data", "compute", "draw", "paper", "title"]

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
SERIES: dict[int, dict[str, str]] = {
    width: {
        name: f"{element.format(width=width, mantissa=width - 3)},block=64,scale=absmax:float16"
        for name, element in _ELEMENTS.items()
        if "{" in element or width == 4
    }
    for width in _WIDTHS
}

FORMATS = tuple(text for formats in SERIES.values() for text in formats.values())


@dataclass(frozen=True)
class Data:
    """Scaled numbers by width and element, as `SERIES`."""

    results: ModelResults
    series: dict[int, dict[str, Compared]]


def compute(study: ModelStudy) -> Data:
    """Scaled KL and R of all elements."""
    runs = study.results.need(FORMATS)
    return Data(
        study.results,
        {
            width: {name: scaled(runs[text]) for name, text in formats.items()}
            for width, formats in SERIES.items()
        },
    )


@styled
def draw(data: Data) -> Figure:
    """A row for each element."""
    figure, _ = row_panels(
        data.results,
        {f"{width} bits": members for width, members in data.series.items()},
        tuple(_ELEMENTS),
    )
    return figure
