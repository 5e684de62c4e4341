"""A scalar quantiser: codepoints, and the thresholds between their cells."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .._arrays import as_real, finite, raise_not_finite
from .._typing import ArrayLike, FloatArray, IntArray
from .codec import Codec

__all__ = ["Design", "ScalarQuantiser", "midpoints"]


@dataclass(frozen=True)
class Design:
    """How a quantiser was found, and how well its conditions of optimality hold.

    Attributes
    ----------
    method : str
        Name of the designer.
    status : str
        "converged", "closed form", or what stopped the designer short of its tolerance.
    iterations : int
        Steps taken.
    residual : float
        Optimality gap of the design's own conditions, relative (see the designer); 0 for a closed form.
    certificate : str
        Why the design is a global optimum ("log-concave law", "dynamic programming"), or "none".
    slope : float
        Lagrange multiplier of an entropy-constrained design (distortion per bit); NaN elsewhere.
    """

    method: str
    status: str
    iterations: int = 0
    residual: float = 0.0
    certificate: str = "none"
    slope: float = float("nan")


@dataclass(frozen=True, eq=False)
class ScalarQuantiser:
    """N codepoints in ascending order and the N - 1 thresholds that bound their cells.

    Cell i is (thresholds[i-1], thresholds[i]], with infinite outer ends: a value that lies exactly on a
    threshold belongs to the cell below it.

    Parameters
    ----------
    codepoints : array_like of real numbers, shape (N,), N >= 1
        Finite and ascending; neighbours may be equal (a layout may spend two codes on zero).
    thresholds : array_like of real numbers, shape (N - 1,), optional
        Finite and ascending; midpoints of neighbouring codepoints (nearest neighbour) when left out.
    design : Design, optional
        The record of the designer; it plays no part in comparisons.

    Raises
    ------
    TypeError
        If an array does not hold real numbers.
    ValueError
        If an array is empty, not one-dimensional, not finite, not ascending, or of the wrong length.

    Notes
    -----
    Quantisers are immutable; they are equal when their codepoints and thresholds are.

    Examples
    --------
    >>> quantiser = ScalarQuantiser([-1.0, 0.0, 2.0])
    >>> quantiser.thresholds
    array([-0.5,  1. ])
    >>> quantiser.encode([-0.5, 0.9, 7.0])
    array([0, 1, 2], dtype=uint8)
    >>> quantiser([-0.5, 0.9, 7.0])
    array([-1.,  0.,  2.])
    """

    codepoints: FloatArray
    thresholds: FloatArray = None  # type: ignore[assignment]
    design: Design | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        codepoints = _ascending(self.codepoints, "codepoints")
        if codepoints.size == 0:
            raise ValueError("codepoints must hold at least one value, but are empty")
        if self.thresholds is None:
            thresholds = midpoints(codepoints)
        else:
            thresholds = _ascending(self.thresholds, "thresholds")
        if thresholds.size != codepoints.size - 1:
            raise ValueError(
                f"thresholds must number one less than the codepoints, {codepoints.size - 1}, "
                f"but there are {thresholds.size}"
            )
        for array in (codepoints, thresholds):
            array.flags.writeable = False
        object.__setattr__(self, "codepoints", codepoints)
        object.__setattr__(self, "thresholds", thresholds)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ScalarQuantiser):
            return NotImplemented
        return np.array_equal(self.codepoints, other.codepoints) and np.array_equal(
            self.thresholds, other.thresholds
        )

    def __hash__(self) -> int:
        # 0.0 and -0.0 are equal, so they must have one hash.
        return hash(((self.codepoints + 0.0).tobytes(), (self.thresholds + 0.0).tobytes()))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.codepoints, self.thresholds, self.design)

    @property
    def levels(self) -> int:
        """Number of codepoints."""
        return len(self.codepoints)

    @property
    def symmetric(self) -> bool:
        """Whether negating codepoints and thresholds gives the same quantiser, to the last bit."""
        return np.array_equal(self.codepoints, -self.codepoints[::-1]) and np.array_equal(
            self.thresholds, -self.thresholds[::-1]
        )

    @cached_property
    def _codec(self) -> Codec:
        return Codec(self.codepoints, self.thresholds)

    def encode(self, x: ArrayLike) -> IntArray:
        """Index of the cell of each value.

        Parameters
        ----------
        x : array_like of any shape and memory layout
            float16, bfloat16 (ml_dtypes), float32, float64 or integers (taken as float64); finite.

        Returns
        -------
        ndarray of uint8 (up to 256 codepoints) or uint16, of the shape of x
            Number of thresholds below each value, compared as in float64 whatever the type of x.

        Raises
        ------
        TypeError
            If x holds anything else.
        ValueError
            If a value is NaN or infinite (the first one is named), or there are over 65,536 codepoints.

        Notes
        -----
        Large arrays are shared between all cores and encoded at about the speed of memory.
        """
        return self._codec.encode(x)

    def decode(self, index: ArrayLike, dtype: DTypeLike = np.float64) -> NDArray[Any]:
        """Codepoint of each index.

        Parameters
        ----------
        index : array_like of integers, of any shape, 0 to N - 1
        dtype : float64, float32, float16 or bfloat16
            Type of the result; each codepoint is rounded to it once, to nearest, ties to even.

        Returns
        -------
        ndarray of dtype, of the shape of index

        Raises
        ------
        TypeError
            If index does not hold integers, or dtype is another type.
        ValueError
            If an index is out of range (the first one is named), dtype cannot hold a codepoint, or there are
            over 65,536 codepoints.
        """
        return self._codec.decode(index, dtype)

    def __call__(self, x: ArrayLike) -> FloatArray:
        """Quantise: decode(encode(x))."""
        return self.decode(self.encode(x))

    def scaled(self, factor: float) -> ScalarQuantiser:
        """Quantiser of the law of factor * x: codepoints and thresholds times the factor.

        Parameters
        ----------
        factor : float, positive and finite

        Returns
        -------
        ScalarQuantiser
            With the same record of design; a slope, which is a distortion per bit, is scaled by factor^2.

        Raises
        ------
        ValueError
            If the factor is not positive and finite, or a codepoint leaves the range of float64.
        """
        if not 0.0 < factor < np.inf:
            raise ValueError(f"factor must be positive and finite, but is {factor}")
        design = self.design and replace(self.design, slope=self.design.slope * factor**2)
        with np.errstate(over="ignore"):
            return ScalarQuantiser(self.codepoints * factor, self.thresholds * factor, design)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers that survive JSON to the last bit; `from_dict` is the way back.

        Returns
        -------
        dict
            "codepoints" and "thresholds", lists of float, and "design": its fields, or None.  A slope of NaN
            becomes None, since JSON has no NaN.

        Examples
        --------
        >>> import json
        >>> quantiser = ScalarQuantiser([-1 / 3, 0.1])
        >>> ScalarQuantiser.from_dict(json.loads(json.dumps(quantiser.to_dict()))) == quantiser
        True
        """
        design = self.design and {
            key: None if value != value else value for key, value in asdict(self.design).items()
        }
        return {
            "codepoints": self.codepoints.tolist(),
            "thresholds": self.thresholds.tolist(),
            "design": design,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ScalarQuantiser:
        """Quantiser of a dictionary made by `to_dict`.

        Parameters
        ----------
        data : mapping
            "codepoints", and optionally "thresholds" and "design".

        Raises
        ------
        ValueError
            If "codepoints" is missing, there is an unknown key, or the arrays are no quantiser.
        """
        unknown = set(data) - {"codepoints", "thresholds", "design"}
        if unknown or "codepoints" not in data:
            raise ValueError(f"a quantiser has codepoints, thresholds and design; these keys came: {[*data]}")
        record: Any = data.get("design")
        if record is not None:
            names = {entry.name for entry in fields(Design)}
            if not {"method", "status"} <= set(record) <= names:
                raise ValueError(f"a design has {', '.join(sorted(names))}; these keys came: {[*record]}")
            record = {name: math.nan if value is None else value for name, value in record.items()}
        design = record and Design(**record)
        return cls(data["codepoints"], data.get("thresholds"), design)  # type: ignore[arg-type]


def midpoints(codepoints: FloatArray) -> FloatArray:
    """Halfway between neighbours, each between the two to the last bit, and odd under negation."""
    with np.errstate(over="ignore"):
        middle = (codepoints[:-1] + codepoints[1:]) / 2
    return np.where(np.isfinite(middle), middle, codepoints[:-1] / 2 + codepoints[1:] / 2)


def _ascending(values: ArrayLike, name: str) -> FloatArray:
    """Copy as float64, checked."""
    array = as_real(values, name) if np.size(values) else np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, but have shape {array.shape}")
    result = array.astype(np.float64)
    if not finite(result).all():
        raise_not_finite(result, name)
    if (result[1:] < result[:-1]).any():
        k = int(np.argmax(result[1:] < result[:-1]))
        raise ValueError(f"{name} must ascend, but {result[k]} is followed by {result[k + 1]}")
    return result
