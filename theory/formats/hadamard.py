"""Hadamard matrices: square, of entries +1 and -1, with orthogonal rows.

Those of order 2^k are Sylvester's.  Others come from the squares of a finite field of q elements (Paley 1933):
order q + 1 where q is 3 modulo 4, order 2 (q + 1) where q is 1 modulo 4.  The Kronecker product of two
Hadamard matrices is one again, so an order c that is known gives all c 2^k.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["core_matrix", "factors", "hadamard_matrix", "next_length"]

# Additions per element that an odd factor may cost.  Every multiple of 4 up to here has a known matrix of its
# order or of a small multiple of it; ten times as many would only serve lengths like 4 x 911.
_LARGEST_CORE = 1024


@lru_cache(maxsize=4096)
def factors(length: int) -> tuple[int, int] | None:
    """Order c of a core matrix and the power k with length = c 2^k, the smallest core that is known.

    Returns None where no core of at most 1024 is known; (1, k) where the length is a power of two.
    """
    if length < 1:
        return None
    power = (length & -length).bit_length() - 1
    odd = length >> power
    if odd == 1:
        return 1, power
    for doubled in range(2, power + 1):
        core = odd << doubled
        if core > _LARGEST_CORE:
            return None
        if _paley_field(core):
            return core, power - doubled
    return None


def next_length(length: int) -> int:
    """Smallest length not below this one that `factors` knows."""
    while factors(length) is None:
        length += 1
    return length


def hadamard_matrix(length: int) -> NDArray[np.int8]:
    """Matrix of a length that `factors` knows: the Kronecker product of its core and Sylvester's matrix.

    Raises
    ------
    ValueError
        If no Hadamard matrix of this order is known.
    """
    found = factors(length)
    if found is None:
        raise ValueError(f"length must be the order of a known Hadamard matrix, got {length}")
    core, power = found
    index = np.arange(1 << power)
    sylvester = 1 - 2 * (np.bitwise_count(index[:, None] & index) & 1).astype(np.int8)
    return np.kron(core_matrix(core), sylvester)


@lru_cache(maxsize=32)
def core_matrix(order: int) -> NDArray[np.int8]:
    """Hadamard matrix of order 1 or of an order of Paley's.

    Raises
    ------
    ValueError
        If the order is neither.
    """
    if order == 1:
        return np.ones((1, 1), dtype=np.int8)
    field = _paley_field(order)
    if field is None:
        raise ValueError(f"order must be 1 or an order of Paley's construction, got {order}")
    matrix = _paley(*field)
    matrix.flags.writeable = False
    return matrix


def _paley_field(order: int) -> tuple[int, int] | None:
    """Return prime and degree of the field that gives this order."""
    for q, residue in ((order - 1, 3), (order // 2 - 1, 1)):
        if order % 4 == 0 and q % 4 == residue and (found := _prime_power(q)):
            return found
    return None


def _prime_power(q: int) -> tuple[int, int] | None:
    if q < 2:
        return None
    prime = next((p for p in range(2, int(q**0.5) + 1) if q % p == 0), q)
    degree, rest = 0, q
    while rest % prime == 0:
        rest, degree = rest // prime, degree + 1
    return (prime, degree) if rest == 1 else None


def _paley(prime: int, degree: int) -> NDArray[np.int8]:
    """Paley (1933): both constructions, from the table chi(a - b) of squares and non-squares."""
    table = _character_table(prime, degree)
    q = len(table)
    bordered = np.zeros((q + 1, q + 1), dtype=np.int8)
    bordered[0, 1:], bordered[1:, 1:] = 1, table
    identity = np.eye(q + 1, dtype=np.int8)
    if q % 4 == 3:
        bordered[1:, 0] = -1
        return bordered + identity
    bordered[1:, 0] = 1
    plus, minus = np.array([[1, 1], [1, -1]], np.int8), np.array([[1, -1], [-1, -1]], np.int8)
    return np.kron(bordered, plus) + np.kron(identity, minus)


def _character_table(prime: int, degree: int) -> NDArray[np.int8]:
    """chi(a - b) for all elements: 0, 1 for squares, -1 for others; an element's number is in base `prime`."""
    q = prime**degree
    digits = np.arange(q)[:, None] // prime ** np.arange(degree) % prime
    chi = np.zeros(q, dtype=np.int8)
    powers = _powers_of_a_root(prime, degree)
    chi[powers[0::2]], chi[powers[1::2]] = 1, -1
    difference = (digits[:, None, :] - digits[None, :, :]) % prime @ prime ** np.arange(degree)
    return np.asarray(chi[difference])


def _powers_of_a_root(prime: int, degree: int) -> list[int]:
    """Return all nonzero elements of the field in the order of the powers of a primitive element.

    Elements are polynomials modulo x^degree = c; the first c for which the powers of x run through all
    is taken (over a prime field: the first primitive root).
    """
    q = prime**degree
    for candidate in range(1, q):
        tail = [candidate // prime**i % prime for i in range(degree)]
        element, seen = [1] + [0] * (degree - 1), []
        for _ in range(q - 1):
            seen.append(sum(digit * prime**i for i, digit in enumerate(element)))
            carry = element[-1]
            element = [(low + carry * t) % prime for low, t in zip([0, *element[:-1]], tail, strict=True)]
        if len(set(seen)) == q - 1:
            return seen
    raise AssertionError(f"every finite field has a primitive element, but {q} elements show none")
