"""What a quantiser of vectors or sequences does to a source, measured on seeded draws.

Beyond one dimension the cells are too many to integrate over.  Rate and distortion are therefore means over
drawn values, and each comes with its standard error.  The draws are made of blocks that the quantiser treats
independently (a vector, a sequence); values inside a block are not independent, so errors are computed from
the block means.

Rates are lengths of codes fixed before the measurement (the quantiser's own table, made from other draws),
never entropies of the measured indices: they need no correction for the sample's size, and a code of that
rate exists.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from .._typing import FloatArray
from ..limits import rate_distortion, shannon_lower_bound_rate
from ..sources import Source

__all__ = ["BlockQuantiser", "Measurement", "draw", "measure", "stratified_draw", "summarise"]


class BlockQuantiser(Protocol):
    """What `measure` asks of a quantiser."""

    @property
    def block_length(self) -> int:
        """Number of values quantised together."""

    def errors_and_bits(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Squared error and bits of each block, summed over its values; x has shape (blocks, length)."""


@dataclass(frozen=True)
class Measurement:
    """Rate and distortion per value, as measured, with standard errors.

    Attributes
    ----------
    rate, rate_error : float
        Bits per value, and its standard error (0 for a fixed rate).
    distortion, distortion_error : float
        Mean squared error per value in the source's units squared, and its standard error.
    shannon_gap_bits, gap_error : float
        Rate above the Shannon lower bound at the measured distortion, which is never less than the gap to the
        rate-distortion function, and the standard error of either gap.  The two measured means go up and down
        together in an entropy-coded quantiser, and the error counts that.
    snr_db : float
        10 log10(variance / distortion).
    samples : int
        Number of values the means are taken over.
    """

    rate: float
    rate_error: float
    distortion: float
    distortion_error: float
    shannon_gap_bits: float
    gap_error: float
    snr_db: float
    samples: int
    source: Source = field(repr=False)

    @cached_property
    def gap_bits(self) -> float:
        """Rate above the rate-distortion function of the source (computed when first asked for)."""
        return self.rate - rate_distortion(self.source, self.distortion).rate


def draw(source: Source, blocks: int, length: int, seed: int) -> FloatArray:
    """Independent values of the source, shape (blocks, length)."""
    uniform = np.random.default_rng(seed).random((blocks, length))
    # A double in [0, 1) may be 0, where the quantile is infinite.
    return source.ppf(np.maximum(uniform, 2.0**-54))


def stratified_draw(source: Source, blocks: int, length: int, seed: int) -> FloatArray:
    """Values of the source with one in each of blocks * length cells of equal mass, in random order.

    Every quantile is met in its right proportion, so that averages over a training set carry less noise
    than over independent draws.  Not for measuring: the draws know of each other.
    """
    generator = np.random.default_rng(seed)
    count = blocks * length
    cell = generator.permutation(count) + generator.random(count)
    return source.ppf(np.clip(cell / count, 2.0**-54, 1 - 2.0**-53)).reshape(blocks, length)


def measure(quantiser: BlockQuantiser, source: Source, *, samples: int = 2**17, seed: int = 1) -> Measurement:
    """Measure rate, distortion and gap to the rate-distortion function on independent draws of a source.

    Parameters
    ----------
    quantiser : VectorQuantiser, SphericalCode, EntropyCodedLattice, TrellisQuantiser, ...
        Anything with `block_length` and `errors_and_bits`.
    source : Source
        The law of the independent values.
    samples : int, >= 2 blocks
        Number of values to draw, rounded up to whole blocks.
    seed : int
        Of the draws; take another one than the design's, or the result is a training error.

    Returns
    -------
    Measurement
        Standard errors halve when `samples` is made four times as large.  They are estimates themselves, and
        poor ones where the squared error has no fourth moment (a bounded codebook on a heavy tail).

    Raises
    ------
    TypeError
        If `quantiser` or `source` is not of the right kind.
    ValueError
        If `samples` holds fewer than two blocks.

    Notes
    -----
    Not for laws whose errors are weighted (an element divided by its block's scale): all draws count alike.

    Examples
    --------
    >>> from bitlaw.theory import Normal
    >>> from bitlaw.theory.quantisers import lattice_quantiser, measure
    >>> measured = measure(lattice_quantiser("E8", Normal(), rate=2.0), Normal(), samples=2**15)
    >>> round(measured.rate, 1), round(measured.gap_bits, 1)
    (2.0, 0.1)
    """
    if not hasattr(quantiser, "errors_and_bits"):
        raise TypeError(f"quantiser must have errors_and_bits, got {type(quantiser).__name__}")
    if not hasattr(source, "ppf"):
        raise TypeError(f"source must be a Source, got {type(source).__name__}")
    length = quantiser.block_length
    blocks = -(-int(samples) // length)
    if blocks < 2:
        raise ValueError(f"samples must fill at least two blocks of {length} values, got {samples}")
    errors, bits = quantiser.errors_and_bits(draw(source, blocks, length, seed))
    return summarise(errors / length, bits / length, source, length)


def summarise(errors: FloatArray, bits: FloatArray, source: Source, length: int) -> Measurement:
    """Means over blocks, from the mean squared error and the bits per value of each."""
    blocks = len(errors)
    distortion, rate = float(np.mean(errors)), float(np.mean(bits))
    root = np.sqrt(blocks)
    # R(D) falls by 1 / (2 ln 2 D) where the Shannon lower bound is tight, and by less elsewhere.
    steepest = 1 / (2 * np.log(2) * distortion) if distortion > 0 else 0.0
    return Measurement(
        rate=rate,
        rate_error=float(np.std(bits, ddof=1) / root),
        distortion=distortion,
        distortion_error=float(np.std(errors, ddof=1) / root),
        shannon_gap_bits=rate - shannon_lower_bound_rate(source, distortion),
        gap_error=float(np.std(bits + steepest * errors, ddof=1) / root),
        snr_db=float(10 * np.log10(source.std**2 / distortion)) if distortion > 0 else float("inf"),
        samples=blocks * length,
        source=source,
    )
