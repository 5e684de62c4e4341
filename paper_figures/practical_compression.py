"""What a Huffman code loses to the entropy: relative RMS error against bits of uniform grids.

The grid has a codepoint at zero and one step for the tensor, in proportion to its rms.  Its indices are coded to
their entropy, which arithmetic coding and its kin come within a hundredth of a bit of, or by the Huffman code of
their exact probabilities.  Huffman's words have whole bits: the loss is 0.02 to 0.07 bit from 2.5 bits up and
0.3 at 1 bit, where the word of zero, of one bit at least, is longer than it should be.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bitlaw.theory import ScalarQuantiser, evaluate

from .format_curves import FORMAT_LAWS, Curve, curve, draw_curve, law_name, measured_entry
from .huffman import mean_huffman_length
from .laws import Law
from .style import BLUE, GREY, ORANGE, panels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["LAWS", "STEPS", "Compressed", "Data", "compute", "draw", "numbers", "paper", "title"]

title = "Entropy and Huffman codes of uniform grids, beside blocks without a code"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), practical compression"
numbers = "one scale for the tensor"  # its laws, shared by the figures that show it

LAWS = FORMAT_LAWS
STEPS = 2.0 ** np.arange(1.5, -4.01, -0.125)  # of the grid, in rms
_CODEPOINTS = 2047  # on each side of zero: the integers of 12 bits
_AUDITED = (12, 20, 28, 36)


@dataclass(frozen=True)
class Compressed:
    """Curves of one law.

    Attributes
    ----------
    law : Law
    entropy : Curve
        Grids of `STEPS` with an ideal code.
    huffman_bits : ndarray of float64, shape (n,)
        Bits of the same with a Huffman code, the tensor's scale included.
    blocks : Curve
        Cube-root codepoints in blocks of 128, without a code.
    """

    law: Law
    entropy: Curve
    huffman_bits: NDArray[np.float64]
    blocks: Curve


@dataclass(frozen=True)
class Data:
    """One `Compressed` for each of `LAWS`."""

    laws: tuple[Compressed, ...]


@cache
def compute() -> Data:
    """Predict every grid, and build the Huffman code of each."""
    return Data(tuple(_compressed(law) for law in LAWS))


def _compressed(law: Law) -> Compressed:
    grids = (f"int12sym,scale=rms:float32,reach=1,multiplier={step:.9g},code=entropy" for step in STEPS)
    cubes = (f"cbrt{width}:{law_name(law.source)},block=128,scale=absmax:float16" for width in range(2, 7))
    entropy = curve(law.source, grids, _AUDITED)
    integers = np.arange(-_CODEPOINTS, _CODEPOINTS + 1)
    coded = [evaluate(ScalarQuantiser(step * integers), law.source) for step in STEPS]
    loss = [mean_huffman_length(found.probabilities) - found.entropy for found in coded]
    return Compressed(law, entropy, entropy.bits + np.array(loss), curve(law.source, cubes))


@styled
def draw(data: Data) -> Figure:
    """One panel for each law."""
    figure, row = panels(len(data.laws), height=2.8, sharey=True)
    for axes, compressed in zip(row, data.laws, strict=True):
        draw_curve(axes, compressed.entropy, color=BLUE, label="uniform, entropy")
        axes.plot(
            compressed.huffman_bits,
            compressed.entropy.R * 2.0**compressed.huffman_bits,
            color=ORANGE,
            linestyle="--",
            label="uniform, Huffman",
        )
        draw_curve(axes, compressed.blocks, color=GREY, marker="s", label="cube root, absmax ($B=128$)")
        measured_entry(axes)
        axes.set(xlim=(1.0, 6.25), ylim=(0.8, 2.6), xlabel="bits per element", title=compressed.law.label)
        axes.set_xticks(range(1, 7))
    row[0].set_ylabel(r"$R \cdot 2^{\,\mathrm{bits}}$")
    handles, labels = row[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure
