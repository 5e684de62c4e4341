"""What a random rotation makes of independent elements."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...sources import Normal, Source

if TYPE_CHECKING:
    from ..rotation import Rotation

__all__ = ["Rotated", "rotated"]

# Elements turned together from which their sum counts as Gaussian.  Of a law with excess kurtosis k the sum of
# n has k / n, which moves R by some hundredths of that.
_MANY = 64


@dataclass(frozen=True)
class Rotated:
    """Law and shape of the elements that are stored, and what was assumed; `few` if that is not good enough."""

    source: Source
    shape: tuple[int, ...]
    few: bool = False
    approximations: tuple[str, ...] = ()


def rotated(rotation: Rotation | None, source: Source, shape: tuple[int, ...]) -> Rotated:
    """Turn the last axis of a tensor: a Gaussian stays what it is, other laws become nearly Gaussian."""
    if rotation is None:
        return Rotated(source, shape)
    if not shape:
        raise ValueError("shape must have an axis to rotate, got ()")
    length = shape[-1]
    stored = rotation.stored_length(length)
    turned = stored if rotation.size == "row" else rotation.size
    # Padding spreads the energy of a row over more elements; of their errors the same share is cut off again.
    spread = math.hypot(source.std, source.mean) * math.sqrt(length / stored)
    gaussian = isinstance(source, Normal)
    sentences = []
    if not gaussian:
        sentences.append(
            f"Elements rotated by {turned} are taken as Gaussian and independent, whatever their law was."
        )
    if stored != length:
        sentences.append(
            f"The error of rows padded from {length} to {stored} is taken as spread evenly over them."
        )
    return Rotated(Normal(spread), (*shape[:-1], stored), not gaussian and turned < _MANY, tuple(sentences))
