"""A tensor drawn from the statistics of one: rows of the measured spread and largest magnitude, else independent.

Of independent elements of a row of which the largest magnitude M is known, the others follow the law cut off at M.
If the root mean square is known too, they follow the law of that kind with the right second moment: the
row law (one shape for all rows) at the spread s that gives, cut off at M, what the root mean square leaves for
them.  That keeps what formats feel most: the spread of each row and the scale that its largest element sets.
What is lost is any order of the elements within a row, and that rows may differ in shape beyond their largest.

Weights of 16 bits lie on the grid of their type, which formats of eight bits are hardly coarser than, so the draws
are rounded to that type.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import ml_dtypes
import numpy as np

from ..theory import Source
from ..theory._typing import FloatArray, IntArray
from .statistics import TensorStatistics

__all__ = ["DrawnTensor", "drawn_tensors"]

# Elements drawn of a tensor: R of four bits is then known to about 0.3%.  Ten times more take ten times as long.
_DRAWN = 1 << 17
# The same where rows share a scale or a threshold, which depend on the few rows of the largest spread.
_TOGETHER = 1 << 20
# Draws of a small tensor at most: each is encoded by itself, in a tenth of a millisecond and more.
_TENSORS = 16
# Quantiles that stand for the row law; what lies beyond them is rarer than the largest elements, which are known.
_QUANTILES = 1 << 14
_SEED = 20_251_123
# Types of weights that are coarse beside a format of eight bits; all others are drawn in float32.
_COARSE = {"bfloat16": np.dtype(ml_dtypes.bfloat16), "float16": np.dtype(np.float16)}


@dataclass(frozen=True, eq=False)
class DrawnTensor:
    """A drawn tensor, or some rows of a large one.

    Attributes
    ----------
    values : ndarray of float32, or of the 16 bits that the weights have
        Of the tensor's shape, or (drawn rows, columns).
    rows : ndarray of int64, shape (drawn rows,)
        The rows of the tensor that they are draws of.
    """

    values: np.ndarray[tuple[int, ...], np.dtype[Any]]
    rows: IntArray


def drawn_tensors(
    statistics: TensorStatistics, height: int = 1, *, together: bool = False
) -> tuple[DrawnTensor, ...]:
    """Draw tensors of which the statistics are those of a given one: several of a small one, always the same.

    Parameters
    ----------
    statistics : TensorStatistics
    height : int >= 1
        Rows that belong together, as those of a rectangular block: they stay neighbours.
    together : bool
        Whether more rows are wanted, since rows will be looked at together.

    Returns
    -------
    tuple of DrawnTensor
        Every row has the root mean square and the largest magnitude of its row, both to rounding.  Where rows are
        left out of a tensor, every spread has its share of rows, and the tensor's largest magnitude is there.
    """
    columns = statistics.shape[-1]
    rows = _chosen(statistics, max(1, (_TOGETHER if together else _DRAWN) // columns), height)
    whole = len(rows) == len(statistics.row_rms)
    times = max(1, min(_DRAWN // statistics.elements, _TENSORS)) if whole else 1
    every = np.tile(rows, times)
    law = _quantiles(statistics.row_law)
    drawn = _rows(law, statistics.row_rms[every], statistics.row_largest[every], columns)
    drawn = drawn.astype(_COARSE.get(statistics.dtype, np.float32))
    shape = statistics.shape if whole else (len(rows), columns)
    return tuple(DrawnTensor(values.reshape(shape), rows) for values in np.split(drawn, times))


def _chosen(statistics: TensorStatistics, wanted: int, height: int) -> IntArray:
    """All rows if there are few enough, or one band of rows of each of many groups of about one spread."""
    count = len(statistics.row_rms)
    if count <= wanted:
        return np.arange(count)
    bands = -(-count // height)
    spread = np.add.reduceat(statistics.row_rms**2, np.arange(bands) * height)
    order = np.argsort(spread, kind="stable")
    groups = np.array_split(order, max(1, wanted // height))
    largest = int(np.argmax(statistics.row_largest)) // height
    taken = np.array([largest if largest in group else group[len(group) // 2] for group in groups])
    rows = (taken[:, None] * height + np.arange(height)).reshape(-1)
    return np.asarray(rows[rows < count])


@lru_cache(maxsize=64)
def _quantiles(law: Source) -> FloatArray:
    """Equally likely values of a law, ascending in magnitude."""
    values = law.ppf((np.arange(_QUANTILES) + 0.5) / _QUANTILES)
    return np.asarray(values[np.argsort(np.abs(values), kind="stable")])


def _rows(law: FloatArray, rms: FloatArray, largest: FloatArray, columns: int) -> FloatArray:
    magnitudes = np.abs(law)
    # Second moment of the law cut off at each quantile, over the square of that quantile: falling from 1/3 to 0.
    share = np.cumsum(law**2) / np.arange(1, law.size + 1) / np.maximum(magnitudes, 1e-300) ** 2
    share = np.minimum.accumulate(np.minimum(share, 1.0 / 3.0))
    left = np.maximum(columns * rms**2 - largest**2, 0.0)  # squares of the others, together
    wanted = np.divide(left, max(columns - 1, 1) * largest**2, out=np.zeros(len(rms)), where=largest > 0)
    cut = np.clip(law.size - np.searchsorted(share[::-1], wanted, side="left"), 1, law.size)
    uniform, places = _random(len(rms), columns)
    drawn = law[(uniform * cut[:, None]).astype(np.int64)] * (largest / magnitudes[cut - 1])[:, None]
    flat = wanted >= share[0]
    drawn[flat] = _flatter_than_uniform(uniform[flat], wanted[flat], largest[flat])
    return _with_squares(drawn, places, left, largest)


def _flatter_than_uniform(uniform: FloatArray, share: FloatArray, largest: FloatArray) -> FloatArray:
    """Magnitudes M u^a with E u^2a = 1 / (2 a + 1) the given share, where no law cut off reaches it."""
    signed = 2.0 * uniform - 1.0
    power = (1.0 / np.clip(share, 1e-300, 1.0) - 1.0) / 2.0
    return np.asarray(np.sign(signed) * np.abs(signed) ** power[:, None] * largest[:, None])


def _with_squares(drawn: FloatArray, place: IntArray, left: FloatArray, largest: FloatArray) -> FloatArray:
    """Rows with their largest element anywhere, whose others have the given sum of squares."""
    row = np.arange(len(drawn))
    end = np.copysign(largest, drawn[row, place])
    drawn[row, place] = 0.0
    for _ in range(3):  # cut off what a factor just above 1 puts beyond the largest, and make up for it
        squares = np.sum(drawn**2, axis=1)
        factor = np.sqrt(np.divide(left, squares, out=np.zeros(len(drawn)), where=squares > 0))
        drawn *= factor[:, None]
        np.clip(drawn, -largest[:, None], largest[:, None], out=drawn)
    drawn[row, place] = end
    return drawn


@lru_cache(maxsize=4)
def _random(rows: int, columns: int) -> tuple[FloatArray, IntArray]:
    """Uniform numbers for all elements, and a place in each row."""
    generator = np.random.default_rng(_SEED)
    uniform, places = generator.random((rows, columns)), generator.integers(columns, size=rows)
    uniform.flags.writeable = places.flags.writeable = False
    return uniform, places
