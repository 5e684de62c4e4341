"""What a format does to a seeded draw of a source, where no integral is known."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ..._typing import FloatArray
from ..codecs.encoding import decode, encode
from ..elements import VectorCodebook
from .affine_outcome import is_affine
from .exact_outcome import Found

if TYPE_CHECKING:
    from ...sources import Source
    from ..format import Format
    from .layout import Layout
    from .without_outliers import Kept

__all__ = ["needs_simulation", "simulated_outcome"]

# Elements drawn: R of a 4-bit format comes out to about 2e-3 of itself, in a second (a search: several).
_DRAWN = 1 << 19
# Parts of the draw whose errors are compared for the standard error, which so is known to a twentieth.
_PARTS = 256
# Small tensors drawn at most, where each is encoded by itself in a tenth of a millisecond and more.
_TENSORS = 1 << 10
_SEED = 20_250_622


def needs_simulation(format: Format, kept: Kept, layout: Layout) -> bool:
    """Whether a format does something that no integral here covers."""
    scale = format.scale
    if isinstance(format.element, VectorCodebook) or (scale.search == "block" and scale.statistic != "none"):
        return True
    if scale.statistic == "minmax":
        return not all(is_affine(format, kept.source, kept.zeros, part.size) for part in layout.parts)
    return format.group is not None and (scale.statistic == "rms" or kept.source.discrete)


def simulated_outcome(format: Format, source: Source, shape: tuple[int, ...]) -> Found:
    """Encode and decode about a million elements, as tensors of the given shape or the first rows of one."""
    drawn = _drawn_shape(shape) or (1,)
    together = _is_local(format)
    tensors = max(1, min(_DRAWN // math.prod(drawn), _DRAWN if together else _TENSORS))
    values = _draw(source, tensors * math.prod(drawn)).reshape(tensors, *drawn)
    errors, counts, codes = np.empty(values.shape), np.zeros(1 << 16, np.int64), 0
    for part, error in [(values, errors)] if together else zip(values, errors, strict=True):
        encoded = encode(format, part)
        error[...] = (part - decode(encoded)) ** 2
        counts += np.bincount(encoded.codes.reshape(-1), minlength=counts.size)
        codes += encoded.codes.size
    mean, spread = _ratio(errors.reshape(-1), values.reshape(-1) ** 2)
    energy = source.std**2 + source.mean**2
    sentences = [f"R and the entropy are means over {values.size:,} drawn elements."]
    if math.prod(drawn) != math.prod(shape):
        sentences.append(f"A tensor of shape {drawn} was drawn instead of {shape}.")
    return Found(
        mean * energy,
        counts[: int(np.flatnonzero(counts)[-1]) + 1] / codes,
        factor=float("nan"),
        method="simulation",
        standard_error=spread * energy,
        codes=codes / values.size,
        approximations=tuple(sentences),
    )


def _is_local(format: Format) -> bool:
    """Whether tensors can be encoded side by side, because nothing is shared by all of one."""
    group = format.group is not None and format.group.blocks == "tensor"
    return not (group or format.block == "tensor" or format.scale.search == "tensor" or format.outliers)


def _drawn_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape itself, or that of its first rows (of its first elements, where a row is too long)."""
    if math.prod(shape) <= _DRAWN:
        return shape
    columns = min(shape[-1], _DRAWN)
    return (_DRAWN // columns, columns)


@lru_cache(maxsize=4)
def _draw(source: Source, size: int) -> FloatArray:
    uniform = np.random.default_rng(_SEED).random(size)
    # A double in [0, 1) may be 0, where the quantile is infinite.
    values = source.ppf(np.maximum(uniform, 2.0**-54))
    values.flags.writeable = False
    return values


def _ratio(errors: FloatArray, squares: FloatArray) -> tuple[float, float]:
    """Sum of errors over sum of squares, and the standard error of it from parts of the draw."""
    starts = np.arange(0, errors.size, max(1, errors.size // _PARTS))
    part_errors, part_squares = np.add.reduceat(errors, starts), np.add.reduceat(squares, starts)
    ratio = float(part_errors.sum() / part_squares.sum())
    residual = part_errors - ratio * part_squares
    spread = math.sqrt(float(residual @ residual) * starts.size / max(starts.size - 1, 1))
    return ratio, spread / float(part_squares.sum())
