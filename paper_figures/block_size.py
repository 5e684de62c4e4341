"""Relative RMS error against the size of blocks that share a float16 scale, four bits an element.

Small blocks spend bits on scales, large ones waste codes on a maximum that most elements stay far below.  The
error is shown times 2^bits with the scale's bits counted, so a curve has a least value from which on smaller
blocks cost more than they gain.  Dividing by the signed maximum frees a codepoint, which is a gain at every
size.  With an entropy code there is no such trade: the larger the block the better, and no blocks at all are
best, for elements that are independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from .format_curves import FORMAT_LAWS, Curve, curve, draw_curve, law_name, measured_entry
from .laws import Law
from .style import BLUE, GREEN, ORANGE, panels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "LAWS",
    "LOOKS",
    "SIZES",
    "TENSOR",
    "Data",
    "Sizes",
    "compute",
    "draw",
    "numbers",
    "paper",
    "title",
]

title = "Block size against error at 4 bits, scales counted"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), block size"
numbers = "one scale for the tensor"  # its laws, shared by the figures that show it

LAWS = FORMAT_LAWS
SIZES = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
_AUDITED = (2, 6, 10)

LOOKS: dict[str, dict[str, Any]] = {
    "cube root, absmax": {"color": BLUE, "marker": "o"},
    "cube root, signmax": {"color": ORANGE, "marker": "s"},
    "uniform, absmax, entropy-coded": {"color": GREEN, "marker": "^"},
}
_TEMPLATES = (
    "cbrt4:{law},block={size},scale=absmax:float16",
    "cbrt4:{law},block={size},scale=signmax:float16",
    "int8sym,block={size},scale=absmax:float16,reach=7,code=entropy",
)
# One scale for the tensor: dotted, in the colour of the blocks with the same code.
TENSOR: dict[str, tuple[str, str]] = {
    "cube root, tensor RMS": ("cbrt4:{law},scale=rms:float32", BLUE),
    "uniform, tensor RMS, entropy-coded": (
        "int8sym,scale=rms:float32,reach=1,multiplier=0.35,code=entropy",
        GREEN,
    ),
}


@dataclass(frozen=True)
class Sizes:
    """Curves of one law over `SIZES` by the names of `LOOKS`, and one format each by those of `TENSOR`."""

    law: Law
    curves: dict[str, Curve]
    tensor: dict[str, Curve]


@dataclass(frozen=True)
class Data:
    """One `Sizes` for each of `LAWS`."""

    laws: tuple[Sizes, ...]


@cache
def compute() -> Data:
    """Predict every format at every block size."""
    return Data(tuple(_sizes(law) for law in LAWS))


def _sizes(law: Law) -> Sizes:
    name = law_name(law.source)
    curves = {
        label: curve(law.source, (template.format(law=name, size=size) for size in SIZES), _AUDITED)
        for label, template in zip(LOOKS, _TEMPLATES, strict=True)
    }
    tensor = {
        label: curve(law.source, [template.format(law=name)], (0,)) for label, (template, _) in TENSOR.items()
    }
    return Sizes(law, curves, tensor)


@styled
def draw(data: Data) -> Figure:
    """One panel for each law."""
    figure, row = panels(len(data.laws), height=3.0, sharey=True)
    for axes, sizes in zip(row, data.laws, strict=True):
        for label, look in LOOKS.items():
            draw_curve(axes, sizes.curves[label], SIZES, label=label, **look)
        for label, (_, colour) in TENSOR.items():
            level = float(sizes.tensor[label].scaled[0])
            axes.axhline(level, color=colour, linewidth=1.0, linestyle=":", label=label)
        measured_entry(axes)
        axes.set_xscale("log", base=2)
        axes.set_xticks(SIZES[::2], [str(size) for size in SIZES[::2]])
        axes.minorticks_off()
        axes.set(ylim=(1.0, 2.6), xlabel="block size", title=sizes.law.label)
    row[0].set_ylabel(r"$R \cdot 2^{\,\mathrm{bits}}$")
    handles, labels = row[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure
