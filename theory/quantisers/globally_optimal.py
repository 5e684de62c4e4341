"""The best quantiser there is, with a proof: dynamic programming on data, or on a law cut into atoms.

For data the dynamic programme of `_partition` is exact.  A continuous law is cut into cells ("atoms") A_m,
each replaced by its mass p_m at its centroid c_m; the optimum of the atoms is a quantiser of the law that is
good to a fraction of an atom, and it bounds from below what any quantiser of the law can reach.

Proof of the bound.  Let Q be optimal for the law, with codepoints q_i and thresholds t_i at their midpoints,
and let q_i be nearest to c_m.  In an atom without a threshold every x belongs to q_i, so that

    int_A min_j (x - q_j)^2 f dx = W_m + p_m (c_m - q_i)^2,    W_m = int_A (x - c_m)^2 f dx,

since c_m is the centroid.  In an atom with thresholds, x beyond t_i, ..., t_{l-1} on the right of c_m belongs
to q_l, and is nearer to it than to q_i by (x - q_i)^2 - (x - q_l)^2 = 2 (q_l - q_i) (x - (q_i + q_l) / 2)
<= 2 (q_l - q_i) (x - c_m).  Likewise on the left.  The integral of (x - c_m) over the right part of an atom
is half of V_m = int_A |x - c_m| f dx, and so is that of (c_m - x) over the left part.  Hence with G_m the sum
of the gaps q_{j+1} - q_j whose thresholds lie in the atom,

    int_A min_j (x - q_j)^2 f dx >= W_m + p_m min_j (c_m - q_j)^2 - G_m V_m.

Sum over the atoms of an interval that leaves out the far tails, whose error is not negative:

    D* >= D*_atoms + sum W_m - sum G_m V_m.

It remains to bound the last sum without knowing Q.  Group the atoms.  The thresholds t_i, ..., t_{l-1} in the
group (a, b] have gaps that add up to q_l - q_i.  Codepoints of an optimum are centroids of their cells, so
that q_l <= E[X | X > t_{l-1}] <= E[X | X > b] and q_i >= E[X | X <= a].  Therefore

    sum G_m V_m <= sum over groups of (E[X | X > b] - E[X | X <= a]) max V_m.

Only moments of the law enter, and all of them hold for infinite supports, for weighted measures and for laws
with atoms of their own.  Per group the bound falls as the square of the number of atoms per codepoint.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._arguments import check_levels
from .._typing import FloatArray
from ..sources.base import Source
from ..sources.empirical import Empirical
from ._atoms import atoms_of
from ._centroids import CellState, cells_of
from ._partition import optimal_codepoints
from .scalar import Design, ScalarQuantiser

__all__ = ["GlobalOptimum", "globally_optimal"]

# Atoms for each level when the caller does not choose: the bracket is then 1e-5 to 2e-4 of the distortion
# wide (levels up to 2048; the heavier the tails, the wider).  Ten times as many narrow it a hundredfold.
_ATOMS_PER_LEVEL = 512
_FEWEST_ATOMS, _MOST_ATOMS = 1 << 14, 1 << 20
# Lloyd steps that take the codepoints from the optimum of the atoms to that of the law; each only improves.
_STEPS = 20


@dataclass(frozen=True)
class GlobalOptimum:
    """A quantiser, its distortion, and a bound that no quantiser of as many levels can undercut.

    Attributes
    ----------
    quantiser : ScalarQuantiser
    distortion : float
        Mean squared error of the quantiser on the source.
    lower_bound : float
        Proved lower bound of the mean squared error of every quantiser with as many codepoints.
    """

    quantiser: ScalarQuantiser
    distortion: float
    lower_bound: float


def globally_optimal(source: Source, levels: int, *, atoms: int | None = None) -> GlobalOptimum:
    """Least mean squared error over all quantisers, found and certified by dynamic programming.

    Parameters
    ----------
    source : Source
        For an `Empirical` source the optimum is exact (up to rounding, 1e-16 levels^2 of the distortion);
        any other law is cut into atoms.
    levels : int, 1 to 65,536
        Number of codepoints; for data at most the number of distinct values.
    atoms : int, optional
        Number of atoms that a continuous law is cut into, at least twice the levels; 512 per level, within
        2^14 to 2^20, when left out.

    Returns
    -------
    GlobalOptimum
        Quantiser, its distortion and a proved lower bound.  With thresholds at midpoints; `.quantiser.design`
        has certificate "dynamic programming".

    Raises
    ------
    TypeError
        If levels or atoms are not integers.
    ValueError
        If levels is out of range, data have fewer distinct values than levels, or the atoms are too few or
        given for data.

    Notes
    -----
    Time grows as atoms * log(atoms): about 2 seconds for 2^20 of them.  Memory: 80 bytes an atom, and what
    the source needs for as many partial moments.  For a log-concave law the optimum is unique, and
    `lloyd_max` finds it to more digits in less time.

    References
    ----------
    Bruce, Optimum quantization (1965); Wu, Optimal quantization by matrix searching, J. Algorithms 12 (1991).

    Examples
    --------
    >>> from bitlaw.theory import Empirical
    >>> optimum = globally_optimal(Empirical([0.0, 1.0, 7.0, 8.0, 9.0]), 2)
    >>> optimum.quantiser.codepoints, round(optimum.distortion, 12)
    (array([0.5, 8. ]), 0.5)
    """
    levels = check_levels(levels, least=1)
    if isinstance(source, Empirical):
        if atoms is not None:
            raise ValueError("atoms are those of the data; leave them out for an Empirical source")
        return _optimum_of_data(source, levels)
    return _optimum_of_law(source, levels, _checked_atoms(atoms, levels))


def check_enough(source: Empirical, levels: int) -> None:
    """Raise ValueError where data have too few distinct values to fill the cells."""
    if source.distinct < levels:
        raise ValueError(
            f"levels must be at most the number of distinct values, {source.distinct}, got {levels}"
        )


def _checked_atoms(atoms: int | None, levels: int) -> int:
    if atoms is None:
        return min(max(_FEWEST_ATOMS, _ATOMS_PER_LEVEL * levels), _MOST_ATOMS)
    if isinstance(atoms, bool) or not isinstance(atoms, (int, np.integer)):
        raise TypeError(f"atoms must be an integer, got {atoms!r}")
    if atoms < 2 * levels:
        raise ValueError(f"atoms must be at least twice the levels, {2 * levels}, got {atoms}")
    return int(atoms)


def _optimum_of_data(source: Empirical, levels: int) -> GlobalOptimum:
    check_enough(source, levels)
    best = optimal_codepoints(*source.atoms(), levels)
    return _optimum(_descended(source, best.codepoints), best.bound / source.total)


def _optimum_of_law(source: Source, levels: int, count: int) -> GlobalOptimum:
    atoms = atoms_of(source, count)
    best = optimal_codepoints(atoms.centroids, atoms.masses, levels)
    slack = atoms.slack if levels > 1 else 0.0
    return _optimum(_descended(source, best.codepoints), best.bound + atoms.within - slack)


def _optimum(cells: CellState, bound: float) -> GlobalOptimum:
    design = Design(
        method="globally_optimal",
        status="converged",
        residual=cells.residual,
        certificate="dynamic programming",
    )
    quantiser = ScalarQuantiser(cells.codepoints, design=design)
    return GlobalOptimum(quantiser, cells.distortion, min(max(bound, 0.0), cells.distortion))


def _descended(source: Source, codepoints: FloatArray) -> CellState:
    """Lloyd steps while they help."""
    cells = cells_of(source, codepoints)
    for _ in range(_STEPS):
        before = cells.distortion
        cells = cells_of(source, cells.centroids)
        if not cells.distortion < before:
            break
    return cells
