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
the full matrix is checked and the search goes on without symmetry when it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._arguments import check_levels
from .._typing import ArrayLike, FloatArray
from ..sources import Empirical, Source
from .globally_optimal import globally_optimal
from .kmeans import kmeans
from .point_density import point_density_quantile, tail_offset
from .scalar import Design, ScalarQuantiser
from .tridiagonal import solve_positive

__all__ = ["lloyd_max"]

# Newton steps; from the cube-root start 4 to 12 are used, Lloyd steps of awkward laws included 50.
_MAX_ITERATIONS = 500
# A codepoint cannot be placed better than its own rounding: the residual's floor is this many ulps of the
# codepoint over the rms error of its cell.  Tuned: below 1 rounding never lets it stop, 100 accepts visible errors.
_FLOOR_ULPS = 4.0
# Weights of the cell masses added to the second derivative, tried in turn until a step helps; 0 is Newton's
# step, and at 1 and beyond the step is nearly Lloyd's, shortened.
_WEIGHTS = (0.0, 1e-6, 1e-4, 1e-2, 0.1, 1.0, 10.0)


@dataclass(frozen=True)
class _Fold:
    """Which part of the line is solved: all of it, or the positive half of a symmetric law."""

    kind: str  # "full", "even" (left border fixed at 0), "odd" (left neighbour fixed at 0)

    def edges(self, q: FloatArray) -> FloatArray:
        """Borders of the cells of codepoints q; for "odd" the half cell of the codepoint 0 comes first."""
        edges = np.empty(len(q) + 1 + (self.kind == "odd"))
        edges[-1] = np.inf
        edges[0] = -np.inf if self.kind == "full" else 0.0
        inner = edges[1:-1]
        if self.kind == "odd":
            inner[0] = q[0] / 2
            inner = inner[1:]
        np.add(q[:-1], q[1:], out=inner)
        inner *= 0.5
        return edges

    def points(self, q: FloatArray) -> FloatArray:
        """Codepoints of the cells of `edges`."""
        return np.concatenate([[0.0], q]) if self.kind == "odd" else q


@dataclass
class _State:
    """Codepoints with all that a step needs: moments, second derivative, cost and residual."""

    q: FloatArray
    mass: FloatArray
    first: FloatArray
    second: FloatArray
    edges: FloatArray
    cost: float
    residual: float


def lloyd_max(
    source: Source,
    levels: int,
    *,
    start: ArrayLike | None = None,
    certify: bool = False,
    max_iterations: int = _MAX_ITERATIONS,
) -> ScalarQuantiser:
    """Codepoints of least mean squared error for a fixed number of levels.

    Thresholds t_i = (q_i + q_{i+1}) / 2, codepoints q_i = M_1 / M_0 of their cells.

    Parameters
    ----------
    source : Source
        The law.  An `Empirical` source is solved by Lloyd's iteration on prefix sums (see `kmeans`).
    levels : int, 2 to 65,536
        Number of codepoints.
    start : array_like, shape (levels,), optional
        First guess, ascending; default the cube-root rule.
    certify : bool
        Where no theorem guarantees a global optimum, run the dynamic programme of `globally_optimal` on a
        fine discretisation, start again from its answer if that is better, and state the bracket.
    max_iterations : int
        Most steps to take; the design's status says when they did not suffice.

    Returns
    -------
    ScalarQuantiser
        `.design` holds status ("converged", "stalled", "iteration limit"), iterations, `residual` (largest
        distance of a codepoint from its centroid over the rms error of its cell) and `certificate`:
        "log-concave law" (the optimum is unique: Fleischer 1964, Kieffer 1983), "dynamic programming: ..."
        with the proven bracket, "local minimum" (second derivative positive definite), or "none".

    Raises
    ------
    ValueError, TypeError
        For impossible levels or a start of the wrong shape; for an empirical source with fewer distinct
        values than levels.

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
    """
    levels = check_levels(levels)
    if isinstance(source, Empirical):
        return kmeans(source, levels, exact=certify)
    found = _solve(source, levels, start, max_iterations)
    if not certify or found.certificate == "log-concave law":
        return _build(found)
    return _build(_certified(source, levels, found, max_iterations))


@dataclass
class _Found:
    codepoints: FloatArray
    cost: float
    iterations: int
    residual: float
    status: str
    certificate: str


def _solve(source: Source, levels: int, start: ArrayLike | None, max_iterations: int) -> _Found:
    """Newton's method from a start; symmetric laws without a start of the caller's by halves."""
    if start is not None or not source.symmetric:
        q = _checked_start(start, levels) if start is not None else _cube_root_start(source, levels)
        return _found(source, *_newton(source, q, _Fold("full"), max_iterations))
    half, steps, status = _newton(
        source,
        _cube_root_start(source, levels)[-(levels // 2) :],
        _Fold("odd" if levels % 2 else "even"),
        max_iterations,
    )
    centre = [0.0] if levels % 2 else []
    q = np.concatenate([-half.q[::-1], centre, half.q])
    if source.log_concave:
        return _Found(q, 2 * half.cost, steps, half.residual, status, "log-concave law")
    full = _state(source, q, _Fold("full"))
    if _is_minimum(source, full):
        return _Found(q, 2 * half.cost, steps, half.residual, status, "local minimum")
    return _found(source, *_newton(source, _lopsided(full), _Fold("full"), max_iterations))


def _found(source: Source, state: _State, steps: int, status: str) -> _Found:
    if source.log_concave:
        certificate = "log-concave law"
    else:
        certificate = "local minimum" if _is_minimum(source, state) else "none"
    return _Found(state.q, state.cost, steps, state.residual, status, certificate)


def _certified(source: Source, levels: int, found: _Found, max_iterations: int) -> _Found:
    """Compare with the exact optimum of a discretised law, and start again from it when it is better."""
    optimum = globally_optimal(source, levels)
    if optimum.distortion < found.cost * (1 - 1e-9):
        again = _solve(source, levels, optimum.quantiser.codepoints, max_iterations)
        if again.cost < found.cost:
            found = again
    excess = found.cost / optimum.lower_bound - 1 if optimum.lower_bound > 0 else np.inf
    found.certificate = f"dynamic programming: at most {max(excess, 0.0):.1e} above the optimum"
    return found


def _build(found: _Found) -> ScalarQuantiser:
    design = Design(
        method="lloyd_max",
        status=found.status,
        iterations=found.iterations,
        residual=found.residual,
        certificate=found.certificate,
    )
    return ScalarQuantiser(found.codepoints, design=design)


def _checked_start(start: ArrayLike, levels: int) -> FloatArray:
    q = np.array(start, dtype=np.float64)
    if q.shape != (levels,) or not np.isfinite(q).all() or (np.diff(q) <= 0).any():
        raise ValueError(
            f"start must hold {levels} finite, strictly ascending codepoints, got shape {q.shape}"
        )
    return q


def _cube_root_start(source: Source, levels: int) -> FloatArray:
    """Cube-root codepoints at the quantiles (i + c) / (N + 1 + 2c), with c such that the last two fit."""
    c = tail_offset(source)
    return point_density_quantile(source, 1 / 3)((np.arange(1, levels + 1) + c) / (levels + 1 + 2 * c))


def _lopsided(state: _State) -> FloatArray:
    """Codepoints moved off a symmetric saddle, by a small part of each cell's own error."""
    return state.q + 0.1 * np.sqrt(state.second / state.mass)


def _newton(source: Source, q: FloatArray, fold: _Fold, max_iterations: int) -> tuple[_State, int, str]:
    """Damped Newton steps until rounding stops them."""
    state = _state(source, q, fold)
    if not (state.mass > 0).all():
        raise ValueError(
            f"levels: {len(fold.points(q))} codepoints on one side of {source!r} leave cells of no mass "
            "(beyond the support, or a probability below the floating range)"
        )
    for iteration in range(max_iterations):
        if _at_floor(state):
            return state, iteration, "converged"
        matrix = _second_derivative(source, state, fold)
        trial = None
        for weight in _WEIGHTS:
            step, positive = _damped_step(state, matrix, weight)
            trial = _line_search(source, state, step, fold) if positive else None
            if trial is not None:
                break
        if trial is None:
            return state, iteration, "stalled"
        state = trial
    return state, max_iterations, "converged" if _at_floor(state) else "iteration limit"


def _state(source: Source, q: FloatArray, fold: _Fold) -> _State:
    edges = fold.edges(q)
    mass, first, second = source.partial_moments(edges[:-1], edges[1:], fold.points(q))
    cost = float(second.sum())
    if fold.kind == "odd":  # the half cell of the fixed codepoint counts in the cost alone
        mass, first, second, edges = mass[1:], first[1:], second[1:], edges[1:]
    return _State(q, mass, first, second, edges, cost, _residual(mass, first, second))


def _residual(mass: FloatArray, first: FloatArray, second: FloatArray) -> float:
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = np.abs(first) / (np.sqrt(mass) * np.sqrt(second))
    return float(np.max(distance)) if np.isfinite(distance).all() else np.inf


def _at_floor(state: _State) -> bool:
    """Whether the residual is what the rounding of the codepoints themselves explains."""
    with np.errstate(invalid="ignore", divide="ignore"):
        rms = np.sqrt(state.second / state.mass)
    if not (rms > 0).all():
        return False
    span = np.maximum(np.abs(state.q), rms)
    return bool(state.residual <= _FLOOR_ULPS * np.finfo(float).eps * np.max(span / rms))


def _second_derivative(source: Source, state: _State, fold: _Fold) -> tuple[FloatArray, FloatArray]:
    """Diagonal and off-diagonal of half the second derivative of the distortion in the codepoints.

    Diagonal M_0 - (d_i f(t_i) + d_{i-1} f(t_{i-1})) / 4, off-diagonal -d_i f(t_i) / 4, d_i = q_{i+1} - q_i.
    """
    left = 0 if fold.kind == "odd" else 1
    pull = np.zeros(len(state.q) + 1)  # d f / 4 at each border; none at a border that does not move
    gaps = np.diff(fold.points(state.q))
    pull[left:-1] = gaps * source.distortion_density(state.edges[left:-1]) / 4
    return state.mass - pull[:-1] - pull[1:], -pull[1:-1]


def _damped_step(
    state: _State, matrix: tuple[FloatArray, FloatArray], weight: float
) -> tuple[FloatArray, bool]:
    """Solve (second derivative + weight * masses) step = -gradient; False where that is not positive definite."""
    diagonal, off = matrix
    return solve_positive(diagonal + weight * state.mass, off, state.first)


def _is_minimum(source: Source, state: _State) -> bool:
    return _damped_step(state, _second_derivative(source, state, _Fold("full")), 0.0)[1]


def _line_search(source: Source, state: _State, step: FloatArray, fold: _Fold) -> _State | None:
    """The longest of a few halvings that keeps the order and lowers the cost or the residual."""
    if not np.isfinite(step).all():
        return None
    scale = _longest_ordered(state.q, step, fold)
    for _ in range(12):
        q = state.q + scale * step
        if (q == state.q).all():
            return None
        trial = _state(source, q, fold)
        lower_cost = trial.cost < state.cost * (1 - 1e-13)
        if np.isfinite(trial.residual) and (lower_cost or trial.residual < 0.9 * state.residual):
            return trial
        scale /= 2
    return None


def _longest_ordered(q: FloatArray, step: FloatArray, fold: _Fold) -> float:
    """Largest fraction of the step, at most 1, that leaves a tenth of every gap (and of 0's half cell)."""
    low = q[0] if fold.kind == "full" else 0.0
    gaps = np.diff(q, prepend=low)
    closing = -np.diff(step, prepend=step[0] if fold.kind == "full" else 0.0)
    shrinking = closing > 0
    if not shrinking.any():
        return 1.0
    return float(min(1.0, np.min(0.9 * gaps[shrinking] / closing[shrinking])))
