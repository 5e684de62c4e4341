"""The extended binary Golay code, by Turyn's construction from two Hamming codes of length 8."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["WEIGHTS", "golay_bytes", "golay_words", "hamming_pair"]

# Number of words of each weight (MacWilliams and Sloane 1977, chapter 2, section 6).
WEIGHTS = {0: 1, 8: 759, 12: 2576, 16: 759, 24: 1}


def _extended_cyclic(generator: int) -> NDArray[np.int64]:
    """The 16 words of the cyclic code of length 7 with a generator polynomial, each with a parity bit."""
    words = []
    for message in range(16):
        word = 0
        for shift in range(4):
            word ^= (generator << shift) * ((message >> shift) & 1)
        words.append(word | ((word.bit_count() & 1) << 7))
    return np.array(words)


def hamming_pair() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two extended Hamming codes, as bytes, that share only the words of all zeros and all ones."""
    return _extended_cyclic(0b1011), _extended_cyclic(0b1101)


@cache
def golay_bytes() -> NDArray[np.int64]:
    """The 4096 words as three bytes each, shape (4096, 3), read-only.

    The words are (a + x, b + x, a + b + x), a and b in one Hamming code and x in the other
    (Turyn 1967; MacWilliams and Sloane 1977, chapter 18, theorem 12).
    """
    first, second = hamming_pair()
    a, b, x = np.meshgrid(first, first, second, indexing="ij")
    words = np.stack([a ^ x, b ^ x, a ^ b ^ x], axis=-1).reshape(-1, 3)
    words.flags.writeable = False
    return words


@cache
def golay_words() -> NDArray[np.int64]:
    """The 4096 words as zeros and ones, shape (4096, 24), read-only."""
    bits = ((golay_bytes()[:, :, None] >> np.arange(8)) & 1).reshape(-1, 24)
    bits.flags.writeable = False
    return bits
