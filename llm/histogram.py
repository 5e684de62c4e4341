"""How often weights take which values, in cells that all tensors share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..theory._typing import FloatArray, IntArray

__all__ = ["CELLS", "REACH", "Histogram"]

# Odd, so that zero lies in the middle of a cell; a tenth of the rms each.
CELLS = 201
# Half the width of all cells together, in units of the rms.
REACH = 10.0


@dataclass(frozen=True, eq=False)
class Histogram:
    """Counts of a tensor's elements over the root mean square of their row.

    Attributes
    ----------
    counts : ndarray of int64, shape (n,)
        Elements in each cell, from the lower edge on and below the upper one.  The first and the last cell also
        hold everything beyond them; rows of nothing but zeros count as zeros.
    """

    counts: IntArray

    @property
    def edges(self) -> FloatArray:
        """Edges of the cells, shape (n + 1,): equal widths from -10 to 10, in units of the rms."""
        return np.linspace(-REACH, REACH, len(self.counts) + 1)

    @property
    def elements(self) -> int:
        """Number of elements counted."""
        return int(self.counts.sum())

    @property
    def density(self) -> FloatArray:
        """Share of the elements in each cell over its width, comparable to the `pdf` of a law of rms 1."""
        return np.asarray(self.counts / (self.elements * np.diff(self.edges)))

    def beyond(self, magnitude: float) -> float:
        """Share of the elements whose magnitude is larger, taken as evenly spread within a cell.

        Parameters
        ----------
        magnitude : float
            In units of the rms, from 0 to 10 less the width of a cell.
        """
        below = np.concatenate([[0], np.cumsum(self.counts)])
        inner = np.interp([magnitude, -magnitude], self.edges, below)
        return float(1 - (inner[0] - inner[1]) / self.elements)
