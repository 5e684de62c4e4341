"""An array as a format stores it: codes, scales and what is kept apart, with its exact size in bits."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..._arrays import FLOATS
from ..._typing import IntArray
from ..elements import VectorCodebook

if TYPE_CHECKING:
    from ..format import Format
    from ..number_types import NumberType

__all__ = ["Encoded"]

# Arrays that an encoded tensor may hold, all but the first two optional.
_ARRAYS = ("codes", "scales", "zeros", "group_scales", "group_zeros", "outlier_positions", "outlier_values")
_HEADER = "header"
# Codes counted at once: numpy turns them into 64-bit integers first.
_COUNTED = 1 << 20


@dataclass(frozen=True, eq=False)
class Encoded:
    """What is stored of an array, made by `encode`; its arrays are read-only.

    Attributes
    ----------
    format : Format
    shape : tuple of int
        Of the array.
    dtype : str
        Of the array that is restored: float16, bfloat16, float32 or float64.
    codes : ndarray of uint8 (up to 256 codepoints) or uint16
        Index of the codepoint of each element, ascending with the codepoint, of the shape of the array (of
        the rotated array, where a rotation pads); of vectors, see `encode`.
    scales : ndarray of float32
        Stored numbers of the blocks (`Scale.number`): the shape of the array with its blocked axes counted in
        blocks, (1,) for a whole tensor; empty without scales.
    zeros : ndarray of float32, optional
        Zero points or offsets of minmax blocks, of the shape of the scales, as stored: the integer z, or a
        number (its magnitude if the number type has no sign).
    group_scales, group_zeros : ndarray of float32, optional
        Stored scales of groups, which multiply those of their blocks.
    outlier_positions : ndarray of int64, optional
        Ascending, in C order.
    outlier_values : ndarray of float32, optional
        Rounded to the outliers' number type.
    """

    format: Format
    shape: tuple[int, ...]
    dtype: str
    codes: IntArray
    scales: NDArray[np.float32]
    zeros: NDArray[np.float32] | None = None
    group_scales: NDArray[np.float32] | None = None
    group_zeros: NDArray[np.float32] | None = None
    outlier_positions: NDArray[np.int64] | None = None
    outlier_values: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.dtype not in FLOATS:
            raise ValueError(f"dtype must be one of {', '.join(FLOATS)}, got {self.dtype!r}")
        for name in _ARRAYS:
            array = getattr(self, name)
            if array is not None:
                array = array.view()
                array.flags.writeable = False
                object.__setattr__(self, name, array)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Encoded):
            return NotImplemented
        return all(_same(getattr(self, entry.name), getattr(other, entry.name)) for entry in fields(Encoded))

    __hash__ = None  # type: ignore[assignment]

    @property
    def element_bits(self) -> int:
        """Bits of the codes: of fixed length in whole bytes, or their entropy, rounded up, if so coded."""
        if self.format.code == "entropy":
            return math.ceil(self.entropy() * self.codes.size)
        element = self.format.element
        if isinstance(element, VectorCodebook):
            return _whole_bytes(element.words_bits * self.codes.size)
        return _whole_bytes(Fraction(element.bits).limit_denominator(1 << 20) * self.codes.size)

    @property
    def _elements(self) -> int:
        """Elements that are coded, padding of a rotation among them."""
        rotation = self.format.rotation
        if rotation is None or not self.shape:
            return math.prod(self.shape)
        return math.prod(self.shape[:-1]) * rotation.stored_length(self.shape[-1])

    @property
    def scale_bits(self) -> int:
        """Bits of block scales, zero points and group scales, each in whole bytes."""
        scale, group = self.format.scale, self.format.group
        bits = _whole_bytes(self.scales.size * scale.number.bits)
        if self.zeros is not None:
            width = self.format.element.bits if isinstance(scale.zero, str) else _number(scale.zero).bits
            bits += _whole_bytes(self.zeros.size * Fraction(width).limit_denominator(1 << 20))
        if group is not None:
            stored = [a.size for a in (self.group_scales, self.group_zeros) if a is not None]
            bits += _whole_bytes(sum(stored) * group.number.bits)
        return bits

    @property
    def outlier_bits(self) -> int:
        """Bits of the outliers' positions and values."""
        outliers = self.format.outliers
        if outliers is None or self.outlier_positions is None:
            return 0
        return outliers.bits(self.outlier_positions, self._elements)

    @property
    def codebook_bits(self) -> int:
        """Bits of a codebook that travels with the tensor, in whole bytes."""
        return _whole_bytes(self.format.element.stored_codebook_bits)

    @property
    def bits(self) -> int:
        """Bits of everything stored."""
        return self.element_bits + self.scale_bits + self.outlier_bits + self.codebook_bits

    @property
    def bits_per_element(self) -> float:
        """Bits over the elements of the array, without padding; NaN if it has none."""
        size = math.prod(self.shape)
        return self.bits / size if size else math.nan

    def entropy(self) -> float:
        """Entropy of the codes in bits per code, with their own frequencies; 0 if there are none."""
        flat = self.codes.reshape(-1)
        counts = np.zeros(1 << 8 * flat.dtype.itemsize, np.int64)
        for start in range(0, flat.size, _COUNTED):
            counts += np.bincount(flat[start : start + _COUNTED], minlength=counts.size)
        share = counts[counts > 0] / max(flat.size, 1)
        return float(-(share * np.log2(share)).sum()) + 0.0

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Plain arrays to be saved (npz, safetensors); `from_arrays` is the way back.

        Returns
        -------
        dict
            The arrays that there are, by attribute, and "header": format, shape and dtype as JSON in UTF-8
            bytes.
        """
        header = {"format": self.format.to_dict(), "shape": list(self.shape), "dtype": self.dtype}
        text = np.frombuffer(json.dumps(header).encode(), np.uint8)
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        return {_HEADER: text} | {name: array for name, array in arrays.items() if array is not None}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Encoded:
        """Encoded array of plain arrays made by `to_arrays`.

        Raises
        ------
        ValueError
            If the header or an array is missing, or an unknown one is there.
        """
        from ..format import Format

        unknown = set(arrays) - {_HEADER, *_ARRAYS}
        missing = {_HEADER, "codes", "scales"} - set(arrays)
        if unknown or missing:
            raise ValueError(
                f"an encoded array has {_HEADER}, {', '.join(_ARRAYS)}; these came: {sorted(arrays)}"
            )
        header = json.loads(np.asarray(arrays[_HEADER], np.uint8).tobytes().decode())
        given = {name: np.asarray(arrays[name]) for name in _ARRAYS if name in arrays}
        return cls(Format.from_dict(header["format"]), tuple(header["shape"]), header["dtype"], **given)


def _number(zero: object) -> NumberType:
    return zero  # type: ignore[return-value]


def _whole_bytes(bits: int | Fraction) -> int:
    return 8 * math.ceil(Fraction(bits) / 8)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    return bool(type(one) is type(other) and one == other)
