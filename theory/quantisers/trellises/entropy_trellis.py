"""Design of entropy-constrained trellis-coded quantisers.

Two families of codebooks are tried, because neither is best everywhere.  "Interleaved" has the even and the
odd multiples of a step (Fischer and Wang 1992): best at high rate, and poor below a bit for peaked laws,
because the odd states have no codepoint at zero.  "Shared zero" gives zero to both, as the dependent
quantisers of video coding do.  Training moves the codepoints and the code lengths of either; what it cannot
do is turn one family into the other.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..._arguments import check_positive
from ..._typing import FloatArray
from ...sources import Source
from .._integers import checked_integer
from ..measurement import stratified_draw
from ..overload import reach
from ..scalar import Design
from .training import Trained, cost_of, train
from .trellis import TrellisQuantiser

__all__ = ["entropy_constrained_trellis"]

_LENGTH = 1024
_TOLERANCE = 1e-5
# Granular gain assumed for the start's step, 1.1 dB: that of 8 states.  Training corrects it.
_GAIN = 10 ** (1.1 / 10)
# The codebooks end where the overload beyond adds this part of the distortion aimed at.
_OVERLOAD_SHARE = 1e-4
_MAX_LEVELS = 4096
# Most trials of the search for a rate; five are usual.
_SEARCHES = 16
# The rate found on the training set is this near the one asked for, in bits.
_RATE_TOLERANCE = 2e-3
# "Shared zero" is tried where the slope exceeds this part of the variance, which is below two bits or so.
_LOW_RATE_SLOPE = 0.03


def entropy_constrained_trellis(
    source: Source,
    *,
    rate: float | None = None,
    slope: float | None = None,
    states: int = 8,
    samples: int = 2**17,
    iterations: int = 30,
    seed: int = 0,
) -> TrellisQuantiser:
    """Design a trellis-coded quantiser that minimises squared error + slope * bits.

    Parameters
    ----------
    source : Source
        The law of the independent values.
    rate : float, 0.05 to 10, optional
        Bits per value to reach on the training set; the slope is searched for.  The rate comes out within
        0.002 of it, or, where training jumps from one optimum to another, on the nearer side of the jump.
    slope : float, > 0, optional
        Price of a bit in squared error, in the source's units squared.  Give one of the two.
    states : int
        4, 8, 16, 32, 64, 128 or 256.  Eight come within 0.1 bit of the rate-distortion function, 256 within
        0.05, at a twentieth of the encoder's speed.
    samples : int, >= 4096
        Size of the training set.
    iterations : int, >= 1
        Most rounds of training at one slope.
    seed : int
        Of the training set.

    Returns
    -------
    TrellisQuantiser
        With a code for each codebook.  A local optimum; the design's slope is the one used and its residual
        the last relative change of the Lagrangian on the training set.

    Raises
    ------
    TypeError, ValueError
        If not exactly one of `rate` and `slope` is given, or a number lies outside its range.

    References
    ----------
    T. R. Fischer and M. Wang, "Entropy-constrained trellis-coded quantization", IEEE Trans. Inf. Theory 38
    (1992); M. W. Marcellin, "On entropy-constrained trellis coded quantization", IEEE Trans. Commun. 42
    (1994); H. Schwarz et al., "Improved quantization and transform coefficient coding for video", 2019.

    Examples
    --------
    >>> from bitlaw.theory import Laplace
    >>> from bitlaw.theory.quantisers import measure
    >>> quantiser = entropy_constrained_trellis(Laplace(), slope=0.1, samples=2**14)
    >>> measure(quantiser, Laplace(), samples=2**15).shannon_gap_bits < 0.12
    True
    """
    if (rate is None) == (slope is None):
        raise ValueError(f"give exactly one of rate and slope, got rate={rate!r}, slope={slope!r}")
    count = checked_integer("samples", samples, 4096, 2**31)
    rounds = checked_integer("iterations", iterations, 1, 10**6)
    x = stratified_draw(source, -(-count // _LENGTH), _LENGTH, seed)
    if rate is None:
        price = check_positive("slope", slope)
        found = [_at_slope(source, states, x, price, kind, rounds) for kind in _kinds(source, price)]
    else:
        found = _at_rate(source, states, x, _checked_rate(rate), rounds)
    slopes = np.mean([trained.quantiser.slope for trained in found])
    best = min(found, key=lambda trained: cost_of(trained, float(slopes)))
    status = "converged" if abs(best.change) < _TOLERANCE else f"stopped after {best.iterations} iterations"
    price = best.quantiser.slope
    design = Design("entropy-constrained trellis", status, best.iterations, abs(best.change), slope=price)
    return replace(best.quantiser, design=design)


def _checked_rate(rate: object) -> float:
    number = check_positive("rate", rate)
    if not 0.05 <= number <= 10:
        raise ValueError(f"rate must be between 0.05 and 10 bits, got {number}")
    return number


def _kinds(source: Source, slope: float) -> tuple[bool, ...]:
    """Whether zero is shared, for each family worth trying."""
    return (False, True) if slope > _LOW_RATE_SLOPE * source.std**2 else (False,)


def _at_slope(
    source: Source, states: int, x: FloatArray, slope: float, shared_zero: bool, iterations: int
) -> Trained:
    start = _start(source, states, slope, shared_zero)
    return train(start, start, x, iterations=iterations, tolerance=_TOLERANCE, adapt_lengths=True)


def _at_rate(source: Source, states: int, x: FloatArray, rate: float, iterations: int) -> list[Trained]:
    """The best of each family at a rate."""
    guess = 2 * np.log(2) * source.std**2 * 2.0 ** (-2 * rate)
    return [_search(source, states, x, rate, kind, guess, iterations) for kind in _kinds(source, guess)]


def _search(
    source: Source, states: int, x: FloatArray, rate: float, shared_zero: bool, slope: float, iterations: int
) -> Trained:
    """The design nearest to a rate: every trial is trained from its own start, for the rate to be a function.

    Training has many local optima, so that function may jump; then the nearer side of the jump is taken.
    """
    above, below = None, None
    for _ in range(_SEARCHES):
        found = _at_slope(source, states, x, slope, shared_zero, iterations)
        if abs(found.rate - rate) < _RATE_TOLERANCE:
            return found
        above, below = (found, below) if found.rate > rate else (above, found)
        slope = _next_slope(found, above, below, rate)
        if above is not None and below is not None and _jumps(above, below):
            break
    return min((t for t in (above, below) if t is not None), key=lambda t: abs(t.rate - rate))


def _jumps(above: Trained, below: Trained) -> bool:
    return below.quantiser.slope / above.quantiser.slope < 1.001


def _next_slope(last: Trained, above: Trained | None, below: Trained | None, rate: float) -> float:
    """Interpolate in log slope inside a bracket; outside one, take the 6 dB law: 2 bits for a factor 16."""
    if above is None or below is None:
        # A factor of 4 at most: a collapsed design says little about how far to go.
        return float(last.quantiser.slope * np.clip(4.0 ** (last.rate - rate), 0.25, 4.0))
    share = (above.rate - rate) / (above.rate - below.rate)
    ratio = below.quantiser.slope / above.quantiser.slope
    # Held off the ends, so that the bracket shrinks even where the rate jumps.
    return float(above.quantiser.slope * ratio ** np.clip(share, 0.1, 0.9))


def _start(source: Source, states: int, slope: float, shared_zero: bool) -> TrellisQuantiser:
    """Multiples of a step fit for the slope, coded by their probabilities."""
    distortion = slope / (2 * np.log(2))
    spacing = float(np.sqrt(12 * distortion * _GAIN))
    half = int(
        np.clip(np.ceil(reach(source, distortion, _OVERLOAD_SHARE) / spacing), 1, _MAX_LEVELS // 2 - 1)
    )
    k = np.arange(-half, half + 1)
    odd = k - np.sign(k) / 2 if shared_zero else k + 0.5
    codepoints = source.mean + spacing * np.stack([k, odd])
    branches = np.stack([k & 1, k & 1])
    lengths = np.stack([_lengths(source, row) for row in codepoints])
    return TrellisQuantiser(states, codepoints, branches, lengths, slope, block_length=_LENGTH)


def _lengths(source: Source, codepoints: FloatArray) -> FloatArray:
    """Code lengths of nearest-neighbour cells; nothing costs more than 64 bits."""
    edges = np.concatenate([[-np.inf], (codepoints[1:] + codepoints[:-1]) / 2, [np.inf]])
    mass = np.maximum(source.probability(edges[:-1], edges[1:]), 2.0**-64)
    return np.asarray(-np.log2(mass / mass.sum()))
