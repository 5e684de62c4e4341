"""KL divergence of a model with matched and with searched scales, four bits an element.

One scale for the tensor maps its RMS on that of the law an element's codepoints are spread for; scales of blocks map
the largest magnitude on the element's largest number.  The search looks for one factor on the scales of each tensor
that makes its squared error least, which is not the same as the least KL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .model_rows import Rows, compute_rows, draw_rows, formats_of
from .model_study import ModelStudy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "SERIES", "compute", "draw", "paper", "title"]

title = "Matched against searched scales at 4 bits"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), moment matching against search"

_RMS, _BLOCK = "scale=rms:float32", "block=64,scale=absmax:float16"
# Matched and searched format of each row; the cube root of the Normal has its moment matched as it is.
_ROWS: dict[str, tuple[str, str]] = {
    "INT4, tensor RMS": (f"int4,{_RMS},multiplier=moment", f"int4,{_RMS},search=tensor"),
    "E2M1, tensor RMS": (f"e2m1,{_RMS},multiplier=moment", f"e2m1,{_RMS},search=tensor"),
    "cube root, tensor RMS": (f"cbrt4:normal,{_RMS}", f"cbrt4:normal,{_RMS},search=tensor"),
    "INT4, block absmax": (f"int4,{_BLOCK}", f"int4,{_BLOCK},search=tensor"),
    "E2M1, block absmax": (f"e2m1,{_BLOCK}", f"e2m1,{_BLOCK},search=tensor"),
    "cube root, block absmax": (f"cbrt4:normal,{_BLOCK}", f"cbrt4:normal,{_BLOCK},search=tensor"),
}

SERIES: dict[str, dict[str, str]] = {
    name: {row: texts[place] for row, texts in _ROWS.items()}
    for place, name in enumerate(("matched", "searched"))
}

FORMATS = formats_of(SERIES)


def compute(study: ModelStudy) -> Rows:
    """Scaled KL and R with both kinds of scales."""
    return compute_rows(study, SERIES)


def draw(data: Rows) -> Figure:
    """A row for each element and kind of scale."""
    return draw_rows(data)
