"""R predicted against R measured, as a picture that is part of the page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from bitlaw.theory.fitting import METHODS, TensorAnalysis

from .chart_axes import Axis, columns, picture, rows, titles

__all__ = ["scatter"]

_SIZE, _LEFT, _BOTTOM, _EDGE = 520, 70, 470, 15
_COLOURS = {"lloyd_max": "#0b5cad", "cube_root": "#d9480f", "uniform": "#2b8a3e"}

_CAPTION = (
    "Every tensor at every number of bits. On the line the prediction is exact; above it the tensor is harder to "
    "quantise than its law says, below it easier."
)


def scatter(analyses: Sequence[TensorAnalysis]) -> str:
    """One dot for each tensor, method and size, on logarithmic axes, with the line of perfect prediction."""
    points = [
        (row.method, row.predicted, row.measured)
        for analysis in analyses
        for row in analysis.comparisons
        if row.predicted > 0 and row.measured > 0
    ]
    if not points:
        return ""
    values = [value for _, *pair in points for value in pair]
    x = Axis.around(values, _LEFT, _SIZE - _EDGE)
    y = Axis.around(values, _BOTTOM, _EDGE)
    legend = "".join(
        f'<text x="{_LEFT + 14}" y="{_EDGE + 22 + 18 * k}" fill="{_COLOURS[method]}">'
        f"● {escape(method.replace('_', '-'))}</text>"
        for k, method in enumerate(METHODS)
    )
    return picture(
        _SIZE,
        _SIZE,
        "R predicted against R measured",
        f"{columns(x, _EDGE, _BOTTOM)}{rows(y, _LEFT, _SIZE - _EDGE)}"
        f'<path d="M{x.start} {y.start}L{x.end} {y.end}" stroke="#99a" fill="none"/>'
        f"{''.join(_dots(method, points, x, y) for method in METHODS)}{legend}"
        f"{titles(x, y, 'R predicted from the law', 'R measured', _BOTTOM)}",
        _CAPTION,
    )


def _dots(method: str, points: Sequence[tuple[str, float, float]], x: Axis, y: Axis) -> str:
    """All dots of a method as one path of zero-length strokes with round ends."""
    path = "".join(
        f"M{x.place(predicted)} {y.place(measured)}h0"
        for name, predicted, measured in points
        if name == method
    )
    stroke = 'stroke-width="5" stroke-linecap="round" stroke-opacity=".45"'
    return f'<path d="{path}" stroke="{_COLOURS[method]}" {stroke}/>'
