"""Cells of given codepoints on a source: what Lloyd's iteration and its relatives look at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .._typing import FloatArray
from ..sources.base import Source
from .scalar import midpoints

__all__ = ["CellState", "cells_of"]


@dataclass(frozen=True)
class CellState:
    """Codepoints with nearest-neighbour cells, and the moments of each cell about its codepoint."""

    codepoints: FloatArray
    moments: FloatArray

    @property
    def filled(self) -> bool:
        """Whether every cell has mass."""
        return bool((self.moments[0] > 0).all())

    @property
    def distortion(self) -> float:
        """Mean squared error."""
        return float(self.moments[2].sum())

    @cached_property
    def centroids(self) -> FloatArray:
        """Centroids of the cells; an empty one keeps its codepoint."""
        mass, first, _ = self.moments
        shift = np.divide(first, mass, out=np.zeros_like(first), where=mass > 0)
        return np.asarray(self.codepoints + shift)

    @property
    def residual(self) -> float:
        """Largest distance of a codepoint from its centroid, over the rms error of its cell."""
        mass, first, second = self.moments
        size = np.sqrt(mass * second)
        return float(np.divide(np.abs(first), size, out=np.zeros_like(first), where=size > 0).max())


def cells_of(source: Source, codepoints: FloatArray) -> CellState:
    """Look at the cells of ascending codepoints."""
    ends = np.concatenate([[-np.inf], midpoints(codepoints), [np.inf]])
    return CellState(codepoints, source.partial_moments(ends[:-1], ends[1:], codepoints))
