"""Vector quantisers trained on samples: the generalised Lloyd algorithm of Linde, Buzo and Gray (1980).

Two steps alternate, and neither raises the distortion of the training set: every vector takes its nearest
codeword, and every codeword moves to the centroid of its vectors.  The catch is that the codebook fits the
sample as well as the law: the training distortion is too good, by about twice size / count of it, and a
codebook of 2^(rate * dimension) words is soon as large as the sample.  `training_distortion` is kept apart
from what `distortion` or `measure` find on other data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .._arguments import check_choice, check_positive
from .._arrays import as_real, raise_not_finite
from .._typing import ArrayLike, FloatArray, IntArray
from ._integers import checked_integer
from .scalar import Design
from .vector_kernels import nearest_codewords, nearest_in_block

__all__ = ["VectorQuantiser", "lbg"]

# Distance between the halves of a split cell, in standard deviations of the cell.  Ten times less slows the
# first iterations, ten times more starts them further from the cell's own optimum.
_SPLIT = 0.1
# Differences to compute below which waking the other cores takes longer than the search.
_WORTH_THREADS = 100_000
# Iterations between two doublings of the codebook, and their tolerance: a start need not be converged.
_SPLIT_ITERATIONS, _SPLIT_TOLERANCE = 8, 1e-3


@dataclass(frozen=True, eq=False)
class VectorQuantiser:
    """N codewords in n dimensions; a vector takes the nearest.

    Parameters
    ----------
    codebook : array_like, shape (N, n), finite
    training_distortion : float
        Mean squared error per value (weighted mean if weighted) on the training set; NaN without one.  It
        underestimates the error on other data.
    design : Design, optional
        The record of the designer.

    Raises
    ------
    ValueError
        If the codebook is empty, not two-dimensional or not finite.
    """

    codebook: FloatArray
    training_distortion: float = float("nan")
    design: Design | None = None

    def __post_init__(self) -> None:
        codebook = _matrix("codebook", self.codebook)
        codebook.flags.writeable = False
        object.__setattr__(self, "codebook", codebook)

    @property
    def block_length(self) -> int:
        """Dimension n."""
        return int(self.codebook.shape[1])

    @property
    def rate(self) -> float:
        """Bits per value, log2(N) / n."""
        return float(np.log2(len(self.codebook)) / self.block_length)

    def encode(self, x: ArrayLike, weights: ArrayLike | None = None) -> IntArray:
        """Index of the nearest codeword to each row of x, shape (m, n) -> (m,) int32.

        `weights`, shape (m, n), weigh the squared error of each coordinate; one weight per row changes
        nothing here.
        """
        return self._search(x, weights)[0]

    def decode(self, indices: ArrayLike) -> FloatArray:
        """Codeword of each index, shape (...) -> (..., n).

        Raises
        ------
        TypeError, ValueError
            If the indices are not integers in [0, N).
        """
        array = np.asarray(indices)
        if array.dtype.kind not in "iu":
            raise TypeError(f"indices must be integers, got {array.dtype}")
        size = len(self.codebook)
        if array.size and (array.min() < 0 or array.max() >= size):
            raise ValueError(f"indices must be in [0, {size}), got {array.min()} to {array.max()}")
        return np.asarray(self.codebook[array])

    def __call__(self, x: ArrayLike) -> FloatArray:
        """Quantise: decode(encode(x))."""
        return self.decode(self.encode(x))

    def distortion(self, x: ArrayLike, weights: ArrayLike | None = None) -> float:
        """Mean squared error per value on data of shape (m, n), weighted if weights are given."""
        error, weight = self._search(x, weights)[1:]
        return float(error.sum() / weight.sum())

    def errors_and_bits(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Squared error and bits of each vector, shape (m, n) -> (m,) twice."""
        error = self._search(x, None)[1]
        return error, np.full(len(error), np.log2(len(self.codebook)))

    def _search(
        self, x: ArrayLike, weights: ArrayLike | None
    ) -> tuple[NDArray[np.int32], FloatArray, FloatArray]:
        vectors = _matrix("x", x, self.block_length)
        weight = _weights(weights, vectors)
        return (*_nearest(vectors, weight, self.codebook), weight)


def lbg(
    samples: ArrayLike,
    size: int,
    *,
    weights: ArrayLike | None = None,
    start: Literal["splitting", "k-means++"] = "splitting",
    iterations: int = 200,
    tolerance: float = 1e-5,
    seed: int = 0,
) -> VectorQuantiser:
    """Train a vector quantiser on samples.

    Parameters
    ----------
    samples : array_like of real numbers, shape (m, n)
        Training vectors; 2 to 8 dimensions are practical, since every vector is compared with every word.
    size : int, 1 <= size <= m
        Number of codewords N; the rate is log2(N) / n.
    weights : array_like, shape (m,) or (m, n), >= 0, optional
        Weight of each vector's squared error, or of each coordinate's.
    start : {"splitting", "k-means++"}
        "splitting" doubles a codebook that starts with the centroid, the cells of largest error first
        (Linde, Buzo and Gray); "k-means++" draws words from the samples with probability proportional to
        their error so far (Arthur and Vassilvitskii 2007).
    iterations : int, >= 1
        Most iterations of the final codebook.
    tolerance : float, > 0
        Iterations stop when the distortion falls by less than this part of it.
    seed : int
        Of "k-means++"; splitting draws nothing.

    Returns
    -------
    VectorQuantiser
        A local optimum, with no unused codeword while any vector has an error.  The design's residual is the
        last relative fall of the distortion.

    Raises
    ------
    TypeError, ValueError
        If the arrays do not fit together, a value is not finite, a weight is negative or all are zero, or
        `size` exceeds the number of vectors.

    References
    ----------
    Y. Linde, A. Buzo, R. M. Gray, "An algorithm for vector quantizer design", IEEE Trans. Commun. 28 (1980).

    Examples
    --------
    >>> quantiser = lbg([[0.0, 0.0], [0.0, 1.0], [9.0, 9.0], [9.0, 8.0]], 2)
    >>> quantiser.codebook.tolist(), quantiser.training_distortion
    ([[0.0, 0.5], [9.0, 8.5]], 0.125)
    """
    x = _matrix("samples", samples)
    weight = _weights(weights, x)
    count = checked_integer("size", size, 1, len(x))
    rounds = checked_integer("iterations", iterations, 1, 10**9)
    least = check_positive("tolerance", tolerance)
    if check_choice("start", start, ("splitting", "k-means++")) == "splitting":
        codebook = _split_start(x, weight, count)
    else:
        codebook = _spread_start(x, weight, count, np.random.default_rng(seed))
    return _iterated(x, weight, codebook, rounds, least)


def _iterated(
    x: FloatArray, weight: FloatArray, codebook: FloatArray, iterations: int, tolerance: float
) -> VectorQuantiser:
    index, error = _nearest(x, weight, codebook)
    distortion, fall, total = float(error.sum()), np.inf, float(weight.sum())
    done = 0
    while done < iterations:
        done += 1
        codebook = _repaired(x, weight, _centroids(x, weight, index, codebook), index, error)
        index, error = _nearest(x, weight, codebook)
        before, distortion = distortion, float(error.sum())
        fall = (before - distortion) / before if before > 0 else 0.0
        if fall < tolerance:
            break
    status = "converged" if fall < tolerance else f"stopped after {done} iterations"
    return VectorQuantiser(codebook, distortion / total, Design("lbg", status, done, max(fall, 0.0)))


def _nearest(x: FloatArray, weight: FloatArray, codebook: FloatArray) -> tuple[NDArray[np.int32], FloatArray]:
    index, error = np.empty(len(x), np.int32), np.empty(len(x))
    search = nearest_codewords if x.size * len(codebook) > _WORTH_THREADS else nearest_in_block
    search(x, weight, codebook, index, error)
    return index, error


def _sums(index: IntArray, values: FloatArray, size: int) -> FloatArray:
    """Column sums of the values of each cell."""
    return np.stack([np.bincount(index, column, size) for column in values.T], axis=1)


def _centroids(x: FloatArray, weight: FloatArray, index: IntArray, codebook: FloatArray) -> FloatArray:
    mass = _sums(index, weight, len(codebook))
    return np.where(mass > 0, _sums(index, weight * x, len(codebook)) / np.where(mass > 0, mass, 1), codebook)


def _repaired(
    x: FloatArray, weight: FloatArray, codebook: FloatArray, index: IntArray, error: FloatArray
) -> FloatArray:
    """Move each unused codeword to the worst vector of one of the cells of largest error."""
    size = len(codebook)
    empty = np.flatnonzero(np.bincount(index, minlength=size) == 0)
    if not len(empty):
        return codebook
    cells = np.argsort(-np.bincount(index, error, size), kind="stable")[: len(empty)]
    # The last of ascending errors wins the assignment: the worst vector of each cell.
    order = np.argsort(error, kind="stable")
    worst = np.full(size, -1)
    worst[index[order]] = order
    codebook = codebook.copy()
    for word, vector in zip(empty, worst[cells], strict=True):
        if vector >= 0 and error[vector] > 0:
            codebook[word] = x[vector]
    return codebook


def _split_start(x: FloatArray, weight: FloatArray, size: int) -> FloatArray:
    codebook = np.average(x, axis=0, weights=np.maximum(weight, np.finfo(float).tiny))[None, :]
    while len(codebook) < size:
        index, error = _nearest(x, weight, codebook)
        more = min(len(codebook), size - len(codebook))
        cells = np.argsort(-np.bincount(index, error, len(codebook)), kind="stable")[:more]
        deviation = x - codebook[index]
        mass = np.maximum(_sums(index, weight, len(codebook)), np.finfo(float).tiny)
        spread = np.sqrt(_sums(index, weight * deviation**2, len(codebook)) / mass)[cells]
        codebook = np.concatenate([codebook, codebook[cells] + _SPLIT * spread])
        codebook[cells] -= _SPLIT * spread
        codebook = np.asarray(_iterated(x, weight, codebook, _SPLIT_ITERATIONS, _SPLIT_TOLERANCE).codebook)
    return codebook


def _spread_start(x: FloatArray, weight: FloatArray, size: int, generator: np.random.Generator) -> FloatArray:
    row_weight = weight.mean(axis=1)
    chosen = [generator.choice(len(x), p=row_weight / row_weight.sum())]
    error = (weight * (x - x[chosen[0]]) ** 2).sum(axis=1)
    for _ in range(size - 1):
        total = error.sum()
        share = error / total if total > 0 else np.full(len(x), 1 / len(x))
        chosen.append(generator.choice(len(x), p=share))
        error = np.minimum(error, (weight * (x - x[chosen[-1]]) ** 2).sum(axis=1))
    return x[chosen]


def _matrix(name: str, value: ArrayLike, columns: int | None = None) -> FloatArray:
    array = as_real(value, name)
    wanted = "(vectors, dimension)" if columns is None else f"(vectors, {columns})"
    if array.ndim != 2 or array.size == 0 or columns not in (None, array.shape[1]):
        raise ValueError(f"{name} must have shape {wanted} and not be empty, got {array.shape}")
    if not np.isfinite(array).all():
        raise_not_finite(array, name)
    return np.array(array, dtype=np.float64, order="C")


def _weights(weights: ArrayLike | None, x: FloatArray) -> FloatArray:
    """Weights per coordinate."""
    if weights is None:
        return np.ones(x.shape)
    array = as_real(weights, "weights").astype(np.float64)
    if array.shape not in ((len(x),), x.shape):
        raise ValueError(f"weights must have shape {(len(x),)} or {x.shape}, got {array.shape}")
    if not np.isfinite(array).all():
        raise_not_finite(array, "weights")
    if (array < 0).any() or not (array > 0).any():
        raise ValueError(f"weights must not be negative, nor all zero, got a least of {array.min()}")
    return np.array(np.broadcast_to(array.reshape(len(x), -1), x.shape), order="C")
