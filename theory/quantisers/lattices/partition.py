"""Product measures on lattices, normalised exactly.

Give every integer coordinate k a weight w(k) and a lattice point the product of its coordinates' weights.
The sum over the whole lattice is a polynomial in a few sums of weights over residue classes, because each of
our lattices is a union of translates of checkerboard lattices, counted by weight enumerators:

    D_n (even sum):  ((E + O)^n + (E - O)^n) / 2,  E and O the sums over even and odd k.

So the measure is a probability law with a closed form, and -log2 of it a code length that satisfies Kraft's
inequality with equality.  Of all laws with the same frequencies of coordinate values it is the one of largest
entropy: what it misses is only the dependence of coordinates beyond the lattice's own parity rules.
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from ..._typing import FloatArray
from .golay import WEIGHTS

__all__ = ["fit_weights", "log_partition"]

# Mismatch of expected counts per vector at which the search stops: a hundredth of the noise of a hundred
# thousand vectors, and worth less than 1e-6 bit.
_MATCH = 1e-5
# Natural logarithm of the largest ratio of residue sums: rarer residues do not occur in any sample.
_SPAN = 60.0


def _integers(s: Any) -> Any:
    return s[0].sum(axis=0)


def _hexagonal(s: Any) -> Any:
    even, odd = s[:, 0::2].sum(axis=1), s[:, 1::2].sum(axis=1)
    return even[0] * even[1] + odd[0] * odd[1]


def _parity_part(even: Any, odd: Any, n: int, parity: int) -> Any:
    """Sum over n coordinates of which a number of the given parity is odd: ((E + O)^n +- (E - O)^n) / 2.

    Written as a sum of positive terms: the difference would lose an O that is far below E.
    """
    return sum(comb(n, j) * even ** (n - j) * odd**j for j in range(parity, n + 1, 2))


def _d4(s: Any) -> Any:
    return _parity_part(s[0, 0::2].sum(axis=0), s[0, 1::2].sum(axis=0), 4, 0)


def _e8(s: Any) -> Any:
    r = s[0]
    return sum(_parity_part(r[m] + r[m + 4], r[m + 2] + r[m + 6], 8, 0) for m in (0, 1))


def _leech(s: Any) -> Any:
    """Sum over m, the weight of the Golay word, and how the parity of z is shared by its zeros and ones."""
    r = s[0]
    total = 0.0
    for m in (0, 1):
        for weight, words in WEIGHTS.items():
            for parity in (0, 1):
                zeros = _parity_part(r[m], r[m + 4], 24 - weight, parity)
                ones = _parity_part(r[m + 2], r[m + 6], weight, parity ^ m)
                total = total + words * zeros * ones
    return total


_POLYNOMIALS: dict[str, Callable[[Any], Any]] = {
    "Z": _integers,
    "A2": _hexagonal,
    "D4": _d4,
    "E8": _e8,
    "Leech": _leech,
}


def _residue_sums(values: NDArray[np.int64], weights: FloatArray) -> FloatArray:
    """Sums of weights over k modulo 8, shape (axes, 8)."""
    return np.stack([np.bincount(values % 8, row, 8) for row in weights])


def log_partition(name: str, values: NDArray[np.int64], weights: FloatArray) -> float:
    """Natural logarithm of the sum over lattice points of the product of weights.

    Parameters
    ----------
    name : str
        Lattice.
    values : ndarray of int64, shape (K,)
        Coordinate values k with a weight; the others have none.
    weights : ndarray of float64, shape (axes, K)
        One row for all coordinates, or for A2 one for each of the two.
    """
    return float(np.log(_POLYNOMIALS[name](_residue_sums(values, weights))))


def _slopes(name: str, sums: FloatArray) -> tuple[float, FloatArray]:
    """Log Z and its derivatives by the logarithms of the residue sums.

    The derivatives are taken along the imaginary axis (Squire and Trapp 1998), which has no rounding error.
    """
    step = 1e-30
    moved = np.repeat(sums[..., None].astype(complex), sums.size, axis=-1)
    place = np.arange(sums.size)
    moved.reshape(sums.size, sums.size)[place, place] += 1j * step
    value = _POLYNOMIALS[name](moved)
    return float(np.log(value[0].real)), sums * (value.imag / value.real / step).reshape(sums.shape)


def fit_weights(
    name: str, dimension: int, values: NDArray[np.int64], start: FloatArray, frequencies: FloatArray
) -> FloatArray:
    """Weights whose product measure has given frequencies of coordinate values: maximum likelihood.

    Only the sums over residues need a search, and the likelihood is concave in their logarithms.

    Parameters
    ----------
    name : str
        Lattice.
    dimension : int
        Its number of dimensions.
    values : ndarray of int64, shape (K,)
    start, frequencies : ndarray of float64, shape (axes, K), > 0
        Where the search begins, and the frequencies to match; rows sum to 1.

    Returns
    -------
    ndarray of float64, shape (axes, K)
    """
    coordinates = dimension // len(frequencies)
    target = coordinates * _residue_sums(values, frequencies)

    def cost(logs: FloatArray) -> tuple[float, FloatArray]:
        shaped = logs.reshape(target.shape)
        # Weights count up to a factor only; the largest stays 1, so that no trial step overflows.
        shaped = shaped - shaped.max(axis=1, keepdims=True)
        value, slopes = _slopes(name, np.exp(shaped))
        return value - float(np.sum(target * shaped)), (slopes - target).ravel()

    begin = np.log(_residue_sums(values, start))
    begin = np.maximum(begin - begin.max(axis=1, keepdims=True), -_SPAN).ravel()
    options: Any = {"gtol": _MATCH, "ftol": 1e-15, "maxiter": 1000}
    bounds = [(-_SPAN, 1.0)] * begin.size
    found = scipy.optimize.minimize(cost, begin, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    logs = found.x.reshape(target.shape)
    scale = np.exp(logs - logs.max(axis=1, keepdims=True)) / target
    return np.asarray(frequencies * scale[:, values % 8])
