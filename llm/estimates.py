"""Means over tokens with honest intervals: tokens of one sequence are not independent, sequences are.

Every mean here is a mean of sequence means (all sequences have one length), and its standard error comes from the
spread of those means alone.  Two formats measured on the same sequences are compared by the differences of their
sequence means, which cancels most of what the sequences have in common.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ..theory._typing import FloatArray

__all__ = ["Estimate", "clustered_mean", "clustered_quantile", "paired_difference", "sequences_needed"]

# Resamples of whole sequences behind the interval of a quantile; its own noise is then about 3% of its width.
_RESAMPLES = 1000


@dataclass(frozen=True)
class Estimate:
    """A value with its interval.

    Attributes
    ----------
    value : float
    lower, upper : float
        Ends of the interval of the stated confidence; infinite with a single sequence.
    standard_error : float
        NaN with a single sequence.
    sequences : int
        Independent clusters behind it.
    confidence : float
    """

    value: float
    lower: float
    upper: float
    standard_error: float
    sequences: int
    confidence: float = 0.95

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.lower:.4g}, {self.upper:.4g}]"


def _checked(values: FloatArray, confidence: float) -> FloatArray:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.size == 0:
        raise ValueError(f"values must have the shape (sequences, tokens), got {table.shape}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence}")
    return table


def clustered_mean(values: FloatArray, confidence: float = 0.95) -> Estimate:
    """Mean over all tokens, with Student's interval over the means of the sequences.

    Parameters
    ----------
    values : array of float, shape (sequences, tokens)
    confidence : float

    Raises
    ------
    ValueError
        If the array is empty or of another dimension, or the confidence is not between 0 and 1.
    """
    means = _checked(values, confidence).mean(axis=1)
    n, value = len(means), float(means.mean())
    if n == 1:
        return Estimate(value, -math.inf, math.inf, math.nan, 1, confidence)
    error = float(means.std(ddof=1) / math.sqrt(n))
    half = error * float(stats.t.ppf((1 + confidence) / 2, n - 1))
    return Estimate(value, value - half, value + half, error, n, confidence)


def paired_difference(first: FloatArray, second: FloatArray, confidence: float = 0.95) -> Estimate:
    """Mean of `first` minus mean of `second`, measured on the same sequences.

    Raises
    ------
    ValueError
        As `clustered_mean`, or if the shapes differ.
    """
    a, b = _checked(first, confidence), _checked(second, confidence)
    if a.shape != b.shape:
        raise ValueError(f"both must be measured on the same sequences, got shapes {a.shape} and {b.shape}")
    return clustered_mean(a - b, confidence)


def clustered_quantile(values: FloatArray, level: float, confidence: float = 0.95, seed: int = 0) -> Estimate:
    """Quantile over all tokens, with the percentile interval of a bootstrap over sequences.

    Parameters
    ----------
    values : array of float, shape (sequences, tokens)
    level : float
        Between 0 and 1.
    confidence : float
    seed : int
        Of the resampling.

    Raises
    ------
    ValueError
        As `clustered_mean`, or if the level is not between 0 and 1.
    """
    table = _checked(values, confidence)
    if not 0 <= level <= 1:
        raise ValueError(f"level must be between 0 and 1, got {level}")
    n, value = len(table), float(np.quantile(table, level))
    if n == 1:
        return Estimate(value, -math.inf, math.inf, math.nan, 1, confidence)
    chosen = np.random.default_rng(seed).integers(n, size=(_RESAMPLES, n))
    resampled = np.array([np.quantile(table[rows], level) for rows in chosen])
    lower, upper = np.quantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(value, float(lower), float(upper), float(resampled.std(ddof=1)), n, confidence)


def sequences_needed(values: FloatArray, half_width: float, confidence: float = 0.95) -> int:
    """Sequences for which the interval of the mean would have this half width, from the spread seen so far.

    Raises
    ------
    ValueError
        As `clustered_mean`, if the half width is not positive, or there are fewer than two sequences.
    """
    means = _checked(values, confidence).mean(axis=1)
    if not half_width > 0:
        raise ValueError(f"half_width must be positive, got {half_width}")
    if len(means) < 2:
        raise ValueError("values must hold at least two sequences to show their spread")
    spread = float(means.std(ddof=1))
    count = 2
    while count < 10**9:
        half = spread / math.sqrt(count) * float(stats.t.ppf((1 + confidence) / 2, count - 1))
        if half <= half_width:
            return count
        normal = (spread * float(stats.norm.ppf((1 + confidence) / 2)) / half_width) ** 2
        count = max(count + 1, math.floor(normal))
    raise ValueError(f"half_width {half_width:g} needs over a thousand million sequences")
