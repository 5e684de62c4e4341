"""Entropy-constrained quantisers: least distortion for a given entropy of the index.

Minimise D + slope * H, H = -sum p_i log2 p_i in bits.  With the codepoints at their centroids and the code
lengths at l_i = -log2 p_i the cost depends on the thresholds alone, and a threshold t between cells i and
i + 1 is stationary where both sides cost the same,

    (t - q_i)^2 + slope * l_i = (t - q_{i+1})^2 + slope * l_{i+1}.

Each condition involves two cells, so Newton's method is tridiagonal here too.  Where the second derivative is
not positive definite the classical alternation (thresholds for fixed codepoints and lengths) takes its place,
which never raises the cost; cells that it empties are dropped.

Two catches.  The optimum of most laws has infinitely many levels: the start spreads a finite number in the
proportion that is optimal for a finite number, equal steps in the bulk and wider in the tail, with a price per
level so low that the twelfth digit does not see it (very heavy tails reach the cap of levels first; the
design's status then names the price).  And entropy as a function of the slope can jump, where the lower hull
of the operating points is not filled by single quantisers; the design then says which side it is on.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import scipy

from .._arguments import check_choice, check_positive
from .._typing import FloatArray
from ..sources import Source, Uniform
from ._weights import mean_of, one_measure, spread_of
from .companding import half_step_compander
from .entropy_constrained_gap import best_between
from .entropy_constrained_newton import descend, unfold
from .entropy_constrained_points import MAX_LEVELS, Point, solve
from .evaluation import evaluate
from .scalar import Design, ScalarQuantiser
from .uniform import entropy_scale, grid, step_of_entropy
from .uniform_entropy import uniform_entropy_constrained

__all__ = ["entropy_constrained"]

Variant = Literal["optimal", "uniform_threshold", "dead_zone"]

_LN2 = float(np.log(2.0))
# Entropy is matched to this many bits.
_RATE_TOLERANCE = 1e-12
# With tens of thousands of cells rounding leaves up to 1e-9 bit; a rate missed by more is not reached.
_RATE_MISSED = 1e-8
# Up to this rate quantisers between the hull points can beat the nearest stationary one of a light tail.
_SPARSE_RATE = 2.0
# The slope is sought at most this far (in its logarithm) from the high-rate one, in steps that double.
_WIDEST = 20.0
# Every law of finite variance has this many bits within the cap of levels.
_CERTAIN_RATE = 7.0
# Widths of the zero cell searched by the dead-zone variant, in steps (natural logarithms).
_LOG_ZONES = (-1.0, 3.0)


def entropy_constrained(
    source: Source,
    *,
    rate: float | None = None,
    slope: float | None = None,
    variant: Variant = "optimal",
) -> ScalarQuantiser:
    """Quantiser of least distortion for an entropy, or for a price of entropy.

    Parameters
    ----------
    source : Source
        A law with a density, and possibly atoms.  Where errors are weighted, the weighted distortion and the
        entropy under the plain law are traded; cells stay intervals.
    rate : float, 0.01 to 12 (bits)
        Entropy of the index.
    slope : float, > 0
        Distortion per bit: D + slope * H is minimised (instead of giving the rate).
    variant : {"optimal", "uniform_threshold", "dead_zone"}
        "optimal": thresholds and codepoints both free.  "uniform_threshold": equally spaced thresholds with
        a cell centred on zero, codepoints at the centroids.  "dead_zone": the same with the width of the
        zero cell free.

    Returns
    -------
    ScalarQuantiser
        `.design.slope` is the slope in distortion per bit, `.design.residual` the largest relative error of
        the threshold conditions ("optimal"), `.design.status` "converged" or what fell short.

    Notes
    -----
    What is guaranteed is a stationary point, the best from all starts of the method: thresholds at which both
    sides cost the same, codepoints at the centroids of the measure of errors.  An atom at an end of the support
    may have a cell of its own, whose threshold lies one rounding beside it; both ways are tried.  With atoms the
    entropy jumps along the family of optima, and a rate in a jump is met by the best of the branches that
    reach it.

    Raises
    ------
    ValueError
        If not exactly one of `rate` and `slope` is given, the rate is not between 0.01 and 12 bits or beyond
        the reach of the source, or the source is discrete.

    When not to use
    ---------------
    Without an entropy coder behind it: at log2 N bits a Lloyd-Max quantiser is better.

    References
    ----------
    Wood, IEEE Trans. IT-15 (1969); Berger, IT-18 (1972); Farvardin and Modestino, IT-30 (1984); Chou,
    Lookabaugh and Gray, IEEE Trans. ASSP-37 (1989); Sullivan, IT-42 (1996); Gyorgy and Linder, IT-46 (2000).

    Examples
    --------
    >>> from bitlaw.theory import Normal, entropy_constrained, evaluate
    >>> result = evaluate(entropy_constrained(Normal(), rate=1.0), Normal())
    >>> f"{result.entropy:.9f} {result.distortion:.9f}"
    '1.000000000 0.348261280'
    """
    if (rate is None) == (slope is None):
        raise ValueError("give exactly one of rate and slope")
    check_choice("variant", variant, ("optimal", "uniform_threshold", "dead_zone"))
    if source.discrete:
        raise ValueError("source must have a density for an entropy-constrained design, got a discrete law")
    if rate is not None:
        rate = _check_rate(rate)
        return _by_rate(source, rate, variant)
    return _by_slope(source, check_positive("slope", slope), variant)


def _check_rate(rate: object) -> float:
    value = check_positive("rate", rate)
    if not 0.01 <= value <= 12:
        raise ValueError(f"rate must be between 0.01 and 12 bits, got {value:g}")
    return value


def _by_slope(source: Source, slope: float, variant: str) -> ScalarQuantiser:
    if variant != "optimal":
        return _uniform_by_slope(source, slope, variant)
    if isinstance(source, Uniform):
        return uniform_entropy_constrained(source, None, slope)
    return _build(solve(source, slope))


def _by_rate(source: Source, rate: float, variant: str) -> ScalarQuantiser:
    if variant != "optimal":
        return _uniform_by_rate(source, rate, variant)
    if isinstance(source, Uniform):
        return uniform_entropy_constrained(source, rate, None)
    return _build(_point_of_rate(source, rate), rate)


def _build(point: Point, rate: float | None = None) -> ScalarQuantiser:
    codepoints, thresholds = unfold(point.cells)
    status = point.status + point.note
    missed = 0.0 if rate is None else point.missed(rate)
    if missed > _RATE_MISSED:
        status = f"{status}; no quantiser of {rate:g} bits was found, the nearest is returned"
    design = Design(
        method="entropy_constrained",
        status=status,
        iterations=point.iterations,
        residual=max(point.residual, missed),
        slope=point.slope,
    )
    return ScalarQuantiser(codepoints, thresholds, design=design)


def _point_of_rate(source: Source, rate: float) -> Point:
    """Slope whose solution has the wanted entropy: bracket from fresh starts, then follow the branch."""
    points: dict[float, Point] = {}

    def excess(log_slope: float) -> float:
        if log_slope not in points:
            points[log_slope] = _near(source, float(np.exp(log_slope)), points)
        missed = points[log_slope].cells.entropy - rate
        return 0.0 if abs(missed) < _RATE_TOLERANCE else missed

    _check_reach(source, rate)
    low, high = _bracket(source, rate, points)
    scipy.optimize.brentq(excess, low, high, xtol=1e-14, rtol=9e-16, maxiter=100, disp=False)
    point = min(points.values(), key=lambda point: point.missed(rate))
    if point.missed(rate) >= _RATE_MISSED and not one_measure(source):  # a jump between two branches
        branches = [_on_branch(source, rate, points[end], end) for end in (low, high)]
        met = [branch for branch in branches if branch.missed(rate) < _RATE_MISSED]
        point = min(met, key=lambda branch: branch.cells.distortion, default=point)
    reached = point.missed(rate) < _RATE_MISSED
    if not _lighter_than_gaussian(source):
        return point
    between = best_between(source, rate, thorough=not reached or rate < _SPARSE_RATE)
    if between is None or (reached and point.cells.distortion <= between[0].distortion):
        return point
    cells, slope, residual = between
    return Point(cells, slope, residual, point.iterations, "converged")


def _check_reach(source: Source, rate: float) -> None:
    """Refuse a rate that even the finest fixed-level design of a heavy tail does not spend."""
    if rate > _CERTAIN_RATE:
        finest = evaluate(half_step_compander(source, MAX_LEVELS), source).entropy
        if finest < rate + 0.1:
            raise ValueError(
                f"rate {rate:g} is beyond the reach of {source!r}: {MAX_LEVELS} levels end near {finest:.2f} bits"
            )


def _lighter_than_gaussian(source: Source) -> bool:
    """Whether the far tail falls faster than a Gaussian's of the same spread, or ends."""
    x, mean = 12 * spread_of(source), mean_of(source)
    with np.errstate(divide="ignore"):
        return bool(np.max(source.logpdf([mean - x, mean + x])) < -0.6 * 12**2)


def _bracket(source: Source, rate: float, points: dict[float, Point]) -> tuple[float, float]:
    """Logarithms of slopes with entropies on both sides of the rate, solved from fresh starts."""
    h = entropy_scale(source)
    low = high = float(
        np.log(_mean_ratio(source) * _LN2 / 6) + 2 * _LN2 * (h - rate)
    )  # Gish and Pierce (1968)
    for log_slope, sign in ((low, 1), (high, -1)):
        width = 0.05
        while True:
            points[log_slope] = solve(source, float(np.exp(log_slope)))
            if sign * (points[log_slope].cells.entropy - rate) >= 0:
                break
            log_slope, width = log_slope - sign * width, width * 2
            if width > _WIDEST:
                raise ValueError(f"rate {rate:g} is beyond the reach of {source!r}")
        low, high = (log_slope, high) if sign > 0 else (low, log_slope)
    return low, high


def _on_branch(source: Source, rate: float, end: Point, log_slope: float) -> Point:
    """Point nearest to a rate among those that continue one solved point."""
    points = {log_slope: end}

    def excess(at: float) -> float:
        if at not in points:
            points[at] = _near(source, float(np.exp(at)), points)
        return points[at].cells.entropy - rate

    sign = 1.0 if excess(log_slope) > 0 else -1.0
    beyond, width = log_slope, 0.1
    while sign * excess(beyond) > 0 and width < _WIDEST:
        beyond, width = beyond + sign * width, width * 2
    if sign * excess(beyond) <= 0:
        low, high = min(log_slope, beyond), max(log_slope, beyond)
        scipy.optimize.brentq(excess, low, high, xtol=1e-14, rtol=9e-16, maxiter=100, disp=False)
    return min(points.values(), key=lambda point: point.missed(rate))


def _mean_ratio(source: Source) -> float:
    """What an error weighs on average."""
    return 1.0 if one_measure(source) else float(source.partial_moments(-np.inf, np.inf)[0])


def _near(source: Source, slope: float, points: dict[float, Point]) -> Point:
    """Solution that continues the nearest solved one."""
    nearest = points[min(points, key=lambda known: abs(known - np.log(slope)))]
    start = nearest.cells
    cells, residual, iterations, status = descend(
        source, start.thresholds, start.fold, slope, held=start.held
    )
    return Point(cells, slope, residual, nearest.iterations + iterations, status, nearest.note)


def _uniform_by_rate(source: Source, rate: float, variant: str) -> ScalarQuantiser:
    if variant == "uniform_threshold":
        return _on_grid(source, step_of_entropy(source, rate, "mid-tread"), 1.0, variant)

    def distortion(log_zone: float) -> float:
        zone = float(np.exp(log_zone))
        step = step_of_entropy(source, rate, "mid-tread", zone)
        return evaluate(_on_grid(source, step, zone, variant), source).distortion

    found = scipy.optimize.minimize_scalar(
        distortion, bounds=_LOG_ZONES, method="bounded", options={"xatol": 1e-7}
    )
    zone = float(np.exp(found.x))
    return _on_grid(source, step_of_entropy(source, rate, "mid-tread", zone), zone, variant)


def _uniform_by_slope(source: Source, slope: float, variant: str) -> ScalarQuantiser:
    def cost(parameters: FloatArray) -> float:
        zone = float(np.exp(parameters[1])) if variant == "dead_zone" else 1.0
        result = evaluate(_on_grid(source, float(np.exp(parameters[0])), zone, variant), source)
        return result.distortion + slope * result.entropy

    first = np.array([0.5 * np.log(6 * slope / (_LN2 * _mean_ratio(source))), 0.0])  # the high-rate step
    found = scipy.optimize.minimize(
        cost, first, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-15 * source.std**2}
    )
    zone = float(np.exp(found.x[1])) if variant == "dead_zone" else 1.0
    return _on_grid(source, float(np.exp(found.x[0])), zone, variant, slope)


def _on_grid(
    source: Source, step: float, zone: float, variant: str, slope: float = float("nan")
) -> ScalarQuantiser:
    """Equally spaced thresholds (but for the zero cell) with centroids."""
    thresholds, middles = grid(source, step, "mid-tread", zone)
    edges = np.concatenate([[-np.inf], thresholds, [np.inf]])
    mass, first, _ = source.partial_moments(edges[:-1], edges[1:], middles)
    with np.errstate(invalid="ignore", divide="ignore"):
        codepoints = middles + np.where(mass > 0, first / mass, 0.0)
    design = Design(method=f"entropy_constrained ({variant})", status="converged", slope=slope)
    return ScalarQuantiser(codepoints, thresholds, design=design)
