"""KL divergence and R of formats side by side, measured and predicted, as figures of a model share them.

Both are shown with the gain of their bits undone, KL times 2^(2 bits) and R times 2^bits: one more bit halves R and so
divides KL by four, so that formats of different sizes stand at the height of what they waste.  A marker is measured,
with a 95% interval of KL over sequences; the prediction is a dashed line, or a tick.  All formats are measured on the
same sequences, so that two of them differ more surely than their intervals say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .model_points import kl_point, measured_on
from .model_results import ModelResults
from .model_runs import RunResult
from .style import BLACK, BLUE, GREEN, ORANGE, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

__all__ = [
    "KL",
    "LOOKS",
    "SCALED_KL",
    "SCALED_R",
    "Compared",
    "Value",
    "compared",
    "curve_panels",
    "plain_ticks",
    "row_panels",
    "scaled",
]

# Labels of axes.
KL = "KL divergence (nats per token)"
SCALED_KL = r"KL divergence $\times\ 4^{\,\mathrm{bits}}$ (nats)"
SCALED_R = r"$R \cdot 2^{\,\mathrm{bits}}$"

# Of the first, second and third curve.
LOOKS: tuple[dict[str, Any], ...] = (
    {"color": BLUE, "marker": "o"},
    {"color": ORANGE, "marker": "s"},
    {"color": GREEN, "marker": "^"},
)


@dataclass(frozen=True)
class Value:
    """A measured number with the ends of its interval (equal to it where there is none), and the predicted one."""

    measured: float
    lower: float
    upper: float
    predicted: float

    def times(self, measured: float, predicted: float) -> Value:
        """What was measured times one factor, what was predicted times another."""
        return Value(
            self.measured * measured, self.lower * measured, self.upper * measured, self.predicted * predicted
        )


@dataclass(frozen=True)
class Compared:
    """KL (nats per token) and R of a format."""

    name: str
    bits: float
    kl: Value
    r: Value


def compared(run: RunResult) -> Compared:
    """KL and R as they are."""
    point = kl_point(run, run.bits)
    kl = Value(point.y, point.lower, point.upper, run.predicted_kl)
    return Compared(run.name, run.bits, kl, Value(run.r, run.r, run.r, run.predicted_r))


def scaled(run: RunResult) -> Compared:
    """KL times 2^(2 bits) and R times 2^bits, what was predicted with the bits that were predicted."""
    plain = compared(run)
    measured, predicted = 2.0**run.bits, 2.0**run.predicted_bits
    return Compared(
        run.name,
        run.bits,
        plain.kl.times(measured**2, predicted**2),
        plain.r.times(measured, predicted),
    )


def curve_panels(
    results: ModelResults,
    curves: Mapping[str, Mapping[float, Compared]],
    levels: Mapping[str, Compared],
    looks: Mapping[str, Mapping[str, Any]],
    xlabel: str,
) -> tuple[Figure, list[Axes]]:
    """Scaled KL and scaled R over one number, a curve for each name; `levels` have no such number and are lines."""
    figure, axes = panels(2, height=3.2)
    for panel, quantity, label in zip(axes, ("kl", "r"), (SCALED_KL, SCALED_R), strict=True):
        for name, curve in curves.items():
            values = [getattr(one, quantity) for one in curve.values()]
            panel.plot(
                list(curve), [value.predicted for value in values], linestyle="--", **_unmarked(looks[name])
            )
            _bars(panel, list(curve), values, across=False, linestyle="-", label=name, **looks[name])
        for name, level in levels.items():
            panel.axhline(
                getattr(level, quantity).measured,
                linestyle=":",
                label=name,
                **_unmarked(looks[name]),
            )
        panel.plot([], [], color=BLACK, linestyle="--", linewidth=0.8, label="predicted")
        panel.set_yscale("log")
        plain_ticks(panel.yaxis)
        panel.set(xlabel=xlabel, ylabel=label)
    _finish(figure, axes, results)
    return figure, axes


def row_panels(
    results: ModelResults,
    series: Mapping[str, Mapping[str, Compared]],
    rows: Sequence[str],
    labels: tuple[str, str] = (SCALED_KL, SCALED_R),
) -> tuple[Figure, list[Axes]]:
    """KL and R across, a row for each name, the series that have it below each other."""
    height = 1.15 + len(rows) * max(0.2, 0.12 * len(series))
    figure, axes = panels(2, height=height, sharey=True)
    shifts = [0.22 * (place - (len(series) - 1) / 2) for place in range(len(series))]
    for panel, quantity, label in zip(axes, ("kl", "r"), labels, strict=True):
        for (name, members), look, shift in zip(series.items(), LOOKS, shifts, strict=False):
            shown = [row for row in rows if row in members]
            places = [rows.index(row) + shift for row in shown]
            values = [getattr(members[row], quantity) for row in shown]
            _bars(panel, places, values, across=True, linestyle="none", label=name, **look)
            _ticks(panel, places, values, look["color"] if len(series) > 1 else BLACK)
        panel.plot([], [], color=BLACK, marker="|", markersize=8, linestyle="none", label="predicted")
        panel.set_xscale("log")
        plain_ticks(panel.xaxis)
        panel.set_xlabel(label)
    axes[0].set_yticks(range(len(rows)), rows)
    axes[0].set_ylim(len(rows) - 0.4, -0.6)
    _finish(figure, axes, results)
    return figure, axes


def plain_ticks(axis: Axis) -> None:
    """Numbers without exponents on a logarithmic axis, so many as a panel has room for."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    low, high = sorted(axis.get_view_interval())
    span = high / low if low > 0 else 1.0
    subs = (1.0,) if span > 300 else (1.0, 3.0) if span > 40 else (1.0, 2.0, 3.0, 5.0) if span > 5 else _FINE
    axis.set_major_locator(LogLocator(subs=subs, numticks=20))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


_FINE = (1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0)


def _bars(axes: Axes, places: Sequence[float], values: Sequence[Value], *, across: bool, **look: Any) -> None:
    """Measured values with their intervals, up from places or across in rows."""
    measured = [value.measured for value in values]
    bars = [[v.measured - v.lower for v in values], [v.upper - v.measured for v in values]]
    shared = {"elinewidth": 0.8, "capsize": 1.5, "linewidth": 0.9, **look}
    if across:
        axes.errorbar(measured, places, xerr=bars, **shared)
    else:
        axes.errorbar(places, measured, yerr=bars, **shared)


def _ticks(axes: Axes, places: Iterable[float], values: Iterable[Value], colour: str) -> None:
    axes.plot(
        [value.predicted for value in values],
        list(places),
        color=colour,
        zorder=3,
        marker="|",
        markersize=8,
        markeredgewidth=0.9,
        linestyle="none",
    )


def _unmarked(look: Mapping[str, Any]) -> dict[str, Any]:
    return {"linewidth": 0.8, "color": look["color"]}


def _finish(figure: Figure, axes: Sequence[Axes], results: ModelResults) -> None:
    from matplotlib.artist import Artist

    figure.suptitle(measured_on(results), fontsize=9.0)
    entries = zip(*axes[0].get_legend_handles_labels(), strict=True)
    # What is measured first, in the order given; matplotlib has all lines before it.
    handles, labels = zip(*sorted(entries, key=lambda entry: isinstance(entry[0], Artist)), strict=True)
    figure.legend(handles, labels, loc="outside lower center", ncols=4 if len(labels) == 4 else 3)
