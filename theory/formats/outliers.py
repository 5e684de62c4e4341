"""Outliers: the largest elements of a tensor, kept apart with their positions and left out of the blocks.

What a few large elements cost is paid by all others through the scale they share; kept apart, they cost their
positions and values.  Positions are stored in the cheapest of three ways (see `positions`), and counted to
the bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from .._arguments import check_choice, check_positive
from .._arrays import as_real, finite, raise_not_finite
from .._typing import ArrayLike, FloatArray
from ..sources.base import Source
from .number_types import NumberType, number_type
from .positions import CODINGS, cheapest_coding, expected_bits, position_bits

__all__ = ["Outliers", "parse_outliers"]

_WORDS = ("cheapest", *CODINGS)
_CHOICE_BITS = 2  # which coding was the cheapest
_SAMPLE = 1 << 16  # elements that tell where to look for the largest; more cost time, fewer let more through
_HUGE = 1e140  # squares of larger magnitudes, or of those below the inverse, leave the range of doubles


@dataclass(frozen=True)
class Outliers:
    """Elements that a format keeps apart: a fraction of all, or those above a threshold.

    `str(outliers)` is its text in a format's specification: `0.1%`, `>4`, `0.1%:float16:gaps`.

    Attributes
    ----------
    fraction : float, 0 < fraction < 1, optional
        Of N elements, the round(fraction N) largest magnitudes (ties to even) are kept apart; of equal
        magnitudes those that come first.
    threshold : float > 0, optional
        In units of the tensor's root mean square; magnitudes above it are kept apart.  Exactly one of
        fraction and threshold is given.
    number : NumberType
        How a value is stored; its bits are counted.  Values are rounded to nearest.
    positions : {"cheapest", "index", "gaps", "bitmap"}
        How positions are stored.  "cheapest" takes the shortest of the three for the tensor at hand, and two
        bits that say which.

    Raises
    ------
    ValueError, TypeError
        If an attribute is none of these.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([0.1, -9.0, 0.2, 0.1, 9.0, -0.3, 0.2, 0.1])
    >>> Outliers(fraction=0.125).find(x).tolist(), Outliers(threshold=1.5).find(x).tolist()
    ([1], [1, 4])
    """

    fraction: float | None = None
    threshold: float | None = None
    number: NumberType = field(default_factory=lambda: number_type("bfloat16"))
    positions: Literal["cheapest", "index", "gaps", "bitmap"] = "cheapest"

    def __post_init__(self) -> None:
        if (self.fraction is None) == (self.threshold is None):
            raise ValueError(
                f"give exactly one of fraction and threshold, got {self.fraction!r} and {self.threshold!r}"
            )
        if self.fraction is not None:
            object.__setattr__(self, "fraction", check_positive("fraction", self.fraction))
            if self.fraction >= 1.0:
                raise ValueError(f"fraction must be below 1, got {self.fraction}")
        else:
            object.__setattr__(self, "threshold", check_positive("threshold", self.threshold))
        if not isinstance(self.number, NumberType) or not self.number.signed:
            raise TypeError(f"number must be a NumberType with a sign, got {self.number!r}")
        check_choice("positions", self.positions, _WORDS)

    def __str__(self) -> str:
        size = f">{self.threshold!r}" if self.fraction is None else _percent(self.fraction)
        number = "" if self.number == number_type("bfloat16") else f":{self.number}"
        return (
            size.removesuffix(".0") + number + ("" if self.positions == "cheapest" else f":{self.positions}")
        )

    def count(self, size: int) -> int | None:
        """Outliers among `size` elements; None where a threshold decides."""
        return None if self.fraction is None else round(self.fraction * size)

    def find(self, x: ArrayLike) -> NDArray[np.int64]:
        """Positions of the outliers of a tensor.

        Parameters
        ----------
        x : array_like of float16, bfloat16, float32, float64 or integers, any shape
            Finite.

        Returns
        -------
        ndarray of int64
            Positions in C order, ascending.  The root mean square of a threshold is taken in float64, the
            squares summed by halves (first half plus second half, padded with zeros to a power of two).

        Raises
        ------
        ValueError, TypeError
            If x is not finite, or not of these types.
        """
        values = as_real(x, "x")
        if not finite(values).all():
            raise_not_finite(values, "x")
        wide = values.dtype == np.float64 or values.dtype.kind in "iu"
        magnitudes = np.abs(values.reshape(-1).astype(np.float64 if wide else np.float32, copy=False))
        if self.threshold is not None:
            return np.flatnonzero(magnitudes > self.threshold * _rms(magnitudes))
        return _largest(magnitudes, round(cast(float, self.fraction) * magnitudes.size))

    def position_bits(self, positions: NDArray[np.int64], size: int) -> int:
        """Exact bits that these positions among `size` elements take, headers included."""
        positions = np.asarray(positions, dtype=np.int64)
        if self.positions != "cheapest":
            return position_bits(positions, size, self.positions)
        return _CHOICE_BITS + position_bits(positions, size, cheapest_coding(positions, size))

    def bits(self, positions: NDArray[np.int64], size: int) -> int:
        """Exact bits of the outliers of a tensor of `size` elements: positions and values."""
        return self.position_bits(positions, size) + len(positions) * int(self.number.bits)

    def expected_bits(self, probability: float, size: float = math.inf) -> float:
        """Expected bits per element of positions and values, where elements are outliers independently.

        Parameters
        ----------
        probability : float, 0 to 1
            Of an element to be an outlier; see `probability`.
        size : float >= 1
            Elements of the tensor; infinite where headers do not matter.
        """
        if not 0.0 <= probability <= 1.0:
            raise ValueError(f"probability must be between 0 and 1, got {probability}")
        codings = CODINGS if self.positions == "cheapest" else (self.positions,)
        positions = min(expected_bits(probability, size, coding) for coding in codings)
        choice = _CHOICE_BITS / size if self.positions == "cheapest" else 0.0
        return positions + choice + probability * float(self.number.bits)

    def cut(self, source: Source) -> float:
        """Magnitude above which an element of a source is an outlier.

        For a fraction p the smallest t with P(|X| > t) <= p, to the spacing of doubles; for a threshold that
        multiple of the source's root mean square.
        """
        if self.threshold is not None:
            return self.threshold * math.hypot(source.std, source.mean)
        fraction = cast(float, self.fraction)
        if source.symmetric and not source.discrete:
            return float(source.isf(fraction / 2))
        low, high = 0.0, float(max(abs(source.isf(fraction / 2)), abs(source.ppf(fraction / 2))))
        if _beyond(source, low) <= fraction:
            return low
        while low < (middle := low + (high - low) / 2) < high:
            low, high = (low, middle) if _beyond(source, middle) <= fraction else (middle, high)
        return high

    def probability(self, source: Source) -> float:
        """Probability that an element of a source is an outlier: P(|X| > cut)."""
        if self.fraction is not None and not source.discrete:
            return self.fraction
        return _beyond(source, self.cut(source))

    def value_error(self, source: Source) -> float:
        """Mean squared error per element of the tensor that rounding the outliers' values leaves.

        The integral of (x - round(x))^2 over |x| > cut: over the cells of all numbers of up to 16 bits, exact;
        of wider ones as step^2 / 12 in every binade, as for any smooth law (the error is about 2^-mantissa_bits
        of it), and without what lies above the largest number.
        """
        cut = self.cut(source)
        if self.number.bits > 16:
            return _fine_error(source, cut, self.number)
        values = self.number.values()
        edges = np.concatenate([[-np.inf], (values[:-1] + values[1:]) / 2, [np.inf]])
        low, high = edges[:-1], edges[1:]
        below = np.nextafter(-cut, -np.inf) if source.discrete else -cut
        lower = source.partial_moments(np.minimum(low, below), np.minimum(high, below), values)[2]
        upper = source.partial_moments(np.maximum(low, cut), np.maximum(high, cut), values)[2]
        return float(np.sum(lower) + np.sum(upper))


def parse_outliers(text: str) -> Outliers:
    """Build outliers from their text: size[:number][:positions].

    Parameters
    ----------
    text : str
        The size is a fraction (0.001 or 0.1%), or > and a threshold in units of the root mean square.

    Raises
    ------
    ValueError
        If a part is not understood.
    TypeError
        If `text` is not a string.

    Examples
    --------
    >>> str(parse_outliers("0.001:bfloat16:gaps")), str(parse_outliers(">4.5:float16"))
    ('0.1%:gaps', '>4.5:float16')
    """
    if not isinstance(text, str):
        raise TypeError(f"outliers must be text, got {text!r}")
    size, *words = text.strip().lower().split(":")
    given: dict[str, Any] = {}
    if words and words[-1] in _WORDS:
        given["positions"] = words.pop()
    if words:
        given["number"] = number_type(words.pop())
    try:
        value = Decimal(size.removeprefix(">").removesuffix("%"))
    except InvalidOperation:
        value = Decimal("nan")
    if words or not value.is_finite() or (size.startswith(">") and size.endswith("%")):
        raise ValueError(
            f"outliers must be a fraction or >threshold, then [:number][:positions], as in 0.1%, got {text!r}"
        )
    if size.startswith(">"):
        return Outliers(threshold=float(value), **given)
    return Outliers(fraction=float(value.scaleb(-2) if size.endswith("%") else value), **given)


def _percent(fraction: float) -> str:
    percent = Decimal(repr(fraction)).scaleb(2)
    return f"{percent.normalize():f}%" if percent > Decimal("1e-9") else f"{percent.normalize()}%"


def _beyond(source: Source, magnitude: float) -> float:
    """P(|X| > magnitude)."""
    below = np.nextafter(-magnitude, -np.inf) if source.discrete else -magnitude
    return float(source.sf(magnitude)) + float(source.cdf(below))


def _largest(magnitudes: NDArray[Any], count: int) -> NDArray[np.int64]:
    """Positions of the largest; equal ones by position.  A sample tells which need not be looked at."""
    if count == 0:
        return np.empty(0, dtype=np.int64)
    sample = np.sort(magnitudes[:: max(1, magnitudes.size // _SAMPLE)])
    rank = sample.size - 2 * math.ceil(count * sample.size / magnitudes.size) - 16
    candidates = np.flatnonzero(magnitudes >= sample[max(rank, 0)])
    if candidates.size < count:  # what a sample of 2 p - 16 among p expects only of tensors with a pattern
        candidates = np.arange(magnitudes.size)
    among = magnitudes[candidates]
    least = np.partition(among, among.size - count)[among.size - count]
    above = candidates[among > least]
    ties = candidates[among == least][: count - above.size]
    return np.sort(np.concatenate([above, ties]))


def _rms(magnitudes: NDArray[Any]) -> float:
    """Root mean square in float64; scaled by a power of two where squares would leave its range."""
    if not magnitudes.size or (largest := float(magnitudes.max())) == 0.0:
        return 0.0
    shift = 0 if 1 / _HUGE < largest < _HUGE else math.frexp(largest)[1]
    half = 1 << max((magnitudes.size - 1).bit_length() - 1, 0)
    total = _squares(magnitudes[:half], shift)
    total[: magnitudes.size - half] += _squares(magnitudes[half:], shift)
    while total.size > 1:
        total = total[: total.size // 2] + total[total.size // 2 :]
    return math.ldexp(math.sqrt(float(total[0]) / magnitudes.size), shift)


def _squares(magnitudes: NDArray[Any], shift: int) -> FloatArray:
    wide = np.ldexp(magnitudes.astype(np.float64), -shift) if shift else magnitudes.astype(np.float64)
    return cast(FloatArray, np.square(wide, out=wide))


def _fine_error(source: Source, cut: float, number: NumberType) -> float:
    """Squared error of a fine number type outside (-cut, cut), binade by binade."""
    lowest = math.frexp(float(number.smallest))[1] - 1 + number.mantissa_bits
    exponents = np.arange(lowest, math.frexp(float(number.largest))[1])
    edges = np.concatenate([[0.0], np.ldexp(1.0, exponents[1:]), [float(number.largest)]])
    low, high = np.maximum(edges[:-1], cut), np.maximum(edges[1:], cut)
    mass = source.probability(low, high) + source.probability(-high, -low)
    steps = np.ldexp(1.0, exponents - number.mantissa_bits)
    return float(np.sum(mass * steps**2) / 12.0)
