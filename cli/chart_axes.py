"""Axes of pictures that are part of a page: places of values in it, ticks, and the frame around both."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

__all__ = ["GRID", "INK", "MUTED", "Axis", "columns", "picture", "rows", "titles"]

INK, MUTED, GRID = "#1c2430", "#556070", "#e6ebf1"

# Above so many decades only powers of ten are marked.
_MANY_DECADES = 2.5
# Most ticks on a linear axis.
_MOST_TICKS = 8
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Axis:
    """Values from `low` to `high` along pixels from `start` to `end`.

    Attributes
    ----------
    low, high : float
        Positive on a logarithmic axis.
    start, end : float
        A vertical axis starts at the bottom, whose pixel is the larger one.
    log : bool
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = True

    @classmethod
    def around(
        cls, values: Iterable[float], start: float, end: float, *, log: bool = True, margin: float = 0.05
    ) -> Axis:
        """Axis of some values; the margin is in decades, or a share of the values' range."""
        known = list(values)
        low, high = min(known), max(known)
        if log:
            return cls(low / 10**margin, high * 10**margin, start, end)
        space = margin * (high - low)
        return cls(low - space, high + space, start, end, log=False)

    def place(self, value: float) -> float:
        """Pixel of a value; of the nearest end for one outside."""
        value = min(max(value, self.low), self.high)
        if self.log:
            part = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return round(self.start + part * (self.end - self.start), 1)

    def marks(self) -> list[tuple[float, str]]:
        """Pixels and labels of the ticks."""
        found = self._logarithmic() if self.log else self._linear()
        return [(self.place(value), label) for value, label in found if self.low <= value <= self.high]

    def _logarithmic(self) -> list[tuple[float, str]]:
        many = math.log10(self.high / self.low) > _MANY_DECADES
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        return [
            (digit * 10.0**power, _power(power) if many else f"{digit * 10.0**power:g}")
            for power in powers
            for digit in ((1,) if many else (1, 2, 5))
        ]

    def _linear(self) -> list[tuple[float, str]]:
        least = (self.high - self.low) / _MOST_TICKS
        power = math.floor(math.log10(least))
        step = next(digit * 10.0**power for digit in (1, 2, 5, 10) if digit * 10.0**power >= least)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [
            (k * step, f"{k * step:.{max(0, -math.floor(math.log10(step)))}f}")
            for k in range(first, last + 1)
        ]


def _power(power: int) -> str:
    return f"10{str(power).translate(_RAISED)}"


def columns(axis: Axis, top: float, bottom: float) -> str:
    """Vertical lines at the ticks of a horizontal axis, their labels below."""
    return "".join(
        f'<path d="M{place} {top}V{bottom}" stroke="{GRID}"/>'
        f'<text x="{place}" y="{bottom + 18}" text-anchor="middle">{label}</text>'
        for place, label in axis.marks()
    )


def rows(axis: Axis, left: float, right: float) -> str:
    """Horizontal lines at the ticks of a vertical axis, their labels on the left."""
    return "".join(
        f'<path d="M{left} {place}H{right}" stroke="{GRID}"/>'
        f'<text x="{left - 6}" y="{place + 4}" text-anchor="end">{label}</text>'
        for place, label in axis.marks()
    )


def titles(x: Axis, y: Axis | None, across: str, up: str, bottom: float) -> str:
    """What the axes show."""
    middle = (x.start + x.end) / 2
    found = f'<text x="{middle}" y="{bottom + 42}" text-anchor="middle">{escape(across)}</text>'
    if y is None:
        return found
    place = f"translate(16 {(y.start + y.end) / 2}) rotate(-90)"
    return f'{found}<text transform="{place}" text-anchor="middle">{escape(up)}</text>'


def picture(width: float, height: float, alternative: str, content: str, caption: str) -> str:
    """A picture that needs nothing from outside, in words for those who do not see it, and its caption."""
    return (
        f'<figure><svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img" '
        f'aria-label="{escape(alternative, quote=True)}" font-family="sans-serif" font-size="13" '
        f'fill="{INK}">{content}</svg><figcaption>{escape(caption)}</figcaption></figure>'
    )
