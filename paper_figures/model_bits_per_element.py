"""What the bits of each format are spent on: elements, scales, outliers and codebooks, and the KL they buy.

Bars are predicted before anything is encoded; the marker is the size that was counted after, everything included.
With an entropy code the element bits are the code's, of the predicted law.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bitlaw.theory import parse_format

from .model_formats import MAIN
from .model_panels import KL, plain_ticks
from .model_points import floor_of, measured_on
from .model_results import ModelResults
from .model_runs import RunResult
from .model_study import ModelStudy
from .style import BLACK, BLUE, GREEN, ORANGE, PURPLE, panels, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "PARTS", "Bar", "Data", "compute", "draw", "paper", "title"]

title = "Bits per weight of each format by what they are spent on"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), bits per element"

FORMATS = MAIN

PARTS = {"elements": BLUE, "scales": ORANGE, "outliers": GREEN, "codebook": PURPLE}

# More rows than this fill more than a page.
_ROWS = 40
# Bits that can be seen in a bar.
_SEEN = 0.01


@dataclass(frozen=True)
class Bar:
    """A format: predicted bits by part, counted bits, and KL (nats per token) with its interval."""

    name: str
    label: str
    parts: dict[str, float]
    measured: float
    kl: float
    kl_lower: float
    kl_upper: float


@dataclass(frozen=True)
class Data:
    """Formats, those of the fewest bits first."""

    results: ModelResults
    bars: tuple[Bar, ...]


def compute(study: ModelStudy) -> Data:
    """All formats of a small study, those that most figures share of a large one."""
    runs = study.results.uniform
    if len(runs) > _ROWS:
        runs = tuple(study.results.find(FORMATS).values()) or runs[:_ROWS]
    return Data(study.results, tuple(sorted(map(_bar, runs), key=lambda bar: (bar.measured, bar.kl))))


def _bar(run: RunResult) -> Bar:
    values = (run.element_bits, run.scale_bits, run.outlier_bits, run.codebook_bits)
    upper = run.kl if run.kl_upper is None else run.kl_upper
    return Bar(
        run.name,
        _label(run),
        dict(zip(PARTS, values, strict=True)),
        run.bits,
        run.kl,
        floor_of(run.kl, run.kl_lower),
        upper,
    )


def _label(run: RunResult) -> str:
    """A name as it is, a specification in short."""
    if "," not in run.name:
        return run.name
    format = parse_format(run.specification)
    scale, size = format.scale, format.block
    element = str(format.element).replace(":normal", "")
    if scale.statistic == "rms" and scale.reach == 1.0 and scale.multiplier != "moment":
        element = f"step {scale.multiplier:g} rms"  # of a grid whose ends nothing reaches
    words = [element, size if isinstance(size, str) else f"block {size}"]
    words += [f"{str(format.outliers).partition(':')[0]} outliers"] if format.outliers is not None else []
    words += ["coded"] if format.code == "entropy" else []
    return ", ".join(words)


@styled
def draw(data: Data) -> Figure:
    """Bars of bits on the left, KL on the right."""
    options: dict[str, Any] = {"sharey": True, "gridspec_kw": {"width_ratios": (3, 2)}}
    figure, (left, right) = panels(2, height=1.2 + 0.17 * len(data.bars), **options)
    places = list(range(len(data.bars)))
    _draw_bars(left, data, places)
    kl = [bar.kl for bar in data.bars]
    ends = [[bar.kl - bar.kl_lower for bar in data.bars], [bar.kl_upper - bar.kl for bar in data.bars]]
    right.errorbar(kl, places, xerr=ends, fmt="o", color=BLACK, markersize=3, elinewidth=0.8, capsize=1.5)
    right.set_xscale("log")
    plain_ticks(right.xaxis)
    right.set_xlabel(KL)
    left.set_yticks(places, [bar.label for bar in data.bars], fontsize=7.0)
    left.set_ylim(len(places) - 0.4, -0.6)
    for axes in (left, right):
        axes.grid(visible=False, axis="y")
    figure.suptitle(measured_on(data.results), fontsize=9.0)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5)
    return figure


def _draw_bars(axes: Axes, data: Data, places: list[int]) -> None:
    """Parts stacked, and the counted size."""
    start = [0.0] * len(places)
    for part, color in PARTS.items():
        width = [bar.parts[part] for bar in data.bars]
        # A part that no bar shows needs no entry in the legend.
        shown = part if max(width) > _SEEN else None
        axes.barh(places, width, left=start, height=0.7, color=color, label=shown)
        start = [a + b for a, b in zip(start, width, strict=True)]
    axes.plot(
        [bar.measured for bar in data.bars],
        places,
        color=BLACK,
        marker="|",
        markersize=6,
        linestyle="none",
        label="counted",
    )
    axes.set_xlabel("bits per weight")
