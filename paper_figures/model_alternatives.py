"""Formats in use against cube-root codebooks in blocks of 64, at the same number of bits: KL divergence and R.

Cube-root formats of 3, 4, 5, 6 and 8 bits an element make a line, straight between them in the logarithm of KL (and
of R) over bits, and beyond its ends as between the last two.  A format left of one is better than the line at the bits
that it takes, everything counted.  Intervals are of the format's KL, over the line as it was measured.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from typing import TYPE_CHECKING

from .model_formats import BLOCK, NAMED
from .model_panels import Compared, compared, row_panels
from .model_results import ModelResults
from .model_runs import missing_runs
from .model_study import ModelStudy
from .style import BLACK, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "LINE", "NAMES", "Data", "compute", "draw", "paper", "title"]

title = "Formats in use against cube-root codebooks in blocks of 64"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), alternatives"

LINE = (*BLOCK, "cbrt8:normal,block=64,scale=absmax:float16")
NAMES = (
    *NAMED,
    "sf4",
    "af4",
    "iq4_nl",
    "q4_k",
    "int4_g64",
    "int4_g128_asym",
    "mxfp6",
    "fp8_e4m3",
)

FORMATS = (*LINE, *NAMES)


@dataclass(frozen=True)
class Data:
    """KL and R of named formats over those of the line, by name, the least KL first."""

    results: ModelResults
    over_line: dict[str, Compared]


def compute(study: ModelStudy) -> Data:
    """KL and R of the names that the study has, over the line, all of whose formats it must have."""
    line = [compared(run) for run in study.results.need(LINE).values()]
    found = {name: compared(run) for name, run in study.results.find(NAMES).items()}
    if not found:
        raise missing_runs(NAMES)
    relative = {name: _over(one, line) for name, one in found.items()}
    ordered = sorted(relative, key=lambda name: relative[name].kl.measured)
    return Data(study.results, {name: relative[name] for name in ordered})


def _over(one: Compared, line: Sequence[Compared]) -> Compared:
    """Numbers of a format over those of the line at its bits."""
    bits = [point.bits for point in line]
    measured_kl = _at(one.bits, bits, [point.kl.measured for point in line])
    predicted_kl = _at(one.bits, bits, [point.kl.predicted for point in line])
    measured_r = _at(one.bits, bits, [point.r.measured for point in line])
    predicted_r = _at(one.bits, bits, [point.r.predicted for point in line])
    return Compared(
        one.name,
        one.bits,
        one.kl.times(1 / measured_kl, 1 / predicted_kl),
        one.r.times(1 / measured_r, 1 / predicted_r),
    )


def _at(x: float, places: Sequence[float], values: Sequence[float]) -> float:
    """Value of a line that is straight in the logarithm, and goes on as its last piece."""
    right = min(max(bisect(places, x), 1), len(places) - 1)
    share = (x - places[right - 1]) / (places[right] - places[right - 1])
    low, high = log(values[right - 1]), log(values[right])
    return exp(low + share * (high - low))


@styled
def draw(data: Data) -> Figure:
    """A row for each name, with its bits."""
    rows = {f"{name} ({one.bits:.2f} bits)": one for name, one in data.over_line.items()}
    figure, axes = row_panels(
        data.results,
        {"measured": rows},
        tuple(rows),
        ("KL divergence over cube-root blocks'", "$R$ over cube-root blocks'"),
    )
    for panel in axes:
        panel.axvline(1.0, color=BLACK, linewidth=0.7)
    return figure
