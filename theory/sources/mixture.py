"""Mixtures: a value comes from one of several laws, each with its probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from .._arguments import check_positive
from .._typing import ArrayLike, FloatArray
from .base import Source
from .inversion import lower_quantile, upper_quantile
from .panels import entropy_over, landmarks, panel_edges

__all__ = ["Mixture"]


@dataclass(frozen=True)
class Mixture(Source):
    """Mixture of laws with densities: f(x) is the sum of weight times density over the components.

    Everything but quantiles and entropy is the weighted sum of what the components answer, and as exact.

    Parameters
    ----------
    components : sequence of Source
        One or more laws with densities, of any means.
    weights : sequence of float, same length
        Positive and finite; divided by their sum.

    Raises
    ------
    ValueError
        If there are no components, the lengths differ, or a weight is not positive and finite.
    TypeError
        If a component is not a source with a density.

    Examples
    --------
    >>> from bitlaw.theory import Mixture, Normal
    >>> law = Mixture([Normal(1.0), Normal(3.0)], [0.9, 0.1])
    >>> round(law.std, 12), law.symmetric
    (1.3416407865, True)
    """

    components: Sequence[Source]
    weights: Sequence[float]
    std: float = field(init=False, repr=False, compare=False)
    _mean: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        components, weights = _checked(self.components, self.weights)
        mean = sum(w * c.mean for w, c in zip(weights, components, strict=True))
        variance = sum(
            w * (c.std**2 + (c.mean - mean) ** 2) for w, c in zip(weights, components, strict=True)
        )
        object.__setattr__(self, "components", components)
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "std", float(variance**0.5))
        object.__setattr__(self, "_mean", float(mean))

    @property
    def mean(self) -> float:
        """Weighted mean of the components' means."""
        return self._mean

    @property
    def support(self) -> tuple[float, float]:
        """Smallest interval that holds the supports of all components."""
        ends = [c.support for c in self.components]
        return min(low for low, _ in ends), max(high for _, high in ends)

    @property
    def symmetric(self) -> bool:
        """Whether every component is symmetric about zero."""
        return all(c.symmetric for c in self.components)

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Those of all components."""
        return tuple(sorted({point for c in self.components for point in c.breakpoints}))

    @property
    def log_concave(self) -> bool:
        """Known only for a mixture of a law with itself."""
        return len(set(self.components)) == 1 and self.components[0].log_concave

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Density at x."""
        return self._sum([c.pdf(x) for c in self.components])

    def logpdf(self, x: ArrayLike) -> FloatArray:
        """Natural logarithm of the density at x."""
        terms = [np.log(w) + c.logpdf(x) for w, c in zip(self.weights, self.components, strict=True)]
        with np.errstate(invalid="ignore"):  # the logarithm is NaN where x is
            return np.asarray(np.logaddexp.reduce(terms))

    def cdf(self, x: ArrayLike) -> FloatArray:
        """P(X <= x)."""
        return self._sum([c.cdf(x) for c in self.components])

    def sf(self, x: ArrayLike) -> FloatArray:
        """P(X > x)."""
        return self._sum([c.sf(x) for c in self.components])

    def ppf(self, q: ArrayLike) -> FloatArray:
        """Quantile, between the quantiles of the components."""
        q = np.asarray(q, dtype=np.float64)
        bounds = [c.ppf(q) for c in self.components]
        return lower_quantile(self, q, np.minimum.reduce(bounds), np.maximum.reduce(bounds))

    def isf(self, q: ArrayLike) -> FloatArray:
        """Upper quantile, between the upper quantiles of the components."""
        q = np.asarray(q, dtype=np.float64)
        bounds = [c.isf(q) for c in self.components]
        return upper_quantile(self, q, np.minimum.reduce(bounds), np.maximum.reduce(bounds))

    @cached_property
    def _entropy(self) -> float:
        marks = np.concatenate([landmarks(c) for c in self.components])
        return entropy_over(self, panel_edges(self.pdf, self.support, marks))

    def differential_entropy(self) -> float:
        """Differential entropy in bits, by quadrature."""
        return self._entropy

    def partial_moments(self, lower: ArrayLike, upper: ArrayLike, about: ArrayLike = 0.0) -> FloatArray:
        """Weighted sum of the components' moments; see `Source.partial_moments`."""
        return self._sum([c.partial_moments(lower, upper, about) for c in self.components])

    def probability(self, lower: ArrayLike, upper: ArrayLike) -> FloatArray:
        """Probability of the intervals (lower, upper]."""
        return self._sum([c.probability(lower, upper) for c in self.components])

    def distortion_density(self, x: ArrayLike) -> FloatArray:
        """Density of the measure of `partial_moments`."""
        return self._sum([c.distortion_density(x) for c in self.components])

    def _sum(self, values: list[FloatArray]) -> FloatArray:
        return np.asarray(sum(w * v for w, v in zip(self.weights, values, strict=True)))


def _checked(
    components: Sequence[Source], weights: Sequence[float]
) -> tuple[tuple[Source, ...], tuple[float, ...]]:
    try:
        laws, entries = tuple(components), tuple(weights)
    except TypeError as error:
        raise TypeError(f"components and weights must be sequences: {error}") from None
    if not laws or len(laws) != len(entries):
        raise ValueError(f"weights must match one or more components, got {len(laws)} and {len(entries)}")
    for law in laws:
        if not isinstance(law, Source) or law.discrete:
            raise TypeError(f"components must be sources with a density, got {law!r}")
    numbers = [check_positive("weights", weight) for weight in entries]
    total = sum(numbers)
    shares = tuple(number / total for number in numbers)
    if not min(shares) > 0.0:
        raise ValueError(f"weights must not vanish beside their sum, got {numbers}")
    return laws, shares
