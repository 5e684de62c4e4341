"""Sixteen codepoints for the Normal: cube-root density beside Lloyd-Max and a density like the data's.

The left panel shows the density and its cube root, which is proportional to a Normal of standard deviation
sqrt(3) (the label of the published figure has the inverse).  The right panel shows the codepoints.  The
published curves come from samples; these are integrals, so R has no sampling error.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bitlaw.theory import ScalarQuantiser, compand, evaluate, lloyd_max

from .laws import NORMAL
from .style import BLACK, BLUE, GREY, ORANGE, panels, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Data", "compute", "draw", "paper", "title"]

title = "Cube-root codepoints of the Normal at 4 bits"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), eg_normal_crd_4bit"

_LEVELS = 16


@dataclass(frozen=True)
class Data:
    """Curves of the left panel, codepoints and relative RMS errors of the right one.

    Attributes
    ----------
    x, density, cube_root : ndarray of float64, shape (n,)
        The standard Normal density and its cube root at x.
    codepoints : dict of str to ndarray of float64, shape (16,)
        By name: "density", "cube root", "Lloyd-Max".
    errors : dict of str to float
        R = RMS error / RMS of the data, by the same names.
    """

    x: NDArray[np.float64]
    density: NDArray[np.float64]
    cube_root: NDArray[np.float64]
    codepoints: dict[str, NDArray[np.float64]]
    errors: dict[str, float]


@cache
def compute() -> Data:
    """Design the three quantisers and integrate their errors."""
    source = NORMAL.source
    designs: dict[str, ScalarQuantiser] = {
        "density": compand(source, _LEVELS, power=1.0),
        "cube root": compand(source, _LEVELS),
        "Lloyd-Max": lloyd_max(source, _LEVELS),
    }
    x = np.linspace(-4.0, 4.0, 401)
    density = source.pdf(x)
    return Data(
        x=x,
        density=density,
        cube_root=np.cbrt(density),
        codepoints={name: design.codepoints for name, design in designs.items()},
        errors={name: evaluate(design, source).distortion ** 0.5 for name, design in designs.items()},
    )


@styled
def draw(data: Data) -> Figure:
    """Densities on the left, codepoints on the right."""
    figure, (left, right) = panels(2, height=2.5)
    _draw_densities(left, data)
    _draw_codepoints(right, data)
    return figure


def _draw_densities(axes: Axes, data: Data) -> None:
    axes.plot(data.x, data.density, color=BLUE, label=r"$f$, standard deviation 1")
    axes.plot(
        data.x,
        data.cube_root,
        color=ORANGE,
        linestyle="--",
        label=r"$f^{1/3}$, standard deviation $\sqrt{3}$",
    )
    axes.set_yscale("log")
    axes.set_ylim(4e-5, 2.0)
    axes.set(xlabel="$x$", ylabel="density (not normalised)")
    axes.legend(loc="lower center")


def _draw_codepoints(axes: Axes, data: Data) -> None:
    looks: dict[str, tuple[str, dict[str, Any]]] = {
        "Lloyd-Max": ("Lloyd-Max", dict(color=GREY, marker="x", markersize=6, linewidth=3, alpha=0.6)),
        "density": ("spread as $f$", dict(color=BLUE, marker="o", linestyle="-")),
        "cube root": (r"spread as $f^{1/3}$", dict(color=ORANGE, marker="s", linestyle="--")),
    }
    index = np.arange(1, _LEVELS + 1)
    for name, (label, look) in looks.items():
        axes.plot(index, data.codepoints[name], label=f"{label}: $R$ = {data.errors[name]:.4f}", **look)
    axes.axhline(0.0, color=BLACK, linewidth=0.4)
    axes.set_xticks([1, 4, 8, 12, 16])
    axes.set(xlabel="codepoint index $i$", ylabel=r"codepoint $q_i$ ($\sigma$)")
    axes.legend(loc="lower right", handlelength=2.2)
