"""Lloyd's iteration on a trellis: search, then move codepoints and code lengths to what was found.

Each half step lowers squared error + slope * bits on the training set, so the iteration descends.  It sees a
sample, not the law: rare codepoints are held near their start, and never lose their code word, by a few
pseudo-observations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..._typing import FloatArray
from .trellis import TrellisQuantiser

__all__ = ["Trained", "cost_of", "train"]

# Weight of a codepoint's start, in observations: it matters for cells met less than ten times.
_ANCHOR = 1.0
# Observations that a codebook's code assumes beforehand, shared out by the start's probabilities.  A tenth
# of it makes unseen tails a bit dearer, ten times as much costs 1e-4 bit.
_PRIOR = 2.0


@dataclass(frozen=True)
class Trained:
    """A quantiser with its training figures per value."""

    quantiser: TrellisQuantiser
    distortion: float
    rate: float
    iterations: int
    change: float


def cost_of(trained: Trained, slope: float) -> float:
    """Lagrangian on the training set."""
    return trained.distortion + slope * trained.rate


def train(
    quantiser: TrellisQuantiser,
    start: TrellisQuantiser,
    x: FloatArray,
    *,
    iterations: int,
    tolerance: float,
    adapt_lengths: bool,
) -> Trained:
    """Iterate until the Lagrangian falls by less than `tolerance`, relatively, or iterations run out.

    Parameters
    ----------
    quantiser : TrellisQuantiser
        Where to begin.
    start : TrellisQuantiser
        Holds the codepoints and lengths that rare cells are kept near.
    x : ndarray of float64, shape (sequences, length)
        Training set.
    iterations : int, >= 1
    tolerance : float
    adapt_lengths : bool
        Whether code lengths follow the frequencies; otherwise they stay (fixed rate).

    Returns
    -------
    Trained
        Distortion and rate are those of the search before the last update.
    """
    before, change, distortion, rate = np.inf, np.inf, np.inf, np.inf
    done = 0
    while done < iterations:
        done += 1
        indices = quantiser.encode(x)
        which = quantiser.codebooks(indices)
        error = x - quantiser.codepoints[which, indices]
        distortion = float(np.mean(error * error))
        rate = float(np.mean(quantiser.lengths[which, indices]))
        now = distortion + quantiser.slope * rate
        change, before = (before - now) / now if np.isfinite(before) else np.inf, now
        symbol = (which.astype(np.int64) * quantiser.levels + indices).ravel()
        quantiser = _updated(quantiser, start, symbol, x.ravel(), adapt_lengths)
        if abs(change) < tolerance:
            break
    return Trained(quantiser, distortion, rate, done, float(change))


def _updated(
    quantiser: TrellisQuantiser,
    start: TrellisQuantiser,
    symbol: NDArray[np.int64],
    x: FloatArray,
    adapt_lengths: bool,
) -> TrellisQuantiser:
    shape = quantiser.codepoints.shape
    count = np.bincount(symbol, minlength=2 * shape[1]).reshape(shape)
    total = np.bincount(symbol, weights=x, minlength=2 * shape[1]).reshape(shape)
    centroids = (total + _ANCHOR * start.codepoints) / (count + _ANCHOR)
    lengths = quantiser.lengths
    if adapt_lengths:
        prior = np.exp2(-start.lengths)
        prior /= prior.sum(axis=1, keepdims=True)
        lengths = -np.log2((count + _PRIOR * prior) / (count.sum(axis=1, keepdims=True) + _PRIOR))
    return replace(quantiser, codepoints=centroids, lengths=lengths)
