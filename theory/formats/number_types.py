"""Binary number types: the floats and unsigned integers in which elements and scales are stored.

One rule covers all of them.  A code is a sign bit (if signed), E exponent bits e and M mantissa bits m, and
stands for

    2^(e - bias) (1 + m / 2^M)    if e > 0,
    2^(1 - bias) m / 2^M          if e = 0 (zero and the subnormals),

less the codes that `special` takes away.  Two conventions complete it.  E = 0 leaves fixed point: uint4 is
ue0m4 and e0m3 is sign and magnitude; their bias is 1 - M, so that they count in ones.  Unsigned types without
mantissa (E8M0) have no zero: every code is a power of two.

The catch is that a name of the form ExMy does not say all.  The defaults here are those of the types that
hardware has: `e4m3` is OCP's (no infinities, one NaN: `e4m3fn` in ml_dtypes), `e5m2` and `e3m4` are like IEEE
754, the narrow ones have numbers only, and so have all other ExMy.  Suffixes say otherwise: `e4m3ieee`,
`e4m3fnuz`, `e4m3b11fnuz`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .._arguments import check_choice
from .._arrays import as_real
from .._typing import ArrayLike, FloatArray, IntArray
from ._number_names import resolve_number_name

__all__ = ["NumberType", "number_type"]

Mode = Literal["nearest", "up", "down"]
Special = Literal["ieee", "nan", "fnuz", "none"]

# More stored numbers than this between two ends are no longer worth telling apart.
_MOST_STEPS = 1 << 17


@dataclass(frozen=True)
class NumberType:
    """A binary number type of sign, exponent and mantissa bits; see the module for what its codes stand for.

    Made by `number_type`; constructed directly, the name must be one that `number_type` reads as the same
    type.

    Parameters
    ----------
    name : str
        The canonical text, which `str` returns.
    exponent_bits : int, 0 to 11
    mantissa_bits : int, 0 to 52
    bias : int
        Subtracted from the exponent's code.
    signed : bool
    special : {"ieee", "nan", "fnuz", "none"}
        Codes that are no finite numbers: all of the largest exponent (infinities and NaN), the one with all
        exponent and mantissa bits set (NaN), the one of negative zero (NaN), or none.

    Raises
    ------
    ValueError
        If the name stands for something else, or the numbers leave the range of float64.

    Examples
    --------
    >>> e2m1 = number_type("e2m1")
    >>> e2m1.values()[7:]
    array([0. , 0.5, 1. , 1.5, 2. , 3. , 4. , 6. ])
    >>> e2m1.round([2.5, -3.4, 100.0])
    array([ 2., -3.,  6.])
    """

    name: str
    exponent_bits: int
    mantissa_bits: int
    bias: int
    signed: bool
    special: Special

    def __post_init__(self) -> None:
        fields = (self.exponent_bits, self.mantissa_bits, self.bias, self.signed, self.special)
        if resolve_number_name(self.name) != (self.name, fields):
            raise ValueError(f"name must be the canonical text of the type, got {self.name!r} for {fields}")

    def __str__(self) -> str:
        return self.name

    @property
    def bits(self) -> int:
        """Width of a code."""
        return self.signed + self.exponent_bits + self.mantissa_bits

    @property
    def has_zero(self) -> bool:
        """Whether a code stands for zero: not so in unsigned types without mantissa, such as E8M0."""
        return self.signed or self.mantissa_bits > 0

    @property
    def largest(self) -> float:
        """Largest finite number."""
        return float(self._magnitudes(np.array(self._last_code)))

    @property
    def smallest(self) -> float:
        """Smallest positive number, subnormal where there are subnormals."""
        return float(self._magnitudes(np.array(int(self.has_zero))))

    @property
    def _last_code(self) -> int:
        """Code of the largest finite magnitude, without its sign."""
        taken = {"ieee": 1 << self.mantissa_bits, "nan": 1}.get(self.special, 0)
        return (1 << self.exponent_bits + self.mantissa_bits) - 1 - taken

    def _magnitudes(self, codes: NDArray[Any]) -> FloatArray:
        """Numbers of codes without sign bit, special codes aside."""
        exponent = codes >> self.mantissa_bits
        mantissa = codes & ((1 << self.mantissa_bits) - 1)
        normal = (exponent > 0) | (not self.has_zero)
        significand = mantissa + np.where(normal, 1 << self.mantissa_bits, 0)
        unit = np.where(normal, exponent, 1) - self.bias - self.mantissa_bits
        return np.ldexp(significand.astype(np.float64), unit.astype(np.int32))

    def values(self) -> FloatArray:
        """All finite numbers, ascending, zero once.

        Raises
        ------
        ValueError
            If the type has more than 16 bits.
        """
        if self.bits > 16:
            raise ValueError(f"values are listed for types of at most 16 bits, but {self} has {self.bits}")
        positive = self._magnitudes(np.arange(int(self.has_zero), self._last_code + 1))
        zero = np.zeros(int(self.has_zero))
        return np.concatenate([-positive[::-1] if self.signed else positive[:0], zero, positive])

    def round(self, x: ArrayLike, mode: Mode = "nearest") -> FloatArray:
        """Round to numbers of this type; what lies beyond the largest becomes the largest.

        Parameters
        ----------
        x : array_like of real numbers, any shape
            Infinities saturate; not NaN.
        mode : {"nearest", "up", "down"}
            To the nearest (ties to an even significand as in IEEE 754, hence upwards between powers of two without
            mantissa bits), away from zero, or towards zero.

        Returns
        -------
        ndarray of float64, of the shape of x
            Zero stays zero (with its sign), and magnitudes below the smallest positive number go to it
            ("up"), to zero ("down"), or to the nearer of the two.  A type without zero answers its smallest
            number for all of these.

        Raises
        ------
        TypeError
            If x does not hold real numbers.
        ValueError
            If a value is NaN, or negative for an unsigned type.
        """
        check_choice("mode", mode, ("nearest", "up", "down"))
        values = self._checked(x)
        magnitude = np.minimum(np.abs(values), self.largest)
        unit = self._unit(magnitude)
        steps = np.ldexp(magnitude, -unit)
        whole = {"nearest": np.rint, "up": np.ceil, "down": np.floor}[mode](steps)
        rounded = np.minimum(np.ldexp(whole, unit), self.largest)
        if not self.has_zero:
            rounded = np.maximum(rounded, self.smallest)
        return np.copysign(rounded, values)

    def _checked(self, x: ArrayLike) -> FloatArray:
        values = as_real(x, "x").astype(np.float64)
        if np.isnan(values).any():
            raise ValueError(f"x must hold numbers to round to {self}, but has NaN")
        if not self.signed and (values < 0).any():
            raise ValueError(f"x must not be negative for the unsigned {self}, but has {values.min()}")
        return values

    def _unit(self, magnitude: FloatArray) -> NDArray[np.int32]:
        """Exponent of the spacing of the type's numbers at each magnitude."""
        least = 1 - self.bias - self.mantissa_bits - (not self.has_zero)
        if self.exponent_bits == 0:
            return np.full(magnitude.shape, least, dtype=np.int32)
        exponent = np.where(magnitude > 0, np.frexp(magnitude)[1] - 1, least)
        return np.asarray(np.maximum(exponent - self.mantissa_bits, least), dtype=np.int32)

    def encode(self, x: ArrayLike) -> IntArray:
        """Bit patterns of numbers of this type (round first).

        Parameters
        ----------
        x : array_like of real numbers, any shape
            Finite; each one of the type's own.

        Returns
        -------
        ndarray of uint8, uint16, uint32 or uint64, of the shape of x
            Negative zero keeps its sign bit where the type has one.

        Raises
        ------
        TypeError
            If x does not hold real numbers.
        ValueError
            If a value is none of the type's numbers.
        """
        values = self._checked(x)
        magnitude = np.abs(values)
        wrong = self.round(values) != values
        if wrong.any():
            raise ValueError(f"x must hold numbers of {self}, but has {values[wrong].flat[0]!r}")
        unit = self._unit(magnitude)
        least = 1 - self.bias - self.mantissa_bits - (not self.has_zero)
        steps = np.ldexp(magnitude, -unit).astype(np.uint64)
        hidden = np.uint64(1 if self.has_zero else 0)
        # Above the subnormals each octave adds 2^M codes; the leading one of the significand is among them.
        octaves = (unit - least).astype(np.uint64)
        codes = steps + (octaves << np.uint64(self.mantissa_bits)) - (np.uint64(1) - hidden)
        if self.signed:
            negative = np.signbit(values) & ((magnitude > 0) | (self.special != "fnuz"))
            codes = codes | (negative.astype(np.uint64) << np.uint64(self.bits - 1))
        return codes.astype(self._code_type)

    @property
    def _code_type(self) -> type[np.unsignedinteger[Any]]:
        for kind in (np.uint8, np.uint16, np.uint32):
            if self.bits <= np.iinfo(kind).bits:
                return kind
        return np.uint64

    def decode(self, codes: ArrayLike) -> FloatArray:
        """Numbers of bit patterns, infinities and NaN included.

        Parameters
        ----------
        codes : array_like of integers, 0 to 2^bits - 1

        Returns
        -------
        ndarray of float64, of the shape of codes

        Raises
        ------
        TypeError, ValueError
            If the codes are not integers of that range.
        """
        array = np.asarray(codes)
        if array.dtype.kind not in "iu":
            raise TypeError(f"codes must be integers, got {array.dtype}")
        if array.size and not (int(array.min()) >= 0 and int(array.max()) < 1 << self.bits):
            raise ValueError(
                f"codes of {self} must be in [0, {1 << self.bits}), got {array.min()} to {array.max()}"
            )
        width = self.exponent_bits + self.mantissa_bits
        wide = array.astype(np.uint64)
        magnitude_code = (wide & np.uint64((1 << width) - 1)).astype(np.int64)
        negative = (wide >> np.uint64(width)).astype(np.bool_) & self.signed
        with np.errstate(over="ignore"):
            magnitude = self._magnitudes(magnitude_code)
        if self.special == "ieee":
            magnitude = np.where(magnitude_code == self._last_code + 1, np.inf, magnitude)
            magnitude = np.where(magnitude_code > self._last_code + 1, np.nan, magnitude)
        elif self.special == "nan":
            magnitude = np.where(magnitude_code > self._last_code, np.nan, magnitude)
        elif self.special == "fnuz":
            magnitude = np.where(negative & (magnitude_code == 0), np.nan, magnitude)
        return np.where(negative, -magnitude, magnitude)

    def steps(self, lower: float, upper: float, mode: Mode = "nearest") -> tuple[FloatArray, FloatArray]:
        """Rounding of positive numbers as a staircase: what lies in (edges[j], edges[j+1]] becomes values[j].

        Parameters
        ----------
        lower, upper : float, 0 <= lower <= upper, upper > 0
            The numbers to be rounded; an infinite upper end means all of them.
        mode : {"nearest", "up", "down"}
            As for `round`; which step a tie belongs to is left open.

        Returns
        -------
        edges : ndarray of float64, shape (n + 1,), ascending
        values : ndarray of float64, shape (n,), ascending
            The positive numbers to which [lower, upper] is rounded.  Where the least of them is the type's
            smallest, what lies below edges[0] is rounded to zero; above edges[-1] a step that ends at the
            type's largest saturates.

        Raises
        ------
        ValueError
            If the ends are not as said, or more than 131,072 numbers lie between them.
        """
        if not 0 <= lower <= upper or not upper > 0:
            raise ValueError(
                f"lower and upper must be 0 <= lower <= upper, 0 < upper, got {lower} and {upper}"
            )
        ends = np.maximum(self.round([lower, upper], mode), self.smallest)
        first, last = (int(code) for code in self.encode(ends))
        if last - first >= _MOST_STEPS:
            raise ValueError(
                f"at most {_MOST_STEPS} numbers of {self} can be told apart, but {last - first + 1} lie "
                f"between {lower} and {upper}"
            )
        around = self._magnitudes(np.arange(max(first - 1, 0), min(last + 1, self._last_code) + 1))
        if first == 0:  # no zero: the smallest number takes everything below it
            around = np.concatenate([[0.0], around])
        if last == self._last_code:
            around = np.append(around, self.largest)
        values = around[1:-1]
        if mode == "nearest":
            edges = around[:-1] + np.diff(around) / 2
        else:
            edges = around[:-1].copy() if mode == "up" else around[1:].copy()
        if first == 0:
            edges[0] = 0.0
        return edges, values


def number_type(text: str) -> NumberType:
    """Number type of a name.

    Parameters
    ----------
    text : str
        - float64, float32, float16, bfloat16 (also fp32, bf16, ...);
        - e8m0: OCP's scale, unsigned, 2^-127 to 2^127, no zero;
        - eXmY, or ueXmY without a sign: X exponent and Y mantissa bits, bias 2^(X-1) - 1; `b` and a number
          behind it give another bias, and a suffix says which codes are no numbers: ieee, nan, fnuz (its bias
          is one more) or none (the default but for e4m3, ue4m3, ue5m3: nan, and e5m2, e3m4: ieee);
        - uintK: unsigned integers.

    Returns
    -------
    NumberType
        `str` of it is the canonical name, from which an equal type is read.

    Raises
    ------
    ValueError
        If the name is unknown (near matches are named) or its numbers leave the range of float64.
    TypeError
        If `text` is not a string.

    References
    ----------
    OCP 8-bit Floating Point Specification (OFP8) v1.0; OCP Microscaling Formats (MX) v1.0, tables 1 to 5.

    Examples
    --------
    >>> number_type("e4m3").largest, number_type("e5m2").largest, number_type("uint6").largest
    (448.0, 57344.0, 63.0)
    >>> str(number_type("bf16")), number_type("ue5m3").bits
    ('bfloat16', 8)
    """
    if not isinstance(text, str):
        raise TypeError(f"number type must be text, got {text!r}")
    name, (exponent_bits, mantissa_bits, bias, signed, special) = resolve_number_name(text)
    return NumberType(name, exponent_bits, mantissa_bits, bias, signed, special)  # type: ignore[arg-type]
