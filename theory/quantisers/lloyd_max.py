"""Lloyd-Max quantisers: least mean squared error for a fixed number of codepoints.

The conditions (Lloyd 1957/1982, Max 1960) are that thresholds are midpoints and codepoints are centroids.
Alternating between them converges linearly, and for many levels or heavy tails it needs tens of thousands of
steps.  The distortion as a function of the codepoints alone has a tridiagonal second derivative, so Newton's
method costs as little per step as Lloyd's and converges quadratically from the cube-root start.  Where the
matrix is not positive definite it is moved towards the diagonal of cell masses (Levenberg and Marquardt),
whose own step is Lloyd's and never raises the distortion.

The catch is symmetry.  For a symmetric law only one half is solved, which keeps the design exactly
symmetric, and makes the borderline case (two levels on a Laplace law, where shifting both codepoints costs
nothing to second order) well posed.  A symmetric solution can be a saddle when the law is not log-concave;
the full matrix is checked and the search goes on without symmetry when it is.  Laws with much mass at an end
(an element divided by the largest of its block) have several minima, which differ in whether the outermost
codepoint lies at that end; all are sought, and the best need not be symmetric.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .._arguments import check_levels
from .._typing import ArrayLike, FloatArray
from ..sources import Empirical, Source
from ._integers import checked_integer
from .discrete_design import discrete_lloyd_max
from .globally_optimal import globally_optimal
from .kmeans import kmeans
from .lloyd_newton import BoolArray, Fold, is_minimum, lopsided, newton, state_of
from .lloyd_start import HeavyEnd, heavy_ends, mirrored, starts_of
from .pinned import checked_pins, pinned_kmeans
from .scalar import Design, ScalarQuantiser

__all__ = ["lloyd_max"]

# Newton steps; from the cube-root start 4 to 12 are used, Lloyd steps of awkward laws included 50.
_NEWTON_STEPS = 500
# Steps of Lloyd's iteration on data, which ends by itself when no value changes its cell; on data in blocks each
# takes milliseconds.
_MOST_STEPS, _MOST_BLOCK_STEPS = 10_000, 200
# A start is symmetric where mirror images agree to this; quantiles by quadrature leave about 1e-13.
_EVEN = 1e-9
# Distortions that differ less are of one solution, reached twice.
_EQUAL = 1e-13
# Residual of the whole line, relative as `Design.residual`, up to which a solution by halves is one; an atom
# at the centre, which the halves do not see, leaves far more.
_CONSISTENT = 1e-9


def lloyd_max(
    source: Source,
    levels: int,
    *,
    start: ArrayLike | None = None,
    pinned: Mapping[int, float] | None = None,
    certify: bool = False,
    max_iterations: int | None = None,
) -> ScalarQuantiser:
    """Codepoints of least mean squared error for a fixed number of levels.

    Thresholds t_i = (q_i + q_{i+1}) / 2, codepoints q_i = M_1 / M_0 of their cells.

    Parameters
    ----------
    source : Source
        The law.  An `Empirical` source is solved by Lloyd's iteration on prefix sums (see `kmeans`), measured
        data in scaled blocks by the same iteration on their exact moments.  Where errors are weighted, the
        weighted error is minimised.
    levels : int, 2 to 65,536
        Number of codepoints.
    start : array_like, shape (levels,), optional
        First guess, ascending; default the cube-root rule, and where a bounded law holds much mass at an end
        (an atom, say) the same with a codepoint there, for each choice of such ends; the best is returned.
        For data the default is the best codebook of the data in bins.
    pinned : mapping of int to float, optional
        Codepoints that stay where they are, by their place in ascending order (negative: from the end), such
        as {0: -1.0, -1: 1.0}.  Only the others are optimised.
    certify : bool
        Where no theorem guarantees a global optimum, run the dynamic programme of `globally_optimal` on a
        fine discretisation, start again from its answer if that is better, and state the bracket.
    max_iterations : int, >= 1, optional
        Most steps to take, default 500 of Newton's, 10,000 of Lloyd's on data and 200 on measured data in
        blocks; the design's status says when they did not suffice.

    Returns
    -------
    ScalarQuantiser
        `.design` holds status ("converged", "stalled", "iteration limit"), iterations, `residual` (largest
        distance of a free codepoint from its centroid over the rms error of its cell) and `certificate`:
        "log-concave law" (the optimum is unique, with pins too: Fleischer 1964, Kieffer 1983), "dynamic
        programming: ..." with the proven bracket (with pins: from the optimum without), "local minimum"
        (second derivative in the free codepoints positive definite), which also says of how many solutions
        it is the lowest, or "none".

    Raises
    ------
    ValueError, TypeError
        For impossible levels or iterations, or a start of the wrong shape; for pins out of range, not finite or not
        ascending, or free codepoints between or beyond them where the law has no mass; for an empirical
        source with fewer distinct values than levels.

    References
    ----------
    Max, IRE Trans. IT-6 (1960) eq. 7-8; Lloyd, IEEE Trans. IT-28 (1982).

    Examples
    --------
    >>> from bitlaw.theory import Normal, evaluate, lloyd_max
    >>> quantiser = lloyd_max(Normal(), 4)
    >>> quantiser.codepoints.round(6)
    array([-1.510418, -0.45278 ,  0.45278 ,  1.510418])
    >>> f"{evaluate(quantiser, Normal()).distortion:.10f}"
    '0.1174818478'
    >>> lloyd_max(Normal(), 4, pinned={1: 0.0}).codepoints.round(6)
    array([-1.224006,  0.      ,  0.764568,  1.724147])
    """
    levels = check_levels(levels)
    held = checked_pins(pinned, levels)
    guess = None if start is None else _checked_start(start, levels, held)
    most = _MOST_STEPS if max_iterations is None else max_iterations
    limit = checked_integer("max_iterations", most, 1, _MOST_STEPS)
    if len(held) == levels:
        return _all_pinned(held)
    if isinstance(source, Empirical):
        if held:
            return pinned_kmeans(source, levels, held, start=guess, max_iterations=limit)
        return kmeans(source, levels, start=guess, exact=certify, max_iterations=limit)
    if source.discrete:
        steps = _MOST_BLOCK_STEPS if max_iterations is None else limit
        return discrete_lloyd_max(source, levels, held, guess, steps)
    limit = _NEWTON_STEPS if max_iterations is None else limit
    found = _solve(source, levels, guess, held, limit)
    if not certify or found.certificate == "log-concave law":
        return _build(found)
    return _build(_certified(source, levels, found, held, limit))


def _all_pinned(held: dict[int, float]) -> ScalarQuantiser:
    design = Design(method="lloyd_max", status="converged", certificate="every codepoint is pinned")
    return ScalarQuantiser(np.array([held[k] for k in range(len(held))]), design=design)


@dataclass
class _Found:
    codepoints: FloatArray
    cost: float
    iterations: int
    residual: float
    status: str
    certificate: str


def _solve(
    source: Source, levels: int, start: FloatArray | None, pinned: dict[int, float], max_iterations: int
) -> _Found:
    """Newton's method from each start that can matter, or from the caller's alone; the best is kept."""
    if start is not None:
        return _solve_full(source, start, pinned, max_iterations)
    heavy = heavy_ends(source)
    starts = starts_of(source, levels, pinned, heavy)
    found = [_solve_from(source, q, pinned, max_iterations) for q in starts]
    lowest = min(candidate.cost for candidate in found)
    best = max(  # a symmetric one of equals
        (candidate for candidate in found if candidate.cost <= lowest * (1 + _EQUAL)),
        key=lambda candidate: np.array_equal(candidate.codepoints, -candidate.codepoints[::-1]),
    )
    if len(found) > 1 and best.certificate == "local minimum":
        where = _ends_served(source, heavy, best.codepoints)
        best.certificate = f"local minimum, the lowest from {len(found)} starts ({where})"
    return best


def _solve_from(source: Source, q: FloatArray, pinned: dict[int, float], max_iterations: int) -> _Found:
    """Symmetric laws from a symmetric start by halves, unless that ends at a saddle."""
    levels = len(q)
    half, centre = q[levels - levels // 2 :], [0.0] if levels % 2 else []
    if not (source.symmetric and mirrored(pinned, levels) and _is_even(q)):
        return _solve_full(source, q, pinned, max_iterations)
    free = _free(levels, pinned)
    fold = Fold("odd" if levels % 2 else "even", free[levels - levels // 2 :])
    solved, steps, status = newton(source, half, fold, max_iterations)
    q = np.concatenate([-solved.q[::-1], centre, solved.q])
    if source.log_concave:
        return _Found(q, 2 * solved.cost, steps, solved.residual, status, "log-concave law")
    full = state_of(source, q, Fold("full", free))
    if is_minimum(source, full, free) and full.residual <= max(2 * solved.residual, _CONSISTENT):
        return _Found(q, full.cost, steps, solved.residual, status, "local minimum")
    return _solve_full(source, lopsided(full, free), pinned, max_iterations)


def _solve_full(source: Source, q: FloatArray, pinned: dict[int, float], max_iterations: int) -> _Found:
    free = _free(len(q), pinned)
    state, steps, status = newton(source, q, Fold("full", free), max_iterations)
    if source.log_concave:
        certificate = "log-concave law"
    else:
        certificate = "local minimum" if is_minimum(source, state, free) else "none"
    return _Found(state.q, state.cost, steps, state.residual, status, certificate)


def _free(levels: int, pinned: dict[int, float]) -> BoolArray:
    free = np.ones(levels, dtype=np.bool_)
    free[list(pinned)] = False
    return free


def _is_even(q: FloatArray) -> bool:
    """Whether a start is symmetric, but for rounding."""
    return bool((np.abs(q + q[::-1]) <= _EVEN * np.abs(q).max()).all())


def _ends_served(source: Source, heavy: list[HeavyEnd], codepoints: FloatArray) -> str:
    served = [end.index for end in heavy if end.served(source, codepoints)]
    if len(served) == 2:
        return "a codepoint for either end of the law"
    if not served:
        return "no codepoint for an end of the law alone"
    return f"a codepoint for the {'lower' if served[0] == 0 else 'upper'} end of the law"


def _certified(
    source: Source, levels: int, found: _Found, pinned: dict[int, float], max_iterations: int
) -> _Found:
    """Compare with the exact optimum of a discretised law, and start again from it when it is better."""
    optimum = globally_optimal(source, levels)
    if not pinned and optimum.distortion < found.cost * (1 - 1e-9):
        again = _solve(source, levels, optimum.quantiser.codepoints, pinned, max_iterations)
        if again.cost < found.cost:
            found = again
    excess = found.cost / optimum.lower_bound - 1 if optimum.lower_bound > 0 else np.inf
    whose = "the optimum without pins" if pinned else "the optimum"
    found.certificate = f"dynamic programming: at most {_rounded_up(excess):.1e} above {whose}"
    return found


def _rounded_up(excess: float) -> float:
    """Two digits that are not below the number."""
    if not 0 < excess < np.inf:
        return max(excess, 0.0)
    unit = 10.0 ** (np.floor(np.log10(excess)) - 1)
    return float(np.ceil(excess / unit) * unit)


def _build(found: _Found) -> ScalarQuantiser:
    design = Design(
        method="lloyd_max",
        status=found.status,
        iterations=found.iterations,
        residual=found.residual,
        certificate=found.certificate,
    )
    return ScalarQuantiser(found.codepoints, design=design)


def _checked_start(start: ArrayLike, levels: int, pinned: dict[int, float]) -> FloatArray:
    q = np.array(start, dtype=np.float64)
    if q.shape == (levels,):
        q[list(pinned)] = list(pinned.values())
    if q.shape != (levels,) or not np.isfinite(q).all() or (np.diff(q) <= 0).any():
        raise ValueError(
            f"start must hold {levels} finite, strictly ascending codepoints (the pinned ones in their places), "
            f"got shape {q.shape}"
        )
    return q
