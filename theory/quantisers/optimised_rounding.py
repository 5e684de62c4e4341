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
from scipy import optimize

from .._arguments import check_positive
from .._arrays import as_real
from .._compiled import kernel
from .._typing import ArrayLike, FloatArray, IntArray
from ..sources import Source
from .entropy_constrained import entropy_constrained
from .evaluation import entropy_bits, evaluate
from .overload import reach
from .scalar import ScalarQuantiser
from .uniform import uniform

__all__ = ["OptimisedRounding", "RoundingGain", "RoundingResult", "optimised_rounding", "rounding_gain"]

# Rounds of code and thresholds following each other, and the change of the entropy in bits they stop at.
_ROUNDS, _SETTLED = 500, 1e-8
# Steps of the grid tried, as parts of the step that nearest rounding has at the same rate.  A grid of half
# that step imitates the coarse one by leaving out every other point, and gains nothing.
_PARTS = (0.55, 1.02)
# Trials of the slope, and how near to the rate they have to come in bits.
_SEARCHES, _RATE_TOLERANCE = 12, 1e-4
# The grid ends where the overload adds this part of step^2 / 12, and has at most this many points a side.
_OVERLOAD_SHARE, _MOST = 1e-7, 4096


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


@dataclass(frozen=True)
class RoundingGain:
    """What optimised rounding saves on a uniform grid at one rate.

    Attributes
    ----------
    rate : float
        Entropy of the index, bits; the same for all three.
    nearest : float
        Distortion of the uniform grid with nearest rounding.
    optimised : float
        Distortion of the best (finer) uniform grid with optimised rounding and a code made for it.
    entropy_constrained : float
        Distortion of the entropy-constrained quantiser, whose codepoints are free.
    gain_db, gain_bits : float
        Of `optimised` over `nearest`: 10 log10, and log2 / 2, of the ratio of distortions.
    nearest_step, optimised_step : float
        Steps of the two grids.
    slope : float
        Price of a bit at the optimum.
    """

    rate: float
    nearest: float
    optimised: float
    entropy_constrained: float
    gain_db: float
    gain_bits: float
    nearest_step: float
    optimised_step: float
    slope: float


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
    return _round(np.asarray(quantiser.codepoints), bits, price)


def _round(codepoints: FloatArray, lengths: FloatArray, slope: float) -> OptimisedRounding:
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


def rounding_gain(source: Source, rate: float) -> RoundingGain:
    """Gain of optimised over nearest rounding on a uniform grid with a codepoint at zero, at equal entropy.

    The grid is finer than the one of nearest rounding, and its surplus of bits is saved again by rounding
    towards frequent values; the code is made for the result.  Everything is integrated, nothing sampled.

    Parameters
    ----------
    source : Source
        The law, with its mode at zero.
    rate : float, 0.05 to 8
        Entropy of the index in bits.

    Returns
    -------
    RoundingGain
        entropy_constrained <= optimised <= nearest, up to 1e-6 of the distortion.

    Raises
    ------
    TypeError, ValueError
        If the rate lies outside its range.

    Examples
    --------
    >>> from bitlaw.theory import Laplace
    >>> gain = rounding_gain(Laplace(), 1.0)
    >>> round(gain.nearest, 4), round(gain.optimised, 4), round(gain.entropy_constrained, 4)
    (0.3179, 0.2618, 0.2618)
    """
    bits = check_positive("rate", rate)
    if not 0.05 <= bits <= 8:
        raise ValueError(f"rate must be between 0.05 and 8 bits, got {bits}")
    plain = uniform(source, rate=bits, kind="mid-tread")
    step = float(plain.codepoints[1] - plain.codepoints[0])
    free = entropy_constrained(source, rate=bits)
    limit, nearest = evaluate(free, source).distortion, evaluate(plain, source).distortion
    # The free design's slope is nearly that of the best grid, whose rate it then only has to be moved to.
    log_slope, before = float(np.log(_slope(free, limit))), None
    for _ in range(_SEARCHES):
        found = _best_grid(source, step, float(np.exp(log_slope)))
        if abs(found.entropy - bits) < _RATE_TOLERANCE:
            break
        fall = -0.72  # d rate / d log slope by the 6 dB law, 1 / (2 ln 2)
        if before is not None and before[0] != log_slope:
            fall = float(np.clip((found.entropy - before[1]) / (log_slope - before[0]), 4 * fall, fall / 4))
        before = (log_slope, found.entropy)
        log_slope += float(np.clip((bits - found.entropy) / fall, -0.5, 0.5))
    # The rest of the way along the tangent; what that misses is of second order.
    best = min(found.distortion + found.slope * (found.entropy - bits), nearest)
    return RoundingGain(
        rate=bits,
        nearest=nearest,
        optimised=best,
        entropy_constrained=limit,
        gain_db=float(10 * np.log10(nearest / best)),
        gain_bits=float(0.5 * np.log2(nearest / best)),
        nearest_step=step,
        optimised_step=found.step,
        slope=found.slope,
    )


@dataclass(frozen=True)
class _Grid:
    step: float
    slope: float
    distortion: float
    entropy: float

    @property
    def cost(self) -> float:
        return self.distortion + self.slope * self.entropy


def _slope(design: ScalarQuantiser, distortion: float) -> float:
    """Slope of an entropy-constrained design; at high rate it is 2 ln 2 times the distortion."""
    slope = design.design.slope if design.design is not None else float("nan")
    return slope if np.isfinite(slope) and slope > 0 else 2 * np.log(2) * distortion


def _best_grid(source: Source, step: float, slope: float) -> _Grid:
    """Grid of least cost at a slope."""
    search = optimize.minimize_scalar(
        lambda part: _settled(source, part * step, slope).cost,
        bounds=_PARTS,
        method="bounded",
        options={"xatol": 1e-3},
    )
    return _settled(source, float(search.x) * step, slope)


def _settled(source: Source, step: float, slope: float) -> _Grid:
    """Distortion and entropy of a grid once the code fits the cells that rounding for this code makes."""
    half = int(np.clip(np.ceil(reach(source, step**2 / 12, _OVERLOAD_SHARE) / step), 1, _MOST))
    grid = step * np.arange(-half, half + 1, dtype=np.float64)
    found = evaluate(ScalarQuantiser(grid), source)
    kept = np.arange(len(grid))
    for _ in range(_ROUNDS):
        before, lengths = found.entropy, np.full(len(grid), np.inf)
        lengths[kept] = -np.log2(np.maximum(found.probabilities, 1e-300))
        rounding = _round(grid, lengths, slope)
        found, kept = evaluate(rounding.quantiser, source), rounding.kept
        if abs(found.entropy - before) < _SETTLED:
            break
    return _Grid(step, slope, found.distortion, entropy_bits(found.probabilities))
