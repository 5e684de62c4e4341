"""Maximum likelihood where the standard deviation is the only parameter.

    normal    std = sqrt(mean x^2)
    Laplace   std = sqrt(2) mean |x|
    uniform   std = max |x| / sqrt(3)
    logistic  scale s solves  mean (|x|/s) tanh(|x|/2s) = 1,  std = s pi / sqrt(3)

(N. L. Johnson, S. Kotz, N. Balakrishnan, "Continuous Univariate Distributions", 2nd ed., 1994 and 1995,
chapters 13, 24, 26 and 23, for a known mean of zero.)
"""

from __future__ import annotations

import math

import numpy as np

from ..sources import Laplace, Logistic, Normal, Source, Uniform
from .family import Estimate, Family
from .roots import decreasing_root
from .sample import Sample

__all__ = ["LaplaceFamily", "LogisticFamily", "NormalFamily", "UniformFamily"]


class NormalFamily(Family):
    """Normal laws."""

    name = "normal"

    def estimate(self, sample: Sample) -> Estimate:
        """Root mean square."""
        return Estimate(math.sqrt(sample.mean_of(sample.magnitudes**2)))

    def source(self, std: float, shape: float) -> Source:
        """Build `Normal`."""
        return Normal(std=std)


class LaplaceFamily(Family):
    """Laplace laws."""

    name = "laplace"

    def estimate(self, sample: Sample) -> Estimate:
        """Mean magnitude."""
        return Estimate(math.sqrt(2) * sample.mean_of(sample.magnitudes))

    def source(self, std: float, shape: float) -> Source:
        """Build `Laplace`."""
        return Laplace(std=std)


class LogisticFamily(Family):
    """Logistic laws."""

    name = "logistic"

    def estimate(self, sample: Sample) -> Estimate:
        """Root of the likelihood equation, which has one: its left side falls in s."""

        def excess(log_scale: float) -> float:
            z = sample.magnitudes * math.exp(-log_scale)
            return sample.mean_of(z * np.tanh(z / 2)) - 1.0

        scale = math.exp(decreasing_root(excess, math.log(sample.mean_of(sample.magnitudes))))
        return Estimate(scale * math.pi / math.sqrt(3))

    def source(self, std: float, shape: float) -> Source:
        """Build `Logistic`."""
        return Logistic(std=std)


class UniformFamily(Family):
    """Uniform laws."""

    name = "uniform"

    def estimate(self, sample: Sample) -> Estimate:
        """Largest magnitude."""
        std = sample.largest / math.sqrt(3)
        while (
            Uniform(std=std).support[1] < sample.largest
        ):  # rounding must not leave the largest value outside
            std = math.nextafter(std, math.inf)
        return Estimate(std)

    def source(self, std: float, shape: float) -> Source:
        """Build `Uniform`."""
        return Uniform(std=std)
