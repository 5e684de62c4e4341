"""What bits do that are spread over tensors unevenly: KL divergence against bits, and against one format for all.

All share one family of codebooks in blocks.  "Least predicted KL" takes each tensor's own predicted errors and
Fisher information and solves for the budget; the published rule gives bits by root mean square and mean Fisher
information and rounds them; "ends in more bits" gives two bits more to the first and the last layer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .model_formats import BLOCK
from .model_points import Point, caption, draw_curve, kl_point, measured_on
from .model_results import ModelResults
from .model_runs import ALLOCATED, NotInStudy, RunResult
from .model_study import UNIFORM, AllocationPlan, ModelStudy
from .style import BLACK, BLUE, GREEN, GREY, ORANGE, panels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ALLOCATIONS", "FORMATS", "Data", "compute", "draw", "paper", "title"]

title = "Bits spread over tensors, against one format for all"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), variable bit allocation"

FORMATS = ("cbrt2:normal,block=64,scale=absmax:float16", *BLOCK)

_BUDGETS = (2.75, 3.25, 3.75, 4.25, 4.75)
_PUBLISHED = "published rule"

ALLOCATIONS = (
    UNIFORM,
    *(AllocationPlan(f"least KL at {bits:g} bits", bits=bits) for bits in _BUDGETS),
    *(AllocationPlan(f"{_PUBLISHED} at {bits:g} bits", bits=bits, rule="published") for bits in _BUDGETS),
    *(
        AllocationPlan(f"ends in {width + 2} bits", ends=more, formats=(fewer,))
        for width, (fewer, more) in enumerate(zip(FORMATS, FORMATS[2:], strict=False), 2)
    ),
)

_LOOKS: dict[str, dict[str, Any]] = {
    "one format for all": {"color": GREY, "marker": "s"},
    "ends in more bits": {"color": GREEN, "marker": "^"},
    _PUBLISHED: {"color": BLUE, "marker": "o"},
    "least predicted KL": {"color": ORANGE, "marker": "D"},
}


@dataclass(frozen=True)
class Data:
    """Bits and KL by the way in which bits are spread, and the same over the KL of one format at equal bits.

    `relative` leaves out what lies beyond the bits of single formats; its intervals are of the numerator.
    """

    results: ModelResults
    curves: dict[str, tuple[Point, ...]]
    relative: dict[str, tuple[Point, ...]]


def compute(study: ModelStudy) -> Data:
    """Runs at budgets, the uniform runs of the formats they chose from, and runs with other ends."""
    results = study.results
    budgets = [run for run in results.runs if run.family == ALLOCATED]
    if not budgets:
        raise NotInStudy("the study has no runs at a budget of bits")
    ((candidates, parts), _), *_ = Counter((run.specification, run.parts) for run in budgets).most_common()
    uniform = list(results.find(candidates.split(" | ")).values())
    if len(uniform) < 2 or uniform[0].parts != parts:
        raise NotInStudy("the study has no runs in one format for all of those that its budgets choose from")
    names = {run.specification for run in uniform}
    others = [run for run in results.runs if run.specification in names and not run.uniform]
    groups = {label: [run for run in (*budgets, *others) if _label(run) == label] for label in _LOOKS}
    groups["one format for all"] = uniform
    curves = {label: _points(runs) for label, runs in groups.items() if runs}
    base = curves["one format for all"]
    relative = {label: _over(points, base) for label, points in curves.items()}
    return Data(results, curves, {label: points for label, points in relative.items() if points})


def _label(run: RunResult) -> str:
    """Key of `_LOOKS` for a run whose tensors have several formats."""
    if run.family != ALLOCATED:
        return "ends in more bits"
    return _PUBLISHED if _PUBLISHED in run.allocation else "least predicted KL"


def _points(runs: Sequence[RunResult]) -> tuple[Point, ...]:
    return tuple(sorted((kl_point(run, run.bits) for run in runs), key=lambda point: point.x))


def _over(points: Sequence[Point], base: Sequence[Point]) -> tuple[Point, ...]:
    """KL over that of one format at the same bits: its logarithm, straight between formats."""
    bits, kl = [point.x for point in base], np.log([point.y for point in base])
    found = []
    for point in points:
        if bits[0] <= point.x <= bits[-1]:
            level = float(np.exp(np.interp(point.x, bits, kl)))
            found.append(
                replace(point, y=point.y / level, lower=point.lower / level, upper=point.upper / level)
            )
    return tuple(found)


@styled
def draw(data: Data) -> Figure:
    """KL on the left, its ratio to one format for all on the right."""
    figure, (left, right) = panels(2, height=3.2, sharex=True)
    for label, points in data.curves.items():
        draw_curve(left, points, label, **_LOOKS[label])
    for label, points in data.relative.items():
        draw_curve(right, points, label, **_LOOKS[label])
    left.set_yscale("log")
    right.axhline(1.0, color=BLACK, linewidth=0.5)
    left.set(xlabel="bits per weight", ylabel="KL divergence (nats per token)")
    right.set(xlabel="bits per weight", ylabel="KL over that of one format at equal bits")
    caption(figure, left, data.results, columns=4)
    left.set_title("")
    figure.suptitle(measured_on(data.results), fontsize=9.0)
    return figure
