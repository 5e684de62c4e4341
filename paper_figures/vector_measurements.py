"""How the numbers of `vector_table` are measured: quantisers of many values, on draws they have not seen.

Designing and measuring all of them takes minutes, so the figure reads a table.  Every row of it comes from one
of the two functions here, with these seeds and sizes, and is reproduced by them.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from bitlaw.theory import Source
from bitlaw.theory.quantisers import entropy_constrained_trellis, lattice_quantiser, measure, trellis_coded
from bitlaw.theory.quantisers.measurement import BlockQuantiser

__all__ = ["LATTICES", "RATE", "STATES", "Measured", "measure_lattice", "measure_trellis"]

RATE = 2
LATTICES = ("A2", "D4", "E8", "Leech")
STATES = (4, 8, 16, 32, 64, 128, 256)

# Training values, and values measured on.  Twice as many of the first gain 0.001 bit.
_TRAINING, _MEASURED = 2**15, 2**18


class Measured(NamedTuple):
    """Rate in bits, mean squared error, and the standard error of the gap to the bound in bits."""

    rate: float
    distortion: float
    gap_error: float


def measure_lattice(name: str, source: Source) -> Measured:
    """An entropy-coded lattice at `RATE` bits."""
    return _measured(lattice_quantiser(name, source, rate=RATE, samples=_TRAINING), source)


def measure_trellis(code: Literal["fixed", "entropy"], states: int, source: Source) -> Measured:
    """A trellis quantiser at `RATE` bits, of fixed length or entropy-coded."""
    if code == "fixed":
        return _measured(trellis_coded(source, RATE, states=states, samples=_TRAINING), source)
    return _measured(entropy_constrained_trellis(source, rate=RATE, states=states, samples=_TRAINING), source)


def _measured(quantiser: BlockQuantiser, source: Source) -> Measured:
    found = measure(quantiser, source, samples=_MEASURED)
    return Measured(found.rate, found.distortion, found.gap_error)
