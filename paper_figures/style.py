"""One look for all figures: size, fonts and a palette that colour-blind readers can tell apart.

Matplotlib is imported when the first figure is drawn, and its settings are changed only while one is drawn:
no pyplot, no backend, nothing global.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BLACK",
    "BLUE",
    "GREEN",
    "GREY",
    "ORANGE",
    "PURPLE",
    "WIDTH",
    "grid",
    "panels",
    "settings",
    "styled",
]

# Okabe and Ito (2008): distinct under the common kinds of colour blindness, and in luminance.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
BLACK, GREY = "#000000", "#777777"

# Text width of a one-column paper in inches; at this size the letters are those of the caption.
WIDTH = 5.5

T = TypeVar("T")

_SETTINGS: dict[str, Any] = {
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.labelsize": 9.0,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 200,
    "pdf.fonttype": 42,
    "axes.unicode_minus": True,
}


def settings() -> Any:
    """Context in which matplotlib has the shared look."""
    import matplotlib

    everything: dict[Any, Any] = {**matplotlib.rcParamsDefault, **_SETTINGS, "backend": "agg"}
    return matplotlib.rc_context(everything)


def styled(draw: Callable[[T], Figure]) -> Callable[[T], Figure]:
    """Draw with the shared look."""

    @wraps(draw)
    def drawn(data: T) -> Figure:
        with settings():
            return draw(data)

    return drawn


def panels(columns: int, *, height: float = 2.4, **options: Any) -> tuple[Figure, list[Axes]]:
    """Figure of the text width with a row of panels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height))
    axes = figure.subplots(1, columns, squeeze=False, **options)
    return figure, list(axes[0])


def grid(rows: int, columns: int, *, height: float, **options: Any) -> tuple[Figure, list[list[Axes]]]:
    """Figure of the text width with rows of panels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height))
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, [list(row) for row in axes]
