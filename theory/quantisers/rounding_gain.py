"""What optimised rounding gains over nearest rounding on a uniform grid.

At equal entropy the optimised grid is finer, and saves its surplus of bits again by rounding towards frequent
values.  The code follows the cells and the cells follow the code until both agree; that is the
entropy-constrained design with the codepoints held on the grid, and its distortion shows how little they need
to leave it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from .._arguments import check_positive
from ..sources import Source
from .entropy_constrained import entropy_constrained
from .evaluation import entropy_bits, evaluate
from .optimised_rounding import round_to_code
from .overload import reach
from .scalar import ScalarQuantiser
from .uniform import uniform

__all__ = ["RoundingGain", "rounding_gain"]

# Rounds of code and thresholds following each other, and the change of the entropy in bits they stop at.
_ROUNDS, _SETTLED = 500, 1e-8
# Steps of the grid tried, as parts of the step that nearest rounding has at the same rate.  A grid of half
# that step imitates the coarse one by leaving out every other point, and gains nothing.
_PARTS = (0.55, 1.02)
# Trials of the slope, and how near to the rate they have to come in bits.
_SEARCHES, _RATE_TOLERANCE = 12, 1e-4
# The grid ends where the overload adds this part of step^2 / 12, and has at most this many points a side.
_OVERLOAD_SHARE, _MOST = 1e-7, 4096


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
    search = scipy.optimize.minimize_scalar(
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
        rounding = round_to_code(grid, lengths, slope)
        found, kept = evaluate(rounding.quantiser, source), rounding.kept
        if abs(found.entropy - before) < _SETTLED:
            break
    return _Grid(step, slope, found.distortion, entropy_bits(found.probabilities))
