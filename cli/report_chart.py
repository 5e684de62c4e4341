"""R predicted against R measured, as a picture that is part of the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from bitlaw.theory.fitting import METHODS, TensorAnalysis

__all__ = ["scatter"]

_SIZE, _LEFT, _BOTTOM, _EDGE = 520, 70, 50, 15
_COLOURS = {"lloyd_max": "#0b5cad", "cube_root": "#d9480f", "uniform": "#2b8a3e"}


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
    axis = _Axis(math.log10(min(values)) - 0.05, math.log10(max(values)) + 0.05)
    legend = "".join(
        f'<text x="{_LEFT + 14}" y="{_EDGE + 22 + 18 * k}" fill="{_COLOURS[method]}">'
        f"● {escape(method.replace('_', '-'))}</text>"
        for k, method in enumerate(METHODS)
    )
    first, last = axis.across(axis.low), axis.across(axis.high)
    return (
        f'<figure><svg viewBox="0 0 {_SIZE} {_SIZE}" width="{_SIZE}" height="{_SIZE}" role="img" '
        f'aria-label="R predicted against R measured" font-family="sans-serif" font-size="13" fill="#1c2430">'
        f"{axis.ticks()}"
        f'<path d="M{first} {axis.up(axis.low)}L{last} {axis.up(axis.high)}" stroke="#99a" fill="none"/>'
        f"{''.join(_dots(method, points, axis) for method in METHODS)}{legend}"
        f'<text x="{(_LEFT + _SIZE) // 2}" y="{_SIZE - 8}" text-anchor="middle">'
        "R predicted from the law</text>"
        f'<text transform="translate(16 {_SIZE // 2}) rotate(-90)" text-anchor="middle">R measured</text>'
        "</svg><figcaption>Every tensor at every number of bits. On the line the prediction is exact; "
        "above it the tensor is harder to quantise than its law says, below it "
        "easier.</figcaption></figure>"
    )


class _Axis:
    """Logarithmic coordinates shared by both directions."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def _part(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)

    def across(self, value: float) -> float:
        """Horizontal place of a logarithm."""
        return round(_LEFT + self._part(value) * (_SIZE - _LEFT - _EDGE), 1)

    def up(self, value: float) -> float:
        """Vertical place of a logarithm."""
        return round(_SIZE - _BOTTOM - self._part(value) * (_SIZE - _BOTTOM - _EDGE), 1)

    def ticks(self) -> str:
        """Lines and labels at 1, 2 and 5 times the powers of ten."""
        marks = [
            (math.log10(digit) + power, f"{digit * 10.0**power:g}")
            for power in range(math.floor(self.low), math.ceil(self.high))
            for digit in (1, 2, 5)
        ]
        parts = []
        for value, label in marks:
            if self.low < value < self.high:
                x, y = self.across(value), self.up(value)
                parts.append(
                    f'<path d="M{x} {_EDGE}V{_SIZE - _BOTTOM}M{_LEFT} {y}H{_SIZE - _EDGE}" stroke="#e6ebf1"/>'
                    f'<text x="{x}" y="{_SIZE - _BOTTOM + 18}" text-anchor="middle">{label}</text>'
                    f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{label}</text>'
                )
        return "".join(parts)


def _dots(method: str, points: Sequence[tuple[str, float, float]], axis: _Axis) -> str:
    """All dots of a method as one path of zero-length strokes with round ends."""
    path = "".join(
        f"M{axis.across(math.log10(predicted))} {axis.up(math.log10(measured))}h0"
        for name, predicted, measured in points
        if name == method
    )
    stroke = 'stroke-width="5" stroke-linecap="round" stroke-opacity=".45"'
    return f'<path d="{path}" stroke="{_COLOURS[method]}" {stroke}/>'
