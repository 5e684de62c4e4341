"""Gap to the bound at 2 bits of scalar, lattice and trellis-coded quantisers, on three laws.

Scalar quantisers are integrated.  The others quantise many values together and are measured on seeded draws:
bars are two standard errors.  Lattices are scaled and trellises trained on other draws than those they are
measured on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from bitlaw.theory import Source, entropy_constrained, evaluate, lloyd_max
from bitlaw.theory.quantisers import entropy_constrained_trellis, lattice_quantiser, measure, trellis_coded
from bitlaw.theory.quantisers.measurement import BlockQuantiser

from .bound_curve import bound_rate
from .operating_points import LAWS
from .style import BLACK, panels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["RATE", "Data", "Point", "compute", "draw", "paper", "title"]

title = "Gap to the bound of lattices and trellises at 2 bits"
paper = "after Marcellin and Fischer (1990), and Fischer and Wang (1992)"

RATE = 2

# Training values, and values measured on.  Twice as many of the first gain 0.001 bit and take twice as long;
# of the second, they narrow the bars by 1.4.
_TRAINING, _MEASURED = 2**15, 2**17


@dataclass(frozen=True)
class Point:
    """Gap of one method on one law in bits, and its standard error (0 where it is integrated)."""

    gap: float
    error: float


@dataclass(frozen=True)
class Data:
    """Points by name of the method, one for each of `LAWS`; fixed-length methods come first."""

    points: dict[str, tuple[Point, ...]]


def _lattice(name: str) -> Callable[[Source], Point]:
    return lambda source: _measured(lattice_quantiser(name, source, rate=RATE, samples=_TRAINING), source)


def _fixed_trellis(states: int) -> Callable[[Source], Point]:
    return lambda source: _measured(trellis_coded(source, RATE, states=states, samples=_TRAINING), source)


def _coded_trellis(states: int) -> Callable[[Source], Point]:
    return lambda source: _measured(
        entropy_constrained_trellis(source, rate=RATE, states=states, samples=_TRAINING), source
    )


def _lloyd_max(source: Source) -> Point:
    return _gap(source, RATE, evaluate(lloyd_max(source, 2**RATE), source).distortion)


def _entropy_constrained(source: Source) -> Point:
    result = evaluate(entropy_constrained(source, rate=RATE), source)
    return _gap(source, result.entropy, result.distortion)


_METHODS: dict[str, Callable[[Source], Point]] = {
    "Lloyd-Max": _lloyd_max,
    "trellis, 8 states": _fixed_trellis(8),
    "trellis, 256 states": _fixed_trellis(256),
    "entropy-constrained scalar": _entropy_constrained,
    "lattice D4, entropy-coded": _lattice("D4"),
    "lattice E8, entropy-coded": _lattice("E8"),
    "Leech lattice, entropy-coded": _lattice("Leech"),
    "trellis, 32 states, entropy-coded": _coded_trellis(32),
}
_FIXED = 3


def _measured(quantiser: BlockQuantiser, source: Source) -> Point:
    found = measure(quantiser, source, samples=_MEASURED)
    return _gap(source, found.rate, found.distortion, found.gap_error)


def _gap(source: Source, rate: float, distortion: float, error: float = 0.0) -> Point:
    return Point(rate - float(bound_rate(source, distortion)), error)


@cache
def compute() -> Data:
    """Design and evaluate every method on every law."""
    return Data({name: tuple(method(law.source) for law in LAWS) for name, method in _METHODS.items()})


@styled
def draw(data: Data) -> Figure:
    """One row for each method, fixed length above entropy-coded."""
    figure, (axes,) = panels(1, height=3.0)
    names = list(data.points)
    for column, law in enumerate(LAWS):
        gaps = [data.points[name][column].gap for name in names]
        errors = [2 * data.points[name][column].error for name in names]
        rows = [row + 0.18 * (column - 1) for row in range(len(names))]
        axes.errorbar(
            gaps, rows, xerr=errors, color=law.colour, marker=law.marker, linestyle="none", label=law.label
        )
    axes.axhline(_FIXED - 0.5, color=BLACK, linewidth=0.6)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(0.0, None)
    axes.set(xlabel="gap to $R(D)$ (bits)", ylabel="quantiser")
    axes.legend(loc="lower right")
    return figure
