"""Predicted against measured, for a report on a model: divergence by format, and the error of every tensor."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from html import escape
from typing import Any

from ..chart_axes import INK, MUTED, Axis, columns, picture, rows, titles
from ..output import number

__all__ = ["divergence_chart", "error_chart"]

Rows = Sequence[dict[str, Any]]

_BLUE, _BAND = "#0b5cad", "#eef3f8"
_EDGE, _LEFT, _PLOT = 15, 72, 430
# Least distance of two labels, and the height of a format's strip.
_LINE, _STRIP = 17, 34
# What theory is held to: divergences within a quarter where they are small, errors within 3%.
_KL_OFF, _R_OFF = 0.25, 0.03
# Share of a divergence from which the noise floor is drawn.
_FLOOR_SHOWN = 0.1
# The errors of a tensor over its prediction are on a linear axis unless they differ by more than this factor.
_WIDE = 1.6

_KL_CAPTION = (
    f"Every format as a dot: KL divergence measured on the text against KL divergence predicted before anything was "
    f"quantised, with 95% intervals over sequences. On the line both agree, in the band they differ by at most "
    f"{_KL_OFF:.0%}; dots above it lose more than theory says."
)
_FLOOR_CAPTION = " The dashed line is the noise floor of the arithmetic, which is in every divergence."
_R_CAPTION = (
    f"Every tensor in every format as a dot: its error R measured over R predicted from its law; bars mark medians. In "
    f"the band both differ by at most {_R_OFF:.0%}; dots on the right are harder to quantise than their law says."
)


def divergence_chart(formats: Rows) -> str:
    """Measured over predicted KL divergence, one labelled dot for each format; empty where no KL is positive."""
    shown = [row for row in formats if row["predicted_kl"] > 0 and row["kl"] > 0]
    if not shown:
        return ""
    values = [row[name] for row in shown for name in ("predicted_kl", "kl")]
    values += [end for row in shown for end in _ends(row)]
    values += _floors(shown)
    bottom = _EDGE + max(_PLOT, _LINE * len(shown))
    x = Axis.around(values, _LEFT, _LEFT + _PLOT)
    y = Axis.around(values, bottom, _EDGE)
    width = _LEFT + _PLOT + 30 + 7.5 * max(len(row["format"]) for row in shown)
    words = "; ".join(
        f"{row['format']}: predicted {number(row['predicted_kl'], 3)}, measured {number(row['kl'], 3)}"
        for row in shown
    )
    floor = "".join(_floor_line(x, y, value) for value in _floors(shown)[:1])
    content = (
        f"{_diagonal_band(x, y)}{columns(x, _EDGE, bottom)}{rows(y, x.start, x.end)}{floor}"
        f'<path d="M{x.start} {y.start}L{x.end} {y.end}" stroke="{MUTED}"/>'
        f"{_labels(shown, x, y)}{''.join(_dot(row, x, y) for row in shown)}"
        f"{titles(x, y, 'KL predicted (nats per token)', 'KL measured (nats per token)', bottom)}"
    )
    caption = _KL_CAPTION + (_FLOOR_CAPTION if floor else "")
    return picture(width, bottom + 50, f"KL measured against predicted. {words}", content, caption)


def _floors(shown: Rows) -> list[float]:
    """Noise floor of the rows whose divergence is near it; they have the same one."""
    found = [(row["kl"], row.get("noise_floor") or 0.0) for row in shown]
    return [floor for kl, floor in found if floor > _FLOOR_SHOWN * kl]


def _floor_line(x: Axis, y: Axis, floor: float) -> str:
    path = f"M{x.start} {y.place(floor)}H{x.end}"
    return f'<path class="floor" d="{path}" stroke="{MUTED}" stroke-dasharray="5 4"/>'


def _ends(row: dict[str, Any]) -> tuple[float, ...]:
    """Ends of the interval that a logarithmic axis has; a single sequence gives none."""
    return tuple(end for end in (row["kl_lower"], row["kl_upper"]) if end is not None and end > 0)


def _diagonal_band(x: Axis, y: Axis) -> str:
    """Where measured and predicted differ by at most a quarter."""
    low, high = x.low, x.high
    most = 1 + _KL_OFF
    corners = [
        (low, low),
        (low, low * most),
        (high / most, high),
        (high, high),
        (high, high / most),
        (low * most, low),
    ]
    points = " ".join(f"{x.place(across)},{y.place(up)}" for across, up in corners)
    return f'<polygon points="{points}" fill="{_BAND}"/>'


def _dot(row: dict[str, Any], x: Axis, y: Axis) -> str:
    """One format; an interval that reaches 0 runs to the edge and has no cap there."""
    across, up = x.place(row["predicted_kl"]), y.place(row["kl"])
    heights = [y.place(end) for end in _ends(row)]
    bar = ""
    if heights:
        low = heights[0] if len(heights) == 2 else y.start
        caps = "".join(f"M{across - 4:g} {height}h8" for height in heights)
        path = f"M{across} {low}V{heights[-1]}{caps}"
        bar = f'<path class="interval" d="{path}" stroke="{_BLUE}" stroke-width="1.5"/>'
    return f'{bar}<circle cx="{across}" cy="{up}" r="4" fill="{_BLUE}"/>'


def _labels(shown: Rows, x: Axis, y: Axis) -> str:
    """Names on the right, each with a line to its dot, in the order of the dots and never one over another."""
    ordered = sorted(shown, key=lambda row: y.place(row["kl"]))
    places = _spread([y.place(row["kl"]) for row in ordered], _EDGE + 8, y.start)
    return "".join(
        f'<path d="M{x.place(row["predicted_kl"]) + 6} {y.place(row["kl"])}L{x.end + 6} {place}" '
        f'stroke="#b4bfcc" fill="none"/>'
        f'<text x="{x.end + 11}" y="{place + 4.5}">{escape(row["format"])}</text>'
        for row, place in zip(ordered, places, strict=True)
    )


def _spread(wanted: Sequence[float], top: float, bottom: float) -> list[float]:
    """Heights as near to the ascending ones as the distance of labels allows, between two ends."""
    places: list[float] = []
    for height in wanted:
        places.append(max(height, places[-1] + _LINE if places else top))
    limit = bottom
    for k in range(len(places) - 1, -1, -1):
        places[k] = round(min(places[k], limit), 1)
        limit = places[k] - _LINE
    return places


def error_chart(formats: Rows, tensors: Rows) -> str:
    """Measured over predicted R of every tensor, a strip for each format; empty where no R is positive."""
    ratios = {row["format"]: _ratios(row["format"], tensors) for row in formats}
    ratios = {name: found for name, found in ratios.items() if found}
    if not ratios:
        return ""
    left = 16 + 7.5 * max(map(len, ratios))
    bottom = _EDGE + _STRIP * len(ratios)
    values = [1 - 1.5 * _R_OFF, 1 + 1.5 * _R_OFF, *(ratio for found in ratios.values() for ratio in found)]
    wide = max(values) > _WIDE * min(values)
    x = Axis.around(values, left, left + 520, log=wide, margin=0.03)
    strips = "".join(_strip(name, found, k, x) for k, (name, found) in enumerate(ratios.items()))
    low, high = x.place(1 - _R_OFF), x.place(1 + _R_OFF)
    words = "; ".join(
        f"{name}: median {statistics.median(found):.4g}, {min(found):.4g} to {max(found):.4g}"
        for name, found in ratios.items()
    )
    content = (
        f'<rect x="{low}" y="{_EDGE}" width="{high - low:.1f}" height="{bottom - _EDGE}" fill="{_BAND}"/>'
        f"{columns(x, _EDGE, bottom)}"
        f'<path d="M{x.place(1)} {_EDGE}V{bottom}" stroke="{MUTED}"/>{strips}'
        f'<text x="{x.end + 12}" y="{bottom + 18}">median</text>'
        f"{titles(x, None, 'R measured / R predicted', '', bottom)}"
    )
    return picture(x.end + 80, bottom + 50, f"R measured over predicted. {words}", content, _R_CAPTION)


def _ratios(name: str, tensors: Rows) -> list[float]:
    own = [row for row in tensors if row["asked"] == name]
    return [row["r"] / row["predicted_r"] for row in own if row["r"] > 0 and row["predicted_r"] > 0]


def _strip(name: str, ratios: Sequence[float], index: int, x: Axis) -> str:
    """One format: its name, dots at three heights so that equal ones are told apart, the median as a bar."""
    middle = _EDGE + _STRIP * (index + 0.5)
    dots = "".join(f"M{x.place(ratio)} {middle + 6 * (k % 3 - 1):g}h0" for k, ratio in enumerate(ratios))
    median = statistics.median(ratios)
    place = x.place(median)
    return (
        f'<text x="{x.start - 10}" y="{middle + 4.5}" text-anchor="end">{escape(name)}</text>'
        f'<path class="dots" d="{dots}" stroke="{_BLUE}" stroke-width="6" stroke-linecap="round" '
        f'stroke-opacity=".45"/>'
        f'<path class="median" d="M{place} {middle - 13:g}V{middle + 13:g}" stroke="{INK}" stroke-width="3"/>'
        f'<text x="{x.end + 12}" y="{middle + 4.5}">{median:.3f}</text>'
    )
