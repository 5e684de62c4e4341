"""What formats are recommended for: tensors, or a law, and the sample that candidates are compared on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._arrays import as_real, finite, raise_not_finite
from ...sources import Source
from ..format import Format
from ..names import FORMAT_NAMES
from ..predictions.prediction import predict
from ..spec import parse_format
from .recommendation import Recommendation
from .trials import Trial, drawn, measured, sample_of

__all__ = ["Task", "task_of"]

# Elements that the best are measured on: R comes out to about a thousandth.  A search takes a microsecond each.
_MEASURED = 1 << 22


@dataclass(frozen=True)
class Task:
    """Data or a law, and the sample that candidates are compared on."""

    source: Source | None
    arrays: tuple[NDArray[Any], ...]
    sample: tuple[NDArray[Any], ...]
    shapes: tuple[tuple[int, ...], ...]

    def trial(self, format: Format) -> Trial:
        """A format on the sample."""
        return measured(format, self.sample, self.shapes)

    def judged(self, format: Format) -> Recommendation:
        """Everything about a format, on the data or for the law."""
        if self.source is None:
            found = measured(format, self.arrays, self.shapes)
            parts = (found.element_bits, found.scale_bits, found.outlier_bits, found.codebook_bits)
            return Recommendation(
                format, _name(format), found.bits, *parts, found.entropy, found.R, "measured", math.nan
            )
        told = predict(format, self.source, shape=self.shapes[0])
        element_bits = told.entropy if format.code == "entropy" else told.element_bits
        parts = (element_bits, told.scale_bits, told.outlier_bits, told.codebook_bits)
        gap = math.nan if self.source.discrete else told.gap_bits
        return Recommendation(
            format, _name(format), told.bits, *parts, told.entropy, told.R, told.method, gap
        )


def task_of(data: object, shape: tuple[int, ...]) -> Task:
    """What is asked about, checked, with the sample of it."""
    if isinstance(data, Source):
        return Task(data, (), (drawn(data, shape),), (tuple(shape),))
    if isinstance(data, np.ndarray):
        data = [data]
    if not isinstance(data, Sequence) or not all(isinstance(array, np.ndarray) for array in data):
        raise TypeError(f"data must be a Source, an array or a list of arrays, got {type(data).__name__}")
    if not data:
        raise ValueError("data must hold at least one array")
    arrays = tuple(_checked(array) for array in data)
    shapes = tuple(array.shape for array in arrays)
    return Task(None, tuple(sample_of(arrays, _MEASURED)), tuple(sample_of(arrays)), shapes)


def _checked(array: NDArray[Any]) -> NDArray[Any]:
    values = as_real(array, "data")
    if values.dtype.kind in "iu":
        values = values.astype(np.float64)
    if values.size == 0:
        raise ValueError("data must not be empty")
    if not finite(values).all():
        raise_not_finite(values, "data")
    if not values.any():
        raise ValueError("data must hold a value other than zero")
    return values


def _name(format: Format) -> str:
    return next((name for name in FORMAT_NAMES if parse_format(name) == format), "")
