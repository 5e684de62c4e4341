"""Mean length of a Huffman code, without the code."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["mean_huffman_length"]


def mean_huffman_length(probabilities: ArrayLike) -> float:
    """Bits per symbol of the best prefix code of whole bits for one symbol at a time.

    Each merge of the two least probable nodes lengthens the words below it by a bit, so the mean length is the
    sum of the probabilities of all merged nodes.

    Parameters
    ----------
    probabilities : array_like of float, >= 0
        Of the symbols; those of 0 get no word.

    Returns
    -------
    float
        From the entropy to less than a bit above it; 0 for one symbol.

    References
    ----------
    Huffman, Proceedings of the IRE 40 (1952).

    Examples
    --------
    >>> mean_huffman_length([0.5, 0.25, 0.125, 0.125])
    1.75
    """
    values = np.asarray(probabilities, dtype=np.float64)
    heap = [float(value) for value in np.sort(values[values > 0])]
    total = 0.0
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        total += merged
        heapq.heappush(heap, merged)
    return total
