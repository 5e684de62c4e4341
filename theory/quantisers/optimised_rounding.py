"""Rate-distortion optimised rounding: indices that minimise squared error + slope * code length.

A value x takes the codepoint q_i of least (x - q_i)^2 + slope * l_i instead of the nearest.  Less x^2 this is
the least of the lines b_i - 2 q_i x with b_i = q_i^2 + slope * l_i, so

- the codepoints that any value takes are the corners of the lower convex hull of the points (q_i, b_i);
- neighbours i, j on the hull meet at t = (b_j - b_i) / (2 (q_j - q_i)), the midpoint moved towards the
  codepoint that costs more bits.

So rounding this way is a scalar quantiser with shifted thresholds, as fast to apply and as exact to evaluate
as any.  Lengths that follow the probabilities of the shifted cells, and codepoints that follow the centroids,
make it the entropy-constrained quantiser; with a format's fixed grid it is the best the encoder can do, and
the decoder need not know.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._arrays import as_real
from .._compiled import kernel
from .._typing import ArrayLike, FloatArray, IntArray
from ..sources import Source
from .evaluation import evaluate
from .scalar import ScalarQuantiser

__all__ = ["OptimisedRounding", "RoundingResult", "optimised_rounding", "round_to_code"]


@dataclass(frozen=True, eq=False)
class OptimisedRounding:
    """Codepoints, a code, and the thresholds that make the best of both.

    Attributes
    ----------
    codepoints, lengths : ndarray of float64, shape (N,)
        As given.
    slope : float
        Price of a bit in squared error.
    kept : ndarray of int64
        Indices of the codepoints that some value takes, ascending.
    quantiser : ScalarQuantiser
        The kept codepoints with the shifted thresholds.
    """

    codepoints: FloatArray
    lengths: FloatArray
    slope: float
    kept: NDArray[np.int64]
    quantiser: ScalarQuantiser

    def encode(self, x: ArrayLike) -> IntArray:
        """Index, among all codepoints, of least squared error + slope * length for each value."""
        return self.kept[self.quantiser.encode(x)]

    def decode(self, index: ArrayLike) -> FloatArray:
        """Codepoint of each index."""
        return np.asarray(self.codepoints[np.asarray(index)])

    def __call__(self, x: ArrayLike) -> FloatArray:
        """Round: decode(encode(x))."""
        return self.quantiser(x)

    def evaluate(self, source: Source) -> RoundingResult:
        """Exact distortion, mean code length and entropy on a source."""
        found = evaluate(self.quantiser, source)
        rate = float(np.sum(found.probabilities * self.lengths[self.kept]))
        return RoundingResult(found.distortion, rate, found.entropy, found.probabilities)


@dataclass(frozen=True)
class RoundingResult:
    """Performance of optimised rounding on a source.

    Attributes
    ----------
    distortion : float
        Mean squared error.
    rate : float
        Mean length of the given code, bits.
    entropy : float
        Entropy of the index, bits: the rate of a code made for the shifted cells.
    probabilities : ndarray of float64
        Of the kept codepoints.
    """

    distortion: float
    rate: float
    entropy: float
    probabilities: FloatArray = field(repr=False)


def optimised_rounding(quantiser: ScalarQuantiser, lengths: ArrayLike, slope: float) -> OptimisedRounding:
    """Shift the thresholds of a quantiser so that rounding minimises squared error + slope * code length.

    Parameters
    ----------
    quantiser : ScalarQuantiser
        Its codepoints are used; its thresholds are not.
    lengths : array_like, shape (N,), >= 0
        Code length of each codepoint in bits; infinite for one that has no code word.
    slope : float, >= 0
        Price of a bit, in squared units of the codepoints.  0 is nearest rounding.

    Returns
    -------
    OptimisedRounding
        Exactly optimal for every value; on a tie the lower codepoint is taken.

    Raises
    ------
    TypeError, ValueError
        If lengths do not fit the codepoints, are negative or NaN or all infinite, or the slope is negative
        or not finite.

    References
    ----------
    G. J. Sullivan and T. Wiegand, "Rate-distortion optimization for video compression", IEEE Signal Process.
    Mag. 15 (1998); the thresholds are those of Chou, Lookabaugh and Gray (1989) for a fixed codebook.

    Examples
    --------
    >>> from bitlaw.theory import ScalarQuantiser
    >>> rounding = optimised_rounding(ScalarQuantiser([-1.0, 0.0, 1.0]), [2.0, 1.0, 2.0], 0.2)
    >>> rounding.quantiser.thresholds.tolist()
    [-0.6, 0.6]
    >>> rounding.encode([0.55, 0.65]).tolist()
    [1, 2]
    """
    bits = as_real(lengths, "lengths").astype(np.float64)
    if bits.shape != quantiser.codepoints.shape:
        raise ValueError(f"lengths must have shape {quantiser.codepoints.shape}, got {bits.shape}")
    if np.isnan(bits).any() or (bits < 0).any() or not np.isfinite(bits).any():
        raise ValueError("lengths must be numbers >= 0, at least one of them finite")
    price = float(slope)
    if not (np.isfinite(price) and price >= 0):
        raise ValueError(f"slope must be finite and not negative, got {slope!r}")
    return round_to_code(np.asarray(quantiser.codepoints), bits, price)


def round_to_code(codepoints: FloatArray, lengths: FloatArray, slope: float) -> OptimisedRounding:
    """As `optimised_rounding`, of arguments already checked."""
    # Only where a code word exists; between equal codepoints the shorter word comes first and wins.
    coded = np.flatnonzero(np.isfinite(lengths))
    coded = coded[np.lexsort((lengths[coded], codepoints[coded]))]
    first = np.concatenate([[True], np.diff(codepoints[coded]) > 0])
    candidates = coded[first]
    thresholds = np.empty(max(len(candidates) - 1, 0))
    kept = np.empty(len(candidates), dtype=np.int64)
    # About the middle of the codebook, where squares lose least to rounding.
    count = _lower_hull(codepoints[candidates], slope * lengths[candidates], kept, thresholds)
    kept = candidates[kept[:count]]
    quantiser = ScalarQuantiser(codepoints[kept], thresholds[: count - 1])
    return OptimisedRounding(codepoints, lengths, slope, kept, quantiser)


@kernel
def _lower_hull(q: Any, price: Any, kept: Any, thresholds: Any) -> int:
    """Corners of the lower hull of (q, q^2 + price), in kept, and where neighbours meet; returns how many.

    A corner goes when the newcomer meets it before it met its own left neighbour.
    """
    count = 0
    for i in range(len(q)):
        meet = -np.inf
        while count > 0:
            j = kept[count - 1]
            meet = (q[i] + q[j]) / 2 + (price[i] - price[j]) / (2 * (q[i] - q[j]))
            if count > 1 and meet <= thresholds[count - 2]:
                count -= 1
            else:
                break
        if count > 0:
            thresholds[count - 1] = meet
        kept[count] = i
        count += 1
    return count
