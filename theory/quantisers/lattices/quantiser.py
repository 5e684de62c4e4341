"""Entropy-coded lattice quantisation.

A vector goes to its nearest lattice point; the point's code length comes from a product measure on the
lattice, and each coordinate is restored by a value of its own (its centroid on the training set).  At high
rate the rate is h - log2(volume) / n per value, below that the code is fitted to the frequencies.

Values beyond the code's table are clipped before the search.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..._arguments import check_positive
from ..._typing import ArrayLike, FloatArray
from ...sources import Source
from .._integers import checked_integer
from ..measurement import stratified_draw
from ..overload import reach
from ..scalar import Design
from .lattice import Lattice, lattice
from .partition import fit_weights, log_partition

__all__ = ["EntropyCodedLattice", "lattice_quantiser"]

# A code needs no more coordinate values than this on each side of zero.
_MAX_VALUE = 2**15
# Clipping may add this part of the mean squared error of a cell.
_OVERLOAD_SHARE = 1e-4
# Weight of a value's own law against its frequency, and of its place against its centroid, in observations.
_PRIOR = 2.0
# Floor of a value's own law: twenty-four of them together must not underflow.
_LEAST_WEIGHT = 2.0**-40
# The rate on the training set is this near the one asked for, in bits; most trials of the search.
_RATE_TOLERANCE = 2e-4
_SEARCHES = 20


@dataclass(frozen=True, eq=False)
class EntropyCodedLattice:
    """A lattice, scaled, with a code for its points.

    Parameters
    ----------
    lattice : Lattice
    scale : float, > 0
        Factor on the lattice's usual scale.
    values : array_like of int, shape (K,), consecutive
        Coordinate values that the code knows.
    weights : array_like, shape (1, K) or, for A2, (2, K), > 0
        Weight of each value in the product measure.
    codepoints : array_like, the shape of `weights`
        What each value is restored as.
    design : Design, optional
        The record of the designer.

    Raises
    ------
    ValueError
        If shapes do not fit, values are not consecutive or fewer than the search needs (16), weights are not
        positive, or a number is not finite.
    """

    lattice: Lattice
    scale: float
    values: NDArray[np.int64]
    weights: FloatArray
    codepoints: FloatArray
    design: Design | None = None
    log_partition: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_positive("scale", self.scale)
        values = np.array(self.values, dtype=np.int64)
        if values.ndim != 1 or len(values) < 16 or (np.diff(values) != 1).any():
            raise ValueError(f"values must be at least 16 consecutive integers, got shape {values.shape}")
        object.__setattr__(self, "values", values)
        axes = 2 if self.lattice.name == "A2" else 1
        for name in ("weights", "codepoints"):
            array = np.array(getattr(self, name), dtype=np.float64)
            if array.shape != (axes, len(values)) or not np.isfinite(array).all():
                raise ValueError(f"{name} must be finite, shape {(axes, len(values))}, got {array.shape}")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        if not (self.weights > 0).all():
            raise ValueError(f"weights must be positive, got {self.weights.min()}")
        total = log_partition(self.lattice.name, values, self.weights)
        object.__setattr__(self, "log_partition", total)

    @property
    def block_length(self) -> int:
        """Dimension n."""
        return self.lattice.dimension

    def encode(self, x: ArrayLike) -> NDArray[np.int64]:
        """Integer coordinates of the lattice point nearest to each row of x, shape (..., n), after clipping.

        Raises
        ------
        ValueError
            As `Lattice.nearest`.
        """
        # The nearest point's coordinates differ from x's by at most the covering radius.
        margin = np.ceil(self.lattice.covering_radius / self.lattice.unit)
        step = self.scale * self.lattice.unit
        clipped = np.clip(x, step * (self.values[0] + margin), step * (self.values[-1] - margin))
        return self.lattice.nearest(clipped / self.scale)

    def decode(self, coordinates: ArrayLike) -> FloatArray:
        """Restored vectors.

        Raises
        ------
        ValueError
            If a coordinate is not among the code's values.
        """
        index = self._index(coordinates)
        return self.codepoints[self._axis(index), index]

    def __call__(self, x: ArrayLike) -> FloatArray:
        """Quantise: decode(encode(x))."""
        return self.decode(self.encode(x))

    def bits(self, coordinates: ArrayLike) -> FloatArray:
        """Code length of lattice points, shape (..., n) -> (...)."""
        index = self._index(coordinates)
        weight = np.log2(self.weights)[self._axis(index), index].sum(axis=-1)
        return np.asarray(self.log_partition / np.log(2) - weight)

    def errors_and_bits(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Squared error and bits of each vector, shape (m, n) -> (m,) twice."""
        coordinates = self.encode(x)
        error = x - self.decode(coordinates)
        return (error * error).sum(axis=-1), self.bits(coordinates)

    def _index(self, coordinates: ArrayLike) -> NDArray[np.int64]:
        index = np.asarray(coordinates) - self.values[0]
        if index.dtype.kind not in "iu":
            raise TypeError(f"coordinates must be integers, got {index.dtype}")
        if index.shape[-1:] != (self.block_length,):
            raise ValueError(f"coordinates must have shape (..., {self.block_length}), got {index.shape}")
        if index.size and (index.min() < 0 or index.max() >= len(self.values)):
            low, high = self.values[0], self.values[-1]
            came = f"{index.min() + low} to {index.max() + low}"
            raise ValueError(f"coordinates must be in [{low}, {high}], got {came}")
        return np.asarray(index)

    def _axis(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.arange(index.shape[-1]) if len(self.weights) > 1 else np.zeros(index.shape[-1], np.int64)


def lattice_quantiser(
    name: str,
    source: Source,
    *,
    rate: float | None = None,
    scale: float | None = None,
    samples: int = 2**17,
    seed: int = 0,
) -> EntropyCodedLattice:
    """Design an entropy-coded lattice quantiser for independent values of a source.

    Parameters
    ----------
    name : {"Z", "A2", "D4", "E8", "Leech"}
    source : Source
        The law; its mean should be zero.
    rate : float, 0.05 to 12, optional
        Bits per value on the training set; the scale is searched for.
    scale : float, > 0, optional
        Factor on the lattice's usual scale.  Give one of the two.
    samples : int, >= 4096
        Size of the training set that the code and the restored values are fitted to.
    seed : int
        Of the training set.

    Returns
    -------
    EntropyCodedLattice
        The design's residual is the distance of the training rate from the one asked for, in bits.

    Raises
    ------
    TypeError, ValueError
        If not exactly one of `rate` and `scale` is given, or an argument lies outside its range.

    Examples
    --------
    >>> from bitlaw.theory import Normal
    >>> quantiser = lattice_quantiser("D4", Normal(), scale=0.5, samples=2**13)
    >>> quantiser.encode([[0.6, 0.1, -0.4, 0.0]]).tolist()
    [[1, 0, -1, 0]]
    """
    if (rate is None) == (scale is None):
        raise ValueError(f"give exactly one of rate and scale, got rate={rate!r}, scale={scale!r}")
    chosen = lattice(name)
    count = checked_integer("samples", samples, 4096, 2**31)
    x = stratified_draw(source, -(-count // chosen.dimension), chosen.dimension, seed)
    if rate is None:
        return _fitted(chosen, source, x, check_positive("scale", scale))[0]
    target = check_positive("rate", rate)
    if not 0.05 <= target <= 12:
        raise ValueError(f"rate must be between 0.05 and 12 bits, got {target}")
    return _at_rate(chosen, source, x, target)


def _at_rate(chosen: Lattice, source: Source, x: FloatArray, rate: float) -> EntropyCodedLattice:
    """Secant search over log2 of the scale, from where the high-rate formula of the Gaussian puts it."""
    volume = np.log2(chosen.volume) / chosen.dimension
    place = float(np.log2(source.std) + 0.5 * np.log2(2 * np.pi * np.e) - volume - rate)
    before, slope = None, -1.0
    done = 0
    while done < _SEARCHES:
        done += 1
        quantiser, reached = _fitted(chosen, source, x, 2.0**place)
        if abs(reached - rate) < _RATE_TOLERANCE:
            break
        if before is not None and place != before[0]:
            slope = float(np.clip((reached - before[1]) / (place - before[0]), -2.0, -0.2))
        before = (place, reached)
        place += float(np.clip((rate - reached) / slope, -1.0, 1.0))
    miss = abs(reached - rate)
    status = "converged" if miss < _RATE_TOLERANCE else f"stopped after {done} trials"
    return replace(quantiser, design=Design("lattice_quantiser", status, done, miss))


def _fitted(
    chosen: Lattice, source: Source, x: FloatArray, scale: float
) -> tuple[EntropyCodedLattice, float]:
    """Quantiser with code and restored values fitted to x, and its rate on x."""
    axes = 2 if chosen.name == "A2" else 1
    spacing = scale * chosen.unit[:axes, None]
    values = _values(chosen, source, scale)
    prior = source.probability(spacing * (values - 0.5), spacing * (values + 0.5))
    prior = np.maximum(prior, _LEAST_WEIGHT)
    prior /= prior.sum(axis=1, keepdims=True)
    start = EntropyCodedLattice(chosen, scale, values, prior, spacing * values)
    index = (start.encode(x) - values[0]).reshape(-1, axes, chosen.dimension // axes)
    index = index.transpose(1, 0, 2).reshape(axes, -1)
    data = x.reshape(-1, axes, chosen.dimension // axes).transpose(1, 0, 2).reshape(axes, -1)
    count = np.stack([np.bincount(row, minlength=len(values)) for row in index])
    total = np.stack([np.bincount(i, d, len(values)) for i, d in zip(index, data, strict=True)])
    centroids = (total + _PRIOR * spacing * values) / (count + _PRIOR)
    frequencies = (count + _PRIOR * prior) / (count.sum(axis=1, keepdims=True) + _PRIOR)
    weights = fit_weights(chosen.name, chosen.dimension, values, prior, frequencies)
    design = Design("lattice_quantiser", "fitted")
    quantiser = EntropyCodedLattice(chosen, scale, values, weights, centroids, design)
    used = np.log2(np.maximum(weights, np.finfo(float).tiny))
    rate = quantiser.log_partition / np.log(2) / chosen.dimension - float(
        np.mean([np.sum(c * u) / c.sum() for c, u in zip(count, used, strict=True)])
    )
    return quantiser, rate


def _values(chosen: Lattice, source: Source, scale: float) -> NDArray[np.int64]:
    """Coordinate values as far out as the source has mass that counts, with a margin for the search."""
    error = chosen.second_moment * chosen.volume ** (2 / chosen.dimension) * scale**2
    farthest = reach(source, min(error, source.std**2), _OVERLOAD_SHARE) + abs(source.mean)
    unit = float(chosen.unit.min())
    margin = np.ceil(chosen.covering_radius / unit)
    last = int(min(np.ceil(farthest / (scale * unit)) + margin, _MAX_VALUE))
    last = max(last, 8)
    return np.arange(-last, last + 1)
