"""Which elements of a tensor are kept apart: three ways to store their positions, and their exact lengths.

- An index list: ceil(log2 N) bits each, for N elements.
- The gaps between neighbours, in a Golomb-Rice code (Golomb 1966; Rice 1979): a gap g with parameter k is
  g >> k in unary (ones, then a zero) and the k low bits of g.  Gaps of independent positions are geometric,
  the law that this code is made for: it stays within 4% of their entropy.
- A bitmap: N bits.

The lists also store how many there are, and the code of gaps its parameter.
"""

from __future__ import annotations

import math
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from .._compiled import kernel

__all__ = [
    "CODINGS",
    "Coding",
    "bitmap_information",
    "cheapest_coding",
    "decode_gaps",
    "encode_gaps",
    "expected_bits",
    "position_bits",
    "rice_parameter",
]

Coding = Literal["index", "gaps", "bitmap"]
CODINGS: tuple[Coding, ...] = ("index", "gaps", "bitmap")
_PARAMETER_BITS = 6  # a Rice parameter is below 64


def position_bits(positions: NDArray[np.int64], size: int, coding: Coding) -> int:
    """Exact length in bits of the positions of some of `size` elements, header included.

    Parameters
    ----------
    positions : ndarray of int64, strictly ascending, 0 <= position < size
    size : int >= 0
    coding : {"index", "gaps", "bitmap"}
    """
    if coding == "bitmap":
        return size
    if coding == "index":
        return _header(size, coding) + positions.size * int(_width(size))
    return _header(size, coding) + rice_parameter(positions)[1]


def cheapest_coding(positions: NDArray[np.int64], size: int) -> Coding:
    """Coding with the fewest bits; the first of index, gaps, bitmap if several have them."""
    return min(CODINGS, key=lambda coding: position_bits(positions, size, coding))


def rice_parameter(positions: NDArray[np.int64]) -> tuple[int, int]:
    """Rice parameter with the shortest code of the gaps, and that code's length in bits.

    The length is convex in the parameter (what k + 1 saves over k falls with k), so the first parameter that
    the next one does not improve on is the best.
    """
    gaps, count = _gaps(positions), positions.size
    k, length = 0, int(gaps.sum()) + count
    while (longer := int((gaps >> (k + 1)).sum()) + count * (k + 2)) < length:
        k, length = k + 1, longer
    return k, length


def encode_gaps(positions: NDArray[np.int64], parameter: int) -> NDArray[np.uint8]:
    """Bits of the gaps before each position, first bit highest, padded with zeros to whole bytes.

    Parameters
    ----------
    positions : ndarray of int64, strictly ascending, from 0
    parameter : int, 0 to 62
        The k of the Golomb-Rice code.
    """
    gaps = _gaps(positions)
    quotients = gaps >> parameter
    ends = np.cumsum(quotients + 1 + parameter)
    zeros = ends - 1 - parameter
    edges = np.zeros(int(ends[-1]) + 1 if ends.size else 1, dtype=np.int8)
    np.add.at(edges, zeros - quotients, 1)
    np.add.at(edges, zeros, -1)
    bits = np.cumsum(edges[:-1], dtype=np.int8).astype(np.uint8)
    for j in range(parameter):
        bits[ends - 1 - j] = (gaps >> j) & 1
    return np.packbits(bits)


def decode_gaps(data: NDArray[np.uint8], count: int, parameter: int) -> NDArray[np.int64]:
    """Positions that `encode_gaps` encoded.

    Raises
    ------
    ValueError
        If the data end before `count` positions.
    """
    positions = np.empty(count, dtype=np.int64)
    if _decode(np.unpackbits(data), parameter, positions) < count:
        raise ValueError(f"data must hold {count} gaps, but end after {8 * data.size} bits")
    return positions


@kernel
def _decode(bits: Any, parameter: int, positions: Any) -> int:
    """Fill in positions; returns how many were complete."""
    at = 0
    position = -1
    for i in range(positions.shape[0]):
        gap = 0
        while at < bits.shape[0] and bits[at] == 1:
            gap += 1
            at += 1
        at += 1
        if at + parameter > bits.shape[0]:
            return i
        for _ in range(parameter):
            gap = 2 * gap + bits[at]
            at += 1
        position += gap + 1
        positions[i] = position
    return len(positions)


def expected_bits(probability: float, size: float, coding: Coding) -> float:
    """Expected bits per element where each of `size` elements is kept apart independently.

    Gaps are then geometric, P(gap >= m) = q^m with q = 1 - probability, and the expectation of g >> k is the
    sum of q^(j 2^k) over j >= 1: a gap costs k + 1 / (1 - q^(2^k)) bits with the best k.

    Parameters
    ----------
    probability : float, 0 to 1
    size : float >= 1, may be infinite
        Infinite where the header does not matter; an index list then takes infinitely many bits.
    coding : {"index", "gaps", "bitmap"}
    """
    if coding == "bitmap":
        return 1.0
    header = _header(size, coding) / size if math.isfinite(size) else 0.0
    if probability == 0.0:
        return header
    if coding == "index":
        return header + probability * _width(size)
    return header + probability * _rice_bits(probability)


def _rice_bits(probability: float) -> float:
    """Bits of one geometric gap with the best parameter (Gallager and Van Voorhis 1975, restricted to 2^k)."""
    rate = -math.log1p(-probability) if probability < 1.0 else math.inf
    return min(k - 1.0 / math.expm1(-rate * 2.0**k) for k in range(63))


def bitmap_information(count: int, size: int) -> float:
    """Bits of the number of a set of `count` positions among all such sets: log2 of the binomial coefficient.

    What a bitmap takes with an ideal (enumerative) code; no coding of positions alone takes fewer.
    """
    nats = math.lgamma(size + 1) - math.lgamma(count + 1) - math.lgamma(size - count + 1)
    return nats / math.log(2.0)


def _gaps(positions: NDArray[np.int64]) -> NDArray[np.int64]:
    return cast("NDArray[np.int64]", np.diff(positions, prepend=np.int64(-1)) - 1)


def _width(size: float) -> float:
    """Bits of one index: ceil(log2 size)."""
    return (int(size) - 1).bit_length() if math.isfinite(size) else math.inf


def _header(size: float, coding: Coding) -> int:
    """Bits of the number of positions (0 to size), and of the parameter."""
    return int(size).bit_length() + (_PARAMETER_BITS if coding == "gaps" else 0)
