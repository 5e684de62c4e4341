"""How good is a given codebook: its best scale, what it wastes, and how far it is from the optimum.

Codebooks are published up to a scale: as numbers in [-1, 1] that a block's largest magnitude is multiplied
by, or as small integers.  A codebook is therefore judged at the scale that suits the source best, with every
value encoded to its nearest codepoint.

A codepoint is dead when the others do its work: its removal, with its cell divided between its neighbours,
raises the distortion by less than a thousandth of the mean share of a cell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .._arguments import MAX_LEVELS
from .._arrays import as_real, finite, raise_not_finite
from .._typing import ArrayLike, FloatArray
from ..sources import Source
from .codebook_scale import best_scale, cell_edges
from .evaluation import entropy_bits
from .lloyd_max import lloyd_max
from .scalar import ScalarQuantiser

__all__ = ["CodebookCheck", "check_codebook"]

# A removal that costs less than this part of the mean distortion of a cell makes a codepoint dead.  Removing
# any codepoint of an optimum costs about one part or more, so tenfold larger or smaller changes little.
_DEAD_SHARE = 1e-3
# Distortions agree to rounding within this part.
_ROUNDING = 1e-11


@dataclass(frozen=True, eq=False)
class CodebookCheck:
    """Findings about a codebook on a source.

    Attributes
    ----------
    codepoints : ndarray of float64, shape (N,)
        The codebook in ascending order, duplicates included, as it was given (not scaled).
    ascending : bool
        Whether it was given in ascending order.
    duplicates : tuple of float
        Values that occur more than once: each repetition wastes a code.
    dead : tuple of float
        Codepoints that the others replace almost for free (see the module).
    has_zero : bool
        Whether zero is represented exactly.
    asymmetry : float
        Largest |q_i + q_{N+1-i}| over the largest |q|: 0 for a symmetric codebook.
    scale : float
        Factor of least distortion.
    absmax : float
        Where the codepoint of largest magnitude lies at that scale, in the source's units: the best scale of
        the codebook once it is normalised to absolute maximum 1.
    distortion : float
        Mean squared error at the best scale.
    distortion_as_given : float
        Mean squared error at scale 1.
    entropy : float
        Entropy of the index at the best scale, bits.
    optimum : float
        Distortion of the Lloyd-Max quantiser of N levels.
    certificate : str
        Why `optimum` is the optimum; see `lloyd_max`.
    """

    codepoints: FloatArray
    ascending: bool
    duplicates: tuple[float, ...]
    dead: tuple[float, ...]
    has_zero: bool
    asymmetry: float
    scale: float
    absmax: float
    distortion: float
    distortion_as_given: float
    entropy: float
    optimum: float
    certificate: str

    @property
    def levels(self) -> int:
        """Number of codes, duplicates included."""
        return len(self.codepoints)

    @property
    def excess(self) -> float:
        """Distortion at the best scale over that of the optimum, minus 1; rounding counts as 0."""
        if self.optimum == 0:
            return 0.0 if self.distortion == 0 else math.inf
        excess = self.distortion / self.optimum - 1
        return 0.0 if abs(excess) < _ROUNDING else excess

    @property
    def bits_lost(self) -> float:
        """Bits that the excess is worth at 6.02 dB a bit: log2(1 + excess) / 2."""
        return 0.5 * math.log2(1 + self.excess)


def check_codebook(codepoints: ArrayLike, source: Source) -> CodebookCheck:
    """Judge a codebook on a source, at the scale that suits it best.

    Every value is encoded to the nearest codepoint; the scale s of least mean squared error E (x - s Q)^2 is
    found, and the error compared with that of the best codebook of as many levels.

    Parameters
    ----------
    codepoints : array_like of real numbers, shape (N,), 2 <= N <= 65,536
        In any order; at least two of them different.
    source : Source
        The law of the values.

    Returns
    -------
    CodebookCheck
        The scale solves its condition to rounding for a law with a density.  On data it is the best of all
        while distinct values times levels stay below four million, and a fixed point for its own cells above;
        the optimum is the exact one (dynamic programming).

    Raises
    ------
    TypeError
        If the codepoints are not real numbers or the source is no source.
    ValueError
        If the codebook is not one-dimensional, not finite (the first such value is named), too short or too
        long, or holds one value only; if no positive scale suits the source; for data of fewer distinct
        values than levels.

    Examples
    --------
    >>> from bitlaw.theory import Normal, lloyd_max
    >>> found = check_codebook(100 * lloyd_max(Normal(), 16).codepoints, Normal())
    >>> round(found.scale, 9), found.excess
    (0.01, 0.0)
    >>> found = check_codebook([-2, -1, 0, 1], Normal())
    >>> print(f"{100 * found.excess:.1f}% above the optimum, zero: {found.has_zero}")
    27.2% above the optimum, zero: True
    """
    given = _checked(codepoints)
    if not isinstance(source, Source):
        raise TypeError(f"source must be a Source, such as Normal(), got {source!r}")
    ordered = np.sort(given)
    distinct, counts = np.unique(given, return_counts=True)
    scale = best_scale(source, distinct)
    masses, errors = _cells(source, distinct * scale)
    distortion = float(errors.sum())
    optimum, certificate = _optimum(source, len(ordered), distortion)
    largest = float(np.max(np.abs(distinct)))
    return CodebookCheck(
        codepoints=ordered,
        ascending=bool((given[1:] >= given[:-1]).all()),
        duplicates=tuple(distinct[counts > 1].tolist()),
        dead=_dead(source, distinct, scale, errors),
        has_zero=bool((distinct == 0).any()),
        asymmetry=float(np.max(np.abs(ordered + ordered[::-1]))) / largest,
        scale=scale,
        absmax=scale * largest,
        distortion=distortion,
        distortion_as_given=float(_cells(source, distinct)[1].sum()),
        entropy=entropy_bits(masses),
        optimum=optimum,
        certificate=certificate,
    )


def _checked(codepoints: ArrayLike) -> FloatArray:
    array = as_real(codepoints, "codepoints").astype(np.float64)
    if array.ndim != 1:
        raise ValueError(f"codepoints must be one-dimensional, but have shape {array.shape}")
    if not 2 <= array.size <= MAX_LEVELS:
        raise ValueError(f"codepoints must number between 2 and {MAX_LEVELS}, got {array.size}")
    if not finite(array).all():
        raise_not_finite(array, "codepoints")
    if (array == array[0]).all():
        raise ValueError(f"codepoints must hold two different values, but all are {array[0]}")
    return array + 0.0  # a negative zero is zero


def _cells(source: Source, points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Probability and distortion of each cell of ascending codepoints."""
    edges = cell_edges(points)
    errors: FloatArray = source.partial_moments(edges[:-1], edges[1:], points)[2]
    return source.probability(edges[:-1], edges[1:]), errors


def _dead(source: Source, points: FloatArray, scale: float, errors: FloatArray) -> tuple[float, ...]:
    """Codepoints (unscaled) whose removal costs next to nothing."""
    if len(points) < 3:
        return ()
    q = points * scale
    edges = cell_edges(q)
    below = np.concatenate([q[1:2], q[:-1]])  # the neighbours that take over; the ends have one
    above = np.concatenate([q[1:], q[-2:-1]])
    split = np.clip(below / 2 + above / 2, edges[:-1], edges[1:])
    taken = (
        source.partial_moments(edges[:-1], split, below)[2]
        + source.partial_moments(split, edges[1:], above)[2]
    )
    return tuple(points[taken - errors < _DEAD_SHARE * errors.mean()].tolist())


def _optimum(source: Source, levels: int, distortion: float) -> tuple[float, str]:
    """Distortion of the optimum; a global search on data, and where the codebook beats a local minimum."""
    for certify in (source.discrete, True):
        best: ScalarQuantiser = lloyd_max(source, levels, certify=certify)
        optimum = float(_cells(source, best.codepoints)[1].sum())
        if optimum <= distortion * (1 + _ROUNDING):
            break
    return optimum, best.design.certificate if best.design else "none"
