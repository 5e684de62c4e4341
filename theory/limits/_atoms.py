"""The layout of a discrete law: its atoms, and nothing between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._typing import FloatArray
from ._layout import REACH, STEP, Nodes, cover
from ._reproduction import Reproduction

__all__ = ["AtomLayout", "atom_layout"]

_AROUND = 4.0  # kernel widths around each atom in which points are tried first
_CLOSE = 0.5  # their distance in kernel widths


@dataclass(frozen=True)
class AtomLayout:
    """Atoms with their masses; every place that an atom reaches is looked at."""

    points: FloatArray
    masses: FloatArray
    width: float
    start: Reproduction

    @property
    def lower(self) -> FloatArray:
        """Cells have no width."""
        return self.points

    @property
    def upper(self) -> FloatArray:
        """Cells have no width."""
        return self.points

    def nodes(self, order: int) -> Nodes:
        """Return the atoms, whatever the order."""
        return Nodes(self.points, self.masses, np.log(self.masses), np.ones(self.points.size, dtype=np.bool_))

    def scan_nodes(self, reproduction: Reproduction) -> tuple[FloatArray, FloatArray]:
        """Return the atoms and their masses over the mixture."""
        return self.points, self.masses / reproduction.at_nodes(self.points, self.width)[0]

    def scan_points(self) -> FloatArray:
        """Places between the outermost atoms that some atom reaches; c grows towards them from outside."""
        return _around(self.points, REACH * self.width, STEP * self.width)


def atom_layout(points: FloatArray, masses: FloatArray, width: float) -> AtomLayout:
    """Atoms of ascending positions and positive masses, and points around them to start from."""
    centres = np.unique(_around(points, _AROUND * width, _CLOSE * width))
    even = np.full(centres.size, 1.0 / centres.size)
    return AtomLayout(
        points, masses, width, Reproduction(centres, np.zeros(centres.size), even, folded=False)
    )


def _around(points: FloatArray, reach: float, step: float) -> FloatArray:
    return cover(np.maximum(points - reach, points[0]), np.minimum(points + reach, points[-1]), step)
