"""Relative RMS error of floating-point elements against their exponent bits, at a given number of bits.

A bit of exponent is a bit taken from the mantissa.  No exponent bits are the integers, one the same numbers by
another name: half of its codes are subnormal.  Blocks of 64 divided by their largest magnitude leave little use
for a range of octaves: two exponent bits are best where tails are heavy, and none or two are within 6% of each
other for the Normal.  With one scale for the tensor (with the factor of the least error) Student-t asks for
three at 6 bits.  From there on nearly all of the error is that of the mantissa, whatever the law and the scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from bitlaw.theory import parse_format, predict

from .format_curves import FORMAT_LAWS, Curve, curve, draw_curve, measured_entry
from .laws import Law
from .style import BLACK, BLUE, ORANGE, panels, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["LAWS", "SCALES", "WIDTHS", "Data", "Exponents", "compute", "draw", "numbers", "paper", "title"]

title = "Exponent bits of floating-point elements against error"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), element exponent bits"
numbers = "one scale for the tensor"  # its laws, shared by the figures that show it

LAWS = FORMAT_LAWS
WIDTHS: dict[int, dict[str, Any]] = {
    4: {"color": BLUE, "marker": "o"},
    6: {"color": ORANGE, "marker": "s"},
}
_MOST = 4  # exponent bits
BLOCK, TENSOR = "block absmax ($B=64$)", "tensor RMS, least error"
SCALES = {BLOCK: "-", TENSOR: "--"}


@dataclass(frozen=True)
class Exponents:
    """Curves of one law over 0, 1, ... exponent bits, by bits of an element and name of `SCALES`."""

    law: Law
    curves: dict[tuple[int, str], Curve]


@dataclass(frozen=True)
class Data:
    """One `Exponents` for each of `LAWS`."""

    laws: tuple[Exponents, ...]


@cache
def compute() -> Data:
    """Predict every float with both scales."""
    return Data(
        tuple(
            Exponents(
                law, {(width, scale): _curve(law, width, scale) for width in WIDTHS for scale in SCALES}
            )
            for law in LAWS
        )
    )


def _curve(law: Law, width: int, scale: str) -> Curve:
    """All splits of a width into a sign, exponent bits and mantissa bits."""
    elements = [f"e{exponent}m{width - 1 - exponent}" for exponent in range(min(width, _MOST + 1))]
    if scale == BLOCK:
        texts = [f"{element},block=64,scale=absmax:float16" for element in elements]
    else:
        texts = [_least_error(law, element, exponent) for exponent, element in enumerate(elements)]
    return curve(law.source, texts, (1, 2))


def _least_error(law: Law, element: str, exponent: int) -> str:
    """Format with one scale for the tensor whose factor on the rms is best among 0.3 to 1.5 times a first one.

    With few exponent bits the largest number is first put at 8 rms.  With more it lies far beyond all data, and
    only the place within an octave counts.
    """
    reach = parse_format(element).element.reach("absmax", 2) / 8 if exponent < 3 else 1.0
    format = f"{element},scale=rms:float32,reach={reach:g}"
    return f"{format},multiplier={predict(f'{format},search=tensor', law.source).factor:.6g}"


@styled
def draw(data: Data) -> Figure:
    """One panel for each law."""
    figure, row = panels(len(data.laws), height=3.0, sharey=True)
    for axes, exponents in zip(row, data.laws, strict=True):
        _draw_exponents(axes, exponents)
    row[0].set_ylabel(r"$R \cdot 2^{\,\mathrm{bits}}$")
    handles, labels = row[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _draw_exponents(axes: Axes, exponents: Exponents) -> None:
    for (width, scale), found in exponents.curves.items():
        look = {**WIDTHS[width], "linestyle": SCALES[scale]}
        draw_curve(axes, found, range(len(found.formats)), **look)
    for width, look in WIDTHS.items():
        axes.plot([], [], label=f"{width} bits", **look)
    for scale, line in SCALES.items():
        axes.plot([], [], color=BLACK, linestyle=line, label=scale)
    measured_entry(axes)
    axes.set_yscale("log", base=2)
    axes.set_yticks([2, 4, 8], ["2", "4", "8"])
    axes.minorticks_off()
    axes.set_xticks(range(_MOST + 1))
    axes.set(xlabel="exponent bits", title=exponents.law.label)
