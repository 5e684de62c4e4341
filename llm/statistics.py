"""What the weights of a tensor look like: moments, the spread between rows, block maxima, and laws that fit.

Rows of a weight matrix often have one shape but different spreads.  Two laws are kept apart for that reason: the
law of all elements together, which a scale for the whole tensor meets, and the law of elements over their row's
root mean square, which scales within rows meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..theory import Normal, Source, fit_all
from ..theory._typing import FloatArray
from .format_codec import to_numpy
from .models import Part, WeightTensor

__all__ = ["BLOCK_SIZES", "TensorStatistics", "tensor_statistics"]

BLOCK_SIZES = (16, 32, 64, 128, 256)
# Laws are fitted to this many elements, evenly spread: their parameters are then known to about half a percent.
_FITTED = 1 << 17
# Elements turned to float64 at once.
_SLICE_ROWS = 1 << 22


@dataclass(frozen=True, eq=False)
class TensorStatistics:
    """Moments and laws of one tensor of weights.

    Attributes
    ----------
    name : str
    part : {"embedding", "decoder", "head"}
    shape : tuple of int
    mean, rms, kurtosis, largest : float
        Of all elements; kurtosis about the mean (3 for a normal law), largest magnitude.
    row_rms : ndarray of float64, shape (rows,)
        Root mean square of each row of the last axis.
    block_maxima : dict of int to float
        Mean over blocks of the largest magnitude over the row's rms, by block size; whole blocks of rows with
        elements other than 0.
    law, row_law : Source
        Best fit (Akaike's criterion) to the elements, and to the elements over their row's rms.
    """

    name: str
    part: Part
    shape: tuple[int, ...]
    mean: float
    rms: float
    kurtosis: float
    largest: float
    row_rms: FloatArray
    block_maxima: dict[int, float]
    law: Source
    row_law: Source

    @property
    def elements(self) -> int:
        """Number of weights."""
        return int(np.prod(self.shape))

    @cached_property
    def row_spread(self) -> float:
        """Standard deviation of the logarithm (base 2) of the rows' root mean squares: octaves."""
        live = self.row_rms[self.row_rms > 0]
        return float(np.std(np.log2(live))) if len(live) else 0.0


def tensor_statistics(tensor: WeightTensor) -> TensorStatistics:
    """Measure a weight tensor.

    Raises
    ------
    ValueError
        If it is empty or holds values that are not finite (its name is given).
    """
    rows = to_numpy(tensor.parameter).reshape(-1, tensor.parameter.shape[-1])
    if rows.size == 0:
        raise ValueError(f"{tensor.name}: the tensor is empty")
    sums = np.zeros(5)
    row_rms = np.empty(len(rows))
    step = max(1, _SLICE_ROWS // rows.shape[1])
    for start in range(0, len(rows), step):
        part = rows[start : start + step].astype(np.float64)
        if not np.isfinite(part).all():
            raise ValueError(f"{tensor.name}: a weight is NaN or infinite")
        sums += [part.sum(), *(np.sum(part**k) for k in (2, 3, 4)), 0.0]
        sums[4] = max(sums[4], np.abs(part).max())
        row_rms[start : start + step] = np.sqrt(np.mean(part**2, axis=1))
    mean, second, third, fourth = sums[:4] / rows.size
    variance = second - mean**2
    about_mean = fourth - 4 * mean * third + 6 * mean**2 * second - 3 * mean**4
    live = row_rms > 0
    return TensorStatistics(
        name=tensor.name,
        part=tensor.part,
        shape=tuple(tensor.parameter.shape),
        mean=float(mean),
        rms=float(np.sqrt(second)),
        kurtosis=float(about_mean / variance**2) if variance > 0 else float("nan"),
        largest=float(sums[4]),
        row_rms=row_rms,
        block_maxima=_block_maxima(rows[live], row_rms[live]),
        law=_law(rows, np.ones(len(rows))),
        row_law=_law(rows[live], row_rms[live]),
    )


def _block_maxima(rows: Any, scale: FloatArray) -> dict[int, float]:
    """Mean largest magnitude of the whole blocks of rows, over the rows' scales."""
    found = {}
    for size in BLOCK_SIZES:
        whole = rows.shape[1] // size * size
        if whole and len(rows):
            magnitudes = np.abs(rows[:, :whole].astype(np.float32)).reshape(len(rows), -1, size)
            found[size] = float(np.mean(magnitudes.max(axis=2) / scale[:, None]))
    return found


def _law(rows: Any, scale: FloatArray) -> Source:
    """Best law for elements over their row's scale; normal where all are equal and no law fits."""
    step = max(1, rows.size // _FITTED)
    flat = np.arange(0, rows.size, step)
    row, column = np.divmod(flat, rows.shape[1])
    values = rows[row, column].astype(np.float64) / scale[row]
    if values.size < 2 or np.ptp(values) == 0:
        return Normal()
    return next(found.source for found in fit_all(values) if found.family != "uniform")
