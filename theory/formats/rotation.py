"""Seeded rotations of the last axis, which spread a tensor's outliers over many elements.

A Hadamard rotation of n elements is y = H (sign * x) / sqrt(n): n log2 n additions where n is a power of two,
and n c more where n is c times a power of two and a Hadamard matrix of order c is known.  An orthogonal
rotation is drawn from the uniform (Haar) law on all rotations and reflections; it costs n^2.

The catch is the length: Hadamard matrices exist for 1, 2 and multiples of four at most.  A row of another
length is padded with zeros to the next length that has one, and the padded elements are stored like others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import scipy
from numpy.typing import NDArray

from .._arguments import check_choice
from .._arrays import as_real, finite, raise_not_finite
from .._typing import ArrayLike, FloatArray
from ._hadamard_kernels import hadamard_rows
from .hadamard import factors, hadamard_matrix, next_length

__all__ = ["Rotation", "parse_rotation"]

Kind = Literal["hadamard", "orthogonal"]

# A matrix of more rows takes gigabytes and minutes to draw.
_LARGEST_MATRIX = 16_384


@dataclass(frozen=True)
class Rotation:
    """A random rotation of the last axis, in one piece or in blocks that all turn alike.

    `str(rotation)` is its text in a format's specification: `hadamard`, `orthogonal:64`,
    `hadamard:128:seed=3`.

    Attributes
    ----------
    kind : {"hadamard", "orthogonal"}
        A Hadamard matrix after random signs, or a rotation drawn from the Haar law.
    size : int or "row"
        Elements that are turned together: the whole last axis, or blocks of it; a size must divide the axis,
        and for "hadamard" be the order of a known Hadamard matrix.
    seed : int >= 0
        What the signs or the rotation are drawn from.  Signs come from the raw words of a PCG64 generator,
        which never change; the entries of an orthogonal rotation may differ in the last digits between
        machines (its factorisation is LAPACK's).

    Raises
    ------
    ValueError, TypeError
        If an attribute is none of these.

    References
    ----------
    Ashkboos et al., "QuaRot" (arXiv 2404.00456); Stewart, SIAM J. Numer. Anal. 17 (1980), section 3.

    Examples
    --------
    >>> import numpy as np
    >>> rotation = Rotation("hadamard", 4, seed=1)
    >>> y = rotation.apply(np.array([8.0, 0.0, 0.0, 0.0]))
    >>> np.abs(y).tolist(), np.abs(rotation.undo(y)).tolist()
    ([4.0, 4.0, 4.0, 4.0], [8.0, 0.0, 0.0, 0.0])
    """

    kind: Kind
    size: int | Literal["row"] = "row"
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, ("hadamard", "orthogonal"))
        _check_integer("seed", self.seed, 0)
        if self.size == "row":
            return
        if isinstance(self.size, str):
            raise ValueError(f"size must be a positive integer or 'row', got {self.size!r}")
        _check_integer("size", self.size, 1)
        self._check_size(self.size)

    def __str__(self) -> str:
        size = "" if self.size == "row" else f":{self.size}"
        return f"{self.kind}{size}" + (f":seed={self.seed}" if self.seed else "")

    def stored_length(self, length: int) -> int:
        """Length of the last axis after the rotation of one of `length`: longer where padding is needed.

        Raises
        ------
        ValueError
            If the rotation's size does not divide the length.
        """
        if self.size != "row":
            if length % self.size:
                raise ValueError(f"size must divide the last axis, but {self.size} does not divide {length}")
            return length
        if self.kind == "orthogonal":
            self._check_size(length)
            return length
        return length if length == 0 or factors(length) else next_length(length)

    def signs(self, length: int) -> NDArray[np.int8]:
        """Signs +1 and -1 that a Hadamard rotation of `length` elements multiplies them with first."""
        words = np.random.PCG64(self.seed).random_raw(-(-length // 64))
        bits = np.unpackbits(np.ascontiguousarray(words, dtype="<u8").view(np.uint8), bitorder="little")
        return 1 - 2 * bits[:length].astype(np.int8)

    def apply(self, x: ArrayLike) -> NDArray[Any]:
        """Rotate the last axis.

        Parameters
        ----------
        x : array_like of shape (..., n)
            Finite.  Computed in float32 if x is float16, bfloat16 or float32, otherwise in float64.

        Returns
        -------
        ndarray of float32 or float64, shape (..., stored_length(n))
            Its sum of squares is that of x to rounding.  A Hadamard rotation adds in a fixed order (halves
            of the row at distance 1, 2, 4, ..., then the rows of the odd factor from first to last, then one
            product with 1 / sqrt(n)), so that its result is the same to the last bit everywhere.

        Raises
        ------
        ValueError
            If x has no axis, is not finite, or its last axis does not fit the size.
        """
        values = _checked(x)
        stored = self.stored_length(values.shape[-1])
        if stored != values.shape[-1]:
            pad = [(0, 0)] * (values.ndim - 1) + [(0, stored - values.shape[-1])]
            values = np.pad(values, pad)
        return self._turn(values, forward=True)

    def undo(self, y: ArrayLike, length: int | None = None) -> NDArray[Any]:
        """Rotate the last axis back.

        Parameters
        ----------
        y : array_like of shape (..., stored_length(n))
            Finite.
        length : int, optional
            n, where the rotation padded; default the last axis of y.

        Returns
        -------
        ndarray of float32 or float64, shape (..., n)
            For y = apply(x), each block of it is within `error_bound(size)` times the norm of x's block.

        Raises
        ------
        ValueError
            If y has no axis, is not finite, or its last axis is not what a length is stored as.
        """
        values = _checked(y)
        n = values.shape[-1] if length is None else length
        if self.stored_length(n) != values.shape[-1]:
            raise ValueError(
                f"y must have a last axis of {self.stored_length(n)} (rotated {n}), got {values.shape[-1]}"
            )
        return self._turn(values, forward=False)[..., :n]

    def error_bound(self, length: int, dtype: Any = np.float64) -> float:
        """Bound on |undo(apply(x)) - x| / |x|, in Euclidean norms, of `length` elements turned together.

        A sum of two errs by one unit u of rounding, so every halving of a row adds u; a sum of c terms with
        signs adds (c - 1) sqrt(c) u, and products with the scale u each (Higham 2002, section 3.1).  An
        orthogonal matrix adds n^1.5 u, and as much for its own departure from orthogonality.
        """
        unit = float(np.finfo(np.dtype(dtype)).eps) / 2
        if self.kind == "orthogonal":
            return 4.0 * math.pow(length + 1, 1.5) * unit
        core, power = factors(length) or factors(next_length(length)) or (1, 0)
        terms = power + (core - 1) * math.sqrt(core) + 2
        return 2.0 * terms * unit * (1.0 + 4.0 * terms * unit)

    def matrix(self, length: int) -> FloatArray:
        """Matrix Q of the rotation of `length` elements turned together: y = Q x; without padding."""
        if self.kind == "orthogonal":
            return _orthogonal(length, self.seed)
        return hadamard_matrix(length) * self.signs(length) / math.sqrt(length)

    def _turn(self, values: NDArray[Any], *, forward: bool) -> NDArray[Any]:
        size = values.shape[-1] if self.size == "row" else self.size
        if values.size == 0:
            return values.copy()
        rows = values.reshape(-1, size)
        if self.kind == "orthogonal":
            matrix = _orthogonal(size, self.seed).astype(values.dtype, copy=False)
            out = rows @ (matrix.T if forward else matrix)
        else:
            out = hadamard_rows(rows, self.signs(size), forward=forward)
        return np.asarray(out.reshape(values.shape))

    def _check_size(self, size: int) -> None:
        if self.kind == "orthogonal" and size > _LARGEST_MATRIX:
            raise ValueError(f"size of an orthogonal rotation must be at most {_LARGEST_MATRIX}, got {size}")
        if self.kind == "hadamard" and factors(size) is None:
            raise ValueError(
                f"size must be the order of a known Hadamard matrix, got {size}; next is {next_length(size)}"
            )


def parse_rotation(text: str) -> Rotation:
    """Build a rotation from its text: kind[:size][:seed=N].

    Parameters
    ----------
    text : str
        As `str` of a rotation gives it.

    Raises
    ------
    ValueError
        If a part is not understood.
    TypeError
        If `text` is not a string.

    Examples
    --------
    >>> parse_rotation("hadamard:128:seed=3")
    Rotation(kind='hadamard', size=128, seed=3)
    """
    if not isinstance(text, str):
        raise TypeError(f"rotation must be text, got {text!r}")
    kind, *parts = text.strip().lower().split(":")
    given: dict[str, Any] = {}
    for part in parts:
        key = "seed" if part.startswith("seed=") else "size"
        word = part.removeprefix("seed=")
        if key in given or not (word.isdecimal() or (key, word) == ("size", "row")):
            raise ValueError(f"rotation must be kind[:size][:seed=N], got {text!r}")
        given[key] = word if word == "row" else int(word)
    if kind not in ("hadamard", "orthogonal"):
        raise ValueError(f"rotation must be hadamard or orthogonal, got {kind!r}")
    return Rotation(kind, **given)  # type: ignore[arg-type]


@lru_cache(maxsize=2)
def _orthogonal(size: int, seed: int) -> FloatArray:
    """Haar rotation: the orthogonal factor of a Gaussian matrix, the signs of the other's diagonal moved."""
    words = np.random.PCG64(seed).random_raw(size * size)
    gaussian = scipy.special.ndtri(((words >> np.uint64(11)) + 0.5) * 2.0**-53).reshape(size, size)
    q, r = np.linalg.qr(gaussian)
    q *= np.where(np.diag(r) < 0, -1.0, 1.0)  # else LAPACK's signs would show: Stewart (1980)
    q.flags.writeable = False
    return np.asarray(q)


def _checked(x: ArrayLike) -> NDArray[Any]:
    values = as_real(x, "x")
    if values.ndim == 0:
        raise ValueError("x must have an axis to rotate, got a single number")
    if not finite(values).all():
        raise_not_finite(values, "x")
    wide = values.dtype == np.float64 or values.dtype.kind in "iu"
    return np.ascontiguousarray(values, dtype=np.float64 if wide else np.float32)


def _check_integer(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
