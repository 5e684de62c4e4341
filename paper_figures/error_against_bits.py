"""Relative RMS error against bits: a scale for the tensor or for each block, with and without an entropy code.

The error is shown times 2^bits, which takes the 6 dB of each bit out.  Without an entropy code the codepoints
are spread as the cube root of the density; with one they are a uniform grid, which is all but optimal then.
A scale for each block adapts to what the block holds.  Without an entropy code that pays from 5 bits on the
Normal, from 4 on Laplace and from 3 on Student-t of 5 degrees of freedom.  With one it costs on every law, as
long as elements are independent: the code adapts already.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .bound_curve import bound_rate
from .format_curves import FORMAT_LAWS, Curve, curve, draw_curve, law_name, measured_entry
from .laws import Law
from .style import BLACK, BLUE, ORANGE, panels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["BLOCK", "LAWS", "LOOKS", "Data", "Errors", "compute", "draw", "numbers", "paper", "title"]

title = "Error against bits: scales of tensors and blocks, with and without an entropy code"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), error against bits"
numbers = "one scale for the tensor"  # its laws, shared by the figures that show it

LAWS = FORMAT_LAWS
BLOCK = 128
_WIDTHS = range(2, 8)

# Steps of the grid in rms, and steps from 0 to the maximum of a block (whole, so that the maximum is exact).
_STEPS = 2.0 ** np.arange(1.0, -4.1, -0.5)
_REACHES = (2, 3, 4, 5, 6, 8, 11, 16, 23, 32, 45, 64)

LOOKS: dict[str, dict[str, Any]] = {
    "tensor RMS": {"color": BLUE, "marker": "o", "linestyle": "-"},
    f"block absmax ($B={BLOCK}$)": {"color": ORANGE, "marker": "s", "linestyle": "-"},
    "tensor RMS, entropy-coded": {"color": BLUE, "linestyle": "--"},
    "block absmax, entropy-coded": {"color": ORANGE, "linestyle": "--"},
}


@dataclass(frozen=True)
class Errors:
    """Curves of one law by the names of `LOOKS`, and R at the bound for some rates in bits."""

    law: Law
    curves: dict[str, Curve]
    bound_bits: NDArray[np.float64]
    bound_R: NDArray[np.float64]


@dataclass(frozen=True)
class Data:
    """One `Errors` for each of `LAWS`."""

    laws: tuple[Errors, ...]


@cache
def compute() -> Data:
    """Predict every format on every law."""
    return Data(tuple(_errors(law) for law in LAWS))


def _errors(law: Law) -> Errors:
    name = law_name(law.source)
    grids = (f"int12sym,scale=rms:float32,reach=1,multiplier={step:.6g},code=entropy" for step in _STEPS)
    blocks = (f"int12sym,block={BLOCK},scale=absmax:float16,reach={reach},code=entropy" for reach in _REACHES)
    cubes = [f"cbrt{width}:{name}" for width in _WIDTHS]
    texts = (
        (f"{cube},scale=rms:float32" for cube in cubes),
        (f"{cube},block={BLOCK},scale=absmax:float16" for cube in cubes),
        grids,
        blocks,
    )
    audits: tuple[tuple[int, ...], ...] = ((1, 3), (1, 3), (2, 6), (2, 7))
    curves = {
        label: curve(law.source, formats, audited)
        for label, formats, audited in zip(LOOKS, texts, audits, strict=True)
    }
    relative = np.geomspace(2.0**-6.06, 2.0**-0.9, 40)
    return Errors(law, curves, bound_rate(law.source, (relative * law.source.std) ** 2), relative)


@styled
def draw(data: Data) -> Figure:
    """One panel for each law."""
    figure, row = panels(len(data.laws), height=2.9, sharey=True)
    for axes, errors in zip(row, data.laws, strict=True):
        for label, look in LOOKS.items():
            draw_curve(axes, errors.curves[label], label=label, **look)
        axes.plot(
            errors.bound_bits,
            errors.bound_R * 2.0**errors.bound_bits,
            color=BLACK,
            linewidth=0.8,
            linestyle=":",
            label="rate-distortion bound",
        )
        measured_entry(axes)
        axes.set(xlim=(1.0, 6.25), ylim=(0.8, 2.6), xlabel="bits per element", title=errors.law.label)
        axes.set_xticks(range(1, 7))
    row[0].set_ylabel(r"$R \cdot 2^{\,\mathrm{bits}}$")
    handles, labels = row[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure
