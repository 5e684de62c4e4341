"""What the weights of a tensor look like: moments, the spread between rows, block maxima, and laws that fit.

Rows of a weight matrix often have one shape but different spreads.  Two laws are kept apart for that reason: the
law of all elements together, which a scale for the whole tensor meets, and the law of elements over their row's
root mean square, which scales within rows meet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..theory import BlockScaled, Source
from ..theory._typing import FloatArray
from .format_codec import to_numpy
from .histogram import Histogram
from .law_fits import FamilyFit, best_law, fit_families
from .models import Part, WeightTensor
from .row_pass import BLOCK_SIZES, RowPass, pass_over_rows

__all__ = ["BLOCK_SIZES", "BlockMaxima", "TensorStatistics", "tensor_statistics"]

# Laws are fitted to this many elements, evenly spread: their parameters are then known to about half a percent.
_FITTED = 1 << 17


@dataclass(frozen=True)
class BlockMaxima:
    """Largest magnitudes of the whole blocks of rows with elements other than 0, over the row's rms.

    Attributes
    ----------
    mean, std : float
        Over the blocks.
    blocks : int
        How many there are.
    """

    mean: float
    std: float
    blocks: int


@dataclass(frozen=True, eq=False)
class TensorStatistics:
    """Moments and laws of one tensor of weights; channels are rows (outputs) and columns (inputs).

    Attributes
    ----------
    name : str
    part : {"embedding", "decoder", "head"}
    shape : tuple of int
    mean, rms, kurtosis, largest : float
        Of all elements; kurtosis about the mean (3 for a normal law), largest magnitude.
    row_rms, row_kurtosis, row_largest : ndarray of float64, shape (rows,)
        Of each row of the last axis; the kurtosis of a constant row is NaN.
    column_rms : ndarray of float64, shape (columns,)
        Of each place on the last axis, over all rows.
    histogram : Histogram
        Of the elements over their row's rms.
    blocks : dict of int to BlockMaxima
        By block size; sizes longer than a row are left out.
    fits : tuple of FamilyFit
        To the elements over their row's rms, which `histogram` shows, the best first; empty where all are equal.
    whole_fits : tuple of FamilyFit
        To the elements as they are.
    dtype : str
        Type of the weights, such as "bfloat16": they lie on its grid, and what a format restores is rounded to it.
    """

    name: str
    part: Part
    shape: tuple[int, ...]
    mean: float
    rms: float
    kurtosis: float
    largest: float
    row_rms: FloatArray
    row_kurtosis: FloatArray
    row_largest: FloatArray
    column_rms: FloatArray
    histogram: Histogram
    blocks: dict[int, BlockMaxima]
    fits: tuple[FamilyFit, ...]
    whole_fits: tuple[FamilyFit, ...]
    dtype: str = "float32"

    @property
    def elements(self) -> int:
        """Number of weights."""
        return int(np.prod(self.shape))

    @cached_property
    def law(self) -> Source:
        """Best fit (Akaike's criterion) to the elements, uniform laws aside."""
        return best_law(self.whole_fits)

    @cached_property
    def row_law(self) -> Source:
        """Best fit to the elements over their row's rms, uniform laws aside."""
        return best_law(self.fits)

    @property
    def block_maxima(self) -> dict[int, float]:
        """Mean over blocks of the largest magnitude over the row's rms, by block size."""
        return {size: found.mean for size, found in self.blocks.items()}

    @cached_property
    def row_spread(self) -> float:
        """Standard deviation of the logarithm (base 2) of the rows' root mean squares: octaves."""
        live = self.row_rms[self.row_rms > 0]
        return float(np.std(np.log2(live))) if len(live) else 0.0

    def expected_maximum(self, size: int) -> float:
        """Mean of block maxima over the row's rms if elements were independent draws from `row_law`."""
        return BlockScaled(self.row_law, size).expected_scale / self.row_law.std


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
    try:
        sums = pass_over_rows(rows)
    except ValueError as error:
        raise ValueError(f"{tensor.name}: {error}") from error
    mean, second, third, fourth = sums.powers.sum(axis=0) / rows.size
    row_moments = sums.powers.T / rows.shape[1]
    row_rms = np.sqrt(row_moments[1])
    live = np.flatnonzero(row_rms > 0)
    return TensorStatistics(
        name=tensor.name,
        part=tensor.part,
        shape=tuple(tensor.parameter.shape),
        mean=float(mean),
        rms=float(np.sqrt(second)),
        kurtosis=float(_kurtosis(np.array([[mean], [second], [third], [fourth]]))[0]),
        largest=float(sums.largest.max()),
        row_rms=row_rms,
        row_kurtosis=_kurtosis(row_moments),
        row_largest=sums.largest,
        column_rms=np.sqrt(sums.column_squares / len(rows)),
        histogram=Histogram(sums.cells),
        blocks=_blocks(sums),
        fits=fit_families(_spread_out(rows, live, row_rms)),
        whole_fits=fit_families(_spread_out(rows, np.arange(len(rows)), np.ones(len(rows)))),
        dtype=rows.dtype.name,
    )


def _kurtosis(moments: FloatArray) -> FloatArray:
    """Kurtosis about the mean from the first four moments about zero, one column each; NaN of a constant."""
    mean, second, third, fourth = moments
    variance = second - mean**2
    about_mean = fourth - 4 * mean * third + 6 * mean**2 * second - 3 * mean**4
    # What rounding leaves of the variance of equal values is no variance.
    varied = variance > 1e-13 * second
    found: FloatArray = np.divide(about_mean, variance**2, out=np.full(len(mean), np.nan), where=varied)
    return found


def _blocks(sums: RowPass) -> dict[int, BlockMaxima]:
    found = {}
    for size, (count, total, squares) in zip(BLOCK_SIZES, sums.maxima, strict=True):
        if count:
            mean = total / count
            found[size] = BlockMaxima(
                float(mean), float(np.sqrt(max(squares / count - mean**2, 0.0))), int(count)
            )
    return found


def _spread_out(rows: np.ndarray[Any, Any], live: np.ndarray[Any, Any], scale: FloatArray) -> FloatArray:
    """Elements of some rows, evenly spread over them, over their row's scale."""
    columns = rows.shape[1]
    step = max(1, len(live) * columns // _FITTED)
    # A step that shares a factor with the rows' length would see some of the columns only.
    while math.gcd(step, columns) > 1:
        step += 1
    flat = np.arange(0, len(live) * columns, step)
    place, column = np.divmod(flat, columns)
    row = live[place]
    return np.asarray(rows[row, column].astype(np.float64) / scale[row])
