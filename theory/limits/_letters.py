"""A law as the weighted rate-distortion problem sees it: probability and weight of every letter.

The error of a letter x counts rho(x) = (density of the weighted measure) / (density of the plain law); at an
atom it is the ratio of the masses.  Both densities are kept as Chebyshev series on panels, because a solver
asks for them at tens of thousands of places for every slope, and a law of divided elements takes a quadrature
for each.

The catch is atoms: a source does not list them.  They are looked for where the law says that it is not
analytic, at the ends of its support and at 0; one anywhere else is missed mass, which raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .._typing import FloatArray
from ..sources import Source
from ._panels import DEGREE, FIT, INTEGRAL, NODES, law_ends

__all__ = ["Letters", "law_atoms", "weighted_letters"]

_LAST_TERMS = 1e-12  # last Chebyshev terms over the largest value: the accuracy that sources promise
_NOISE = 1e-8  # last terms up to which a panel that bisection does not improve counts as resolved
_EMPTY = 1e-15  # mass of a panel, of both measures, that is not looked into any further
_LOST = 1e-9  # share of either measure that panels and atoms may miss
_DEPTH = 60  # bisections of one panel
_LEAST_ATOM = 1e-12  # mass of an atom; lighter ones move a rate by less than 1e-10 bit
_GRADES = 13  # pieces of an outermost panel; the last is 1e-11 of it
_EDGES = (1e-9, 1e-4, 0.0137, 0.3781)  # levels of the first edges: no round number, so that none hits a cusp


@dataclass(frozen=True, eq=False)
class Letters:
    """Panels of the densities, and atoms; all letters whose errors count have a probability of one together.

    Attributes
    ----------
    lower, upper : ndarray of float64, shape (n,)
        Ends of the panels, ascending.
    density, weighted : ndarray of float64, shape (n, DEGREE + 1)
        Chebyshev coefficients of the density and of the weighted one on each panel.
    points, masses, weights : ndarray of float64, shape (m,)
        Atoms in ascending order, their probabilities, and rho there.
    silent : float
        Probability of the letters whose errors count nothing, and of what is no letter at all (an element of a
        block without a scale); they are left out of everything above.
    lost : float
        Weighted energy, about the nearer end, of the tails beyond the panels.
    """

    lower: FloatArray
    upper: FloatArray
    density: FloatArray
    weighted: FloatArray
    points: FloatArray
    masses: FloatArray
    weights: FloatArray
    silent: float
    lost: float

    def densities(self, panel: NDArray[np.int64], x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Both densities at x, each in its panel; rounding below 0 is cut off."""
        middle, half = (self.lower + self.upper) / 2, (self.upper - self.lower) / 2
        at = (x - middle[panel]) / half[panel]
        plain, weighted = (_series(c, panel, at) for c in (self.density, self.weighted))
        return np.maximum(plain, 0.0), np.maximum(weighted, 0.0)

    def graded(self) -> tuple[FloatArray, FloatArray]:
        """Panels cut towards the ends of the law, where roots and logarithms of a density are rough."""
        return graded(self.lower, self.upper)


def graded(lower: FloatArray, upper: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Cut the outermost of consecutive panels at distances from the end that fall by eights."""
    steps = 8.0 ** -np.arange(1.0, _GRADES)
    first, last = lower[0] + (upper[0] - lower[0]) * steps, upper[-1] - (upper[-1] - lower[-1]) * steps
    edges = np.unique(np.concatenate([lower, upper[-1:], first, last]))
    return edges[:-1], edges[1:]


def _series(coefficients: FloatArray, row: NDArray[np.int64], at: FloatArray) -> FloatArray:
    """Clenshaw's recurrence, each point in its own row."""
    one, two = np.zeros(at.size), np.zeros(at.size)
    for k in range(coefficients.shape[1] - 1, 0, -1):
        one, two = coefficients[row, k] + 2 * at * one - two, one
    return np.asarray(coefficients[row, 0] + at * one - two)


@lru_cache(maxsize=64)
def weighted_letters(source: Source) -> Letters:
    """Panels and atoms of a law; ValueError where they do not hold all of both measures."""
    points, masses, energies = law_atoms(source)
    lower, upper, density, weighted = _panels(source)
    half = (upper - lower) / 2
    _check(
        source,
        lower,
        upper,
        (half * (density @ INTEGRAL), half * (weighted @ INTEGRAL)),
        (points, masses, energies),
    )
    loud = energies > 0
    share = float(source.probability(-np.inf, np.inf)) - float(masses[~loud].sum())
    return Letters(
        lower,
        upper,
        density / share,
        weighted / share,
        points[loud],
        masses[loud] / share,
        energies[loud] / masses[loud],
        1.0 - share,
        _tails(source, lower, upper) / share,
    )


@lru_cache(maxsize=64)
def law_atoms(source: Source) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Atoms at the places that a law could have them at: where, probability, weighted mass."""
    places = np.unique([0.0, *source.breakpoints, *(end for end in source.support if np.isfinite(end))])
    near = np.nextafter(places, -np.inf)
    far = places - 1024 * np.spacing(np.abs(places))
    mass, around = source.probability(near, places), source.probability(far, places)
    atom = (mass > _LEAST_ATOM) & ((around < 1.5 * mass) | source.discrete)  # a pole has more beside it
    energy = source.partial_moments(near, places, places)[0]
    return places[atom], mass[atom], energy[atom]


def _panels(source: Source) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Ends and series of panels on which both densities are as good as polynomials."""
    if source.discrete:
        none = np.empty((0, DEGREE + 1))
        return np.empty(0), np.empty(0), none, none
    start, stop = law_ends(source)
    levels = np.array(_EDGES)
    marks = np.concatenate([source.ppf(levels), source.isf(0.73 * levels), source.breakpoints])
    edges = np.unique(np.concatenate([[start, stop], marks[(marks > start) & (marks < stop)]]))
    lower, upper = edges[:-1], edges[1:]
    before = np.full(lower.size, np.inf)
    done = []
    for depth in range(_DEPTH):
        plain, weighted = _fitted(source, lower, upper)
        tail = np.maximum(_last_terms(plain), _last_terms(weighted))
        half = (upper - lower) / 2
        empty = np.maximum(half * np.abs(plain).max(axis=1), half * np.abs(weighted).max(axis=1)) < _EMPTY
        keep = (tail <= _LAST_TERMS) | ((tail <= _NOISE) & (tail > before / 1.5)) | empty
        keep |= depth == _DEPTH - 1
        done.append((lower[keep], upper[keep], plain[keep], weighted[keep]))
        lower, upper, before = lower[~keep], upper[~keep], np.tile(tail[~keep], 2)
        if not lower.size:
            break
        middle = lower + (upper - lower) / 2
        lower, upper = np.concatenate([lower, middle]), np.concatenate([middle, upper])
    found = [np.concatenate(parts) for parts in zip(*done, strict=True)]
    order = np.argsort(found[0])
    return found[0][order], found[1][order], found[2][order], found[3][order]


def _fitted(source: Source, lower: FloatArray, upper: FloatArray) -> tuple[FloatArray, FloatArray]:
    half = (upper - lower) / 2
    points = (lower + half)[:, None] + half[:, None] * NODES
    with np.errstate(all="ignore"):
        values = (source.pdf(points), source.distortion_density(points))
    plain, weighted = (np.nan_to_num(value, nan=0.0, posinf=0.0) @ FIT for value in values)
    return plain, weighted


def _last_terms(series: FloatArray) -> FloatArray:
    """Size of the last terms relative to the whole series."""
    return np.asarray(np.abs(series[:, -3:]).max(axis=1) / np.maximum(np.abs(series).sum(axis=1), 1e-300))


def _check(
    source: Source,
    lower: FloatArray,
    upper: FloatArray,
    held: tuple[FloatArray, FloatArray],
    atoms: tuple[FloatArray, FloatArray, FloatArray],
) -> None:
    """Raise where panels and atoms do not hold both measures."""
    points, *masses = atoms
    ends = np.append(lower, upper[-1:]) if lower.size else np.empty(0)
    wanted = (source.probability(lower, upper), source.partial_moments(lower, upper)[0])
    totals = (float(source.probability(-np.inf, np.inf)), float(source.partial_moments(-np.inf, np.inf)[0]))
    inside = np.searchsorted(ends, points, side="left") - 1  # panels are (lower, upper]
    counted = (inside >= 0) & (inside < lower.size)
    for name, total, have, want, mass in zip(
        ("probability", "weighted measure"), totals, held, wanted, masses, strict=True
    ):
        missing = want - have - np.bincount(inside[counted], mass[counted], lower.size)
        gone = total - float(have.sum()) - float(mass.sum())
        if np.abs(missing).max(initial=abs(gone)) > _LOST * total:
            worst = int(np.argmax(np.abs(missing))) if lower.size else 0
            where = (
                f"most between {lower[worst]:.6g} and {upper[worst]:.6g}"
                if lower.size
                else "outside the atoms"
            )
            raise ValueError(
                f"source must have densities and atoms that hold its whole {name}; "
                f"{gone / total:.3g} of it is missing, {where}"
            )


def _tails(source: Source, lower: FloatArray, upper: FloatArray) -> float:
    if not lower.size:
        return 0.0
    left = source.partial_moments(-np.inf, lower[0], lower[0])[2]
    right = source.partial_moments(upper[-1], np.inf, upper[-1])[2]
    return float(left + right)
