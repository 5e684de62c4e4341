"""What a format makes of samples of tensors: bits, error and entropy, measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..codecs.encoding import decode, encode
from ..relative_error import relative_error
from .candidates import overhead

if TYPE_CHECKING:
    from ...sources import Source
    from ..format import Format

__all__ = ["SCREENED", "Trial", "drawn", "measured", "sample_of"]

# Elements on which candidates are compared: all see the same, so that R of one against another is known to
# about a thousandth; each takes milliseconds.
SCREENED = 1 << 17
_SEED = 20_251_122


@dataclass(frozen=True)
class Trial:
    """A format on data; bits per element, R relative to the rms of each tensor."""

    format: Format
    element_bits: float
    scale_bits: float
    outlier_bits: float
    codebook_bits: float
    entropy: float
    R: float

    @property
    def bits(self) -> float:
        """Bits per element, everything counted, codes as the format stores them."""
        return self.element_bits + self.scale_bits + self.outlier_bits + self.codebook_bits


def measured(format: Format, arrays: Sequence[NDArray[Any]], shapes: Sequence[tuple[int, ...]]) -> Trial:
    """Encode and decode each array; overheads are those of tensors of the given shapes.

    R^2 is the mean over all elements of the error relative to the mean square of its tensor.
    """
    error = information = fixed = apart = 0.0
    for array in arrays:
        encoded = encode(format, array)
        error += array.size * relative_error(array, decode(encoded)) ** 2
        information += encoded.entropy() * encoded.codes.size
        fixed += encoded.element_bits
        apart += encoded.outlier_bits
    elements = sum(array.size for array in arrays)
    total = sum(map(math.prod, shapes))
    scales, codebooks = overhead(format, shapes)
    codes = information if format.code == "entropy" else fixed
    return Trial(
        format,
        codes / elements,
        scales / total,
        apart / elements,
        codebooks / total,
        information / elements,
        math.sqrt(error / elements),
    )


def sample_of(arrays: Sequence[NDArray[Any]], most: int = SCREENED) -> list[NDArray[Any]]:
    """Rows of each array, evenly spaced, together about as many elements as are wanted."""
    share = min(1.0, most / sum(array.size for array in arrays))
    return [_rows(array, max(1, math.ceil(share * array.size))) for array in arrays]


def drawn(source: Source, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """First rows of a tensor of independent elements, seeded."""
    columns = min(shape[-1] if shape else 1, SCREENED)
    rows = min(math.prod(shape) // columns, max(SCREENED // columns, 1))
    uniform = np.random.default_rng(_SEED).random((rows, columns))
    return np.asarray(source.ppf(np.maximum(uniform, 2.0**-54)), np.float32)


def _rows(array: NDArray[Any], elements: int) -> NDArray[Any]:
    if elements >= array.size:
        return array
    columns = array.shape[-1]
    rows = array.reshape(-1, columns)
    wanted = max(1, elements // columns)
    chosen = np.linspace(0, len(rows) - 1, wanted).round().astype(np.int64)
    return np.ascontiguousarray(rows[chosen, : max(elements, 1)])
