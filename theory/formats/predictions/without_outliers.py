"""What outliers leave in the blocks, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from ...sources import Empirical, Source, Truncated

if TYPE_CHECKING:
    from ..outliers import Outliers

__all__ = ["Kept", "without_outliers"]


@dataclass(frozen=True)
class Kept:
    """A source without its outliers.

    Attributes
    ----------
    source : Source
        Law of the elements that stay in their blocks.
    zeros : float
        Probability that an element was taken out, and is zero in its block.
    bits : float
        Positions and values, per element of the tensor.
    distortion : float
        Mean squared error of the values kept apart, per element of the tensor.
    """

    source: Source
    zeros: float = 0.0
    bits: float = 0.0
    distortion: float = 0.0


@lru_cache(maxsize=256)
def without_outliers(source: Source, outliers: Outliers | None, elements: int) -> Kept:
    """Take the outliers out of a tensor's elements."""
    if outliers is None:
        return Kept(source)
    if outliers.fraction is not None:
        # The number of outliers is a whole one, which matters for small tensors.
        share = round(outliers.fraction * elements) / elements
        if share in (0.0, 1.0):
            return Kept(source, bits=outliers.expected_bits(share, elements))
        outliers = replace(outliers, fraction=share)
    cut, zeros = outliers.cut(source), outliers.probability(source)
    bits = outliers.expected_bits(zeros, elements)
    if zeros == 0.0:
        return Kept(source, bits=bits)
    return Kept(_within(source, cut), zeros, bits, outliers.value_error(source))


def _within(source: Source, cut: float) -> Source:
    """Law of X given |X| <= cut."""
    if not isinstance(source, Empirical):
        return Truncated(source, -cut, cut)
    values, weights = source.atoms()
    inside = abs(values) <= cut
    return Empirical(values[inside], weights[inside])
