"""Design of fixed-rate trellis-coded quantisers (Marcellin and Fischer 1990).

The two codebooks interleave: their union starts as a compander with twice the levels, labelled D0, D1, D2,
D3, D0, ... in ascending order, and is then trained on the trellis.
"""

from __future__ import annotations

import numpy as np

from ...sources import Source
from .._integers import checked_integer
from ..companding import half_step_compander
from ..measurement import stratified_draw
from ..scalar import Design
from .training import train
from .trellis import TrellisQuantiser

__all__ = ["trellis_coded"]

_LENGTH = 1024
# Relative fall of the distortion per iteration below which training stops: a hundredth of the standard error
# of a measurement on the default training set.
_TOLERANCE = 1e-5


def trellis_coded(
    source: Source,
    rate: int,
    *,
    states: int = 8,
    samples: int = 2**17,
    iterations: int = 50,
    seed: int = 0,
) -> TrellisQuantiser:
    """Design a trellis-coded quantiser of a whole number of bits per value.

    Parameters
    ----------
    source : Source
        The law of the independent values.
    rate : int, 1 to 12
        Bits per value.  The two codebooks have 2^rate codepoints each.
    states : int
        4, 8, 16, 32, 64, 128 or 256.  Doubling them gains 0.05 to 0.1 dB and halves the encoder's speed.
    samples : int, >= 4096
        Size of the training set; take at least a thousand for each codepoint.
    iterations : int, >= 1
        Most rounds of training.
    seed : int
        Of the training set.

    Returns
    -------
    TrellisQuantiser
        Exactly `rate` bits per value, whatever the length of the sequence.  A local optimum.  The design's
        residual is the last relative fall of the training distortion.

    Raises
    ------
    TypeError, ValueError
        If a number is not an integer or lies outside its range.

    References
    ----------
    M. W. Marcellin and T. R. Fischer, "Trellis coded quantization of memoryless and Gauss-Markov sources",
    IEEE Trans. Commun. 38 (1990), sections II and III.

    Examples
    --------
    >>> from bitlaw.theory import Normal
    >>> quantiser = trellis_coded(Normal(), 2, states=4, samples=2**14)
    >>> indices = quantiser.encode([0.3, -1.2, 0.1, 2.0])
    >>> int(indices.max()) < 4, quantiser.decode(indices).shape
    (True, (4,))
    """
    bits = checked_integer("rate", rate, 1, 12)
    count = checked_integer("samples", samples, 4096, 2**31)
    rounds = checked_integer("iterations", iterations, 1, 10**6)
    union = half_step_compander(source, 2 ** (bits + 1)).codepoints
    start = TrellisQuantiser(states, np.stack([union[::2], union[1::2]]), block_length=_LENGTH)
    x = stratified_draw(source, -(-count // _LENGTH), _LENGTH, seed)
    found = train(start, start, x, iterations=rounds, tolerance=_TOLERANCE, adapt_lengths=False)
    status = "converged" if found.change < _TOLERANCE else f"stopped after {found.iterations} iterations"
    design = Design("trellis-coded", status, found.iterations, abs(found.change))
    return TrellisQuantiser(states, found.quantiser.codepoints, block_length=_LENGTH, design=design)
