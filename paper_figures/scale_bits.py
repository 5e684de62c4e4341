"""Relative RMS error against the mantissa bits of a block's scale, rounded to nearest and up.

The scale has no sign, eight exponent bits and 0 to 8 mantissa bits, which are counted.  Rounding up keeps every
element in range and wastes part of it, half an octave on average at no mantissa bits; rounding to nearest
wastes less and clips the largest elements of a block instead, which is the better of the two but for small
blocks, heavy tails and no mantissa.  Three bits to nearest are best in all panels, four or five upwards; from
then on a further bit costs 1 / B and gains next to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from .format_curves import FORMAT_LAWS, Curve, curve, draw_curve, law_name, measured_entry
from .laws import Law
from .style import BLUE, ORANGE, panels, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BLOCKS",
    "LAWS",
    "MANTISSAS",
    "ROUNDINGS",
    "Data",
    "Mantissas",
    "compute",
    "draw",
    "paper",
    "title",
]

title = "Mantissa bits of block scales against error at 4 bits"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), scale mantissa bits"

LAWS = FORMAT_LAWS
MANTISSAS = range(9)
BLOCKS: dict[int, dict[str, Any]] = {
    32: {"color": BLUE, "marker": "o"},
    128: {"color": ORANGE, "marker": "s"},
}
ROUNDINGS = {"nearest": "-", "up": "--"}
_AUDITED = (0, 3)


@dataclass(frozen=True)
class Mantissas:
    """Curves of one law over `MANTISSAS`, by block size and rounding."""

    law: Law
    curves: dict[tuple[int, str], Curve]


@dataclass(frozen=True)
class Data:
    """One `Mantissas` for each of `LAWS`."""

    laws: tuple[Mantissas, ...]


@cache
def compute() -> Data:
    """Predict every scale in blocks of every size."""
    return Data(
        tuple(
            Mantissas(
                law,
                {
                    (block, rounding): _curve(law, block, rounding)
                    for block in BLOCKS
                    for rounding in ROUNDINGS
                },
            )
            for law in LAWS
        )
    )


def _curve(law: Law, block: int, rounding: str) -> Curve:
    element = f"cbrt4:{law_name(law.source)}"
    texts = (f"{element},block={block},scale=absmax:ue8m{bits}:{rounding}" for bits in MANTISSAS)
    return curve(law.source, texts, _AUDITED)


@styled
def draw(data: Data) -> Figure:
    """One panel for each law."""
    figure, row = panels(len(data.laws), height=2.9, sharey=True)
    for axes, mantissas in zip(row, data.laws, strict=True):
        _draw_mantissas(axes, mantissas)
    row[0].set_ylabel(r"$R \cdot 2^{\,\mathrm{bits}}$")
    handles, labels = row[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _draw_mantissas(axes: Axes, mantissas: Mantissas) -> None:
    for (block, rounding), found in mantissas.curves.items():
        label = f"$B={block}$, rounded {'to nearest' if rounding == 'nearest' else rounding}"
        draw_curve(axes, found, MANTISSAS, label=label, linestyle=ROUNDINGS[rounding], **BLOCKS[block])
    measured_entry(axes)
    axes.set_xticks(MANTISSAS[::2])
    axes.set(xlabel="scale mantissa bits", title=mantissas.law.label)
