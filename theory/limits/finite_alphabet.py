"""Rate and distortion of the best test channel between finite alphabets, for any measure of distortion.

The textbook problem of Blahut (1972) and Arimoto (1972), solved by Newton steps on its barrier instead of
their iteration.  It is the plain counterpart of `rate_distortion`, which treats the continuum under squared
error: take this one for other distortions, for reproductions restricted to a given codebook, and as a check.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._typing import ArrayLike, FloatArray
from ._interior_point import DenseLikelihood, fit_masses
from .shannon import checked_amount

__all__ = ["TestChannel", "finite_alphabet"]

_GAP = 1e-11  # nats asked of the solver; it stops by itself where rounding allows no more


@dataclass(frozen=True, eq=False)
class TestChannel:
    """A test channel, and how far below its rate a better one could lie.

    Attributes
    ----------
    rate : float
        Mutual information in bits, an upper bound on R(D) at the distortion.
    distortion : float
        Mean distortion.
    gap : float
        R(D) is at least rate - gap, in bits.
    output : ndarray of float64, shape (m,)
        Probability of each reproduction.
    """

    __test__ = False

    rate: float
    distortion: float
    gap: float
    output: FloatArray


def finite_alphabet(probabilities: ArrayLike, distortions: ArrayLike, slope: float) -> TestChannel:
    """Test channel that minimises rate + slope · distortion between finite alphabets.

    P(y | x) is proportional to q(y) exp(-ln 2 · slope · d(x, y)) with the output law q that minimises
    -E log2 sum_y q(y) 2^(-slope d(X, y)).

    Parameters
    ----------
    probabilities : array_like, shape (n,)
        Positive masses of the source letters; they are normalised.
    distortions : array_like, shape (n, m)
        Distortion of letter i reproduced as j; finite, >= 0.
    slope : float
        -dR/dD at the wanted point, bits per unit of distortion, > 0.  (1 over that of `distortion_rate`.)

    Returns
    -------
    TestChannel
        With a gap of 1e-8 bit or less in general; the gap is proved whatever its size.

    Raises
    ------
    TypeError
        If the slope is no number.
    ValueError
        If shapes do not match, a probability is not positive, a distortion is negative or not finite, the
        slope is not positive, or it is so large that 2^(-slope d) vanishes for all reproductions of a letter.

    References
    ----------
    Blahut (1972), eq. 16 and theorem 6; Arimoto (1972); Gallager (1968), theorem 9.4.1.

    Examples
    --------
    A fair coin under Hamming distortion has R(D) = 1 - H(D):

    >>> channel = finite_alphabet([0.5, 0.5], [[0, 1], [1, 0]], slope=2.0)
    >>> round(channel.distortion, 6), round(channel.rate, 6)
    (0.2, 0.278072)
    """
    p, d = _checked(probabilities, distortions)
    nats = checked_amount("slope", slope, zero=False) * np.log(2.0)
    least = d.min(axis=1)
    if nats * least.max() > 700:
        raise ValueError(f"slope {slope!r} leaves a letter without a reproduction within reach")
    kernel = np.exp(-nats * d)
    fit = fit_masses(DenseLikelihood(kernel, p), _GAP)
    joint = kernel * fit.masses
    mixture = joint.sum(axis=1)
    distortion = float(p @ ((joint * d).sum(axis=1) / mixture))
    rate = float((-(p @ np.log(mixture)) - nats * distortion) / np.log(2.0))
    excess = float(np.max((p / mixture) @ kernel))
    return TestChannel(max(rate, 0.0), distortion, float(np.log2(max(excess, 1.0))), fit.masses)


def _checked(probabilities: ArrayLike, distortions: ArrayLike) -> tuple[FloatArray, FloatArray]:
    p, d = np.asarray(probabilities, dtype=np.float64), np.asarray(distortions, dtype=np.float64)
    if p.ndim != 1 or not p.size:
        raise ValueError(f"probabilities must be one-dimensional and not empty, got shape {p.shape}")
    if d.ndim != 2 or d.shape[0] != p.size or not d.shape[1]:
        raise ValueError(f"distortions must have shape ({p.size}, m) with m >= 1, got {d.shape}")
    if not (np.isfinite(p).all() and (p > 0).all()):
        raise ValueError("probabilities must be positive and finite")
    if not (np.isfinite(d).all() and (d >= 0).all()):
        raise ValueError("distortions must be finite and not negative")
    return p / p.sum(), d
