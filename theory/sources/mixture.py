"""Mixtures: a value comes from one of several laws, each with its probability."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .._typing import ArrayLike, FloatArray
from .base import Source
from .inversion import invert_monotone
from .panels import entropy_over, panel_edges

__all__ = ["Mixture"]


@dataclass(frozen=True)
class Mixture(Source):
    """Mixture of laws with densities: f(x) = sum of weight_i * f_i(x).

    Parameters
    ----------
    components : sequence of Source
        One or more laws with densities, of any means.
    weights : sequence of float, same length
        Positive; divided by their sum.

    Raises
    ------
    ValueError
        If there are no components, the lengths differ, or a weight is not positive and finite.
    TypeError
        If a component is not a source with a density.

    Examples
    --------
    >>> from bitlaw.theory import Mixture, Normal
    >>> Mixture([Normal(1.0), Normal(3.0)], [0.9, 0.1]).std
    1.3416407864998738
    """

    components: tuple[Source, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        components = tuple(self.components)
        weights = np.array([float(w) for w in self.weights])
        if not components or len(components) != len(weights):
            raise ValueError(
                f"weights must match one or more components, got {len(components)} and {len(weights)}"
            )
        for component in components:
            if not isinstance(component, Source) or component.discrete:
                raise TypeError(f"components must be sources with a density, got {component!r}")
        if not (np.isfinite(weights) & (weights > 0)).all():
            raise ValueError(f"weights must be positive and finite, got {weights.tolist()}")
        object.__setattr__(self, "components", components)
        object.__setattr__(self, "weights", tuple(float(w) for w in weights / weights.sum()))

    @cached_property
    def std(self) -> float:  # type: ignore[override]
        """Standard deviation."""
        second = sum(w * (c.std**2 + c.mean**2) for w, c in self._parts)
        return float(np.sqrt(second - self.mean**2))

    @cached_property
    def mean(self) -> float:  # type: ignore[override]
        """Mean."""
        return float(sum(w * c.mean for w, c in self._parts))

    @property
    def support(self) -> tuple[float, float]:
        """Smallest interval that holds the support of every component."""
        ends = [c.support for c in self.components]
        return min(low for low, _ in ends), max(high for _, high in ends)

    @property
    def symmetric(self) -> bool:
        """Whether every component is symmetric about zero."""
        return all(c.symmetric for c in self.components)

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Break points of all components, and the ends of their supports."""
        points = {p for c in self.components for p in (*c.breakpoints, *c.support) if np.isfinite(p)}
        return tuple(sorted(points))

    @property
    def log_concave(self) -> bool:
        """Only known for mixtures of one law with itself."""
        return len(set(self.components)) == 1 and self.components[0].log_concave

    @property
    def _parts(self) -> list[tuple[float, Source]]:
        return list(zip(self.weights, self.components, strict=True))

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Density at x."""
        return np.asarray(sum(w * c.pdf(x) for w, c in self._parts))

    def logpdf(self, x: ArrayLike) -> FloatArray:
        """Natural logarithm of the density at x."""
        terms = [np.log(w) + c.logpdf(x) for w, c in self._parts]
        return np.asarray(np.logaddexp.reduce(terms))

    def cdf(self, x: ArrayLike) -> FloatArray:
        """P(X <= x)."""
        return np.asarray(sum(w * c.cdf(x) for w, c in self._parts))

    def sf(self, x: ArrayLike) -> FloatArray:
        """P(X > x)."""
        return np.asarray(sum(w * c.sf(x) for w, c in self._parts))

    def ppf(self, q: ArrayLike) -> FloatArray:
        """Quantile, between the quantiles of the components."""
        q = np.asarray(q, dtype=np.float64)
        bounds = np.stack([c.ppf(q) for c in self.components])
        return invert_monotone(self.cdf, self.pdf, q, bounds.min(0), bounds.max(0))

    def isf(self, q: ArrayLike) -> FloatArray:
        """Inverse of `sf`."""
        q = np.asarray(q, dtype=np.float64)
        bounds = np.stack([c.isf(q) for c in self.components])
        return invert_monotone(self.sf, self.pdf, q, bounds.min(0), bounds.max(0))

    @cached_property
    def _entropy(self) -> float:
        edges = panel_edges(self.ppf, self.isf, self.support, self.breakpoints)
        return entropy_over(self.logpdf, edges)

    def differential_entropy(self) -> float:
        """Differential entropy in bits, by quadrature."""
        return self._entropy

    def partial_moments(self, lower: ArrayLike, upper: ArrayLike, about: ArrayLike = 0.0) -> FloatArray:
        """Weighted sum of the components' moments; see `Source.partial_moments`."""
        return np.asarray(sum(w * c.partial_moments(lower, upper, about) for w, c in self._parts))
