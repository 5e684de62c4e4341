"""What a family of laws must answer to be fitted: its best member, and that member as a source."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from .._typing import FloatArray
from ..sources import Source
from .sample import Sample

__all__ = ["Estimate", "Family"]


@dataclass(frozen=True)
class Estimate:
    """Maximum-likelihood member of a family, in units of the sample.

    Attributes
    ----------
    std : float
        Standard deviation of the law.
    shape : float
        Shape parameter; NaN in a family without one.
    bound : str
        "lower" or "upper" where the likelihood rises beyond that end of the shapes allowed, else "".
    """

    std: float
    shape: float = float("nan")
    bound: str = ""


class Family(ABC):
    """Laws of zero mean with a standard deviation and at most one shape parameter.

    Attributes
    ----------
    name : str
        What `fit` calls the family.
    shape_name : str
        Name of the shape parameter; empty where there is none.
    limits : tuple of float
        Least and largest shape a fit returns.
    floor : float
        Greatest lower bound of the shapes at which the law exists.
    """

    name: str
    shape_name: str = ""
    limits: tuple[float, float] = (float("nan"), float("nan"))
    floor: float = 0.0

    @abstractmethod
    def estimate(self, sample: Sample) -> Estimate:
        """Maximise the likelihood; ValueError where `has_fit` is False."""

    def has_fit(self, sample: Sample) -> bool:
        """Whether the likelihood has a maximum."""
        return True

    @abstractmethod
    def source(self, std: float, shape: float) -> Source:
        """Build one law of the family."""

    def coordinate(self, shape: float) -> float:
        """Coordinate of a shape in which its estimate is nearest to normal."""
        return shape

    def shape_at(self, coordinate: float) -> float:
        """Invert `coordinate`; coordinates outside the family give the nearest end of its whole range."""
        return coordinate

    def inside(self, coordinate: float) -> float:
        """Nearest coordinate at which the density can be differentiated numerically."""
        return coordinate

    def grid(self, points: int) -> FloatArray:
        """Ascending coordinates from one limit to the other."""
        ends = [self.coordinate(limit) for limit in self.limits]
        return np.linspace(min(ends), max(ends), points)

    def shape_and_bound(self, coordinate: float) -> tuple[float, str]:
        """Shape at a coordinate of the grid's range, and which limit it stands at, if any."""
        for limit, bound in zip(self.limits, ("lower", "upper"), strict=True):
            if coordinate == self.coordinate(limit):
                return limit, bound
        return self.shape_at(coordinate), ""

    @property
    def parameters(self) -> int:
        """Number of free parameters."""
        return 2 if self.shape_name else 1
