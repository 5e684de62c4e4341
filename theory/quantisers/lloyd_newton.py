"""Newton's method for codepoints of least mean squared error, all of them free or some held fixed.

The distortion as a function of the codepoints alone has a tridiagonal second derivative.  Where it is not
positive definite it is moved towards the diagonal of cell masses (Levenberg and Marquardt), whose own step is
Lloyd's and never raises the distortion.  A codepoint that is held fixed takes its row out of the system.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._typing import FloatArray
from ..sources import Source
from .tridiagonal import solve_positive

__all__ = ["BoolArray", "Fold", "State", "is_minimum", "lopsided", "newton", "state_of"]

BoolArray = NDArray[np.bool_]

# A codepoint cannot be placed better than its own rounding: the residual's floor is this many ulps of the
# codepoint over the rms error of its cell.  Tuned: below 1 rounding never lets it stop, 100 accepts visible errors.
_FLOOR_ULPS = 4.0
# Weights of the cell masses added to the second derivative, tried in turn until a step helps; 0 is Newton's
# step, and at 1 and beyond the step is nearly Lloyd's, shortened.
_WEIGHTS = (0.0, 1e-6, 1e-4, 1e-2, 0.1, 1.0, 10.0)


@dataclass(frozen=True)
class Fold:
    """Which part of the line is solved, all of it or the positive half of a symmetric law, and what may move."""

    kind: str  # "full", "even" (left border fixed at 0), "odd" (left neighbour fixed at 0)
    free: BoolArray  # which codepoints move

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
class State:
    """Codepoints with all that a step needs: moments, second derivative, cost and residual."""

    q: FloatArray
    mass: FloatArray
    first: FloatArray
    second: FloatArray
    edges: FloatArray
    cost: float
    residual: float


def newton(source: Source, q: FloatArray, fold: Fold, max_iterations: int) -> tuple[State, int, str]:
    """Damped Newton steps until rounding stops them; the state, the number of steps and the status."""
    state = state_of(source, q, fold)
    if not (state.mass[fold.free] > 0).all():
        raise ValueError(
            f"levels: {len(fold.points(q))} codepoints on one side of {source!r} leave cells of no mass "
            "(beyond the support, or a probability below the floating range)"
        )
    for iteration in range(max_iterations):
        if _at_floor(state, fold):
            return state, iteration, "converged"
        matrix = _second_derivative(source, state, fold)
        trial = None
        for weight in _WEIGHTS:
            step, positive = _damped_step(state, matrix, weight, fold.free)
            trial = _line_search(source, state, step, fold) if positive else None
            if trial is not None:
                break
        if trial is None:
            return state, iteration, "stalled"
        state = trial
    return state, max_iterations, "converged" if _at_floor(state, fold) else "iteration limit"


def state_of(source: Source, q: FloatArray, fold: Fold) -> State:
    """Look at the cells of codepoints."""
    edges = fold.edges(q)
    mass, first, second = source.partial_moments(edges[:-1], edges[1:], fold.points(q))
    cost = float(second.sum())
    if fold.kind == "odd":  # the half cell of the fixed codepoint counts in the cost alone
        mass, first, second, edges = mass[1:], first[1:], second[1:], edges[1:]
    return State(q, mass, first, second, edges, cost, _residual(mass, first, second, fold.free))


def is_minimum(source: Source, state: State, free: BoolArray) -> bool:
    """Whether the second derivative in the free codepoints is positive definite on the whole line."""
    fold = Fold("full", free)
    return _damped_step(state, _second_derivative(source, state, fold), 0.0, free)[1]


def lopsided(state: State, free: BoolArray) -> FloatArray:
    """Codepoints moved off a symmetric saddle, by a small part of each cell's own error."""
    mean_square = np.divide(state.second, state.mass, out=np.zeros_like(state.mass), where=state.mass > 0)
    step = np.where(free, 0.1 * np.sqrt(mean_square), 0.0)
    return state.q + _longest_ordered(state.q, step, Fold("full", free)) * step


def _residual(mass: FloatArray, first: FloatArray, second: FloatArray, free: BoolArray) -> float:
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = (np.abs(first) / (np.sqrt(mass) * np.sqrt(second)))[free]
    return float(np.max(distance, initial=0.0)) if np.isfinite(distance).all() else np.inf


def _at_floor(state: State, fold: Fold) -> bool:
    """Whether the residual is what the rounding of the codepoints themselves explains."""
    with np.errstate(invalid="ignore", divide="ignore"):
        rms = np.sqrt(state.second / state.mass)[fold.free]
    if not (rms > 0).all():
        return False
    span = np.maximum(np.abs(state.q[fold.free]), rms)
    return bool(state.residual <= _FLOOR_ULPS * np.finfo(float).eps * np.max(span / rms, initial=0.0))


def _second_derivative(source: Source, state: State, fold: Fold) -> tuple[FloatArray, FloatArray]:
    """Diagonal and off-diagonal of half the second derivative of the distortion in the codepoints.

    Diagonal M_0 - (d_i f(t_i) + d_{i-1} f(t_{i-1})) / 4, off-diagonal -d_i f(t_i) / 4, d_i = q_{i+1} - q_i.
    """
    left = 0 if fold.kind == "odd" else 1
    pull = np.zeros(len(state.q) + 1)  # d f / 4 at each border; none at a border that does not move
    gaps = np.diff(fold.points(state.q))
    pull[left:-1] = gaps * source.distortion_density(state.edges[left:-1]) / 4
    return state.mass - pull[:-1] - pull[1:], -pull[1:-1]


def _damped_step(
    state: State, matrix: tuple[FloatArray, FloatArray], weight: float, free: BoolArray
) -> tuple[FloatArray, bool]:
    """Solve (second derivative + weight * masses) step = -gradient; False where that is not positive definite.

    The step of a codepoint that is held fixed is 0, and its row plays no part in the answer.
    """
    diagonal, off = matrix
    return solve_positive(
        np.where(free, diagonal + weight * state.mass, 1.0),
        np.where(free[:-1] & free[1:], off, 0.0),
        np.where(free, state.first, 0.0),
    )


def _line_search(source: Source, state: State, step: FloatArray, fold: Fold) -> State | None:
    """The longest of a few halvings that keeps the order and lowers the cost or the residual."""
    if not np.isfinite(step).all():
        return None
    scale = _longest_ordered(state.q, step, fold)
    for _ in range(12):
        q = state.q + scale * step
        if (q == state.q).all():
            return None
        trial = state_of(source, q, fold)
        lower_cost = trial.cost < state.cost * (1 - 1e-13)
        if np.isfinite(trial.residual) and (lower_cost or trial.residual < 0.9 * state.residual):
            return trial
        scale /= 2
    return None


def _longest_ordered(q: FloatArray, step: FloatArray, fold: Fold) -> float:
    """Largest fraction of the step, at most 1, that leaves a tenth of every gap (and of 0's half cell)."""
    low = q[0] if fold.kind == "full" else 0.0
    gaps = np.diff(q, prepend=low)
    closing = -np.diff(step, prepend=step[0] if fold.kind == "full" else 0.0)
    shrinking = closing > 0
    if not shrinking.any():
        return 1.0
    return float(min(1.0, np.min(0.9 * gaps[shrinking] / closing[shrinking])))
