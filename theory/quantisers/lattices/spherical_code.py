"""Fixed-rate lattice codebooks: the points of a lattice nearest to a centre.

A Gaussian vector lies near a sphere, so a ball is the shape to cut from the lattice (E8P of QuIP#, Tseng et
al. 2024, is such a cut of a translate of E8, with 2^16 words).  Inside the ball the lattice's own search
finds the nearest word; vectors outside are compared with every word, so that the answer is always exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import scipy
from numpy.typing import NDArray

from ..._arguments import check_positive
from ..._arrays import as_real, raise_not_finite
from ..._typing import ArrayLike, FloatArray, IntArray
from ...sources import Source
from .._integers import checked_integer
from ..measurement import stratified_draw
from ..scalar import Design
from ..vector import VectorQuantiser
from .lattice import Lattice, lattice

__all__ = ["SphericalCode", "spherical_code"]

_MAX_WORDS = 2**18
# Golden-section steps on the logarithm of the scale, from a factor 4 down to 0.3 per cent: the distortion is
# flat to second order there.
_STEPS, _GOLDEN = 15, (5**0.5 - 1) / 2
# Words of one shell that a count cuts in two are taken in an order drawn from this seed: in any regular order
# they would lie on one side.
_SHELL_SEED = 0


@dataclass(frozen=True, eq=False)
class SphericalCode:
    """The `count` points of a translated lattice nearest to the origin, scaled.

    Parameters
    ----------
    lattice : Lattice
        Any but Leech may be translated; of Leech only the origin and the 196,560 shortest vectors are known.
    count : int, 1 to 262,144
        Number of words N.
    scale : float, > 0
    shift : array_like, shape (n,), optional
        Added to the lattice's points before they are scaled; the origin is the centre of the ball.
    design : Design, optional
        The record of the designer.

    Raises
    ------
    TypeError, ValueError
        If the count or the scale is out of range, or the shift is not finite or of another shape.
    """

    lattice: Lattice
    count: int
    scale: float
    shift: FloatArray = None  # type: ignore[assignment]
    design: Design | None = None
    words: VectorQuantiser = field(init=False, repr=False)
    _coordinates: NDArray[np.int64] = field(init=False, repr=False)
    _keys: NDArray[np.int64] = field(init=False, repr=False)
    _place: NDArray[np.int64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        count = checked_integer("count", self.count, 1, _MAX_WORDS)
        check_positive("scale", self.scale)
        shift = _checked_shift(self.shift, self.lattice)
        coordinates = _ball(self.lattice, count, shift)
        keys = _key(coordinates)
        place = np.argsort(keys)
        object.__setattr__(self, "shift", shift)
        object.__setattr__(
            self, "words", VectorQuantiser(self.scale * (self.lattice.points(coordinates) + shift))
        )
        object.__setattr__(self, "_coordinates", coordinates)
        object.__setattr__(self, "_keys", keys[place])
        object.__setattr__(self, "_place", place)

    @property
    def codebook(self) -> FloatArray:
        """All words, shape (N, n), the innermost first."""
        return self.words.codebook

    @property
    def block_length(self) -> int:
        """Dimension n."""
        return self.lattice.dimension

    @property
    def rate(self) -> float:
        """Bits per value, log2(N) / n."""
        return self.words.rate

    def encode(self, x: ArrayLike) -> IntArray:
        """Index of the nearest word to each row of x, shape (m, n) -> (m,).

        Raises
        ------
        ValueError
            If x has another shape, is empty, or holds NaN or infinity (the place is named).
        """
        array = as_real(x, "x")
        if array.ndim != 2 or array.shape[1] != self.block_length or array.size == 0:
            raise ValueError(f"x must have shape (vectors, {self.block_length}), got {array.shape}")
        if not np.isfinite(array).all():
            raise_not_finite(array, "x")
        # Far out the lattice has no word: the clipped point only has to miss the codebook too.
        reach = 2 * float(np.abs(self.codebook).max()) + 4 * self.scale * self.lattice.covering_radius
        near = self.lattice.nearest(np.clip(array, -reach, reach) / self.scale - self.shift)
        index = self._look_up(near)
        outside = np.flatnonzero(index < 0)
        if len(outside):
            index[outside] = self.words.encode(array[outside])
        return index

    def decode(self, indices: ArrayLike) -> FloatArray:
        """Word of each index, shape (...) -> (..., n)."""
        return self.words.decode(indices)

    def __call__(self, x: ArrayLike) -> FloatArray:
        """Quantise: decode(encode(x))."""
        return self.decode(self.encode(x))

    def errors_and_bits(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Squared error and bits of each vector, shape (m, n) -> (m,) twice."""
        error = x - self(x)
        return (error * error).sum(axis=1), np.full(len(x), np.log2(self.count))

    def _look_up(self, coordinates: NDArray[np.int64]) -> NDArray[np.int64]:
        """Index of lattice points, -1 for those outside the code (and for a word whose key is another's)."""
        found = np.minimum(np.searchsorted(self._keys, _key(coordinates)), self.count - 1)
        place = self._place[found]
        same = (self._coordinates[place] == coordinates).all(axis=-1)
        return np.where(same, place, -1)


def spherical_code(
    name: str,
    source: Source,
    *,
    count: int,
    shift: ArrayLike | None = None,
    samples: int = 2**15,
    seed: int = 0,
) -> SphericalCode:
    """Cut a fixed-rate codebook from a lattice, at the scale that is best for a source.

    Parameters
    ----------
    name : {"Z", "A2", "D4", "E8", "Leech"}
    source : Source
        The law of the independent values.
    count : int, 1 to 262,144 (196,561 for Leech)
        Number of words N; the rate is log2(N) / n.  Counts that fill whole shells are best: 1, 241, 2401,
        9121, 26641, 56881, 117361 for E8.
    shift : array_like, shape (n,), optional
        Translation of the lattice; (1/4, ..., 1/4) for E8 gives a code like QuIP#'s E8P.
    samples : int, >= 4096
        Size of the training set for the scale.
    seed : int
        Of the training set.

    Returns
    -------
    SphericalCode
        log2(N) bits per vector.

    Raises
    ------
    TypeError, ValueError
        If an argument lies outside its range.

    Examples
    --------
    >>> from bitlaw.theory import Normal
    >>> code = spherical_code("E8", Normal(), count=241, samples=4096)
    >>> round(code.rate, 3), code.encode([[0.0] * 8]).tolist()
    (0.989, [0])
    """
    chosen = lattice(name)
    size = checked_integer("samples", samples, 4096, 2**31)
    x = stratified_draw(source, -(-size // chosen.dimension), chosen.dimension, seed)
    unit = SphericalCode(chosen, count, 1.0, _checked_shift(shift, chosen))
    # The radius of the ball and the length of most vectors agree near the best scale.
    radius = max(float(np.linalg.norm(unit.codebook, axis=1).max()), chosen.packing_radius)
    middle = np.log(source.std * np.sqrt(chosen.dimension) / radius)

    def distortion(log_scale: float) -> float:
        scale = float(np.exp(log_scale))
        return float(np.mean((x / scale - unit(x / scale)) ** 2)) * scale**2

    low, high = middle - np.log(2), middle + np.log(2)
    scale = float(np.exp(_golden_section(distortion, low, high)))
    return SphericalCode(chosen, count, scale, unit.shift, Design("spherical_code", "converged", _STEPS))


def _golden_section(function: Callable[[float], float], low: float, high: float) -> float:
    """Place of the least value of a function with one minimum."""
    inner = [high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)]
    values = [function(place) for place in inner]
    for _ in range(_STEPS):
        if values[0] < values[1]:
            high, inner[1], values[1] = inner[1], inner[0], values[0]
            inner[0] = high - _GOLDEN * (high - low)
            values[0] = function(inner[0])
        else:
            low, inner[0], values[0] = inner[0], inner[1], values[1]
            inner[1] = low + _GOLDEN * (high - low)
            values[1] = function(inner[1])
    return (low + high) / 2


def _checked_shift(shift: ArrayLike | None, chosen: Lattice) -> FloatArray:
    if shift is None:
        return np.zeros(chosen.dimension)
    array = np.array(shift, dtype=np.float64)
    if array.shape != (chosen.dimension,) or not np.isfinite(array).all():
        raise ValueError(f"shift must be finite, shape {(chosen.dimension,)}, got {array.shape}")
    if chosen.name == "Leech" and array.any():
        raise ValueError("shift must be zero for Leech, of which only the shortest vectors are known")
    return array


def _ball(chosen: Lattice, count: int, shift: FloatArray) -> NDArray[np.int64]:
    """Coordinates of the `count` points p with least |p + shift|, in that order."""
    if chosen.name == "Leech":
        points = np.concatenate([np.zeros((1, 24), np.int64), chosen.minimal_vectors()])
        if count > len(points):
            raise ValueError(f"count must be at most {len(points)} for Leech, got {count}")
    else:
        points = _enough(chosen, count, shift)
    norm = np.round(((chosen.points(points) + shift) ** 2).sum(axis=1), 9)
    tie = np.random.default_rng(_SHELL_SEED).permutation(len(points))
    return points[np.lexsort((tie, norm))[:count]]


def _enough(chosen: Lattice, count: int, shift: FloatArray) -> NDArray[np.int64]:
    """All points in a ball that holds at least `count`."""
    n = chosen.dimension
    # Radius of the ball whose volume is that of `count` cells; a little more holds that many points.
    radius = float((count * chosen.volume * scipy.special.gamma(n / 2 + 1)) ** (1 / n) / np.sqrt(np.pi))
    while True:
        points = _points_within(chosen, radius, shift)
        if len(points) >= count:
            return points
        radius *= 1.05


def _points_within(chosen: Lattice, radius: float, shift: FloatArray) -> NDArray[np.int64]:
    """Build coordinates one axis at a time, dropping what is too long or of mixed parity already."""
    points, norm = np.zeros((1, 0), np.int64), np.zeros(1)
    for axis in range(chosen.dimension):
        unit = chosen.unit[axis]
        low = int(np.ceil((-radius - shift[axis]) / unit))
        values = np.arange(low, int(np.floor((radius - shift[axis]) / unit)) + 1)
        longer = norm[:, None] + (values * unit + shift[axis]) ** 2
        row, column = np.nonzero(longer <= radius**2 + 1e-9)
        points = np.column_stack([points[row], values[column]])
        norm = longer[row, column]
        if chosen.name in ("A2", "E8"):
            same = (points[:, 0] ^ points[:, -1]) & 1 == 0
            points, norm = points[same], norm[same]
    return points[chosen.contains(points)] if len(points) else points


def _key(coordinates: NDArray[np.int64]) -> NDArray[np.int64]:
    """One integer per point, different for nearly all pairs of points: a sum with random multipliers."""
    multipliers = np.random.default_rng(_SHELL_SEED).integers(-(2**40), 2**40, coordinates.shape[-1])
    return np.asarray((coordinates * multipliers).sum(axis=-1))
