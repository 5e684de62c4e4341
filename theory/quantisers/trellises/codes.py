"""Ungerboeck's rate-1/2 convolutional codes, as machines of states that allow subsets of codepoints.

At every sample the state says which of two codebooks may be used (the last bit of the state); one bit of the
chosen index, the branch, drives the state on.  The four pairs of codebook and branch are the subsets D0, D2
(codebook 0) and D1, D3 (codebook 1) of the literature.

A code is the pair of parity-check polynomials (h0, h1) of Ungerboeck (1982), table I, for amplitude
modulation; its systematic feedback encoder in observer form is one line:
next = (state >> 1) ^ z0 (h0 >> 1) ^ z1 (h1 >> 1), with z0 = state & 1 the codebook and z1 the branch.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["STATES", "Trellis", "ungerboeck"]

# Ungerboeck (1982), "Channel coding with multilevel/phase signals", IEEE Trans. Inf. Theory 28, table I
# (4-AM): states -> h0, h1 in octal.  Marcellin and Fischer (1990) quantise with the same codes.
_POLYNOMIALS = {
    4: (0o5, 0o2),
    8: (0o13, 0o4),
    16: (0o23, 0o4),
    32: (0o45, 0o10),
    64: (0o103, 0o24),
    128: (0o235, 0o126),
    256: (0o515, 0o362),
}
STATES = tuple(_POLYNOMIALS)


@dataclass(frozen=True, eq=False)
class Trellis:
    """Transitions of a machine of S states with two branches out of and into each.

    Attributes
    ----------
    next_state : ndarray of int64, shape (S, 2)
        State after branch 0 and branch 1.
    previous, subset : ndarray of int64, shape (S, 2)
        The two states that lead into a state, and the subset 2 * codebook + branch on the way.
    """

    next_state: NDArray[np.int64]
    previous: NDArray[np.int64]
    subset: NDArray[np.int64]

    @property
    def states(self) -> int:
        """Number of states."""
        return len(self.next_state)


def ungerboeck(states: int) -> Trellis:
    """Trellis of Ungerboeck's code with 4, 8, ..., 256 states.

    Parameters
    ----------
    states : int
        A power of two between 4 and 256.

    Returns
    -------
    Trellis
        The codebook that state s allows is s & 1.

    Raises
    ------
    TypeError, ValueError
        If `states` is not an integer, or none of those numbers.

    References
    ----------
    G. Ungerboeck, "Channel coding with multilevel/phase signals", IEEE Trans. Inf. Theory 28 (1982), table I.

    Examples
    --------
    >>> ungerboeck(4).next_state.tolist()
    [[0, 1], [2, 3], [1, 0], [3, 2]]
    """
    count = _check_states(states)
    h0, h1 = _POLYNOMIALS[count]
    state = np.arange(count)[:, None]
    branch = np.arange(2)[None, :]
    following = (state >> 1) ^ ((state & 1) * (h0 >> 1)) ^ (branch * (h1 >> 1))
    order = np.argsort(following, axis=None, kind="stable").reshape(count, 2)
    previous, taken = order >> 1, order & 1
    return Trellis(following, previous, 2 * (previous & 1) + taken)


def _check_states(states: object) -> int:
    try:
        count = operator.index(states)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"states must be an integer, got {states!r}") from None
    if count not in _POLYNOMIALS:
        raise ValueError(f"states must be a power of two between 4 and 256, got {count}")
    return count
